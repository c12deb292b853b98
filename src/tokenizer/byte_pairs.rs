//! Byte-pair encoding of one piece: joins neighbors that together are a token, the lowest rank first, then the
//! leftmost.
//!
//! The one idea: ids are ranks, so the index of token bytes is enough, without a table of pairs. Short pieces are
//! scanned again for each join. Long pieces keep a heap, so that a megabyte of spaces does not take quadratic time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::token::Token;
use super::token_index::TokenIndex;

/// Pieces up to this length, in bytes, are scanned: their whole state is a kilobyte on the stack.
const SHORT: usize = 64;
/// The rank of a pair that is not a token: greater than every rank.
const NO_RANK: u32 = u32::MAX;

/// Appends the tokens of `piece`.
pub(super) fn merge(index: &TokenIndex, piece: &[u8], out: &mut Vec<Token>) {
    if piece.len() <= SHORT {
        scan(index, piece, out);
    } else {
        heap(index, piece, out);
    }
}

/// Returns the rank of a token with these bytes.
fn rank(index: &TokenIndex, bytes: &[u8]) -> u32 {
    index.get(bytes).unwrap_or(NO_RANK)
}

/// Joins pairs by scanning all of them for each join.
fn scan(index: &TokenIndex, piece: &[u8], out: &mut Vec<Token>) {
    // Parts begin at starts[0..count]; each ends at the next start. pairs[i] is the rank of part i joined with the
    // next.
    let mut starts = [0usize; SHORT + 1];
    let mut pairs = [NO_RANK; SHORT + 1];
    let mut count = piece.len();
    for (place, start) in starts.iter_mut().enumerate().take(count + 1) {
        *start = place;
    }
    for (pair, bytes) in pairs.iter_mut().zip(piece.windows(2)) {
        *pair = rank(index, bytes);
    }
    loop {
        let (mut best, mut at) = (NO_RANK, 0);
        for (place, &pair) in pairs[..count].iter().enumerate() {
            if pair < best {
                (best, at) = (pair, place);
            }
        }
        if best == NO_RANK {
            break;
        }
        starts.copy_within(at + 2..=count, at + 1);
        pairs.copy_within(at + 1..count, at);
        count -= 1;
        let pair = |place: usize| match starts.get(place + 2) {
            Some(&end) if place + 2 <= count => rank(index, &piece[starts[place]..end]),
            _ => NO_RANK,
        };
        pairs[at] = pair(at);
        if at > 0 {
            pairs[at - 1] = pair(at - 1);
        }
    }
    for part in starts[..=count].windows(2) {
        out.extend(index.get(&piece[part[0]..part[1]]).map(Token));
    }
}

/// A part of a long piece, at the index of its first byte.
#[derive(Clone, Copy)]
struct PiecePart {
    /// Its end, which is the start of the next part.
    end: usize,
    /// The start of the previous part.
    before: usize,
    /// The rank of this part joined with the next. [`NO_RANK`] also if this is no longer a part.
    pair: u32,
}

/// Joins pairs by the order of a heap.
fn heap(index: &TokenIndex, piece: &[u8], out: &mut Vec<Token>) {
    let length = piece.len();
    let mut parts: Vec<PiecePart> = (0..length)
        .map(|start| PiecePart {
            end: start + 1,
            before: start.saturating_sub(1),
            pair: piece.get(start..start + 2).map_or(NO_RANK, |bytes| rank(index, bytes)),
        })
        .collect();
    let mut queue: BinaryHeap<Reverse<(u32, usize)>> = parts
        .iter()
        .enumerate()
        .filter(|(_, part)| part.pair != NO_RANK)
        .map(|(start, part)| Reverse((part.pair, start)))
        .collect();
    while let Some(Reverse((pair, start))) = queue.pop() {
        if parts[start].pair != pair {
            continue; // one of the two was joined with another part since
        }
        let middle = parts[start].end;
        let end = parts[middle].end;
        parts[middle].pair = NO_RANK;
        parts[start].end = end;
        if end < length {
            parts[end].before = start;
        }
        let before = parts[start].before;
        for left in [Some(start), (start > 0).then_some(before)].into_iter().flatten() {
            let right = parts[left].end;
            let joined = if right < length { rank(index, &piece[left..parts[right].end]) } else { NO_RANK };
            parts[left].pair = joined;
            if joined != NO_RANK {
                queue.push(Reverse((joined, left)));
            }
        }
    }
    let mut start = 0;
    while start < length {
        let end = parts[start].end;
        out.extend(index.get(&piece[start..end]).map(Token));
        start = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All bytes, then tokens over a, b, c in an order that makes ranks cross.
    fn index() -> TokenIndex {
        let mut tokens: Vec<Vec<u8>> = (0..=255u8).map(|byte| vec![byte]).collect();
        for token in ["bc", "ab", "abc", "aa", "aaaa", "cab", "aab", "bcbc", "aaaaaaaa", "ca", "abca"] {
            tokens.push(token.as_bytes().to_vec());
        }
        TokenIndex::new(tokens.iter().map(Vec::as_slice)).expect("distinct tokens")
    }

    fn tokens(encode: fn(&TokenIndex, &[u8], &mut Vec<Token>), piece: &str) -> Vec<String> {
        let (index, mut out) = (index(), Vec::new());
        encode(&index, piece.as_bytes(), &mut out);
        out.iter().map(|token| String::from_utf8_lossy(index.bytes(token.0)).into_owned()).collect()
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
