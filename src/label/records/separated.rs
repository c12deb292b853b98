//! Fields between separators, by RFC 4180.
//!
//! A field keeps its bytes, or the record is damaged. A quoted field ends before a separator or at the end of its line, and
//! nowhere else.

use super::limits::MOST_COLUMNS;
use super::lines::without_ending;

/// A record's fields, read line by line.
pub(super) struct Separated {
    separator: u8,
    /// The quote, which holds separators and line ends. `None`: no character does.
    quote: Option<u8>,
    bytes: Vec<u8>,
    /// The end of each field among the bytes.
    ends: Vec<usize>,
    count: usize,
    /// The number of lines that were taken of the record.
    lines: u64,
    /// The line of the open quote. The record's first line is 0.
    opened: Option<u64>,
    complete: bool,
}

/// The state of a record after one of its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// The record ends with the line.
    Complete,
    /// A quote is open, and the record continues.
    Open,
    /// The quote that closes a field is not followed by a separator.
    Damaged,
}

impl Separated {
    pub fn new(separator: u8, quote: Option<u8>) -> Self {
        Self { separator, quote, bytes: Vec::new(), ends: Vec::new(), count: 0, lines: 0, opened: None, complete: true }
    }

    /// Takes a line of the record; after a complete record, the first of the next.
    pub fn take(&mut self, line: &[u8]) -> Taken {
        if self.complete {
            self.begin();
        }
        let number = self.lines;
        self.lines += 1;
        let body = without_ending(line);
        let mut at = 0;
        loop {
            if self.opened.is_none() && self.quote.is_some() && body.get(at).copied() == self.quote {
                self.opened = Some(number);
                at += 1;
            }
            let Some(mark) = self.quote.filter(|_| self.opened.is_some()) else {
                let end = place(self.separator, &body[at..]).map(|end| at + end);
                self.bytes.extend_from_slice(&body[at..end.unwrap_or(body.len())]);
                self.end_field();
                match end {
                    Some(end) => at = end + 1,
                    None => return self.end(),
                }
                continue;
            };
            let Some(quote) = place(mark, &body[at..]).map(|quote| at + quote) else {
                // Within quotes, the line's ending is a part of the field.
                self.bytes.extend_from_slice(&line[at..]);
                return Taken::Open;
            };
            self.bytes.extend_from_slice(&body[at..quote]);
            at = quote + 2;
            match body.get(quote + 1) {
                Some(byte) if *byte == mark => self.bytes.push(mark),
                Some(byte) if *byte == self.separator => self.close(),
                Some(_) => {
                    self.complete = true;
                    return Taken::Damaged;
                }
                None => {
                    self.close();
                    return self.end();
                }
            }
        }
    }

    /// Gives up the record that is being taken in.
    pub fn abandon(&mut self) {
        self.complete = true;
    }

    /// Returns the byte between fields.
    pub fn separator(&self) -> u8 {
        self.separator
    }

    /// Returns the number of fields of the record.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns the fields of the record, at most [`MOST_COLUMNS`].
    pub fn fields(&self) -> impl Iterator<Item = &[u8]> {
        let mut from = 0;
        self.ends.iter().map(move |end| {
            let field = &self.bytes[from..*end];
            from = *end;
            field
        })
    }

    /// Returns the line of the quote that was not closed, or badly closed. The record's first line is 0.
    pub fn opened(&self) -> u64 {
        self.opened.unwrap_or(0)
    }

    fn begin(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        (self.count, self.lines, self.opened, self.complete) = (0, 0, None, false);
    }

    fn close(&mut self) {
        self.opened = None;
        self.end_field();
    }

    /// Ends a field. Fields beyond [`MOST_COLUMNS`] are counted and not kept.
    fn end_field(&mut self) {
        self.count += 1;
        if self.ends.len() < MOST_COLUMNS {
            self.ends.push(self.bytes.len());
        } else {
            self.bytes.truncate(self.ends.last().copied().unwrap_or(0));
        }
    }

    fn end(&mut self) -> Taken {
        self.complete = true;
        Taken::Complete
    }
}

fn place(byte: u8, bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|other| *other == byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The fields of a record of these lines, if it ends with the last and not before.
    fn fields(separated: &mut Separated, lines: &[&str]) -> Result<Vec<String>, Taken> {
        let (last, first) = lines.split_last().unwrap();
        assert!(first.iter().all(|line| separated.take(line.as_bytes()) == Taken::Open));
        let text = |field: &[u8]| String::from_utf8(field.to_vec()).unwrap();
        match separated.take(last.as_bytes()) {
            Taken::Complete => Ok(separated.fields().map(text).collect()),
            other => Err(other),
        }
    }

    #[test]
    fn quotes_hold_separators_newlines_and_doubled_quotes() {
        for (lines, expect) in [
            (&["a,b\n"][..], &["a", "b"][..]),
            (&["a,\n"], &["a", ""]),
            (&["a,"], &["a", ""]),
            (&[",\r\n"], &["", ""]),
            (&["a,b\r\n"], &["a", "b"]),
            (&["a,\"b\"\r\n"], &["a", "b"]),
            (&["a,\"b\r\n", "c\r\"\r\n"], &["a", "b\r\nc\r"]),
            (&["\"a,\n", "\n", "\"\"b\",c\n"], &["a,\n\n\"b", "c"]),
            (&["a\"b,c\"\n"], &["a\"b", "c\""]),
            (&["\"\"\n"], &[""]),
            (&["\"\"\"\"\n"], &["\""]),
            (&["a\rb,c\n"], &["a\rb", "c"]),
        ] {
            assert_eq!(fields(&mut Separated::new(b',', Some(b'"')), lines).unwrap(), expect, "{lines:?}");
        }
    }

    #[test]
    fn a_quoted_field_ends_before_a_separator_or_with_its_line() {
        for (lines, expect) in [
            (&["\"a\"b,c\n"][..], Taken::Damaged),
            (&["\"a\" ,c\n"], Taken::Damaged),
            (&["x,\"a\n", "b\"c\"\n"], Taken::Damaged),
            (&["\"a\"\r"], Taken::Damaged),
            (&["a,\"b\n", "c\n"], Taken::Open),
            (&["a,\"b\"\""], Taken::Open),
        ] {
            assert_eq!(fields(&mut Separated::new(b',', Some(b'"')), lines), Err(expect), "{lines:?}");
        }
        let mut separated = Separated::new(b'\t', Some(b'"'));
        assert_eq!(fields(&mut separated, &["\"x\n", "y\"\t\"z\n", "\" \n"]), Err(Taken::Damaged));
        assert_eq!(separated.opened(), 1);
        assert_eq!(fields(&mut separated, &["c\td\n"]).unwrap(), ["c", "d"], "the next line is a record");
    }

    #[test]
    fn without_quoting_every_line_is_a_record_as_it_stands() {
        let mut separated = Separated::new(b'\t', None);
        for (line, expect) in
            [("\"a\t\"b\" c\n", &["\"a", "\"b\" c"][..]), ("\"\n", &["\""]), ("\"x\"\r\n", &["\"x\""])]
        {
            assert_eq!(fields(&mut separated, &[line]).unwrap(), expect);
        }
    }

    #[test]
    fn another_character_can_be_the_quote() {
        let mut separated = Separated::new(b';', Some(b'\''));
        assert_eq!(fields(&mut separated, &["'it''s;\n", "\"x\"';\"y\"\n"]).unwrap(), ["it's;\n\"x\"", "\"y\""]);
    }

    #[test]
    fn an_open_quote_can_be_given_up() {
        let mut separated = Separated::new(b'\t', Some(b'"'));
        assert_eq!(separated.take(b"a\t\"b\n"), Taken::Open);
        separated.abandon();
        assert_eq!(fields(&mut separated, &["c\td\n"]).unwrap(), ["c", "d"]);
    }

    #[test]
    fn large_records_are_taken_whole_and_fields_beyond_the_most_are_counted() {
        let mut separated = Separated::new(b',', Some(b'"'));
        assert_eq!(fields(&mut separated, &[&("x".repeat(10_000) + ",y\n")]).unwrap()[1], "y");
        for (commas, count) in [(MOST_COLUMNS - 1, MOST_COLUMNS), (3 * MOST_COLUMNS, 3 * MOST_COLUMNS + 1), (0, 1)] {
            assert_eq!(separated.take(("a".to_owned() + &",".repeat(commas) + "b\r\n").as_bytes()), Taken::Complete);
            assert_eq!(separated.count(), count);
            assert_eq!(separated.fields().count(), count.min(MOST_COLUMNS));
        }
    }

    /// Reads RFC 4180 slowly, a character at a time. Returns `None` for a record that is damaged or open.
    fn reference(record: &str) -> Option<Vec<String>> {
        let record = record.strip_suffix('\n').map_or(record, |record| record.strip_suffix('\r').unwrap_or(record));
        let characters: Vec<char> = record.chars().collect();
        let (mut fields, mut at) = (Vec::new(), 0);
        loop {
            let mut field = String::new();
            if characters.get(at) == Some(&'"') {
                at += 1;
                loop {
                    match (characters.get(at)?, characters.get(at + 1)) {
                        ('"', Some('"')) => at += 1,
                        ('"', None | Some(',')) => break,
                        ('"', _) => return None,
                        _ => {}
                    }
                    field.push(characters[at]);
                    at += 1;
                }
                at += 1;
            } else {
                while let Some(other) = characters.get(at).filter(|other| **other != ',') {
                    field.push(*other);
                    at += 1;
                }
            }
            fields.push(field);
            match characters.get(at) {
                None => return Some(fields),
                Some(_) => at += 1,
            }
        }
    }

    proptest! {
        #[test]
        fn fields_are_those_of_a_reference(pieces in prop::collection::vec(
            prop::sample::select(vec!["\"", "\"\"", ",", "\n", "\r\n", "\r", "a", " ", "é"]), 0..24)) {
            let text = pieces.concat();
            let mut separated = Separated::new(b',', Some(b'"'));
            let mut record = String::new();
            for line in text.split_inclusive('\n') {
                record.push_str(line);
                match separated.take(line.as_bytes()) {
                    Taken::Open => prop_assert_eq!(reference(&record), None),
                    Taken::Damaged => {
                        prop_assert_eq!(reference(&record), None);
                        record.clear();
                    }
                    Taken::Complete => {
                        let found: Vec<String> =
                            separated.fields().map(|field| String::from_utf8(field.to_vec()).unwrap()).collect();
                        prop_assert_eq!(reference(&record), Some(found));
                        record.clear();
                    }
                }
            }
        }
    }
}
