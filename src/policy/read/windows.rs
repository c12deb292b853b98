//! Text in Windows-1252, in which older programs save.
//!
//! The one idea: every byte has a letter there, so a text that is no UTF-8 can always be read. Only a person can see
//! that the letters are right.

/// The letters of the bytes 0x80 to 0x9f. The five bytes without a letter keep their number.
const SPECIAL: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// Reads bytes as Windows-1252.
pub(in crate::policy) fn from_windows_1252(bytes: &[u8]) -> String {
    let letter = |byte: &u8| match byte {
        0x80..=0x9f => SPECIAL[usize::from(byte - 0x80)],
        byte => char::from(*byte),
    };
    bytes.iter().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotation_marks_bullets_and_umlauts_are_read() {
        assert_eq!(from_windows_1252(b"\x93Fake\x94 \x96 \x95 \xfcber \x80"), "“Fake” – • über €");
    }
}
