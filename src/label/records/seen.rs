//! The columns of an input, from its beginning.
//!
//! A table names all its columns in its header, and each object names its own. So JSON is known to lack a column only if
//! the whole file was seen.

use std::collections::HashSet;

use super::array::each;
use super::format::{BYTE_ORDER_MARK, InputFormat};
use super::json;
use crate::label::columns::leads_into;

/// Names of columns that were seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::label) struct Seen {
    /// The names, in the order of their first appearance. Empty if there was no record to look at.
    pub names: Vec<String>,
    /// Set if there are no others.
    pub whole: bool,
    known: HashSet<String>,
}

impl Seen {
    /// Takes the columns of a table.
    pub fn of_table(names: Vec<String>) -> Self {
        let known = names.iter().cloned().collect();
        Self { names, whole: true, known }
    }

    /// Collects the columns of the records at the start of an input. `whole`: nothing follows.
    pub fn at_the_start(start: &[u8], format: InputFormat, whole: bool) -> Self {
        if format == InputFormat::Lines {
            return Self::of_table(vec!["text".to_owned()]);
        }
        if !matches!(format, InputFormat::Json | InputFormat::Jsonl | InputFormat::Batch) {
            return Self::default();
        }
        let mut seen = Self { whole, ..Self::default() };
        let plain = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start);
        if format == InputFormat::Json {
            // Nothing is read here that could fail.
            let _ = each(plain, u64::MAX, |element| {
                seen.take(element);
                true
            });
            return seen;
        }
        let lines = plain.split_inclusive(|byte| *byte == b'\n');
        // The last line may continue after the bytes that were read.
        for line in lines.filter(|line| whole || line.ends_with(b"\n")) {
            seen.take(line);
        }
        seen
    }

    /// Adds the columns of a line of JSON.
    pub fn take(&mut self, line: &[u8]) {
        let columns = std::str::from_utf8(line).ok().and_then(|line| json::object(line, 0).ok());
        for (name, _) in columns.into_iter().flat_map(|columns| columns.0) {
            if self.known.insert(name.clone()) {
                self.names.push(name);
            }
        }
    }

    /// Reports whether a column of this name was seen, or one into which it leads as a path.
    pub fn has(&self, name: &str) -> bool {
        self.known.contains(name) || leads_into(name, self.names.iter().map(String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_json_are_those_of_all_records_that_were_seen() {
        let seen = |start: &str, whole| Seen::at_the_start(start.as_bytes(), InputFormat::Jsonl, whole);
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let start = "\u{FEFF}{\"id\":1,\"text\":\"a\"}\nbroken\n{\"text\":\"b\",\"lang\":\"en\"}\n{\"last\":1}";
        assert_eq!(seen(start, true), Seen::of_table(names(&["id", "text", "lang", "last"])));
        let begun = seen(start, false);
        assert_eq!((&begun.names, begun.whole), (&names(&["id", "text", "lang"]), false));
        assert!(begun.has("lang") && !begun.has("last"));
        let array = Seen::at_the_start(b"[{\"id\":1},\n{\"text\":2},{\"cut", InputFormat::Json, false);
        assert_eq!(array.names, ["id", "text"]);
        assert_eq!(Seen::at_the_start(b"a\n", InputFormat::Lines, false).names, ["text"]);
    }
}
