//! A long text in overlapping pieces.
//!
//! Each piece is measured alone, as it will be judged. It ends at a pause of the text if there is one near. The pieces
//! together hold every byte of the text.

use crate::tokenizer::{Token, Tokenizer};

/// Tokens of a character, at most. A piece of this size can hold any character.
const LEAST: usize = 4;

/// Returns a text in pieces of at most `size` tokens. Each begins about `overlap` tokens before the end of the last.
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
            // The piece is nothing but the overlap, so this one must begin without it.
            start = end;
            (piece, tokens) = first(tokenizer, &text[start..], size);
        }
        pieces.push(piece);
        end = start + piece.len();
        if end == text.len() {
            return pieces;
        }
        let back = |count| end - length(tokenizer, &tokens[tokens.len().saturating_sub(count)..]);
        // The last quarter of the overlap may be given up, so that the next piece begins at a pause.
        let (from, to) = (text.ceil_char_boundary(back(overlap)), text.ceil_char_boundary(back(overlap - overlap / 4)));
        start = pause(text, from, to);
    }
}

/// Returns the first piece, and its tokens.
fn first<'t>(tokenizer: &Tokenizer, text: &'t str, size: usize) -> (&'t str, Vec<Token>) {
    // A window of the text: with all of it, the cost would be the square of the length.
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
        // The estimate has a quarter to spare.
        window = seen.len().saturating_mul(size.saturating_add(size.div_ceil(4))) / tokens.len();
    };
    let most = text.floor_char_boundary(length(tokenizer, &tokens[..size]));
    // The last quarter of a piece may be given up, so that it ends at a pause.
    let mut end = pause(text, length(tokenizer, &tokens[..size - size / 4]), most);
    loop {
        let tokens = tokenizer.encode(&text[..end]);
        if tokens.len() <= size {
            return (&text[..end], tokens);
        }
        // After the cut, the last word has more tokens than it had in the whole text.
        end = text.floor_char_boundary(length(tokenizer, &tokens[..size]));
    }
}

fn length(tokenizer: &Tokenizer, tokens: &[Token]) -> usize {
    tokens.iter().map(|token| tokenizer.bytes(*token).len()).sum()
}

/// Returns the best place for a cut from `from` to `to`, which is a boundary of characters: before a new line, else
/// after a sentence, else after a word. Of equal places the last; `to` itself without any.
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
