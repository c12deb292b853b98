//! Kinds of files that are no texts, recognized by their first bytes.

/// A kind of file that is no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileKind {
    /// Its name, with an article: `a PDF file`.
    pub name: &'static str,
    /// The way to a text, if there is one.
    pub remedy: &'static str,
    /// Set for documents of people, such as Word's. A program that made it can save it as plain text.
    pub is_document: bool,
}

/// The name of a workbook that is read.
const WORKBOOK: &str = "a workbook (.xlsx)";

/// The marks of archives by the names of their parts, which stand near the beginning.
const ARCHIVES: [(&[u8], FileKind); 8] = [
    (b"word/", document("a Word document (.docx)", AS_TEXT)),
    (b"ppt/", document("a presentation (.pptx)", AS_TEXT)),
    (b"xl/workbook.bin", document("a binary workbook (.xlsb)", "save it as .xlsx or as \"CSV UTF-8\"")),
    (b"opendocument.spreadsheet", document("an OpenDocument spreadsheet (.ods)", AS_WORKBOOK)),
    (b"opendocument.text", document("an OpenDocument text (.odt)", AS_TEXT)),
    (b"opendocument.presentation", document("an OpenDocument presentation (.odp)", AS_TEXT)),
    (b"application/epub+zip", document("an e-book (.epub)", AS_TEXT)),
    (b"xl/", document(WORKBOOK, AS_WORKBOOK)),
];

/// The marks of old files of Office, in the names of their streams.
const STREAMS: [(&str, FileKind); 4] = [
    ("EncryptedPackage", document("an Office file that is locked with a password", "save it without the password")),
    ("Workbook", document("an old workbook (.xls)", AS_WORKBOOK)),
    ("WordDocument", document("an old Word document (.doc)", AS_TEXT)),
    ("PowerPoint Document", document("an old presentation (.ppt)", AS_TEXT)),
];

const AS_WORKBOOK: &str = "save it as \"CSV UTF-8\" or as .xlsx";
const AS_TEXT: &str = "save it as plain text (.txt) in UTF-8";

const OLD_OFFICE: &[u8] = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1";

/// Beginnings of files that are no texts.
const BEGINNINGS: [(&[u8], FileKind); 24] = [
    (b"PK\x03\x04", other("a ZIP archive", "unpack it, and name the files in it")),
    (b"PK\x05\x06", other("an empty ZIP archive", "name another file")),
    (OLD_OFFICE, document("an old file of Excel or Word, or one that is locked with a password", AS_WORKBOOK)),
    (b"%PDF-", document("a PDF file", "`pdftotext FILE.pdf` makes text of it")),
    (b"{\\rtf", document("a rich text (.rtf)", AS_TEXT)),
    (b"PAR1", other("Parquet", "name the file itself: Parquet is read from its end, which a pipe has not")),
    (b"ARROW1", other("an Arrow file", "write it as Parquet or JSON lines")),
    (
        b"\xFF\xFF\xFF\xFF",
        other("an Arrow stream, as `datasets` keeps them", "dataset.to_json(\"FILE.jsonl\") writes lines"),
    ),
    (b"\xFD7zXZ\0", other("packed by xz", "xz -dc FILE | magistrate …")),
    (b"BZh", other("packed by bzip2", "bzip2 -dc FILE | magistrate …")),
    (b"\x04\x22\x4D\x18", other("packed by lz4", "lz4 -dc FILE | magistrate …")),
    (b"7z\xBC\xAF\x27\x1C", other("a 7-Zip archive", "unpack it")),
    (b"Rar!\x1A\x07", other("a RAR archive", "unpack it")),
    (b"\x1F\x9D", other("packed by compress", "uncompress -c FILE | magistrate …")),
    (b"\x1F\x8B", other("packed by gzip", "gzip -dc FILE | magistrate …")),
    (b"\x28\xB5\x2F\xFD", other("packed by zstd", "zstd -dc FILE | magistrate …")),
    (b"GGUF", other("a model (GGUF)", "")),
    (b"SQLite format 3\0", other("an SQLite database", "sqlite3 -csv -header FILE 'select …' writes CSV")),
    (b"Obj\x01", other("an Avro file", "write it as JSON lines")),
    (b"\x89PNG", other("a picture", "only texts are judged")),
    (b"\xFF\xD8\xFF", other("a picture", "only texts are judged")),
    (b"GIF8", other("a picture", "only texts are judged")),
    (b"\x7FELF", other("a program", "only texts are judged")),
    (b"\xFF\xFE\0\0", other("UTF-32", UTF_32)),
];

/// The mark of UTF-32 in the other order of bytes.
const UTF_32_BIG: &[u8] = b"\0\0\xFE\xFF";
const UTF_32: &str = "iconv -f UTF-32 -t UTF-8 FILE writes UTF-8";

/// The place of a tar archive's mark.
const TAR_AT: usize = 257;

/// The bytes at which a look decides, at most.
const LOOKED_AT: usize = 1 << 10;

const fn document(name: &'static str, remedy: &'static str) -> FileKind {
    FileKind { name, remedy, is_document: true }
}

const fn other(name: &'static str, remedy: &'static str) -> FileKind {
    FileKind { name, remedy, is_document: false }
}

impl FileKind {
    /// Recognizes the kind of a file from its beginning. `None` for a text, and for data of no known kind.
    #[must_use]
    pub fn of(start: &[u8]) -> Option<Self> {
        if start.starts_with(UTF_32_BIG) {
            return Some(other("UTF-32", UTF_32));
        }
        if start.get(TAR_AT..).is_some_and(|rest| rest.starts_with(b"ustar")) {
            return Some(other("a tar archive", "unpack it, and name the files in it"));
        }
        let is = |magic: &[u8]| start.starts_with(magic) && (!is_printable(magic) || is_binary(start));
        let (magic, kind) = BEGINNINGS.into_iter().find(|(magic, _)| is(magic))?;
        let part = |mark: &[u8]| start.windows(mark.len()).any(|window| window == mark);
        let inside = match magic {
            b"PK\x03\x04" => ARCHIVES.into_iter().find(|(mark, _)| part(mark)).map(|(_, kind)| kind),
            OLD_OFFICE => STREAMS.into_iter().find(|(name, _)| part(&utf16(name))).map(|(_, kind)| kind),
            _ => None,
        };
        Some(inside.unwrap_or(kind))
    }

    /// Reports whether this is a workbook of the kind that is read.
    #[must_use]
    pub fn is_workbook(&self) -> bool {
        self.name == WORKBOOK
    }
}

/// Reports whether a text could begin in the same way.
fn is_printable(magic: &[u8]) -> bool {
    magic.iter().all(|byte| (b' '..=b'~').contains(byte))
        && !magic.starts_with(b"%PDF-")
        && !magic.starts_with(b"{\\rtf")
}

fn is_binary(start: &[u8]) -> bool {
    let looked_at = &start[..start.len().min(LOOKED_AT)];
    looked_at.iter().any(|byte| is_control(*byte))
        || std::str::from_utf8(looked_at).is_err_and(|error| error.error_len().is_some())
}

/// Reports whether bytes have more control characters than a text has.
#[must_use]
pub fn is_data(start: &[u8]) -> bool {
    let (looked_at, few) = (&start[..start.len().min(LOOKED_AT)], 64);
    let odd = looked_at.iter().filter(|byte| is_control(**byte)).count();
    looked_at.len() >= few && odd * 16 > looked_at.len()
}

/// Reports whether a byte is a control character. White space is not, nor is the escape that begins a color.
fn is_control(byte: u8) -> bool {
    matches!(byte, 0..=8 | 14..=26 | 28..=31 | 127)
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_told_apart_by_what_lies_in_them() {
        let zip = |part: &str| [b"PK\x03\x04\x14\0\0\0".to_vec(), part.as_bytes().to_vec()].concat();
        let old = |stream: &str| [OLD_OFFICE.to_vec(), utf16(stream)].concat();
        for (start, name) in [
            (zip("[Content_Types].xml word/document.xml"), "a Word document (.docx)"),
            (zip("_rels/.rels xl/workbook.xml"), "a workbook (.xlsx)"),
            (zip("xl/workbook.bin"), "a binary workbook (.xlsb)"),
            (zip("mimetypeapplication/vnd.oasis.opendocument.spreadsheet"), "an OpenDocument spreadsheet (.ods)"),
            (zip("a.txt"), "a ZIP archive"),
            (old("EncryptedPackage"), "an Office file that is locked with a password"),
            (old("Workbook"), "an old workbook (.xls)"),
            (old("WordDocument"), "an old Word document (.doc)"),
            (b"{\\rtf1\\ansi".to_vec(), "a rich text (.rtf)"),
        ] {
            let kind = FileKind::of(&start).unwrap();
            assert_eq!(kind.name, name);
            assert_eq!(kind.is_workbook(), name == "a workbook (.xlsx)");
        }
        assert_eq!(FileKind::of(b"PKs are keys"), None);
    }
}
