//! Entries: records that are done, with their place, their rows and their own columns.
//!
//! Rows are kept as JSON and written byte for byte. So a row that was judged now, a row from a journal and a row that was
//! judged before for an equal text are the same.

use std::sync::Arc;

use crate::digest::Hash;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::columns::{self, Columns};
use super::records::Record;
use super::row::{self, RowFields, RowVerdict, without_basis};

/// A record that is done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// The number of the record among all inputs, from 1.
    #[serde(rename = "n")]
    pub number: u64,
    /// The input's name.
    pub input: Arc<str>,
    /// The number of the record in its input, from 1.
    pub row: u64,
    /// The digest of the record.
    pub record: Hash,
    /// The digest of the text, or of the record if it has no text.
    pub hash: Hash,
    /// Set if the input ended in the middle of the record. Another program may have been writing it at that time.
    #[serde(default, skip_serializing_if = "is_false")]
    pub open: bool,
    /// The id, as the JSON of the input.
    pub id: Option<Box<RawValue>>,
    /// A JSON array of rows, one for each policy, without the id.
    pub verdicts: Box<RawValue>,
    /// The input's own columns.
    pub columns: Columns,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// The parts of an entry that are written.
#[derive(Clone, Debug, Default)]
pub struct OutputForm {
    /// The ids of the policies, in the order of an entry's verdicts.
    pub policies: Vec<String>,
    /// The fields of a row. `None` for all in JSON, and in tables for those that people read.
    pub fields: Option<Arc<RowFields>>,
    /// The columns of the input that are kept, by their names in the input; all if `None`.
    pub columns: Option<Vec<String>>,
}

impl Hash {
    /// Returns the digest of a record. It covers the bytes without the line end, and every value that was read from them.
    #[must_use]
    pub fn of_record(record: &Record) -> Self {
        let mut digest = Sha256::new();
        let mut add = |part: &[u8]| {
            // With its length, so that no other division of the same bytes has this digest.
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        };
        // A last line that gets its newline later stays the same record.
        let line = record.raw.strip_suffix(b"\n").unwrap_or(&record.raw);
        add(line.strip_suffix(b"\r").unwrap_or(line));
        add(record.id.as_deref().map_or("", RawValue::get).as_bytes());
        for (name, value) in &record.columns.0 {
            add(name.as_bytes());
            add(value.get().as_bytes());
        }
        match &record.content {
            Ok(content) => add(content.text().as_bytes()),
            Err(defect) => add(defect.code.as_bytes()),
        }
        Self::half(&digest.finalize())
    }
}

impl Entry {
    /// Returns the output line: the rows of the record, and its columns.
    #[must_use]
    pub fn line(&self, form: &OutputForm) -> String {
        let mut line = self.object(form);
        if !self.columns.0.is_empty() {
            line.pop();
            for (name, value) in self.columns.0.iter().filter(|(name, _)| form.keeps(name)) {
                if line.len() > 1 {
                    line.push(',');
                }
                line.push_str(&quoted(name));
                line.push(':');
                line.push_str(value.get());
            }
            line.push('}');
        }
        line.push('\n');
        line
    }

    /// Returns the rows of the record as one JSON object, without its columns.
    #[must_use]
    pub fn object(&self, form: &OutputForm) -> String {
        let rows = self.rows();
        let id = self.id.as_deref().map_or("null", RawValue::get);
        match rows.as_slice() {
            [row] => form.select(id, row),
            _ => {
                let mut named: Vec<(&String, &&RawValue)> = form.policies.iter().zip(&rows).collect();
                // `check --json` prints them in this order, too.
                named.sort_unstable_by_key(|(policy, _)| *policy);
                let rows =
                    named.into_iter().map(|(policy, row)| format!("{}:{}", quoted(policy), form.select(id, row)));
                let verdict = RowVerdict::of(&row::rows(&self.verdicts)).word();
                let rows = rows.collect::<Vec<_>>().join(",");
                format!("{{\"id\":{id},\"verdict\":\"{verdict}\",\"verdicts\":{{{rows}}}}}")
            }
        }
    }

    /// Returns the text: the column with its digest, else all texts among its columns.
    #[must_use]
    pub fn text(&self) -> String {
        let Columns(all) = &self.columns;
        let texts =
            || all.iter().filter(|(_, value)| value.get().starts_with('"')).map(|(_, value)| columns::text(value));
        let judged = texts().find(|text| Hash::of(text.as_bytes()) == self.hash);
        judged.unwrap_or_else(|| texts().collect::<Vec<_>>().join("\n"))
    }

    /// Returns the rows, without their ids.
    #[must_use]
    pub fn rows(&self) -> Vec<&RawValue> {
        serde_json::from_str(self.verdicts.get()).unwrap_or_default()
    }
}

impl OutputForm {
    /// Reports whether a column is kept. It has the name that it has beside a row.
    #[must_use]
    pub fn keeps(&self, name: &str) -> bool {
        let Some(wanted) = &self.columns else { return true };
        let is = |wanted: &String| {
            name == wanted
                || name.ends_with(wanted.as_str())
                    && name.trim_start_matches("input_") == wanted
                    && row::names(self.policies.iter().map(String::as_str)).contains(wanted)
        };
        wanted.iter().any(is)
    }

    /// Returns a row with its id and its chosen fields.
    fn select(&self, id: &str, row: &RawValue) -> String {
        let Some(fields) = &self.fields else {
            let [row, end] = without_basis(row.get());
            return format!("{{\"id\":{id},{}{end}", row.trim_start_matches('{'));
        };
        let all: Columns = serde_json::from_str(row.get()).unwrap_or_default();
        let id = fields.has("id").then(|| format!("\"id\":{id}"));
        let kept = all.0.iter().filter(|(name, _)| fields.has(name));
        let kept = kept.map(|(name, value)| format!("{}:{}", quoted(name), value.get()));
        format!("{{{}}}", id.into_iter().chain(kept).collect::<Vec<_>>().join(","))
    }
}

/// Returns a text as JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(verdicts: &str, columns: &str) -> Entry {
        let json = format!(
            r#"{{"n":1,"input":"a","row":1,"record":"{0}","hash":"{0}","id":7,"verdicts":{verdicts},"columns":{columns}}}"#,
            "0123456789abcdef".repeat(2)
        );
        let entry: Entry = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&entry).unwrap(), json, "an entry is read as it is written");
        entry
    }

    #[test]
    fn a_line_has_the_rows_and_then_the_columns_byte_for_byte() {
        let form = |policies: &[&str], fields: Option<&str>| OutputForm {
            policies: policies.iter().map(ToString::to_string).collect(),
            fields: fields.map(|fields| Arc::new(RowFields::parse(fields).unwrap())),
            columns: None,
        };
        let one = entry(r#"[{"status":"ok","verdict":"safe"}]"#, r#"{"a\"b":1.50,"a":"\ud800"}"#);
        let line = one.line(&form(&["p"], None));
        assert_eq!(line, "{\"id\":7,\"status\":\"ok\",\"verdict\":\"safe\",\"a\\\"b\":1.50,\"a\":\"\\ud800\"}\n");
        assert_eq!(
            one.line(&form(&["p"], Some("verdict"))),
            "{\"verdict\":\"safe\",\"a\\\"b\":1.50,\"a\":\"\\ud800\"}\n"
        );
        let two = entry(r#"[{"status":"ok","policy":{}},{"status":"error","policy":{}}]"#, "{}");
        assert_eq!(
            two.line(&form(&["q", "p"], None)),
            r#"{"id":7,"verdict":"undecided","verdicts":{"p":{"id":7,"status":"error","policy":{}},"q":{"id":7,"status":"ok","policy":{}}}}"#
                .to_owned()
                + "\n"
        );
    }

    #[test]
    fn a_digest_is_read_as_it_is_written() {
        let hash = Hash::of(b"text");
        let json = serde_json::to_string(&hash).unwrap();
        assert_eq!(serde_json::from_str::<Hash>(&json).unwrap(), hash);
        assert_eq!(format!("{:016x}", hash.short()), json[1..17]);
        for wrong in ["\"\"", "\"zz\"", "\"+0123456789abcdef0123456789abcde\"", "7"] {
            assert!(serde_json::from_str::<Hash>(wrong).is_err(), "{wrong}");
        }
    }
}
