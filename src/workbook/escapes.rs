//! Characters that XML does not have, in the form in which Excel writes them: `_x000D_`.

/// The characters of an escape.
const LENGTH: usize = 7;

/// Appends a text as the content of an element.
pub(super) fn escape(text: &str, out: &mut String) {
    for (at, character) in text.char_indices() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\t' | '\n' => out.push(character),
            // A text that looks like an escape would be read as one.
            '_' if unit(&text[at..]).is_some() => out.push_str("_x005F_"),
            '\0'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}' => out.push_str(&format!("_x{:04X}_", u32::from(character))),
            _ => out.push(character),
        }
    }
}

/// Returns the text of an element, with its escapes resolved.
pub(super) fn resolve(text: String) -> String {
    if !text.contains("_x") {
        return text;
    }
    let (mut units, mut rest) = (Vec::new(), text.as_str());
    let mut out = String::with_capacity(text.len());
    while let Some(character) = rest.chars().next() {
        if let Some(unit) = unit(rest) {
            units.push(unit);
            rest = &rest[LENGTH..];
            continue;
        }
        out.extend(characters(&mut units));
        out.push(character);
        rest = &rest[character.len_utf8()..];
    }
    out.extend(characters(&mut units));
    out
}

/// Returns the unit of UTF-16 that an escape at the start of a text stands for.
fn unit(text: &str) -> Option<u16> {
    let escape = text.get(..LENGTH)?.strip_prefix("_x")?.strip_suffix('_')?;
    let digits = escape.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits.then(|| u16::from_str_radix(escape, 16).ok()).flatten()
}

/// Returns the characters of units. Half of a surrogate pair is no character, and is replaced.
fn characters(units: &mut Vec<u16>) -> impl Iterator<Item = char> {
    let characters = char::decode_utf16(std::mem::take(units));
    characters.map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_and_only_escapes_are_resolved() {
        for (text, escaped) in [
            ("a\r\nb\tc", "a_x000D_\nb\tc"),
            ("<&>\"'", "&lt;&amp;&gt;\"'"),
            ("_x000D_", "_x005F_x000D_"),
            ("_x00", "_x00"),
            ("\u{1}\u{FFFF}", "_x0001__xFFFF_"),
            ("__x0041_", "__x005F_x0041_"),
            ("Zoë 😀", "Zoë 😀"),
        ] {
            let mut out = String::new();
            escape(text, &mut out);
            assert_eq!(out, escaped);
            let read = out.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
            assert_eq!(resolve(read), text);
        }
        assert_eq!(resolve("_xD83D__xDE00_ and _xD83D_".into()), "😀 and \u{FFFD}");
        assert_eq!(resolve("_x+123_ _xä".into()), "_x+123_ _xä");
    }
}
