//! Workbooks as programs write them, and files that pass for one.

use magistrate::file_kind::FileKind;

use super::*;

/// A workbook of three sheets that `LibreOffice` wrote. The last sheet is hidden.
const LIBRE_OFFICE: &[u8] = include_bytes!("../../vectors/libreoffice.xlsx");

const ROWS: &str =
    "hello there, see you at noon|WINNER!! Reply YES to claim your prize|2024|  spaces kept |rich bold end";

fn sheet(name: &str) -> RecordFields {
    RecordFields { sheet: Some(name.to_owned()), ..RecordFields::default() }
}

#[test]
fn a_workbook_is_read_whatever_the_file_is_called() {
    assert!(FileKind::of(LIBRE_OFFICE).unwrap().is_workbook());
    for name in ["a.xlsx", "a.data", "workbook"] {
        check(name, LIBRE_OFFICE, ROWS, "");
    }
    check_with(&column("2"), "a.xlsx", LIBRE_OFFICE, ROWS, "");
    let template = RecordFields { text: Text::Template("{when} {ok}".parse().unwrap()), ..RecordFields::default() };
    let whens = "2024-03-05 true|2024-03-05T14:30:00 false|09:15:00 |26:30:00 true|<empty>";
    check_with(&template, "a.xlsx", LIBRE_OFFICE, whens, "a.xlsx: row 7: the text is empty");
    let headless = RecordFields { no_header: true, skip: 1, ..column("2") };
    check_with(&headless, "a.xlsx", LIBRE_OFFICE, ROWS, "");
}

#[test]
fn columns_keep_their_types_and_a_value_beyond_the_header_has_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.xlsx");
    std::fs::write(&path, LIBRE_OFFICE).unwrap();
    let source = Source::new(vec![Input::file(path)], None, RecordFields::default()).unwrap();
    let notes: Vec<String> = source.notes().map(|note| note.message).collect();
    assert_eq!(notes.len(), 1);
    assert!(notes[0].ends_with("the sheet \"Posts\" is read, of 3 in the workbook"), "{notes:?}");
    let records: Vec<_> = source.map(|placed| placed.unwrap().record).collect();
    let columns = |at: usize| serde_json::to_string(&records[at].columns).unwrap();
    assert_eq!(
        columns(1),
        r#"{"text":"WINNER!! Reply YES to claim your prize","when":"2024-03-05T14:30:00","n":0.1,"ok":false,"note":"a\nb"}"#
    );
    assert_eq!(columns(2), r#"{"text":2024,"when":"09:15:00","n":1e+21,"ok":null,"note":2}"#);
    assert!(columns(4).ends_with(r#""note":null,"column_9":"beyond"}"#));
    let ids: Vec<String> = records.iter().map(|record| record.id.as_ref().unwrap().get().to_owned()).collect();
    assert_eq!(ids, ["1", "\"007\"", "3", "4", "9"]);
    assert_eq!(records.iter().map(|record| record.number).collect::<Vec<_>>(), [2, 3, 4, 5, 7]);
}

#[test]
fn a_sheet_is_chosen_by_its_name_or_its_number() {
    for name in ["Notes", "notes", "2"] {
        check_with(&sheet(name), "a.xlsx", LIBRE_OFFICE, "meeting moved to 3", "");
    }
    let missing =
        "a.xlsx: the sheet \"Post\" is missing. Sheets: 1 \"Posts\", 2 \"Notes\", 3 \"Hidden\"\nhint: `RecordFields::";
    check_with(&sheet("Post"), "a.xlsx", LIBRE_OFFICE, "", missing);
    check_with(&sheet("3"), "a.xlsx", LIBRE_OFFICE, "", "a.xlsx: the sheet \"Hidden\" is empty, where a header");
    check_with(&sheet("1"), "a.csv", "text\na\n", "", "a.csv: it is no workbook, so it has no sheets");
    check_with(
        &column("body"),
        "a.xlsx",
        LIBRE_OFFICE,
        "",
        "a.xlsx has no column \"body\". Columns: 1 \"id\", 2 \"text\"",
    );
}

#[test]
fn what_passes_for_a_workbook_is_refused_by_its_name() {
    let zip = |part: &str| [b"PK\x03\x04\x14\0\0\0".to_vec(), part.as_bytes().to_vec()].concat();
    let old = |stream: &str| {
        let stream = stream.encode_utf16().flat_map(u16::to_le_bytes);
        b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1".iter().copied().chain(stream).collect::<Vec<u8>>()
    };
    for (name, bytes, expected) in [
        ("a.xlsx", zip("word/document.xml"), "it is a Word document (.docx)"),
        ("a.docx", zip("word/document.xml"), "it is a Word document (.docx)"),
        ("a.ods", zip("mimetypeapplication/vnd.oasis.opendocument.spreadsheet"), "it is an OpenDocument spreadsheet"),
        ("a.xls", old("Workbook"), "it is an old workbook (.xls)"),
        ("a.xlsx", old("EncryptedPackage"), "it is an Office file that is locked with a password"),
        ("a.xlsx", gzip(LIBRE_OFFICE), "it is packed by gzip"),
        (
            "a.xlsx",
            b"text\nhello\n".to_vec(),
            "it is no workbook, although its name is that of one\nhint: `InputFormat` =",
        ),
        ("a.xlsx", LIBRE_OFFICE[..LIBRE_OFFICE.len() - 30].to_vec(), "it is no whole workbook"),
    ] {
        check(name, bytes, "", &format!("{name}: {expected}"));
    }
}

#[test]
fn a_workbook_with_a_changed_byte_never_panics() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.xlsx");
    for at in (0..LIBRE_OFFICE.len()).step_by(11) {
        let mut bytes = LIBRE_OFFICE.to_vec();
        bytes[at] ^= 0x55;
        std::fs::write(&path, bytes).unwrap();
        if let Ok(source) = Source::new(vec![Input::file(path.clone())], None, RecordFields::default()) {
            assert!(source.count() <= 6);
        }
    }
}
