//! The sentences of a text, each with its line.
//!
//! The one idea: prose is wrapped anywhere, so a sentence is read across the lines of its block. An item, a heading or
//! a row of a table begins a block.

/// A sentence.
#[derive(Debug)]
pub(super) struct Sentence {
    /// The line on which it begins, from 0.
    pub line: usize,
    /// Its words, on one line.
    pub text: String,
}

/// Returns the sentences of all blocks, and then those of each line on its own.
pub(super) fn block_and_line_sentences(text: &str) -> Vec<Sentence> {
    let mut all = block_sentences(text);
    for (index, line) in text.lines().enumerate() {
        all.extend(split(&[(index, line)]));
    }
    all
}

/// Returns the sentences of all blocks.
pub(super) fn block_sentences(text: &str) -> Vec<Sentence> {
    let mut blocks = Vec::new();
    let mut block = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let bare = line.trim();
        let alone = bare.is_empty() || bare.starts_with(['#', '|']) || bare.starts_with("```");
        if alone || begins_item(bare) {
            blocks.push(std::mem::take(&mut block));
        }
        if !bare.is_empty() {
            block.push((index, bare));
        }
        if alone {
            blocks.push(std::mem::take(&mut block));
        }
    }
    blocks.push(block);
    blocks.iter().flat_map(|block| split(block)).collect()
}

fn begins_item(line: &str) -> bool {
    let bullet = ["- ", "* ", "+ ", "• "].iter().any(|bullet| line.starts_with(bullet));
    let number = line.trim_start_matches(|char: char| char.is_ascii_digit());
    bullet || (number.len() < line.len() && (number.starts_with(". ") || number.starts_with(") ")))
}

/// Words before a full stop that does not end a sentence.
const ABBREVIATIONS: [&str; 7] = ["e.g", "i.e", "etc", "vs", "cf", "no", "incl"];

fn split(lines: &[(usize, &str)]) -> Vec<Sentence> {
    let mut sentences: Vec<Sentence> = Vec::new();
    let mut open = false;
    for (index, line) in lines {
        for piece in pieces(line) {
            let ends = piece.ends_with(['.', '!', '?']);
            match sentences.last_mut().filter(|_| open) {
                Some(sentence) => {
                    sentence.text.push(' ');
                    sentence.text.push_str(piece);
                }
                None => sentences.push(Sentence { line: *index, text: piece.to_owned() }),
            }
            open = !ends;
        }
    }
    sentences
}

/// Splits a line after each end of a sentence.
fn pieces(line: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for (at, char) in line.char_indices() {
        let rest = &line[at + char.len_utf8()..];
        let dots = char == '.' && line[..at].ends_with('.');
        if !matches!(char, '.' | '!' | '?') || dots || !rest.starts_with(' ') {
            continue;
        }
        let before = line[start..at].rsplit([' ', '(']).next().unwrap_or_default().to_lowercase();
        let numbering = before.chars().all(|char| char.is_ascii_digit()) && line[start..at].trim() == before;
        if !ABBREVIATIONS.contains(&before.as_str()) && !numbering {
            pieces.push(line[start..=at].trim());
            start = at + 1;
        }
    }
    pieces.push(line[start..].trim());
    pieces.retain(|piece| !piece.is_empty());
    pieces
}
