//! The marks at the beginning of a line, of headings and of items, and headings that have no mark.
//!
//! The one idea: a line is judged by its form. Only where the form leaves it open, a heading needs words that have a
//! meaning for a policy.

use std::collections::HashMap;

/// Levels below those of `#`: a line in capitals, in bold, with a number, with a letter, and without any mark.
pub(super) const CAPITALS: usize = 7;
const BOLD: usize = 8;
const NUMBERED: usize = 9;
const LETTERED: usize = 10;
const LONE: usize = 11;

/// The mark of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Bullet,
    /// `A.`
    Capital,
    /// `II.`
    CapitalRoman,
    /// The count of numbers: `2.1` has two.
    Numbers(usize),
    /// `(a)`, with its letter.
    Letter(char),
    /// `(ii)`
    Roman,
}

impl Mark {
    /// Returns its rank among the marks. A mark of a higher rank belongs below one of a lower rank.
    pub fn depth(self) -> usize {
        match self {
            Self::Bullet => 0,
            Self::CapitalRoman => 1,
            Self::Capital => 2,
            Self::Numbers(count) => 2 + count,
            Self::Letter(_) => 8,
            Self::Roman => 9,
        }
    }
}

/// Reads the mark of an item, and its words.
pub(super) fn item(raw: &str) -> Option<(Mark, &str)> {
    let bare = raw.trim();
    let bullet = ["- ", "* ", "+ ", "• ", "– ", "· "].iter().find_map(|bullet| bare.strip_prefix(bullet));
    bullet.map(|words| (Mark::Bullet, words.trim())).or_else(|| mark(bare))
}

/// Reads a mark such as `2.`, `2)`, `2.1`, `(a)` or `II.`, and the words after it.
pub(super) fn mark(line: &str) -> Option<(Mark, &str)> {
    let (mark, words) = line.split_once([' ', '\t'])?;
    let words = words.trim();
    if words.is_empty() {
        return None;
    }
    let in_brackets = mark.strip_prefix('(').and_then(|mark| mark.strip_suffix(')'));
    let bare = in_brackets.or_else(|| mark.strip_suffix(['.', ')', ':'])).unwrap_or(mark);
    let closed = bare.len() < mark.len();
    if let Some(path) = numbers(bare) {
        // `1.5 million` begins with a number, `2.1 Bait` with a mark.
        let is_mark = closed || path.len() > 2 || path.len() == 2 && !words.starts_with(char::is_lowercase);
        return is_mark.then_some((Mark::Numbers(path.len()), words));
    }
    let all = |set: &str| !bare.is_empty() && bare.len() <= 5 && bare.chars().all(|char| set.contains(char));
    let mut letters = bare.chars();
    let mark = match (letters.next(), letters.next()) {
        (Some(letter), None) if letter.is_ascii_lowercase() => Mark::Letter(letter),
        _ if all("ivx") => Mark::Roman,
        _ if all("IVX") => Mark::CapitalRoman,
        (Some(letter), None) if letter.is_ascii_uppercase() => Mark::Capital,
        _ => return None,
    };
    // `a. m.` and `e) mail` are rare; `A: question` is not.
    (closed && !line.starts_with(&format!("{bare}:"))).then_some((mark, words))
}

/// Returns the number of a line, if it has at least two parts: `2.1`.
pub(super) fn number(line: &str) -> Option<String> {
    let word = line.split([' ', '\t']).next()?.trim_matches(['(', ')', '.', ':']);
    let path = numbers(word).filter(|path| path.len() > 1)?;
    mark(line)?;
    Some(path.iter().map(u32::to_string).collect::<Vec<_>>().join("."))
}

/// Reads numbers with points between: `2`, `2.1`.
fn numbers(text: &str) -> Option<Vec<u32>> {
    let path: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok().filter(|part| *part < 100)).collect();
    path.filter(|path| path.len() <= 4)
}

pub(super) fn indent_of(line: &str) -> usize {
    line.chars().take_while(|char| char.is_whitespace()).map(|char| if char == '\t' { 4 } else { 1 }).sum()
}

pub(super) fn is_all(line: &str, sign: char) -> bool {
    !line.is_empty() && line.chars().all(|char| char == sign)
}

/// Recognizes a horizontal rule.
pub(super) fn is_rule(line: &str) -> bool {
    line.len() > 2 && ['-', '*', '_', '='].iter().any(|sign| is_all(line, *sign))
}

/// Recognizes a line such as ``Output: `INVALID` ``, which belongs to a whole section.
pub(super) fn is_output_line(line: &str) -> bool {
    let lower = line.trim_start_matches(['*', '_']).to_lowercase();
    ["output:", "output**:", "output:**"].iter().any(|start| lower.starts_with(start))
}

/// Recognizes a heading by its mark: `#`, or a whole line in bold. A number before its words is left out.
pub(super) fn marked_heading(line: &str) -> Option<(usize, &str)> {
    let level = line.chars().take_while(|char| *char == '#').count();
    if level > 0 {
        let words = line.trim_matches('#').trim();
        let numbered = mark(words).filter(|(mark, _)| matches!(mark, Mark::Numbers(_)));
        return Some((level.min(CAPITALS - 1), numbered.map_or(words, |(_, words)| words)));
    }
    let bold = line.trim_end_matches(':').strip_prefix("**")?.strip_suffix("**")?;
    (!bold.contains("**")).then_some((BOLD, bold.trim()))
}

pub(super) fn is_in_capitals(line: &str) -> bool {
    let letters = line.chars().filter(|char| char.is_alphabetic()).count();
    letters > 3 && line.len() < 60 && !line.chars().any(char::is_lowercase) && !line.ends_with(['.', '!', '?', ','])
}

/// A line that may be a heading: its index, its mark and its words.
type Head<'a> = (usize, Mark, &'a str);

/// Finds headings without a mark of Markdown: `2. What is not allowed` over `2.1 Bait`, or words on a line of their own.
/// Returns the level of each, by the index of its line.
pub(super) fn unmarked_headings(lines: &[&str], is_title: &dyn Fn(&str) -> bool) -> HashMap<usize, usize> {
    let mut headings = HashMap::new();
    // A text that marks its headings by `#` has numbers for its lists.
    if lines.iter().any(|line| line.starts_with('#')) {
        return headings;
    }
    let marks: Vec<Head> = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| indent_of(line) == 0)
        .filter_map(|(index, line)| mark(line.trim()).map(|(mark, words)| (index, mark, words)))
        .collect();
    for (kind, level) in [(Mark::CapitalRoman, NUMBERED), (Mark::Numbers(1), NUMBERED), (Mark::Capital, LETTERED)] {
        let heads: Vec<Head> = marks.iter().copied().filter(|(_, mark, _)| *mark == kind).collect();
        headings.extend(heads_of(lines, &marks, &heads, is_title).into_iter().map(|index| (index, level)));
    }
    let lone = (0..lines.len()).filter(|index| !headings.contains_key(index) && is_lone(lines, *index, is_title));
    let lone: Vec<usize> = lone.collect();
    headings.extend(lone.into_iter().map(|index| (index, LONE)));
    headings
}

/// Chooses among lines with the same kind of mark those that are headings.
fn heads_of(lines: &[&str], marks: &[Head], heads: &[Head], is_title: &dyn Fn(&str) -> bool) -> Vec<usize> {
    let has_form = |words: &str| words.split_whitespace().count() <= 8 && !words.ends_with(['.', ';', ',']);
    // `2.` is over `2.1`, and `II.` over `A.` or `1.`.
    let is_over = |(index, kind, _): &Head| {
        let next = marks.iter().find(|(other, ..)| other > index);
        next.is_some_and(|(below, mark, _)| match (kind, mark) {
            (Mark::Numbers(_), Mark::Numbers(count)) => {
                *count > 1 && first_number(lines[*index]) == first_number(lines[*below])
            }
            (Mark::Numbers(_), _) => false,
            _ => mark.depth() > kind.depth(),
        })
    };
    let has_text = |index: usize| {
        let next = lines[index + 1..].iter().position(|line| !line.trim().is_empty());
        next.is_some_and(|next| heads.iter().all(|(other, ..)| *other != index + 1 + next))
    };
    // Letters are headings only over a list of their own: `A. Ads` below `II. Not allowed` is a rule.
    let by_form = heads.iter().any(|head| head.1 != Mark::Capital && is_over(head));
    let by_words = heads.iter().any(|(index, _, words)| has_form(words) && is_title(words) && has_text(*index));
    let chosen = heads.iter().filter(|head| {
        let (index, _, words) = head;
        let over = head.1 != Mark::Capital && is_over(head);
        (by_form && (over || has_form(words))) || (by_words && has_form(words) && has_text(*index))
    });
    chosen.map(|(index, ..)| *index).collect()
}

fn first_number(line: &str) -> Option<u32> {
    let digits = line.trim().trim_start_matches('(').split(|char: char| !char.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// Reports whether a line is a heading by its words and its place: alone between blank lines, sentences and lists.
fn is_lone(lines: &[&str], index: usize, is_title: &dyn Fn(&str) -> bool) -> bool {
    let line = lines[index].trim();
    let before = index.checked_sub(1).map_or("", |before| lines[before].trim());
    let apart = before.is_empty() || before.ends_with(['.', '!', '?', ';']) || item(before).is_some();
    // `Output: INVALID` and `Term: meaning` are more than a heading.
    let ends = line.ends_with(['.', ';', ',', '!', '?']) || line.trim_end_matches(':').contains(':');
    let leads = lines[index + 1..].iter().any(|line| !line.trim().is_empty());
    let short = (1..=8).contains(&line.split_whitespace().count());
    apart && !ends && leads && short && item(line).is_none() && is_title(line.trim_end_matches(':').trim())
}
