//! Byte-pair encoding of one piece: of all neighbours that together are a token, join those of the lowest rank, the
//! leftmost first, until none is left.
//!
//! The one idea: ids are ranks, so the vocabulary's byte table is all that is needed, without a table of pairs. Short
//! pieces are scanned anew for each join; long ones keep a heap, so that a megabyte of spaces is not quadratic.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Token;
use super::table::Table;

/// Pieces up to this length, in bytes, are scanned: their whole state is a kilobyte on the stack.
const SHORT: usize = 64;
/// No token: greater than every rank.
const NONE: u32 = u32::MAX;

/// Appends the tokens of `piece`.
pub(super) fn merge(table: &Table, piece: &[u8], out: &mut Vec<Token>) {
    if piece.len() <= SHORT {
        scan(table, piece, out);
    } else {
        heap(table, piece, out);
    }
}

fn rank(table: &Table, bytes: &[u8]) -> u32 {
    table.get(bytes).unwrap_or(NONE)
}

fn scan(table: &Table, piece: &[u8], out: &mut Vec<Token>) {
    // Parts are starts[0..count], each up to the next start; pairs[i] is the rank of part i joined with the next.
    let mut starts = [0usize; SHORT + 1];
    let mut pairs = [NONE; SHORT + 1];
    let mut count = piece.len();
    for (place, start) in starts.iter_mut().enumerate().take(count + 1) {
        *start = place;
    }
    for (pair, bytes) in pairs.iter_mut().zip(piece.windows(2)) {
        *pair = rank(table, bytes);
    }
    loop {
        let (mut best, mut at) = (NONE, 0);
        for (place, &pair) in pairs[..count].iter().enumerate() {
            if pair < best {
                (best, at) = (pair, place);
            }
        }
        if best == NONE {
            break;
        }
        starts.copy_within(at + 2..=count, at + 1);
        pairs.copy_within(at + 1..count, at);
        count -= 1;
        let pair = |place: usize| match starts.get(place + 2) {
            Some(&end) if place + 2 <= count => rank(table, &piece[starts[place]..end]),
            _ => NONE,
        };
        pairs[at] = pair(at);
        if at > 0 {
            pairs[at - 1] = pair(at - 1);
        }
    }
    for part in starts[..=count].windows(2) {
        out.extend(table.get(&piece[part[0]..part[1]]).map(Token));
    }
}

/// One part of a long piece, kept at the index of its first byte.
#[derive(Clone, Copy)]
struct Part {
    /// Where it ends, which is where the next begins.
    end: usize,
    /// Where the part before it begins.
    before: usize,
    /// The rank of this part joined with the next; [`NONE`] too where this is no longer a part.
    pair: u32,
}

fn heap(table: &Table, piece: &[u8], out: &mut Vec<Token>) {
    let length = piece.len();
    let mut parts: Vec<Part> = (0..length)
        .map(|start| Part {
            end: start + 1,
            before: start.saturating_sub(1),
            pair: piece.get(start..start + 2).map_or(NONE, |bytes| rank(table, bytes)),
        })
        .collect();
    let mut queue: BinaryHeap<Reverse<(u32, usize)>> = parts
        .iter()
        .enumerate()
        .filter(|(_, part)| part.pair != NONE)
        .map(|(start, part)| Reverse((part.pair, start)))
        .collect();
    while let Some(Reverse((pair, start))) = queue.pop() {
        if parts[start].pair != pair {
            continue; // one of the two has been joined with another since
        }
        let middle = parts[start].end;
        let end = parts[middle].end;
        parts[middle].pair = NONE;
        parts[start].end = end;
        if end < length {
            parts[end].before = start;
        }
        let before = parts[start].before;
        for left in [Some(start), (start > 0).then_some(before)].into_iter().flatten() {
            let right = parts[left].end;
            let joined = if right < length { rank(table, &piece[left..parts[right].end]) } else { NONE };
            parts[left].pair = joined;
            if joined != NONE {
                queue.push(Reverse((joined, left)));
            }
        }
    }
    let mut start = 0;
    while start < length {
        let end = parts[start].end;
        out.extend(table.get(&piece[start..end]).map(Token));
        start = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All bytes, then tokens over a, b, c in an order that makes ranks cross.
    fn table() -> Table {
        let mut tokens: Vec<Vec<u8>> = (0..=255u8).map(|byte| vec![byte]).collect();
        for token in ["bc", "ab", "abc", "aa", "aaaa", "cab", "aab", "bcbc", "aaaaaaaa", "ca", "abca"] {
            tokens.push(token.as_bytes().to_vec());
        }
        Table::new(tokens.iter().map(Vec::as_slice)).expect("distinct tokens")
    }

    fn tokens(encode: fn(&Table, &[u8], &mut Vec<Token>), piece: &str) -> Vec<String> {
        let (table, mut out) = (table(), Vec::new());
        encode(&table, piece.as_bytes(), &mut out);
        out.iter().map(|token| String::from_utf8_lossy(table.bytes(token.0)).into_owned()).collect()
    }

    #[test]
    fn the_lowest_rank_wins_and_then_the_leftmost() {
        assert_eq!(tokens(scan, "abc"), ["abc"]); // a bc, then abc
        assert_eq!(tokens(scan, "aaaaa"), ["aaaa", "a"]);
        assert_eq!(tokens(scan, "abca"), ["abca"]);
        assert_eq!(tokens(scan, "x"), ["x"]);
    }

    proptest! {
        #[test]
        fn scanning_and_the_heap_agree(piece in "[abcx]{1,64}") {
            prop_assert_eq!(tokens(scan, &piece), tokens(heap, &piece));
        }
    }
}
