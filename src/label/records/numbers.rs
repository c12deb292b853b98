//! Numbers that Python and JavaScript write and JSON does not have: `NaN`, `Infinity` and `-Infinity`.

/// The words, each before those that it ends in.
const WORDS: [&str; 3] = ["-Infinity", "Infinity", "NaN"];

/// Returns a line in which each such number is a text. `None` if it has no such number.
pub(super) fn as_texts(line: &str) -> Option<String> {
    replaced(line, |word, out| {
        out.push('"');
        out.push_str(word);
        out.push('"');
    })
}

/// Returns a line in which each such number is null. `None` if it has no such number.
pub(super) fn as_nulls(line: &str) -> Option<String> {
    replaced(line, |_, out| out.push_str("null"))
}

fn replaced(line: &str, replace: impl Fn(&str, &mut String)) -> Option<String> {
    let (mut out, mut kept, mut at) = (String::new(), 0, 0);
    let bytes = line.as_bytes();
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = end_of_text(bytes, at),
            b'-' | b'I' | b'N' => match WORDS.into_iter().find(|word| bytes[at..].starts_with(word.as_bytes())) {
                Some(word) => {
                    out.push_str(&line[kept..at]);
                    replace(word, &mut out);
                    at += word.len();
                    kept = at;
                }
                None => at += 1,
            },
            _ => at += 1,
        }
    }
    if kept == 0 {
        return None;
    }
    out.push_str(&line[kept..]);
    Some(out)
}

/// Returns the place after the text that begins here.
fn end_of_text(bytes: &[u8], begins: usize) -> usize {
    let mut at = begins + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_outside_of_texts_are_replaced() {
        let line = r#"{"a NaN \" Infinity":"NaN","b":NaN,"c":[-Infinity, Infinity],"d":"\\"}"#;
        let texts = r#"{"a NaN \" Infinity":"NaN","b":"NaN","c":["-Infinity", "Infinity"],"d":"\\"}"#;
        let nulls = r#"{"a NaN \" Infinity":"NaN","b":null,"c":[null, null],"d":"\\"}"#;
        assert_eq!(as_texts(line).as_deref(), Some(texts));
        assert_eq!(as_nulls(line).as_deref(), Some(nulls));
        for other in ["", "{\"a\":-1}", "\"NaN", "\"\\", "Näh"] {
            assert_eq!(as_texts(other), None, "{other}");
        }
    }
}
