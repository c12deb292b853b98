//! Invisible characters, and the places where a script needs them.
//!
//! The one idea: a joiner is spelling between letters of a script that uses it, and inside an emoji. Elsewhere it is a
//! fault or hides something.

/// The kind of an invisible character, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hidden {
    /// Safe to delete.
    Stray,
    /// A change of direction, left to a reader of the script.
    Turning,
}

/// An invisible character in the wrong place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its first byte in the line.
    pub at: usize,
    /// The number of characters before it.
    pub index: usize,
    pub char: char,
    pub kind: Hidden,
}

/// Finds the invisible characters of a line that are in the wrong place.
pub(super) fn hidden(line: &str) -> Vec<Found> {
    if line.is_ascii() {
        return Vec::new();
    }
    let chars: Vec<(usize, char)> = line.char_indices().collect();
    let right_to_left = chars.iter().any(|(_, char)| is_right_to_left(*char));
    let found =
        chars.iter().enumerate().filter(|(_, (_, char))| is_invisible(*char)).filter_map(|(index, (at, char))| {
            let before = index.checked_sub(1).map(|before| chars[before].1);
            let after = chars.get(index + 1).map(|after| after.1);
            let both = |test: fn(char) -> bool| before.is_some_and(test) && after.is_some_and(test);
            let kind = match char {
                '\u{200c}' if both(has_joiners) => return None,
                '\u{200d}' if before.is_some_and(has_joiners) || both(is_emoji) => return None,
                '\u{200b}' if both(is_written_without_spaces) => return None,
                '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202c}' | '\u{2066}'..='\u{2069}' if right_to_left => {
                    return None;
                }
                '\u{202d}' | '\u{202e}' if right_to_left => Hidden::Turning,
                '\u{e0020}'..='\u{e007f}' if in_flag(&chars, index) => return None,
                _ => Hidden::Stray,
            };
            Some(Found { at: *at, index, char: *char, kind })
        });
    found.collect()
}

fn is_invisible(char: char) -> bool {
    matches!(char, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Matches letters of the Hebrew, Arabic, Syriac, Thaana and N'Ko scripts.
fn is_right_to_left(char: char) -> bool {
    matches!(char, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

/// Matches scripts that are spelt with joiners: Arabic, Indic, Tibetan, Burmese, Khmer, Mongolian.
fn has_joiners(char: char) -> bool {
    matches!(char,
        '\u{600}'..='\u{8ff}' | '\u{900}'..='\u{dff}' | '\u{f00}'..='\u{109f}' | '\u{1780}'..='\u{18af}' | '\u{1b00}'..='\u{1bff}'
        | '\u{a980}'..='\u{a9ff}' | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}')
}

/// Matches Thai, Lao, Burmese and Khmer, in which an invisible space marks where a line may break.
fn is_written_without_spaces(char: char) -> bool {
    matches!(char, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}')
}

fn is_emoji(char: char) -> bool {
    matches!(char, '\u{2190}'..='\u{2bff}' | '\u{fe0f}' | '\u{20e3}' | '\u{1f000}'..='\u{1faff}')
}

/// Reports whether a tag is part of a flag such as Scotland's: a black flag, some letters, and the tag that ends them.
fn in_flag(chars: &[(usize, char)], index: usize) -> bool {
    /// The tags of the longest flag.
    const TAGS: usize = 8;
    let is_tag = |char: char| matches!(char, '\u{e0020}'..='\u{e007e}');
    let before = chars[..index].iter().rev().take(TAGS).map(|(_, char)| *char).find(|char| !is_tag(*char));
    let end = chars[index..].iter().take(TAGS).map(|(_, char)| *char).find(|char| !is_tag(*char));
    before == Some('\u{1f3f4}') && end == Some('\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joiners_marks_of_direction_and_flags_are_no_fault_where_writing_needs_them() {
        for text in [
            "نمی\u{200c}خواهم",
            "آگهی\u{200c}های ناخواسته",
            "श\u{94d}\u{200d}य",
            "ක\u{dca}\u{200d}ෂ",
            "ه\u{200d}",
            "👨\u{200d}👩\u{200d}👧",
            "❤\u{fe0f}\u{200d}🔥",
            "👩🏽\u{200d}💻",
            "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
            "שלום\u{200f} (SMS)\u{200e}",
            "\u{2067}مرحبا\u{2069} world",
            "ภาษา\u{200b}ไทย",
        ] {
            assert_eq!(hidden(text), [], "{text:?}");
        }
        for (text, count) in [
            ("Mu\u{200b}ch", 1),
            ("a\u{200c}b\u{200d}c", 2),
            ("\u{200e}left", 1),
            ("\u{e0041}\u{e0042} hidden words", 2),
            ("🏴\u{e0067}\u{e0062}", 2),
            ("soft\u{ad}hyphen\u{feff}", 2),
            ("👨\u{200d}a", 1),
        ] {
            let found = hidden(text);
            assert!(
                found.len() == count && found.iter().all(|found| found.kind == Hidden::Stray),
                "{text:?} {found:?}"
            );
        }
        assert_eq!(hidden("שלום\u{202e}abc").iter().map(|found| found.kind).collect::<Vec<_>>(), [Hidden::Turning]);
    }
}
