//! A long text in overlapping pieces.
//!
//! The one idea: a piece is measured by itself, as it will be judged, and ends where a reader would pause if there is
//! such a place near. The pieces hold every byte of the text. What is made of their verdicts is not known here.

use crate::tokenizer::{Token, Tokenizer};

/// No character has more tokens, so that a piece of this size can hold any.
const LEAST: usize = 4;

/// A text in pieces of at most `size` tokens, of which each begins about `overlap` tokens before the end of the last.
/// A size below four counts as four, and an overlap beyond half the size as half.
#[must_use]
pub fn pieces<'t>(tokenizer: &Tokenizer, text: &'t str, size: usize, overlap: usize) -> Vec<&'t str> {
    let size = size.max(LEAST);
    let overlap = overlap.min(size / 2);
    let mut pieces = Vec::new();
    let (mut start, mut end) = (0, 0);
    loop {
        let (mut piece, mut tokens) = first(tokenizer, &text[start..], size);
        if start + piece.len() <= end && start < end {
            // It holds nothing but the overlap, so that there can be none here.
            start = end;
            (piece, tokens) = first(tokenizer, &text[start..], size);
        }
        pieces.push(piece);
        end = start + piece.len();
        if end == text.len() {
            return pieces;
        }
        let back = |count| end - length(tokenizer, &tokens[tokens.len().saturating_sub(count)..]);
        let (from, to) = (text.ceil_char_boundary(back(overlap)), text.ceil_char_boundary(back(overlap - overlap / 4)));
        start = pause(text, from, to);
    }
}

/// The first piece, and its tokens.
fn first<'t>(tokenizer: &Tokenizer, text: &'t str, size: usize) -> (&'t str, Vec<Token>) {
    // Not all of the text, or the whole would cost the square of its length.
    let mut window = size.saturating_mul(6);
    let tokens = loop {
        let seen = &text[..text.floor_char_boundary(window)];
        let tokens = tokenizer.encode(seen);
        if tokens.len() > size {
            break tokens;
        }
        if seen.len() == text.len() {
            return (text, tokens);
        }
        // What should hold a quarter more than is needed.
        window = seen.len().saturating_mul(size.saturating_add(size.div_ceil(4))) / tokens.len();
    };
    let most = text.floor_char_boundary(length(tokenizer, &tokens[..size]));
    let mut end = pause(text, length(tokenizer, &tokens[..size - size / 4]), most);
    loop {
        let tokens = tokenizer.encode(&text[..end]);
        if tokens.len() <= size {
            return (&text[..end], tokens);
        }
        // Cut off here, its last word has more tokens than it had in the whole.
        end = text.floor_char_boundary(length(tokenizer, &tokens[..size]));
    }
}

fn length(tokenizer: &Tokenizer, tokens: &[Token]) -> usize {
    tokens.iter().map(|token| tokenizer.bytes(*token).len()).sum()
}

/// The best place for a cut from `from` to `to`, which is a boundary of characters: before a new line, else after a
/// sentence, else after a word, and of equal ones the last; `to` itself if there is none.
fn pause(text: &str, from: usize, to: usize) -> usize {
    let rank = |before: char, after: char| match (before, after) {
        ('。' | '！' | '？', _) => 2,
        (before, _) if before.is_whitespace() => 0,
        (_, '\n' | '\r') => 3,
        ('.' | '!' | '?' | '…', after) if after.is_whitespace() => 2,
        (_, after) if after.is_whitespace() => 1,
        _ => 0,
    };
    let from = text.floor_char_boundary(from);
    let mut places = text[from..to].char_indices().map(|(at, char)| (from + at + char.len_utf8(), char)).peekable();
    let mut best = (0, to);
    while let Some((place, before)) = places.next() {
        let after = places.peek().map(|(_, after)| *after).or_else(|| text[place..].chars().next());
        best = best.max((after.map_or(0, |after| rank(before, after)), place));
    }
    best.1
}
