//! The rationale: free text inside a JSON string, read as the model writes it.
//!
//! The one idea: a state machine over *bytes*, because a token may contain half a character, the closing quote, or both.
//! The text ends at the first unescaped quote. A cut escape or half a character at the end is dropped.

/// Collects a JSON string's body from the bytes of one token after another.
#[derive(Clone, Debug, Default)]
pub struct Rationale {
    bytes: Vec<u8>,
    escaped: bool,
    closed: bool,
}

impl Rationale {
    /// Adds a token's bytes. Returns true once the string is closed; later bytes are ignored.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        for &byte in bytes {
            if self.closed {
                break;
            }
            if byte == b'"' && !self.escaped {
                self.closed = true;
                break;
            }
            self.escaped = byte == b'\\' && !self.escaped;
            self.bytes.push(byte);
        }
        self.closed
    }

    /// Returns the text: unescaped, and well-formed for any bytes.
    #[must_use]
    pub fn text(&self) -> String {
        let mut end = self.bytes.len();
        // The closing quote is a character of its own, so nothing before it is cut.
        if !self.closed {
            end = whole_characters(&self.bytes);
        }
        unescape(&String::from_utf8_lossy(&self.bytes[..end])).trim().to_owned()
    }
}

/// Returns the length without half a character at the end.
fn whole_characters(bytes: &[u8]) -> usize {
    let rest = bytes.utf8_chunks().last().map_or(&[][..], |chunk| chunk.invalid());
    let cut = std::str::from_utf8(rest).is_err_and(|error| error.error_len().is_none());
    if cut { bytes.len() - rest.len() } else { bytes.len() }
}

/// Resolves JSON's escapes. An unknown escape loses its backslash, a cut escape at the end is dropped, and half a
/// surrogate pair becomes U+FFFD.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        match rest.next() {
            None => break,
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('u') => match unit(&mut rest) {
                Ok(unit @ 0xD800..=0xDBFF) => {
                    let mut ahead = rest.clone();
                    match (ahead.next(), ahead.next()) {
                        (Some('\\'), Some('u')) => match unit_low(&mut ahead) {
                            Ok(low) => {
                                rest = ahead;
                                let code = 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                                out.push(char::from_u32(code).unwrap_or('\u{FFFD}'));
                            }
                            Err(Cut::End) => break,
                            Err(Cut::Wrong) => out.push('\u{FFFD}'),
                        },
                        (None, _) | (Some('\\'), None) => break,
                        _ => out.push('\u{FFFD}'),
                    }
                }
                Ok(unit) => out.push(char::from_u32(unit).unwrap_or('\u{FFFD}')),
                Err(Cut::End) => break,
                Err(Cut::Wrong) => out.push('u'),
            },
            Some(other) => out.push(other),
        }
    }
    out
}

/// A failure to read an escape.
enum Cut {
    /// The text ended within the escape.
    End,
    /// The escape is not valid.
    Wrong,
}

/// Reads four hexadecimal digits, and moves on only if all four are present.
fn unit(rest: &mut std::str::Chars<'_>) -> Result<u32, Cut> {
    let mut ahead = rest.clone();
    let mut unit = 0;
    for _ in 0..4 {
        let digit = ahead.next().ok_or(Cut::End)?.to_digit(16).ok_or(Cut::Wrong)?;
        unit = unit * 16 + digit;
    }
    *rest = ahead;
    Ok(unit)
}

/// Reads the second half of a surrogate pair.
fn unit_low(rest: &mut std::str::Chars<'_>) -> Result<u32, Cut> {
    unit(rest).and_then(|low| if (0xDC00..0xE000).contains(&low) { Ok(low) } else { Err(Cut::Wrong) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pieces: &[&[u8]]) -> (String, bool) {
        let mut rationale = Rationale::default();
        for piece in pieces {
            rationale.push(piece);
        }
        (rationale.text(), rationale.closed)
    }

    #[track_caller]
    fn check(piece: &[u8], expected: &str) {
        assert_eq!(read(&[piece]).0, expected);
    }

    #[test]
    fn the_first_unescaped_quote_ends_it() {
        assert_eq!(read(&[b"a prize", b" scam.\"}", b" more"]), ("a prize scam.".into(), true));
        assert_eq!(read(&[b"says \\\"free\\\"\"}"]), ("says \"free\"".into(), true));
        assert_eq!(read(&[b"back\\\\\"}"]), ("back\\".into(), true));
        assert_eq!(read(&[b"split \\", b"\" escape\""]), ("split \" escape".into(), true));
    }

    #[test]
    fn nasty_texts_come_out_whole() {
        check(b"\\u00e9\\n\\t\\/\\b\\f\\r", "\u{e9}\n\t/\u{8}\u{c}".trim());
        check(b"\\ud83d\\ude00 ok\"", "\u{1F600} ok");
        check(b"\\ud83d ok\"", "\u{FFFD} ok");
        check(b"\\ude00 ok\"", "\u{FFFD} ok");
        check(b"\\ud83d\\u0041\"", "\u{FFFD}A");
        check(b"\\x41 \\uZZZZ\"", "x41 uZZZZ");
        check(b"bad \xFF byte\"", "bad \u{FFFD} byte");
        check(b"line\nbreak\"", "line\nbreak");
        check(b"", "");
    }

    #[test]
    fn a_cut_escape_or_half_a_character_is_dropped() {
        check(b"cut \\", "cut");
        check(b"cut \\u00", "cut");
        check(b"cut \\ud83d", "cut");
        check(b"cut \\ud83d\\", "cut");
        check(b"cut \\ud83d\\ude", "cut");
        check("cut \u{e9}".as_bytes().split_last().unwrap().1, "cut");
        for kept in 1..4 {
            check(&[b"cut ", &"\u{1F600}".as_bytes()[..kept]].concat(), "cut");
        }
        check("whole \u{1F600}".as_bytes(), "whole \u{1F600}");
    }

    proptest! {
        /// A JSON writer's escapes come back, in pieces of any size.
        #[test]
        fn any_text_round_trips(text in "\\PC{0,40}", size in 1..7usize) {
            let json = serde_json::to_string(&text).unwrap();
            let pieces: Vec<&[u8]> = json.as_bytes()[1..].chunks(size).collect();
            prop_assert_eq!(read(&pieces), (text.trim().to_owned(), true));
        }

        #[test]
        fn any_bytes_end_in_text(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = read(&[&bytes]);
        }
    }
}
