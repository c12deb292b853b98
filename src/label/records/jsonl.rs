//! A line of JSONL, and the text to judge in it.

use super::conversation;
use super::defect::{Defect, judged};
use super::json::{STRING, half, kind, parsed, string};
use super::names::{Names, missing_text, quoted};
use super::numbers::as_nulls;
use super::record_fields::RecordFields;
use super::text::Text;
use crate::content::Content;
use crate::label::columns::Columns;

/// Returns the columns of a line, if it is a JSON object, and its text.
pub(super) fn read(line: &str, wanted: &RecordFields, number: u64) -> (Columns, Result<Content, Defect>) {
    let object = match parsed(line, number) {
        Ok(object) => object,
        Err(defect) => return (Columns::default(), Err(defect)),
    };
    // A number that JSON lacks is kept as a text, and is no text to judge.
    let nulls = if object.repaired { as_nulls(line).and_then(|line| parsed(&line, number).ok()) } else { None };
    let text = text(&nulls.as_ref().unwrap_or(&object).columns, &wanted.text, number);
    (object.columns, text)
}

fn text(columns: &Columns, text: &Text, number: u64) -> Result<Content, Defect> {
    let wanted = text.columns();
    let there = |name: &&str| columns.at(name).is_some();
    // A single absent column counts as null. If all are absent, the record is at fault.
    if let Some(missing) = wanted.first().filter(|_| !wanted.iter().any(there)) {
        let names: Vec<&str> = columns.names().collect();
        return Err(missing_text(missing, Names::Object(&names), number));
    }
    let values = wanted.into_iter().map(|name| value(columns, name, text.is_one(), number));
    judged(text.compose(values.collect::<Result<_, _>>()?), number)
}

/// Returns the text of a column. Among several columns one may be missing, or a number.
fn value(columns: &Columns, name: &str, alone: bool, number: u64) -> Result<String, Defect> {
    let Some(found) = columns.at(name) else { return Ok(String::new()) };
    if columns.is_twice(name) {
        // Programs differ in the one that they read. The judged text must be the one that is shown.
        let what = format!("the column `{name}` occurs twice; keep only one of them");
        return Err(Defect::new("duplicate-text", number, what));
    }
    let value = found.value();
    match kind(value.get()) {
        STRING => {
            let text = string(value).ok_or_else(|| half(&format!("the column `{name}`"), number))?;
            conversation::in_text(name, text, number)
        }
        "null" if !alone => Ok(String::new()),
        "a number" | "a boolean" if !alone => Ok(value.get().to_owned()),
        "an array" if conversation::is(value.get()) => conversation::read(value.get(), number),
        found => {
            let what = format!("the column {} is {found} and not a string", quoted(name));
            Err(Defect::new("wrong-type", number, what))
        }
    }
}
