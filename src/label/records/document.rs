//! Documents of JSON, known by their beginning: an array of records is read, and others are refused with a remedy.

use serde_json::value::RawValue;

use super::format::BYTE_ORDER_MARK;
use super::names::in_quotes;
use super::notice::Notice;
use crate::hint::Hint;

/// A document of JSON, where lines of JSON might be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Document {
    /// An array of records.
    Array,
    /// A document without records that can be found.
    Refused(Notice),
}

impl Document {
    /// Recognizes a document. `named`: the file's name ends in `.json`.
    pub fn of(start: &[u8], named: bool) -> Option<Self> {
        let text = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start).trim_ascii_start();
        let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
        let is_over = line.len() < text.trim_ascii_end().len();
        let second = text.get(1..).unwrap_or_default().trim_ascii_start().first();
        match (text.first()?, second) {
            (b'[', Some(b'{')) => Some(Self::Array),
            (b'[', Some(b']')) if named => Some(Self::Array),
            (b'[', Some(_)) if named => Some(Self::of_others(second == Some(&b'"'))),
            (b'{', Some(_)) if is_over && line.len() == 1 => Some(Self::of_object(text)),
            (b'{', _) if named && is_pandas(text) => Some(Self::of_pandas()),
            _ => None,
        }
    }

    /// Refuses an array of texts, numbers or arrays.
    fn of_others(are_texts: bool) -> Self {
        let remedy = if are_texts {
            "`jq -c '.[] | {text: .}' FILE > FILE.jsonl` makes records of texts"
        } else {
            "each record must be an object, such as {\"text\": \"…\"}"
        };
        Self::Refused(Notice::new("it is one JSON array, and not of objects").with_hint(Hint::new(remedy)))
    }

    /// Refuses an object over several lines.
    fn of_object(text: &[u8]) -> Self {
        let notice = Notice::new("it is one JSON document over several lines");
        let hint = match array_in(text) {
            Some(name) => Hint::new(format!(
                "the records seem to be in {}: `jq -c '.[\"{name}\"][]' FILE > FILE.jsonl` makes lines of them",
                in_quotes(&name)
            )),
            None => Hint::new("`jq -c . FILE > FILE.jsonl` writes each object on a line"),
        };
        Self::Refused(notice.with_hint(hint))
    }

    fn of_pandas() -> Self {
        let notice = Notice::new("it has the columns one after another, as pandas writes them");
        Self::Refused(
            notice.with_hint(Hint::new("df.to_json(\"FILE.jsonl\", orient=\"records\", lines=True) writes records")),
        )
    }
}

/// Reports whether an object of columns begins here: each column is an object, whose names are the numbers of rows.
fn is_pandas(text: &[u8]) -> bool {
    let dense: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).take(256).collect();
    let name_ends = dense.get(2..).and_then(|rest| rest.iter().position(|byte| *byte == b'"'));
    name_ends.is_some_and(|at| dense[at + 2..].starts_with(b"\":{\"0\":"))
}

/// Returns the name of the first value of an object that is an array of objects.
fn array_in(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let (mut depth, mut rest) = (0_usize, text.as_ref());
    let mut name = None;
    while let Some(first) = rest.chars().next() {
        let mut length = first.len_utf8();
        match first {
            '"' => {
                let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
                let string = values.next()?.ok()?.get();
                length = string.len();
                if depth == 1 && rest[length..].trim_start().starts_with(':') {
                    name = serde_json::from_str::<String>(string).ok();
                }
            }
            '[' if depth == 1 && rest[1..].trim_start().starts_with('{') => {
                // A name with a quote in it would need an escape of the shell's.
                return name.filter(|name| !name.contains(['\'', '"', '\\']));
            }
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        rest = &rest[length..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_of_records_is_told_from_other_documents() {
        for (start, named) in [
            ("[{\"text\":1}]", true),
            ("\u{FEFF}[\n  {", true),
            ("[\n{\"text\":1}", false),
            ("[ {\"text\":1}", false),
            ("[]", true),
        ] {
            assert_eq!(Document::of(start.as_bytes(), named), Some(Document::Array), "{start}");
        }
        for start in ["{\"text\":1}\n{\"text\":2}", "{\"tex", "[1] a footnote", "[\"a\"]\n{\"text\":1}", "["] {
            assert_eq!(Document::of(start.as_bytes(), false), None, "{start}");
        }
    }

    #[test]
    fn another_document_is_refused_with_its_remedy() {
        for (start, remedy) in [
            ("[1, 2]", "each record must be an object"),
            ("[\"a\", \"b\"]", "jq -c '.[] | {text: .}'"),
            ("{\n  \"text\": 1\n}", "jq -c . FILE"),
            ("{\n  \"page\": [1],\n \"of\": {\"x\": [{}]}, \"data\": [\n {\"a\"", "jq -c '.[\"data\"][]' FILE"),
            ("{\"text\":{\"0\":\"a\",\"1\"", "orient=\"records\""),
        ] {
            let Some(Document::Refused(notice)) = Document::of(start.as_bytes(), true) else { panic!("{start}") };
            assert!(notice.hint.unwrap().to_string().contains(remedy), "{start}");
        }
    }
}
