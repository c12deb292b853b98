//! Fields between separators, by RFC 4180.
//!
//! The one idea: the parser that finds the fields also says whether a record ends with a line, so that the two cannot
//! disagree. What a field is for is not known here. No other file of the package reads CSV.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};

use super::MOST_COLUMNS;

/// A record's fields, taken in line by line.
pub(super) struct Separated {
    parser: Reader,
    bytes: Vec<u8>,
    /// How many of the bytes are in use.
    length: usize,
    /// Where each field ends among the bytes.
    ends: Vec<usize>,
    count: usize,
    complete: bool,
}

impl Separated {
    pub fn new(separator: u8) -> Self {
        // A carriage return by itself ends no record, or lines would have other numbers here than in an editor.
        let parser = ReaderBuilder::new().delimiter(separator).terminator(Terminator::Any(b'\n')).build();
        Self { parser, bytes: vec![0; 1 << 10], length: 0, ends: vec![0; 16], count: 0, complete: true }
    }

    /// Takes a line of the record, the first after a complete one. Returns whether the record ends with it: inside
    /// quotes it goes on.
    pub fn take(&mut self, mut line: &[u8]) -> bool {
        if self.complete {
            (self.length, self.count, self.complete) = (0, 0, false);
        }
        let carriage_return = line.ends_with(b"\r\n");
        while !line.is_empty() {
            let bytes = &mut self.bytes[self.length..];
            // Fields beyond the most are counted, each in the last one's place.
            let slot = self.count.min(MOST_COLUMNS);
            let (result, read, written, fields) = self.parser.read_record(line, bytes, &mut self.ends[slot..]);
            line = &line[read..];
            self.length += written;
            self.count += fields;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.bytes.resize(self.bytes.len() * 2, 0),
                ReadRecordResult::OutputEndsFull if self.ends.len() > MOST_COLUMNS => {}
                ReadRecordResult::OutputEndsFull => {
                    self.ends.resize((self.ends.len() * 2).min(MOST_COLUMNS + 1), 0);
                }
                ReadRecordResult::Record | ReadRecordResult::End => self.complete = true,
            }
        }
        if self.complete && carriage_return {
            // It stood outside quotes, before the newline that ended the record, and so the parser kept it.
            let last = self.last();
            self.ends[last] -= 1;
        }
        self.complete
    }

    /// Gives up the record that is being taken in.
    pub fn abandon(&mut self) {
        self.parser.reset();
        self.complete = true;
    }

    /// How many fields the record has.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The fields of the record, at most [`MOST_COLUMNS`].
    pub fn fields(&self) -> impl Iterator<Item = &[u8]> {
        let mut from = 0;
        self.ends[..self.count.min(MOST_COLUMNS)].iter().map(move |end| {
            let field = &self.bytes[from..*end];
            from = *end;
            field
        })
    }

    /// What there is of the last field while its quotes are open.
    pub fn open_field(&self) -> &[u8] {
        let from = if self.count == 0 { 0 } else { self.ends[self.last()] };
        &self.bytes[from..self.length]
    }

    /// Where among `ends` the last field's end is.
    fn last(&self) -> usize {
        self.count.saturating_sub(1).min(MOST_COLUMNS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields of a record of these lines, if it ends with the last and not before.
    fn fields(lines: &[&str]) -> Option<Vec<String>> {
        let mut separated = Separated::new(b',');
        let (last, first) = lines.split_last().unwrap();
        assert!(first.iter().all(|line| !separated.take(line.as_bytes())));
        let complete = separated.take(last.as_bytes());
        let text = |field: &[u8]| String::from_utf8(field.to_vec()).unwrap();
        complete.then(|| separated.fields().map(text).collect())
    }

    #[test]
    fn quotes_hold_separators_newlines_and_doubled_quotes() {
        for (lines, expect) in [
            (&["a,b\n"][..], &["a", "b"][..]),
            (&["a,\n"], &["a", ""]),
            (&[",\r\n"], &["", ""]),
            (&["a,b\r\n"], &["a", "b"]),
            (&["a,\"b\"\r\n"], &["a", "b"]),
            (&["a,\"b\r\n", "c\r\"\r\n"], &["a", "b\r\nc\r"]),
            (&["\"a,\n", "\n", "\"\"b\",c\n"], &["a,\n\n\"b", "c"]),
            (&["a\"b,c\"\n"], &["a\"b", "c\""]),
            (&["\"a\"b,c\n"], &["ab", "c"]),
            (&["\"\"\n"], &[""]),
            (&["a\rb,c\n"], &["a\rb", "c"]),
        ] {
            assert_eq!(fields(lines).unwrap(), expect, "{lines:?}");
        }
        assert_eq!(fields(&["a,\"b\n", "c\n"]), None);
    }

    #[test]
    fn an_open_quote_can_be_given_up() {
        let mut separated = Separated::new(b'\t');
        assert!(!separated.take(b"a\t\"b\n"));
        assert_eq!(separated.open_field(), b"b\n");
        separated.abandon();
        assert!(separated.take(b"c\td\n"));
        assert_eq!(separated.fields().collect::<Vec<_>>(), [b"c", b"d"]);
    }

    #[test]
    fn large_records_are_taken_whole_and_fields_beyond_the_most_are_counted() {
        let large = "x".repeat(10_000) + ",y\n";
        assert_eq!(fields(&[&large]).unwrap()[1], "y");
        let mut separated = Separated::new(b',');
        for (commas, count) in [(MOST_COLUMNS - 1, MOST_COLUMNS), (3 * MOST_COLUMNS, 3 * MOST_COLUMNS + 1), (0, 1)] {
            assert!(separated.take(("a".to_owned() + &",".repeat(commas) + "b\r\n").as_bytes()));
            assert_eq!(separated.count(), count);
            assert_eq!(separated.fields().count(), count.min(MOST_COLUMNS));
        }
    }
}
