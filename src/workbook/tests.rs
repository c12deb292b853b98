//! Workbooks that are written and read back, and files that are made to do harm.

use std::fs::File;
use std::io::{Seek, Write};

use super::zip_writer::ZipWriter;
use super::*;

const RELS: &str = r#"<Relationships><Relationship Id="r1" Type="http://x/officeDocument" Target="/xl/workbook.xml"/></Relationships>"#;
const BOOK: &str = r#"<workbook><sheets><sheet name="A" sheetId="1" r:id="r1"/></sheets></workbook>"#;
const TARGETS: &str = r#"<Relationships><Relationship Id="r1" Type="x/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="r2" Type="x/sharedStrings" Target="sharedStrings.xml"/><Relationship Id="r3" Type="x/styles" Target="styles.xml"/></Relationships>"#;
const STYLES: &str = r#"<styleSheet><numFmts><numFmt numFmtId="164" formatCode="yyyy"/></numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="164"/></cellXfs></styleSheet>"#;
const TEXTS: &str = r#"<sst><si><t>a</t></si><si><r><t>b </t></r><r><rPr><b/></rPr><t xml:space="preserve"> c</t></r><rPh sb="0" eb="1"><t>spoken</t></rPh></si><si><t>x_x000D_&amp;&#65;</t></si></sst>"#;

/// Makes a file of parts.
fn file(parts: &[(&'static str, &str)]) -> File {
    let mut zip = ZipWriter::new(tempfile::tempfile().unwrap());
    for (name, text) in parts {
        zip.whole(name, text).unwrap();
    }
    zip.finish().unwrap()
}

/// Makes a workbook of the rows of one sheet.
fn with_rows(rows: &str) -> File {
    with_sheet(&format!("<worksheet><sheetData>{rows}</sheetData></worksheet>"))
}

fn with_sheet(sheet: &str) -> File {
    file(&[
        ("_rels/.rels", RELS),
        ("xl/workbook.xml", BOOK),
        ("xl/_rels/workbook.xml.rels", TARGETS),
        ("xl/styles.xml", STYLES),
        ("xl/sharedStrings.xml", TEXTS),
        ("xl/worksheets/sheet1.xml", sheet),
    ])
}

fn rows(file: File) -> Result<Vec<Row>, WorkbookError> {
    Workbook::open(file)?.rows(0)?.collect()
}

fn error(file: File) -> String {
    rows(file).unwrap_err().to_string()
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn all_kinds_of_cells_are_read_and_gaps_are_kept() {
    let sheet = r#"<row r="2"><c r="A2" t="s"><v>0</v></c><c r="C2" t="s"><v>1</v></c><c t="inlineStr"><is><t> in </t></is></c></row>
        <row r="5"><c s="1"><v>45356</v></c><c t="b"><v>1</v></c><c t="e"><v>#N/A</v></c><c t="str"><f>A1</f><v>r</v></c><c><f>B1</f></c></row>
        <row r="6"><c r="A6" s="1"/></row><row><c t="s"><v>2</v></c><c t="str"><f>A1</f><v></v></c><c><v>1.50</v></c></row>"#;
    let rows = rows(with_rows(sheet)).unwrap();
    assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [2, 5, 7]);
    assert_eq!(rows[0].cells, [(0, text("a")), (2, text("b  c")), (3, text(" in "))]);
    let expect = [
        (0, Value::Date(19_787)),
        (1, Value::Boolean(true)),
        (2, text("#N/A")),
        (3, text("r")),
        (4, Value::Formula("=B1".into())),
    ];
    assert_eq!(rows[1].cells, expect);
    assert_eq!(rows[2].cells, [(0, text("x\r&A")), (2, Value::Number("1.5".into()))]);
}

#[test]
fn what_is_written_is_read_and_the_same_rows_give_the_same_bytes() {
    let write = || {
        let mut writer = SheetWriter::new(Vec::new(), &["a", "b & c"]).unwrap();
        writer.row(&[Cell::Text("=1+1"), Cell::Number("0.5")]).unwrap();
        writer.row(&[Cell::Empty, Cell::Boolean(false)]).unwrap();
        writer.row(&[Cell::Text(" \u{1}_x0041_\r\n😀<b>\t"), Cell::Text("")]).unwrap();
        writer.finish().unwrap()
    };
    let bytes = write();
    assert_eq!(bytes, write());
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    file.rewind().unwrap();
    let rows: Vec<_> = rows(file).unwrap().into_iter().map(|row| row.cells).collect();
    let expect = [
        vec![(0, text("a")), (1, text("b & c"))],
        vec![(0, text("=1+1")), (1, Value::Number("0.5".into()))],
        vec![(1, Value::Boolean(false))],
        vec![(0, text(" \u{1}_x0041_\r\n😀<b>\t"))],
    ];
    assert_eq!(rows, expect);
}

#[test]
fn damage_is_named() {
    let cell = |cell: &str| with_rows(&format!("<row>{cell}</row>"));
    for (file, what) in [
        (cell(r#"<c t="s"><v>3</v></c>"#), "the cell A1 names a shared text that is missing"),
        (cell(r#"<c t="s"><v>-1</v></c>"#), "names no shared text"),
        (cell("<c><v>twelve</v></c>"), "holds no number"),
        (cell(r#"<c r="B1"><v>1</v></c><c r="B1"><v>2</v></c>"#), "the cell B1 is twice there"),
        (cell(r#"<c r="XFE1"><v>1</v></c>"#), "beyond the column XFD"),
        (cell("<c><v>&own;</v></c>"), "an entity that XML lacks"),
        (cell("<c><v>1</v></row>"), "no whole workbook"),
        (with_rows(r#"<row r="1048577"><c><v>1</v></c></row>"#), "a row has the number 1048577"),
        (with_rows(r#"<row r="0"><c><v>1</v></c></row>"#), "a row has the number 0"),
        (with_sheet("<worksheet><sheetData><row>"), "in the middle of an element"),
        (with_sheet("<!DOCTYPE x [<!ENTITY a \"b\">]><worksheet/>"), "declares a document type"),
        (with_sheet(&"<a>".repeat(300)), "deep within one another"),
        (with_sheet("<a><b>"), "in the middle of an element"),
        (file(&[("_rels/.rels", RELS)]), "a ZIP archive without a workbook"),
        (file(&[("xl/workbook.xml", BOOK)]), "its part \"xl/_rels/workbook.xml.rels\" is missing"),
        (file(&[("xl/workbook.xml", BOOK), ("XL/workbook.xml", BOOK)]), "two parts of the name"),
        (tempfile::tempfile().unwrap(), "no whole workbook"),
    ] {
        let message = error(file);
        assert!(message.contains(what), "{message} lacks {what}");
    }
}

#[test]
fn a_part_that_was_changed_is_found_by_its_checksum() {
    let mut bytes = SheetWriter::new(Vec::new(), &["a"]).unwrap().finish().unwrap();
    let at = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    // The checksum of the first part, in the directory.
    bytes[at + 16] ^= 1;
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    assert!(error(file).contains("checksum"));
}

#[test]
fn a_bomb_ends_early_and_a_row_too_large_is_left_out_alone() {
    let bomb = with_sheet(&format!("<worksheet>{}", " ".repeat(15 << 20)).repeat(8));
    assert!(error(bomb).contains("200 times"));
    let text = with_sheet(&format!("<worksheet><sheetData><row><c><v>{}", "1".repeat(17 << 20)));
    assert!(error(text).contains("16 MiB"));
    let many = r#"<c t="inlineStr"><is><t>xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx</t></is></c>"#;
    let long = format!(r#"<c t="inlineStr"><is><t>{}</t></is></c>"#, "y".repeat(5 << 20));
    let rows = rows(with_rows(&format!("<row>{many}{long}</row><row>{many}</row>"))).unwrap();
    assert_eq!((rows[0].too_large, rows[0].cells.len()), (true, 1));
    assert_eq!((rows[1].number, rows[1].too_large), (2, false));
}
