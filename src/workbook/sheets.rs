//! The list of a workbook's sheets, and the relations that lead to their parts.

use std::collections::HashMap;

use super::archive::Archive;
use super::error::WorkbookError;
use super::xml::{Piece, Xml};
use crate::hint::Hint;

/// A sheet with cells.
pub(super) struct Sheet {
    pub name: String,
    pub hidden: bool,
    pub part: String,
}

/// The parts of a workbook that matter.
pub(super) struct Contents {
    pub sheets: Vec<Sheet>,
    /// Dates are counted from 1904.
    pub from_1904: bool,
    pub texts: Option<String>,
    pub styles: Option<String>,
}

/// A relation from a part to another.
struct Relation {
    kind: String,
    target: String,
}

/// Sheets and relations, at most.
const MOST: usize = 1 << 14;

impl Contents {
    pub fn read(archive: &Archive) -> Result<Self, WorkbookError> {
        let book = book(archive)?;
        let relations = relations(archive, &book)?;
        let (mut sheets, mut from_1904, mut xml) = (Vec::new(), false, Xml::new(archive.part(&book)?));
        loop {
            let tag = match xml.next()? {
                Piece::Open(tag) => tag,
                Piece::End => break,
                Piece::Close(_) | Piece::Text(_) => continue,
            };
            match tag.name() {
                "workbookPr" => from_1904 |= tag.is("date1904"),
                "sheet" => {
                    // A chart has a sheet of its own, without cells.
                    let relation = tag.prefixed("id").and_then(|id| relations.get(&id));
                    if let Some(relation) = relation.filter(|relation| relation.kind == "worksheet") {
                        let name = tag.value("name").unwrap_or_default();
                        let hidden = tag.value("state").is_some_and(|state| state != "visible");
                        sheets.push(Sheet { name, hidden, part: relation.target.clone() });
                    }
                }
                _ => {}
            }
            limited(sheets.len())?;
        }
        let one = |kind: &str| relations.values().find(|relation| relation.kind == kind);
        let part = |kind: &str| one(kind).map(|relation| relation.target.clone());
        let (texts, styles) = (part("sharedStrings"), part("styles"));
        Ok(Self { sheets, from_1904, texts, styles })
    }
}

/// Returns the name of the part that lists the sheets.
fn book(archive: &Archive) -> Result<String, WorkbookError> {
    let relations = if archive.has("_rels/.rels") { relations(archive, "")? } else { HashMap::new() };
    let named = relations.into_values().find(|relation| relation.kind == "officeDocument");
    let book = named.map_or_else(|| "xl/workbook.xml".to_owned(), |relation| relation.target);
    let is_binary = book.to_ascii_lowercase().ends_with(".bin");
    if archive.has(&book) && !is_binary {
        return Ok(book);
    }
    let other = if is_binary { "a binary workbook (.xlsb)" } else { "a ZIP archive without a workbook" };
    let hint = Hint::new("save it as .xlsx or as \"CSV UTF-8\"");
    Err(WorkbookError::new(format!("it is {other}")).with_hint(hint))
}

/// Reads the relations of a part by their ids. The empty part has those of the file.
fn relations(archive: &Archive, part: &str) -> Result<HashMap<String, Relation>, WorkbookError> {
    let (folder, name) = part.rsplit_once('/').unwrap_or(("", part));
    let mut xml = Xml::new(archive.part(&resolved(folder, &format!("_rels/{name}.rels")))?);
    let mut relations = HashMap::new();
    loop {
        let tag = match xml.next()? {
            Piece::Open(tag) => tag,
            Piece::End => return Ok(relations),
            Piece::Close(_) | Piece::Text(_) => continue,
        };
        let is_inside = tag.value("TargetMode").is_none_or(|mode| mode != "External");
        if let (true, Some(id), Some(target)) = (is_inside, tag.value("Id"), tag.value("Target")) {
            let kind = tag.value("Type").unwrap_or_default();
            let kind = kind.rsplit('/').next().unwrap_or_default().to_owned();
            relations.insert(id, Relation { kind, target: resolved(folder, &target) });
        }
        limited(relations.len())?;
    }
}

fn limited(count: usize) -> Result<(), WorkbookError> {
    if count <= MOST {
        return Ok(());
    }
    Err(WorkbookError::too_large(format_args!("it has more than {MOST} sheets or relations")))
}

/// Returns the name of a part that is named from a folder of the archive.
fn resolved(folder: &str, target: &str) -> String {
    let target = target.replace('\\', "/");
    let mut names: Vec<&str> = if target.starts_with('/') { Vec::new() } else { folder.split('/').collect() };
    for name in target.split('/') {
        match name {
            ".." => {
                names.pop();
            }
            "." => {}
            name => names.push(name),
        }
    }
    names.retain(|name| !name.is_empty());
    names.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_resolved_within_the_archive() {
        for (folder, target, expect) in [
            ("xl", "worksheets/sheet1.xml", "xl/worksheets/sheet1.xml"),
            ("xl", "/xl/styles.xml", "xl/styles.xml"),
            ("xl", "../../../etc/x.xml", "etc/x.xml"),
            ("", "xl/workbook.xml", "xl/workbook.xml"),
            ("xl", ".\\a.xml", "xl/a.xml"),
        ] {
            assert_eq!(resolved(folder, target), expect);
        }
    }
}
