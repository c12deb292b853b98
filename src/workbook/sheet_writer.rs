//! A workbook that is written row by row.
//!
//! Texts stay texts, so no cell is ever a formula. Rows that a sheet cannot hold continue on a next one under the same
//! header. The header is bold, remains in view and can filter.

use std::io::{self, Write};

use super::column::letters;
use super::escapes::escape;
use super::zip_writer::ZipWriter;
use super::{LONGEST_CELL, MOST_COLUMNS, MOST_ROWS};

/// A cell of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'cell> {
    /// An empty cell.
    Empty,
    /// A text, which is never read as a formula or a number.
    Text(&'cell str),
    /// A number, in the digits of JSON.
    Number(&'cell str),
    /// A truth value.
    Boolean(bool),
}

/// Writes a workbook, row by row.
pub struct SheetWriter<W> {
    zip: ZipWriter<W>,
    header: Vec<String>,
    /// The names of the columns by letters.
    letters: Vec<String>,
    /// Sheets that were begun, and rows of the last one.
    sheets: usize,
    rows: u64,
    line: String,
    /// The most rows and bytes of a sheet.
    most_rows: u64,
    most_bytes: u64,
}

/// Bytes of a sheet's XML after which another begins: the sizes of a ZIP archive have 32 bits.
const MOST_BYTES: u64 = 4_000_000_000;

/// The mark at the end of a text that was cut.
const CUT: &str = " […] [cut: a cell holds 32,767 characters]";

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";
const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006";
const KIND: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml";

impl<W: Write> SheetWriter<W> {
    /// Begins a workbook with this header.
    ///
    /// # Errors
    ///
    /// When the output cannot be written, or a sheet has not as many columns.
    pub fn new(output: W, header: &[&str]) -> io::Result<Self> {
        if header.len() > MOST_COLUMNS {
            let what = format!("a sheet holds at most {MOST_COLUMNS} columns; write CSV or Parquet instead");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
        }
        let mut zip = ZipWriter::new(output);
        zip.whole(
            "_rels/.rels",
            &relations(&format!(r#"Id="rId1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml""#)),
        )?;
        zip.whole("xl/styles.xml", &styles())?;
        let letters = (0..header.len()).map(letters).collect();
        let header = header.iter().map(|name| (*name).to_owned()).collect();
        let mut writer = Self {
            zip,
            header,
            letters,
            sheets: 0,
            rows: 0,
            line: String::new(),
            most_rows: MOST_ROWS,
            most_bytes: MOST_BYTES,
        };
        writer.begin_sheet()?;
        Ok(writer)
    }

    /// Writes a row.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    pub fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        if self.rows >= self.most_rows || self.zip.size() >= self.most_bytes {
            self.end_sheet()?;
            self.begin_sheet()?;
        }
        self.write_row(cells, "")
    }

    /// Ends the workbook, and returns the output.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.end_sheet()?;
        let (mut sheets, mut targets, mut kinds) = (String::new(), String::new(), String::new());
        for number in 1..=self.sheets {
            let name = if number == 1 { "verdicts".to_owned() } else { format!("verdicts {number}") };
            sheets += &format!(r#"<sheet name="{name}" sheetId="{number}" r:id="rId{number}"/>"#);
            let target = format!(r#"Type="{OFFICE}/worksheet" Target="worksheets/sheet{number}.xml""#);
            targets += &format!(r#"<Relationship Id="rId{number}" {target}/>"#);
            let part = format!("/xl/worksheets/sheet{number}.xml");
            kinds += &format!(r#"<Override PartName="{part}" ContentType="{KIND}.worksheet+xml"/>"#);
        }
        let book = format!(r#"<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{sheets}</sheets></workbook>"#);
        self.zip.whole("xl/workbook.xml", &(DECLARATION.to_owned() + &book))?;
        let style = format!(r#"Id="rId{}" Type="{OFFICE}/styles" Target="styles.xml""#, self.sheets + 1);
        let relations = relations(&style).replacen("<Relationship ", &(targets + "<Relationship "), 1);
        self.zip.whole("xl/_rels/workbook.xml.rels", &relations)?;
        self.zip.whole("[Content_Types].xml", &content_types(&kinds))?;
        self.zip.finish()
    }

    fn begin_sheet(&mut self) -> io::Result<()> {
        self.sheets += 1;
        self.rows = 0;
        self.zip.begin("xl/worksheets/sheet.xml", Some(self.sheets))?;
        let selected = if self.sheets == 1 { r#" tabSelected="1""# } else { "" };
        let widths = self.header.iter().enumerate().map(|(column, name)| {
            let (number, width) = (column + 1, name.chars().count().clamp(8, 38) + 2);
            format!(r#"<col min="{number}" max="{number}" width="{width}" customWidth="1"/>"#)
        });
        let widths: String = widths.collect();
        let widths = if widths.is_empty() { widths } else { format!("<cols>{widths}</cols>") };
        let pane = r#"<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>"#;
        let view = format!(r#"<sheetViews><sheetView{selected} workbookViewId="0">{pane}</sheetView></sheetViews>"#);
        let begin = format!(r#"{DECLARATION}<worksheet xmlns="{MAIN}">{view}{widths}<sheetData>"#);
        self.zip.write(begin.as_bytes())?;
        let header = std::mem::take(&mut self.header);
        let cells: Vec<Cell<'_>> = header.iter().map(|name| Cell::Text(name)).collect();
        let written = self.write_row(&cells, r#" s="1""#);
        self.header = header;
        written
    }

    fn end_sheet(&mut self) -> io::Result<()> {
        let filter = self.letters.last().map(|last| format!(r#"<autoFilter ref="A1:{last}{}"/>"#, self.rows));
        let end = format!("</sheetData>{}</worksheet>", filter.unwrap_or_default());
        self.zip.write(end.as_bytes())?;
        self.zip.end()
    }

    fn write_row(&mut self, cells: &[Cell<'_>], style: &str) -> io::Result<()> {
        self.rows += 1;
        self.line.clear();
        let row = self.rows;
        self.line.push_str(&format!(r#"<row r="{row}">"#));
        for (letters, cell) in self.letters.iter().zip(cells) {
            let begin = format!(r#"<c r="{letters}{row}"{style}"#);
            match cell {
                Cell::Empty => {}
                Cell::Number(digits) => self.line.push_str(&format!("{begin}><v>{digits}</v></c>")),
                Cell::Boolean(value) => {
                    self.line.push_str(&format!(r#"{begin} t="b"><v>{}</v></c>"#, u8::from(*value)));
                }
                Cell::Text(text) => {
                    self.line.push_str(&format!(r#"{begin} t="inlineStr"><is><t xml:space="preserve">"#));
                    escape(&fitting(text), &mut self.line);
                    self.line.push_str("</t></is></c>");
                }
            }
        }
        self.line.push_str("</row>");
        self.zip.write(self.line.as_bytes())
    }
}

/// Returns a text that fits into a cell. A longer one is cut, and ends with a mark.
fn fitting(text: &str) -> std::borrow::Cow<'_, str> {
    // A character of UTF-16 has at most as many units as bytes.
    if text.len() <= LONGEST_CELL || text.encode_utf16().count() <= LONGEST_CELL {
        return text.into();
    }
    let (mut units, room) = (0, LONGEST_CELL - CUT.encode_utf16().count());
    let fits = |character: &char| {
        units += character.len_utf16();
        units <= room
    };
    (text.chars().take_while(fits).collect::<String>() + CUT).into()
}

fn relations(one: &str) -> String {
    format!(r#"{DECLARATION}<Relationships xmlns="{PACKAGE}/relationships"><Relationship {one}/></Relationships>"#)
}

fn content_types(sheets: &str) -> String {
    let defaults = r#"<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>"#;
    let of =
        |part: &str, kind: &str| format!(r#"<Override PartName="/xl/{part}.xml" ContentType="{KIND}.{kind}+xml"/>"#);
    let (book, styles) = (of("workbook", "sheet.main"), of("styles", "styles"));
    format!(r#"{DECLARATION}<Types xmlns="{PACKAGE}/content-types">{defaults}{book}{styles}{sheets}</Types>"#)
}

/// Returns the styles: plain cells, and bold ones for a header.
fn styles() -> String {
    let font = r#"<sz val="11"/><name val="Calibri"/><family val="2"/>"#;
    let fonts = format!(r#"<fonts count="2"><font>{font}</font><font><b/>{font}</font></fonts>"#);
    let fills = r#"<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>"#;
    let borders = r#"<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>"#;
    let plain = r#"<xf numFmtId="0" fontId="0" fillId="0" borderId="0"/>"#;
    let bold = r#"<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>"#;
    let of_cells = plain.replace("/>", r#" xfId="0"/>"#);
    let formats =
        format!(r#"<cellStyleXfs count="1">{plain}</cellStyleXfs><cellXfs count="2">{of_cells}{bold}</cellXfs>"#);
    let names = r#"<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>"#;
    format!(r#"{DECLARATION}<styleSheet xmlns="{MAIN}">{fonts}{fills}{borders}{formats}{names}</styleSheet>"#)
}

#[cfg(test)]
mod tests {
    use std::io::Seek;

    use super::*;
    use crate::workbook::{Value, Workbook};

    #[test]
    fn rows_that_a_sheet_cannot_hold_continue_on_the_next() {
        let mut writer = SheetWriter::new(tempfile::tempfile().unwrap(), &["a"]).unwrap();
        writer.most_rows = 3;
        for number in ["1", "2", "3", "4", "5"] {
            writer.row(&[Cell::Number(number)]).unwrap();
        }
        let mut file = writer.finish().unwrap();
        file.rewind().unwrap();
        let book = Workbook::open(file).unwrap();
        assert_eq!(book.sheets().map(|(name, _)| name).collect::<Vec<_>>(), ["verdicts", "verdicts 2", "verdicts 3"]);
        let rows = |sheet| book.rows(sheet).unwrap().map(|row| row.unwrap().cells.remove(0).1).collect::<Vec<_>>();
        let number = |digits: &str| Value::Number(digits.to_owned());
        assert_eq!(rows(0), [Value::Text("a".into()), number("1"), number("2")]);
        assert_eq!(rows(2), [Value::Text("a".into()), number("5")]);
    }

    #[test]
    fn a_text_that_no_cell_holds_is_cut_with_a_mark() {
        let (fits, long) = ("😀".repeat(LONGEST_CELL / 2), "😀".repeat(LONGEST_CELL));
        assert_eq!(fitting(&fits), fits);
        let cut = fitting(&long);
        assert!(cut.ends_with(CUT) && long.starts_with(cut.strip_suffix(CUT).unwrap()));
        assert!((LONGEST_CELL - 1..=LONGEST_CELL).contains(&cut.encode_utf16().count()));
    }
}
