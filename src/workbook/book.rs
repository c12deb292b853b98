//! A workbook that is open for reading.

use std::fs::File;
use std::sync::Arc;

use super::archive::Archive;
use super::error::WorkbookError;
use super::formats::Formats;
use super::sheet_rows::SheetRows;
use super::sheets::Contents;
use super::texts::SharedTexts;

/// A workbook that is open for reading.
pub struct Workbook {
    archive: Archive,
    contents: Contents,
}

impl Workbook {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// A [`WorkbookError`]: the file is no workbook, is damaged, or is locked with a password.
    pub fn open(file: File) -> Result<Self, WorkbookError> {
        let archive = Archive::open(file)?;
        let contents = Contents::read(&archive)?;
        if contents.sheets.is_empty() {
            return Err(WorkbookError::damaged("it has no sheet with cells"));
        }
        Ok(Self { archive, contents })
    }

    /// Returns the names of the sheets in order, and whether each is hidden.
    pub fn sheets(&self) -> impl Iterator<Item = (&str, bool)> {
        self.contents.sheets.iter().map(|sheet| (sheet.name.as_str(), sheet.hidden))
    }

    /// Reads the rows of a sheet, which is counted from 0.
    ///
    /// # Errors
    ///
    /// A [`WorkbookError`]: a part of the file is missing or damaged, or the texts take too much memory.
    pub fn rows(&self, sheet: usize) -> Result<SheetRows, WorkbookError> {
        let Contents { sheets, from_1904, texts, styles } = &self.contents;
        let sheet = sheets.get(sheet).ok_or_else(|| WorkbookError::new("it has no such sheet"))?;
        let read = |name: &String| self.archive.part(name);
        let texts = texts.as_ref().filter(|name| self.archive.has(name));
        let texts = texts.map(|name| SharedTexts::read(read(name)?)).transpose()?.unwrap_or_default();
        let styles = styles.as_ref().filter(|name| self.archive.has(name));
        let formats = styles.map(|name| Formats::read(read(name)?)).transpose()?.unwrap_or_default();
        Ok(SheetRows::new(self.archive.part(&sheet.part)?, Arc::new(texts), formats, *from_1904))
    }
}
