//! The pattern that cuts a text into pieces before byte pairs are merged: o200k, coded by hand.
//!
//! The pattern, as the public `tokenizer.json` of gpt-oss has it:
//!
//! ```text
//! [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//! |[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//! |\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
//! ```
//!
//! The one idea: every char has exactly one of eight classes, each class is one bit, and every set of the pattern is a
//! mask of them. The match of a backtracking engine, leftmost alternative first, then follows from the class of the
//! first char and a few runs, each scanned once. Tokens are not known here.

use std::sync::LazyLock;

/// Iterates over the pieces of a text, in order and without gaps.
pub(super) struct Pieces<'text> {
    bytes: &'text [u8],
    start: usize,
    classes: &'static Classes,
}

impl<'text> Pieces<'text> {
    pub(super) fn new(text: &'text str) -> Self {
        Self { bytes: text.as_bytes(), start: 0, classes: &CLASSES }
    }
}

impl<'text> Iterator for Pieces<'text> {
    type Item = &'text [u8];

    #[inline]
    fn next(&mut self) -> Option<&'text [u8]> {
        if self.start == self.bytes.len() {
            return None;
        }
        let end = self.end(self.start);
        let piece = &self.bytes[self.start..end];
        self.start = end;
        Some(piece)
    }
}

/// The match of the first two alternatives at a place, without their optional first char.
enum Word {
    /// The first alternative matches: the word has a char of [`TAIL`]. Holds the end.
    Cased(usize),
    /// Only the second alternative matches: upper case throughout. Holds the end.
    Upper(usize),
    /// Neither matches.
    Missing,
}

impl Pieces<'_> {
    /// Returns the end of the piece that begins at `start`.
    #[inline]
    fn end(&self, start: usize) -> usize {
        let (first, width) = self.at(start);
        let after = start + width;
        if first & LETTER != 0 {
            // A letter cannot be the optional first char.
            if let Word::Cased(end) | Word::Upper(end) = self.word(start) {
                return self.contraction(end);
            }
        } else if first & (OTHER | SPACE) != 0 {
            // It can only be the optional first char.
            if let Word::Cased(end) | Word::Upper(end) = self.word(after) {
                return self.contraction(end);
            }
        } else if first & MARK != 0 {
            // It can be either. The first alternative tries both before the second alternative does, and always matches
            // without the optional char.
            if let Word::Cased(end) = self.word(after) {
                return self.contraction(end);
            }
            if let Word::Cased(end) | Word::Upper(end) = self.word(start) {
                return self.contraction(end);
            }
        }
        if first & NUMBER != 0 {
            return self.number(after);
        }
        let symbols = if self.bytes[start] == b' ' { after } else { start };
        if self.at(symbols).0 & SYMBOL != 0 {
            let mut end = self.run(symbols, SYMBOL);
            while let Some(b'\r' | b'\n' | b'/') = self.bytes.get(end) {
                end += 1;
            }
            return end;
        }
        self.white(start)
    }

    /// Matches `HEAD* TAIL+`, else `HEAD+`, at `start`.
    #[inline]
    fn word(&self, start: usize) -> Word {
        let mut end = start;
        let mut uncased = start; // the end of the last char that is in both sets
        let next = loop {
            let (class, width) = self.at(end);
            if class & HEAD == 0 {
                break class;
            }
            end += width;
            if class & TAIL != 0 {
                uncased = end;
            }
        };
        if next & TAIL != 0 {
            Word::Cased(self.run(end, TAIL))
        } else if uncased > start {
            // `HEAD*` gives chars back until `TAIL+` has one.
            Word::Cased(uncased)
        } else if end > start {
            Word::Upper(end)
        } else {
            Word::Missing
        }
    }

    /// Matches `(?i:'s|'t|'re|'ve|'m|'ll|'d)?` at `start`. Case folding is Unicode's, so the long ſ is an s.
    #[inline]
    fn contraction(&self, start: usize) -> usize {
        let Some([b'\'', rest @ ..]) = self.bytes.get(start..) else {
            return start;
        };
        match rest {
            [b's' | b'S' | b't' | b'T' | b'm' | b'M' | b'd' | b'D', ..] => start + 2,
            [b'r' | b'R' | b'v' | b'V', b'e' | b'E', ..] | [b'l' | b'L', b'l' | b'L', ..] | [0xC5, 0xBF, ..] => {
                start + 3
            }
            _ => start,
        }
    }

    /// Matches the rest of `\p{N}{1,3}` after the first number, which ends at `end`.
    fn number(&self, mut end: usize) -> usize {
        for _ in 0..2 {
            let (class, width) = self.at(end);
            if class & NUMBER == 0 {
                break;
            }
            end += width;
        }
        end
    }

    /// Matches `\s*[\r\n]+|\s+(?!\S)|\s+` at `start`, which has a white char.
    fn white(&self, start: usize) -> usize {
        let (mut end, mut last, mut line) = (start, start, start);
        loop {
            let (class, width) = self.at(end);
            if class & WHITE == 0 {
                break;
            }
            last = end;
            end += width;
            if class & NEWLINE != 0 {
                line = end;
            }
        }
        if line > start {
            line // up to the last line break of the run
        } else if end < self.bytes.len() && last > start {
            last // all but the char before the next word
        } else {
            end
        }
    }

    /// Returns the end of the run of chars in `set` from `start`.
    #[inline]
    fn run(&self, start: usize, set: u8) -> usize {
        let mut end = start;
        loop {
            let (class, width) = self.at(end);
            if class & set == 0 {
                return end;
            }
            end += width;
        }
    }

    /// Returns the class of the char at `place`, and its length in bytes. Returns (0, 0) at the end, which is in no
    /// set.
    #[inline]
    fn at(&self, place: usize) -> (u8, usize) {
        match self.bytes.get(place) {
            None => (0, 0),
            Some(&byte) if byte < 0x80 => (self.classes.ascii[usize::from(byte)], 1),
            Some(&byte) => self.wide(place, byte),
        }
    }

    /// Does the same for a char of two to four bytes, decoded by hand: the text is a `str`, so it is well-formed.
    fn wide(&self, place: usize, lead: u8) -> (u8, usize) {
        let follow = |index: usize| usize::from(self.bytes[place + index] & 0x3F);
        let lead = usize::from(lead);
        if lead < 0xE0 {
            (self.classes.class((lead & 0x1F) << 6 | follow(1)), 2)
        } else if lead < 0xF0 {
            (self.classes.class((lead & 0x0F) << 12 | follow(1) << 6 | follow(2)), 3)
        } else {
            let code = (lead & 0x07) << 18 | follow(1) << 12 | follow(2) << 6 | follow(3);
            (self.classes.class(code), 4)
        }
    }
}

const OTHER: u8 = 1;
const UPPER: u8 = 1 << 1; // Lu, Lt
const LOWER: u8 = 1 << 2; // Ll
const UNCASED: u8 = 1 << 3; // Lm, Lo
const MARK: u8 = 1 << 4; // M
const NUMBER: u8 = 1 << 5; // N
const SPACE: u8 = 1 << 6; // \s without the next two
const NEWLINE: u8 = 1 << 7; // \r, \n

/// `\p{L}`
const LETTER: u8 = UPPER | LOWER | UNCASED;
/// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`
const HEAD: u8 = UPPER | UNCASED | MARK;
/// `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`
const TAIL: u8 = LOWER | UNCASED | MARK;
/// `[^\s\p{L}\p{N}]`
const SYMBOL: u8 = OTHER | MARK;
/// `\s`
const WHITE: u8 = SPACE | NEWLINE;

static CLASSES: LazyLock<Classes> = LazyLock::new(Classes::new);

const BLOCK: usize = 256; // chars
const CHARS: usize = 0x11_0000;

/// The class of every char, in blocks of 256 chars behind an index. Most blocks have only one class and are shared.
struct Classes {
    ascii: [u8; 128],
    /// The start of each block in `blocks`.
    index: Vec<u32>,
    blocks: Vec<u8>,
}

impl Classes {
    fn new() -> Self {
        let mut flat = vec![OTHER; CHARS];
        for (class, names) in [
            (UPPER, r"[\p{Lu}\p{Lt}]"),
            (LOWER, r"\p{Ll}"),
            (UNCASED, r"[\p{Lm}\p{Lo}]"),
            (MARK, r"\p{M}"),
            (NUMBER, r"\p{N}"),
        ] {
            for (first, last) in ranges(names) {
                flat[first as usize..=last as usize].fill(class);
            }
        }
        // `\s` is White_Space, and all of its chars are below U+10000.
        for white in ('\0'..='\u{FFFF}').filter(|char| char.is_whitespace()) {
            flat[white as usize] = if matches!(white, '\r' | '\n') { NEWLINE } else { SPACE };
        }
        Self::packed(&flat)
    }

    fn packed(flat: &[u8]) -> Self {
        let mut ascii = [OTHER; 128];
        ascii.copy_from_slice(&flat[..128]);
        let (mut index, mut blocks) = (Vec::with_capacity(CHARS / BLOCK), Vec::new());
        let mut uniform = [None; 256];
        for block in flat.chunks(BLOCK) {
            let fresh = u32::try_from(blocks.len()).unwrap_or(u32::MAX); // at most CHARS
            let same = block.iter().all(|class| *class == block[0]);
            let place = match uniform[usize::from(block[0])] {
                Some(place) if same => place,
                _ => {
                    blocks.extend_from_slice(block);
                    if same {
                        uniform[usize::from(block[0])] = Some(fresh);
                    }
                    fresh
                }
            };
            index.push(place);
        }
        Self { ascii, index, blocks }
    }

    #[inline]
    fn class(&self, code: usize) -> u8 {
        self.blocks[self.index[code / BLOCK] as usize + code % BLOCK]
    }
}

/// Returns the chars of a regex class, from the tables of the reference tokenizer's regex engine.
fn ranges(class: &str) -> Vec<(char, char)> {
    match regex_syntax::parse(class).map(regex_syntax::hir::Hir::into_kind) {
        Ok(regex_syntax::hir::HirKind::Class(regex_syntax::hir::Class::Unicode(class))) => {
            class.iter().map(|range| (range.start(), range.end())).collect()
        }
        other => unreachable!("{class} is a constant and a Unicode class, not {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<&str> {
        Pieces::new(text).map(|piece| std::str::from_utf8(piece).expect("cut between chars")).collect()
    }

    #[test]
    fn each_alternative_cuts_as_the_pattern_says() {
        for (text, expect) in [
            ("Hello world", vec!["Hello", " world"]),
            ("HTTPServer XMLHttp", vec!["HTTPServer", " XMLHttp"]),
            ("OK, GO", vec!["OK", ",", " GO"]),
            ("don't WE'LL it'ſ he'l", vec!["don't", " WE'LL", " it'ſ", " he", "'l"]),
            ("12345 ١٢٣٤", vec!["123", "45", " ", "١٢٣", "٤"]),
            ("a  b\t\tc", vec!["a", " ", " b", "\t", "\tc"]),
            ("x \n \n  y  ", vec!["x", " \n \n", " ", " y", "  "]),
            ("f(); // ok\r\n\r\n", vec!["f", "();", " //", " ok", "\r\n\r\n"]),
            ("a/\n/b", vec!["a", "/\n/", "b"]),
            ("हिन्दी", vec!["हिन्दी"]),
            ("ABあCD", vec!["ABあ", "CD"]),
            ("\u{301}AB", vec!["\u{301}", "AB"]),
            ("!\u{301}a", vec!["!\u{301}a"]),
            ("\u{3000}\u{3000}あ", vec!["\u{3000}", "\u{3000}あ"]),
        ] {
            assert_eq!(pieces(text), expect, "{text:?}");
        }
    }

    #[test]
    fn every_char_has_one_class_and_it_is_the_packed_one() {
        for char in '\0'..=char::MAX {
            let class = CLASSES.class(char as usize);
            assert_eq!(class.count_ones(), 1);
            assert_eq!(class & WHITE != 0, char.is_whitespace(), "{char:?}");
            if char.is_ascii() {
                assert_eq!(CLASSES.ascii[char as usize], class);
            }
        }
        assert!(CLASSES.blocks.len() < 1 << 17, "{}", CLASSES.blocks.len());
    }
}
