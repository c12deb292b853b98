//! One document of JSON: an array, cut into its elements.
//!
//! The array is never held whole. An element is found by its brackets alone, so a damaged one does no harm to the others.

use std::io::{self, BufRead};

use super::limits::LARGEST;
use super::lines::Lines;

/// The place in a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Before the array.
    #[default]
    Outside,
    /// In the array, before an element.
    Before,
    /// In the array, after an element.
    After,
}

/// Cuts arrays into their elements.
#[derive(Default)]
pub(super) struct Elements {
    state: State,
}

/// The result of looking for the next element.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Element {
    /// An element that begins on this line.
    Whole(u64),
    /// An element that is larger than a record may be.
    TooLarge(u64),
    /// The document ends within its array.
    Unclosed(u64),
    /// Something else than an array.
    NoArray(u64),
    /// Every array was closed.
    End,
}

impl Elements {
    /// Appends the next element to a record, as one line. Arrays may follow one another.
    pub fn next(&mut self, lines: &mut Lines<impl BufRead>, raw: &mut Vec<u8>) -> io::Result<Element> {
        loop {
            let Some(byte) = lines.after_blanks()? else {
                let ended =
                    if self.state == State::Outside { Element::End } else { Element::Unclosed(lines.count + 1) };
                self.state = State::Outside;
                return Ok(ended);
            };
            match (self.state, byte) {
                (State::Outside, b'[') | (State::After, b',') => self.state = State::Before,
                (State::Outside, _) => {
                    let line = lines.count + 1;
                    lines.skip_all()?;
                    return Ok(Element::NoArray(line));
                }
                (_, b']') => self.state = State::Outside,
                _ => {
                    let element = element(lines, raw)?;
                    let is_unclosed = matches!(element, Element::Unclosed(_));
                    self.state = if is_unclosed { State::Outside } else { State::After };
                    return Ok(element);
                }
            }
            lines.take(1);
        }
    }
}

/// Reads the whole elements of an array, until `go_on` denies or `most` bytes were read. Reports whether the array ended
/// before.
pub(in crate::label) fn each(
    stream: impl BufRead,
    most: u64,
    mut go_on: impl FnMut(&[u8]) -> bool,
) -> io::Result<bool> {
    let (mut lines, mut elements, mut raw) = (Lines::new(stream), Elements::default(), Vec::new());
    while lines.bytes < most {
        raw.clear();
        match elements.next(&mut lines, &mut raw)? {
            Element::Whole(_) if go_on(&raw) => {}
            Element::Whole(_) => return Ok(false),
            Element::TooLarge(_) => {}
            _ => return Ok(true),
        }
    }
    Ok(false)
}

/// Appends the element that begins here.
fn element(lines: &mut Lines<impl BufRead>, raw: &mut Vec<u8>) -> io::Result<Element> {
    let line = lines.count + 1;
    let mut scan = Scan::default();
    loop {
        let bytes = lines.there()?;
        let (length, ends) = scan.within(bytes, raw);
        if length == 0 && !ends {
            return Ok(Element::Unclosed(line));
        }
        lines.take(length);
        if ends {
            let whole = raw.len() <= LARGEST;
            raw.push(b'\n');
            return Ok(if whole { Element::Whole(line) } else { Element::TooLarge(line) });
        }
    }
}

/// The search for the end of an element.
#[derive(Default)]
struct Scan {
    depth: usize,
    place: Place,
    /// Set after a blank between values.
    blank: bool,
    /// Set after a text that its line has ended, up to the next byte that is not blank.
    damaged: bool,
}

/// The place within an element.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Outside,
    Text,
    /// In a text, after a backslash.
    Escaped,
}

impl Scan {
    /// Adds bytes to the element, without the blanks between its values. Returns the number of bytes that belong to it, and
    /// whether it ends after them.
    fn within(&mut self, bytes: &[u8], raw: &mut Vec<u8>) -> (usize, bool) {
        for (at, byte) in bytes.iter().enumerate() {
            if self.place != Place::Outside {
                // A text has no newline, so a quote that is not closed ends with its line.
                self.damaged |= *byte == b'\n';
                self.keep(if *byte == b'\n' { b' ' } else { *byte }, raw);
                self.place = match (byte, self.place) {
                    (b'\n', _) | (b'"', Place::Text) => Place::Outside,
                    (b'\\', Place::Text) => Place::Escaped,
                    _ => Place::Text,
                };
                continue;
            }
            match byte {
                b'"' => self.place = Place::Text,
                // After damage, the next element of an array that has one on each line.
                b'{' if self.damaged && self.depth == 1 => return (at, true),
                b'{' | b'[' => self.depth += 1,
                b']' | b',' if self.depth == 0 => return (at, true),
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        self.keep(*byte, raw);
                        return (at + 1, true);
                    }
                }
                blank if blank.is_ascii_whitespace() => {
                    self.blank = true;
                    continue;
                }
                _ => {}
            }
            self.damaged = false;
            self.keep(*byte, raw);
        }
        (bytes.len(), false)
    }

    /// Appends a byte, and a blank before it if two words would become one.
    fn keep(&mut self, byte: u8, raw: &mut Vec<u8>) {
        let is_word = |byte: &u8| !matches!(byte, b'{' | b'}' | b'[' | b']' | b',' | b':' | b'"');
        let blank = std::mem::take(&mut self.blank);
        if raw.len() > LARGEST {
            return;
        }
        if blank && is_word(&byte) && raw.last().is_some_and(is_word) {
            raw.push(b' ');
        }
        raw.push(byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cuts a document that is read a few bytes at a time.
    fn cut(document: &str, at_once: usize) -> Vec<String> {
        let stream = io::BufReader::with_capacity(at_once, document.as_bytes());
        let (mut lines, mut elements, mut found) = (Lines::new(stream), Elements::default(), Vec::new());
        loop {
            let mut raw = Vec::new();
            let element = elements.next(&mut lines, &mut raw).unwrap();
            if element == Element::End {
                return found;
            }
            let text = String::from_utf8(raw).unwrap();
            found.push(match element {
                Element::Whole(line) => format!("{line}:{}", text.trim_end_matches('\n')),
                other => format!("{other:?}"),
            });
        }
    }

    #[test]
    fn an_array_is_cut_into_its_elements_wherever_its_lines_end() {
        for (document, expect) in [
            ("[]", vec![]),
            (" [ ] \n", vec![]),
            ("\u{FEFF}[{\"a\":1},{\"b\":[2,3]}]", vec!["1:{\"a\":1}", "1:{\"b\":[2,3]}"]),
            ("[\n  {\n    \"a\": \"]},{\"\n  },\r\n  7\n]", vec!["2:{\"a\":\"]},{\"}", "5:7"]),
            ("[\"a\\\"]\",\"b\\\\\"]", vec!["1:\"a\\\"]\"", "1:\"b\\\\\""]),
            ("[{}][{\"a\":1}]", vec!["1:{}", "1:{\"a\":1}"]),
            ("[{\"a\":\"b},\n{\"c\":1}]", vec!["1:{\"a\":\"b}, ", "2:{\"c\":1}"]),
            ("[{\"a\":1},{\"b\"", vec!["1:{\"a\":1}", "Unclosed(1)"]),
            ("[{\"a\": 1 2}]", vec!["1:{\"a\":1 2}"]),
            ("[1,", vec!["1:1", "Unclosed(1)"]),
            ("[1] x", vec!["1:1", "NoArray(1)"]),
            ("{}", vec!["NoArray(1)"]),
        ] {
            for at_once in [1, 3, 4096] {
                assert_eq!(cut(document, at_once), expect, "{document}");
            }
        }
    }

    #[test]
    fn an_element_too_large_is_passed_over() {
        let document = format!("[\"{}\",1]", "a".repeat(LARGEST));
        assert_eq!(cut(&document, 1 << 16), ["TooLarge(1)", "1:1"]);
    }
}
