//! Text encodings: their names, and the guess of an input's encoding from its bytes.
//!
//! UTF-8 is recognized by its own rules, and UTF-16 by its mark or its zeros. Of all others only Windows-1252 is guessed:
//! its text consists of ASCII with single letters and signs between. A guess that is not safe is left to the user.

use std::fmt;
use std::str::FromStr;

use encoding_rs::{Decoder, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::format::BYTE_ORDER_MARK;
use super::notice::Notice;
use crate::content::is_utf16;
use crate::hint::{Hint, Setting};

/// A text encoding, parsed from a label of the [Encoding Standard](https://encoding.spec.whatwg.org) such as
/// `windows-1252`, `latin1`, `utf-16` or `shift_jis`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding(&'static encoding_rs::Encoding);

impl Encoding {
    /// UTF-8, which is read without conversion.
    pub const UTF_8: Self = Self(UTF_8);

    /// Returns the standard's name of the encoding, such as `windows-1252` or `UTF-16LE`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Returns a decoder. A byte order mark is not part of its text, and overrides the encoding.
    pub(in crate::label) fn decoder(self) -> Decoder {
        self.0.new_decoder()
    }

    /// Returns the encoding that the beginning of an input shows by a mark, or by the zeros of UTF-16.
    pub(in crate::label) fn of_start(start: &[u8]) -> Option<Self> {
        match start {
            _ if start.starts_with(BYTE_ORDER_MARK) => Some(Self::UTF_8),
            [0xFE, 0xFF, ..] => Some(Self(UTF_16BE)),
            [0xFF, 0xFE, ..] => Some(Self(UTF_16LE)),
            _ if is_utf16(start) => {
                let zeros = |first: usize| start.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
                Some(Self(if zeros(0) > zeros(1) { UTF_16BE } else { UTF_16LE }))
            }
            _ => None,
        }
    }
}

impl FromStr for Encoding {
    type Err = String;

    /// Finds an encoding by a label, in any case and with or without its hyphens.
    fn from_str(label: &str) -> Result<Self, String> {
        let plain: String = label.chars().filter(|letter| !matches!(letter, '-' | '_' | ' ')).collect();
        let known = match plain.to_ascii_lowercase().as_str() {
            "utf16" | "utf16le" => Some(UTF_16LE),
            "utf16be" => Some(UTF_16BE),
            "utf8sig" => Some(UTF_8),
            "macroman" => Some(encoding_rs::MACINTOSH),
            plain => [label, &label.replace('_', "-"), plain]
                .into_iter()
                .find_map(|label| encoding_rs::Encoding::for_label_no_replacement(label.as_bytes())),
        };
        known.map(Self).ok_or_else(|| {
            "an unknown encoding; known ones are utf-8, utf-16, windows-1252, windows-1250, windows-1251, shift_jis, \
             gb18030, euc-kr and the others of the Encoding Standard"
                .to_owned()
        })
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// The count of bytes that are or are not UTF-8, over the part of an input that is looked at.
#[derive(Debug, Default)]
pub(in crate::label) struct Census {
    bytes: u64,
    /// Characters of several bytes, and places that are not UTF-8.
    characters: u64,
    damaged: u64,
    /// Bytes outside ASCII, and of these the ones that are unusual in Windows-1252.
    high: u64,
    odd: u64,
    /// The beginning of a character that continues in the next part.
    begun: Vec<u8>,
}

impl Census {
    /// Counts the next part of the input.
    pub fn take(&mut self, part: &[u8]) {
        self.bytes += part.len() as u64;
        let joined;
        let part = if self.begun.is_empty() {
            part
        } else {
            self.begun.extend_from_slice(part);
            joined = std::mem::take(&mut self.begun);
            &joined[..]
        };
        let (mut rest, damaged) = (part, self.damaged);
        while let Err(error) = std::str::from_utf8(rest) {
            let (valid, after) = rest.split_at(error.valid_up_to());
            self.characters += characters(valid);
            let Some(length) = error.error_len() else {
                self.begun = after.to_vec();
                rest = b"";
                break;
            };
            self.damaged += 1;
            rest = &after[length..];
        }
        self.characters += characters(rest);
        if self.damaged > damaged {
            self.weigh(part);
        }
    }

    /// Counts a character that the end of the input cuts off.
    pub fn end(&mut self) {
        let begun = std::mem::take(&mut self.begun);
        if !begun.is_empty() {
            self.damaged += 1;
            self.weigh(&begun);
        }
    }

    /// Reports whether the rest of the input would hardly change the guess.
    pub fn is_clear(&self) -> bool {
        const MANY: u64 = 10_000;
        self.damaged > MANY || self.damaged == 0 && self.characters > MANY
    }

    fn weigh(&mut self, part: &[u8]) {
        let mut run = 0;
        for (at, byte) in part.iter().enumerate() {
            run = if byte.is_ascii() { 0 } else { run + 1 };
            if run > 0 {
                self.high += 1;
                let before = at.checked_sub(1).map_or(b' ', |before| part[before]);
                let after = part.get(at + 1).copied().unwrap_or(b' ');
                self.odd += u64::from(run > 2 || is_odd(before, *byte, after));
            }
        }
    }

    /// Returns the encoding.
    ///
    /// # Errors
    ///
    /// A [`Notice`] for text in an encoding that cannot be guessed.
    pub fn guess(&self) -> Result<Encoding, Notice> {
        // A few damaged characters in a file of UTF-8 cost their records, and a few odd bytes in ASCII, too.
        if self.characters * 2 >= self.damaged && (self.characters > 0 || self.damaged == 0) {
            return Ok(Encoding::UTF_8);
        }
        if self.odd <= 1 || self.odd * 8 <= self.high {
            return Ok(Encoding(WINDOWS_1252));
        }
        if self.high * 100 < self.bytes {
            return Ok(Encoding::UTF_8);
        }
        let hint = Hint::of_value(Setting::Encoding, "NAME")
            .text(" reads it: windows-1252, windows-1250, windows-1251, macintosh, shift_jis, gb18030 and others");
        Err(Notice::new("it is not UTF-8, and its encoding cannot be guessed").with_hint(hint))
    }
}

fn characters(text: &[u8]) -> u64 {
    text.iter().filter(|byte| **byte >= 0xC0).count() as u64
}

/// Reports whether a byte between two others is unusual in text that is Windows-1252: a sign within a word, a capital
/// after a small letter, or no character.
fn is_odd(before: u8, byte: u8, after: u8) -> bool {
    let is_small = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, 0x9A | 0x9C | 0x9E | 0xDF..=0xF6 | 0xF8..);
    let is_capital =
        |byte: u8| byte.is_ascii_uppercase() || matches!(byte, 0x8A | 0x8C | 0x8E | 0x9F | 0xC0..=0xD6 | 0xD8..=0xDE);
    let is_letter = |byte: u8| is_small(byte) || is_capital(byte);
    match byte {
        0x81 | 0x8D | 0x8F | 0x90 | 0x9D => true,
        _ if is_small(byte) => false,
        _ if is_capital(byte) => is_small(before),
        // The apostrophe, dashes, the soft hyphen and the Catalan dot.
        0x92 | 0x96 | 0x97 | 0xAD | 0xB7 => false,
        // The signs that open a Spanish question or call.
        0xA1 | 0xBF => is_letter(before),
        _ => is_letter(before) && is_letter(after),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn guess(bytes: &[u8], at_once: usize) -> Result<&'static str, Notice> {
        let mut census = Census::default();
        bytes.chunks(at_once).for_each(|part| census.take(part));
        census.end();
        census.guess().map(Encoding::name)
    }

    fn in_encoding(label: &str, text: &str) -> Vec<u8> {
        let (bytes, _, lossy) = encoding_rs::Encoding::for_label(label.as_bytes()).unwrap().encode(text);
        assert!(!lossy, "{text}");
        bytes.into_owned()
    }

    const WESTERN: [&str; 7] = [
        "Grüße aus Köln; das Straßenfest wäre schön gewesen.",
        "El niño comió piñas; ¿cuánto cuesta? 5 €",
        "L\u{2019}été dernier, une créée à Noël: «voilà»",
        "José,zoë\nÅngström,smørrebrød\n",
        "25 °C, § 3, £ 4 \u{2013} \u{201C}quoted\u{201D}",
        "plain words and one é",
        "GRÜSSE FÜR ALLE, ÄRGER UND ÖL",
    ];

    #[test]
    fn western_text_is_windows_1252_and_other_alphabets_are_left_to_the_user() {
        for text in WESTERN {
            assert_eq!(guess(&in_encoding("windows-1252", text), 7), Ok("windows-1252"), "{text}");
            assert_eq!(guess(text.as_bytes(), 3), Ok("UTF-8"), "{text}");
        }
        for (label, text) in [
            ("windows-1251", "Хорошо, до свидания"),
            ("koi8-r", "Хорошо, до свидания"),
            ("windows-1250", "Było już późno, żółta łódka, święta"),
            ("shift_jis", "これはテストです"),
            ("gbk", "这是一个测试"),
            ("euc-kr", "이것은 시험입니다"),
            ("windows-1253", "Καλημέρα σας"),
            ("ibm866", "Хорошо"),
        ] {
            let notice = guess(&in_encoding(label, text), 64).unwrap_err();
            assert!(notice.hint.unwrap().to_string().contains(" = NAME reads it"), "{label}");
        }
    }

    #[test]
    fn a_few_damaged_characters_do_not_make_another_encoding() {
        let words = "plain words, and more of them\n".repeat(50);
        assert_eq!(guess(&[words.as_bytes(), b"\xF0\x9F\x98 ", words.as_bytes()].concat(), 9), Ok("UTF-8"));
        assert_eq!(guess(&["é".as_bytes(), b"\xE9,\xE8"].concat(), 9), Ok("UTF-8"));
        assert_eq!(guess(b"caf\xC3", 1), Ok("windows-1252"), "a character that is cut off");
        assert_eq!(guess(b"", 1), Ok("UTF-8"));
    }

    #[test]
    fn a_mark_or_zeros_show_the_encoding() {
        for (start, name) in [
            (&b"\xEF\xBB\xBFa"[..], Some("UTF-8")),
            (b"\xFF\xFEa\0", Some("UTF-16LE")),
            (b"\xFE\xFF\0a", Some("UTF-16BE")),
            (b"a\0b\0c\0", Some("UTF-16LE")),
            (b"\0a\0b\0c", Some("UTF-16BE")),
            (b"abc", None),
            (b"", None),
        ] {
            assert_eq!(Encoding::of_start(start).map(Encoding::name), name, "{start:?}");
        }
    }

    #[test]
    fn an_encoding_has_many_labels() {
        for (label, name) in [
            ("windows-1252", "windows-1252"),
            ("CP1252", "windows-1252"),
            ("Latin-1", "windows-1252"),
            ("iso_8859-1", "windows-1252"),
            ("utf8", "UTF-8"),
            ("utf_8_sig", "UTF-8"),
            ("UTF-16", "UTF-16LE"),
            ("utf16be", "UTF-16BE"),
            ("shift_jis", "Shift_JIS"),
            ("sjis", "Shift_JIS"),
            ("mac_roman", "macintosh"),
        ] {
            assert_eq!(label.parse::<Encoding>().map(Encoding::name), Ok(name), "{label}");
        }
        assert!("nope".parse::<Encoding>().unwrap_err().contains("windows-1252"));
    }

    proptest! {
        #[test]
        fn utf8_is_utf8_however_it_is_cut(text in "\\PC{0,80}", at_once in 1..20_usize) {
            prop_assert_eq!(guess(text.as_bytes(), at_once), Ok("UTF-8"));
        }

        #[test]
        fn western_sentences_in_any_order_are_windows_1252(
            texts in prop::collection::vec(prop::sample::select(WESTERN.to_vec()), 1..9), at_once in 1..50_usize,
        ) {
            prop_assert_eq!(guess(&in_encoding("windows-1252", &texts.join("\n")), at_once), Ok("windows-1252"));
        }
    }
}
