//! Inputs in other encodings than UTF-8: guessed from their bytes, or named.

use magistrate::label::records::{Encoding, InputFormat, RecordFields};
use magistrate::label::source::{Input, Source};
use proptest::prelude::*;

use super::{check, check_with, read};

/// Returns a text in UTF-16.
fn utf16(text: &str, marked: bool, big: bool) -> Vec<u8> {
    let units = marked.then_some(0xFEFF).into_iter().chain(text.encode_utf16());
    units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

/// Returns a text of Latin letters in Windows-1252.
fn western(text: &str) -> Vec<u8> {
    text.chars().map(|letter| if letter == '€' { 0x80 } else { u8::try_from(letter).unwrap() }).collect()
}

fn encoding(label: &str) -> RecordFields {
    RecordFields { encoding: Some(label.parse::<Encoding>().unwrap()), ..RecordFields::default() }
}

#[test]
fn text_of_western_europe_is_read_in_every_format() {
    check("a.csv", western("id;text\n1;Grüße, 5 €\n2;zoë\n"), "Grüße, 5 €|zoë", "");
    check("a.jsonl", western("{\"text\":\"Grüße\"}\n{\"text\":\"zoë\"}\n"), "Grüße|zoë", "");
    check("a.txt", western("Grüße\nzoë\n"), "Grüße|zoë", "");
}

#[test]
fn a_letter_far_from_the_beginning_shows_the_encoding() {
    let far = format!("text,n\n{}José,2\n", "plain words of more than a few letters,1\n".repeat(9_000));
    let found = read(&[("a.csv", western(&far))], None, &RecordFields::default());
    assert_eq!(found.records.last().unwrap(), "José");
    assert!(found.messages.is_empty() && found.end.is_ok());
}

/// Returns the notes on a file, and whether an output should have a mark.
fn notes(name: &str, bytes: &[u8]) -> (String, bool) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let source = Source::new(vec![Input::file(path)], None, RecordFields::default()).unwrap();
    let place = format!("{}/", folder.path().display());
    let notes: Vec<String> = source.notes().map(|note| note.message.replace(&place, "")).collect();
    (notes.join("; "), source.table_form().bom)
}

#[test]
fn notes_report_how_an_input_is_read() {
    let (about, marked) = notes("posts.csv", &western("ID;Text\n1;zoë\n"));
    assert_eq!(
        about,
        "posts.csv is not UTF-8, and is read as windows-1252; posts.csv is separated by \";\"; \
         posts.csv has no column \"text\", so the column \"Text\" is judged"
    );
    assert!(marked);
    let (about, marked) = notes("a.txt", &utf16("id\ttext\n1\ta\n", true, false));
    assert_eq!(about, "a.txt is read as UTF-16LE; a.txt is read as CSV, separated by tabs");
    assert!(marked);
    assert_eq!(notes("b.csv", b"id,text\n1,a\n"), (String::new(), false));
    assert_eq!(notes("c.csv", "\u{FEFF}id,text\n1,zoë\n".as_bytes()), (String::new(), true));
}

#[test]
fn an_encoding_that_is_not_clear_is_asked_for_before_the_first_record() {
    let cyrillic = b"text\n\xD5\xEE\xF0\xEE\xF8\xEE\n";
    let asked = "a.csv: it is not UTF-8, and its encoding cannot be guessed\nhint: `RecordFields::encoding` = NAME";
    check("a.csv", cyrillic, "", asked);
    check_with(&encoding("windows-1251"), "a.csv", cyrillic, "Хорошо", "");
    check_with(&encoding("shift_jis"), "a.txt", b"\x83\x65\x83\x58\x83\x67\n", "テスト", "");
}

#[test]
fn a_damaged_place_costs_its_record_alone() {
    let mut bytes = utf16("text\na\nb\nc\n", true, false);
    // Half of a surrogate pair in place of `b`.
    bytes[16..18].copy_from_slice(&[0x00, 0xD8]);
    check("a.csv", bytes, "a|<not-utf8>|c", "a.csv: line 3: the text is not valid UTF-8");
    let expected = "a.csv: line 2: the text is not valid UTF-8";
    check_with(&encoding("utf-8"), "a.csv", b"text\ncaf\xE9\nb\n", "<not-utf8>|b", expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_input_in_utf16_has_the_records_of_its_text(
        lines in prop::collection::vec("[ -~éЖ]{4,40}", 1..9), marked in any::<bool>(), big in any::<bool>(),
        format in prop::sample::select(vec![InputFormat::Lines, InputFormat::Jsonl, InputFormat::Csv]),
    ) {
        let text = format!("text\n{}\n", lines.join("\n"));
        // Without a mark only the zeros of ASCII show it.
        let text = if marked { text } else { text.replace('Ж', "e") };
        let [expected, found] = [text.clone().into_bytes(), utf16(&text, marked, big)]
            .map(|bytes| read(&[("a", bytes)], Some(format), &RecordFields::default()));
        prop_assert_eq!(found.records, expected.records);
        prop_assert_eq!(found.end, expected.end);
    }
}
