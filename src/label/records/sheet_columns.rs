//! The columns of a sheet, from its header.

use std::collections::HashSet;

use super::conversation;
use super::defect::{Defect, Location, judged};
use super::names::{Names, in_quotes, missing_id, missing_text, shown};
use super::record_fields::RecordFields;
use super::sheet_value::{json, text};
use super::text::Text;
use crate::content::Content;
use crate::label::columns::Columns;
use crate::workbook::{Row, Value};

/// The columns of a sheet, and those that are wanted.
#[derive(Default)]
pub(super) struct SheetColumns {
    pub names: Vec<String>,
    /// The place of each in the sheet, from 0.
    places: Vec<usize>,
    text: Text,
    /// The columns that make the text, by their places in the sheet.
    takes: Vec<usize>,
    /// The name of the id's column.
    pub id: String,
    /// The column that was taken for `text`, which has it in other letters.
    pub assumed: Option<String>,
}

impl SheetColumns {
    /// Reads a header, which must have the wanted columns.
    pub fn new(header: &Row, wanted: &RecordFields) -> Result<Self, Defect> {
        let names: Vec<String> = header.cells.iter().map(|(_, value)| text(value)).collect();
        let mut seen = HashSet::new();
        let twice: Vec<&String> = names.iter().filter(|name| !seen.insert(*name)).collect();
        if !twice.is_empty() {
            let what = format!("duplicate columns: {}; rename all but one of each name", shown(&twice, false));
            return Err(Defect::new("duplicate-columns", Location::Row(header.number), what));
        }
        let places = header.cells.iter().map(|(place, _)| *place).collect();
        let text = match (&wanted.text, Names::Table(&names).only_near("text")) {
            (Text::Unsaid, Some(near)) if !names.iter().any(|name| name == "text") => Text::Column(near.to_owned()),
            (text, _) => text.clone(),
        };
        let assumed =
            if let (Text::Unsaid, Text::Column(name)) = (&wanted.text, &text) { Some(name.clone()) } else { None };
        Ok(Self { assumed, ..Self::of(names, places, text, wanted)? })
    }

    /// Returns the columns of a sheet without a header, from its first row.
    pub fn headless(first: &Row, wanted: &RecordFields) -> Result<Self, Defect> {
        let places: Vec<usize> = (0..=first.cells.last().map_or(0, |(place, _)| *place)).collect();
        let names: Vec<String> = places.iter().map(|place| format!("column_{}", place + 1)).collect();
        let text = match (&wanted.text, names.as_slice()) {
            (Text::Unsaid, [only]) => Text::Column(only.clone()),
            (text, _) => text.clone(),
        };
        Self::of(names, places, text, wanted)
    }

    fn of(names: Vec<String>, places: Vec<usize>, text: Text, wanted: &RecordFields) -> Result<Self, Defect> {
        // A name before a number, from 1: a column may be called 2.
        let index = |wanted: &str| {
            let number = || wanted.parse::<usize>().ok()?.checked_sub(1).filter(|number| *number < names.len());
            names.iter().position(|name| name == wanted).or_else(number)
        };
        let takes = text.columns().into_iter().map(|name| {
            let found = index(name).map(|index| places[index]);
            found.ok_or_else(|| missing_text(name, Names::Table(&names), Location::File))
        });
        let takes = takes.collect::<Result<_, _>>()?;
        let id = match &wanted.id {
            None => "id".to_owned(),
            Some(id) => {
                let found = index(id).map(|index| names[index].clone());
                found.ok_or_else(|| missing_id(id, Names::Table(&names), Location::File))?
            }
        };
        Ok(Self { names, places, text, takes, id, assumed: None })
    }

    /// Returns the columns of a row. A cell without a value is null.
    pub fn values(&self, row: &Row) -> Columns {
        let mut cells = row.cells.iter().peekable();
        let mut columns = Columns::default();
        for (name, place) in self.names.iter().zip(&self.places) {
            while let Some((extra, value)) = cells.next_if(|(column, _)| column < place) {
                columns.0.push((self.unnamed(*extra), json(value)));
            }
            match cells.next_if(|(column, _)| column == place) {
                Some((_, value)) => columns.0.push((name.clone(), json(value))),
                None => columns.push(name, &()),
            }
        }
        columns.0.extend(cells.map(|(extra, value)| (self.unnamed(*extra), json(value))));
        columns
    }

    /// Returns the name of a column that the header leaves without one.
    fn unnamed(&self, place: usize) -> String {
        let mut name = format!("column_{}", place + 1);
        while self.names.contains(&name) {
            name.push('_');
        }
        name
    }

    /// Returns the text of a row.
    pub fn content(&self, row: &Row) -> Result<Content, Defect> {
        let at = Location::Row(row.number);
        let name = |place: &usize| {
            let index = self.places.iter().position(|other| other == place);
            index.map_or("", |index| self.names[index].as_str())
        };
        let value = |place: &usize| match row.cells.iter().find(|(column, _)| column == place) {
            None => Ok(String::new()),
            Some((_, Value::Formula(_))) => {
                let what = format!("the column {} holds a formula without its result", in_quotes(name(place)));
                let remedy = "open the workbook in a spreadsheet and save it, which computes all";
                Err(Defect::new("formula", at, what).with_hint(remedy.into()))
            }
            Some((_, value)) => conversation::in_text(name(place), text(value), at),
        };
        let values = self.takes.iter().map(value).collect::<Result<_, _>>()?;
        judged(self.text.compose(values), at)
    }
}
