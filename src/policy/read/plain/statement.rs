//! The answers that a text asks for, each with its place in the text.

use super::offer::{Offer, offers};
use super::sentences::block_sentences;
use crate::policy::diagnostics::report::Span;

/// A request for an answer, and its place.
pub(super) struct Statement {
    pub span: Span,
    pub offer: Offer,
}

/// Returns every answer that the text asks for, line by line.
pub(super) fn statements(text: &str) -> Vec<Statement> {
    let lines: Vec<&str> = text.lines().collect();
    let sentences = block_sentences(text);
    let offered = sentences.iter().flat_map(|sentence| {
        let span = whole_line(sentence.line, lines[sentence.line]);
        offers(&sentence.text).into_iter().map(move |offer| Statement { span, offer })
    });
    offered.chain(codes_section(text)).collect()
}

/// Finds a section on the format of labels that mentions codes (`D-SP#`, `ARS0`). Such a section is a contract of its own.
fn codes_section(text: &str) -> Option<Statement> {
    /// The lines of such a section that are searched.
    const SECTION: usize = 12;
    let bare = |line: &str| line.trim_matches(|char: char| !char.is_alphanumeric()).to_lowercase();
    let is_code = |word: &str| {
        let letters = word.chars().take_while(|char| char.is_ascii_uppercase() || *char == '-').count();
        let number = &word[letters..];
        letters > 0 && !number.is_empty() && number.chars().all(|char| char.is_ascii_digit() || char == '#')
    };
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().position(|line| ["label format", "output format"].contains(&bare(line).as_str()))?;
    let section = lines.iter().skip(at + 1).take(SECTION).take_while(|line| !line.starts_with('#'));
    let mentions_codes = section
        .flat_map(|line| line.split(|char: char| !(char.is_ascii_alphanumeric() || "-#".contains(char))))
        .any(is_code);
    mentions_codes.then(|| Statement { span: whole_line(at, lines[at]), offer: Offer::Codes })
}

/// Returns the place of a line of the text, counted from 0.
pub(super) fn span_of_line(text: &str, index: usize) -> Span {
    whole_line(index, text.lines().nth(index).unwrap_or_default())
}

fn whole_line(index: usize, line: &str) -> Span {
    let indent = line.chars().take_while(|char| char.is_whitespace()).count();
    Span { line: index + 1, column: indent + 1, width: line.trim().chars().count() }
}
