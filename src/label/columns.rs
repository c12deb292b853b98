//! The input's own columns beside the fields of a row.
//!
//! On a clash of names the row's field wins, and the input's column gets another name. So nothing of the input is lost, and
//! nothing in it can pose as a verdict.

mod path;

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;

pub use path::{Found, leads_into};

/// Columns in their order, each value as the JSON of the input. A name may occur twice. Serializes as a map, to be
/// flattened into a row.
#[derive(Clone, Default)]
pub struct Columns(pub Vec<(String, Box<RawValue>)>);

/// Renames columns that have the name of a row's field.
#[derive(Clone, Debug)]
pub struct ColumnRenamer {
    ours: HashSet<String>,
    /// The input's names whose new name has been reported.
    reported: HashSet<String>,
}

/// A column of the input under a new name. Both consist of a name of ours and `input_`, so that they can be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// The name in the input.
    pub from: String,
    /// The name in the output.
    pub to: String,
}

impl ColumnRenamer {
    /// Returns a renamer that keeps these names free.
    pub fn new(ours: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { ours: ours.into_iter().map(Into::into).collect(), reported: HashSet::new() }
    }

    /// Renames each column that has the name of a row's field: `input_` goes before it, repeated until the name is free.
    /// Returns the columns that are renamed for the first time.
    pub fn rename(&mut self, columns: &mut Columns) -> Vec<Renamed> {
        let mut renamed: Vec<Renamed> = Vec::new();
        for at in 0..columns.0.len() {
            let from = &columns.0[at].0;
            if !self.ours.contains(from) {
                continue;
            }
            // A name that occurs twice in the input occurs twice in the output.
            let known = renamed.iter().find(|known| known.from == *from).map(|known| known.to.clone());
            let to = known.unwrap_or_else(|| {
                let to = self.free(from, columns);
                renamed.push(Renamed { from: from.clone(), to: to.clone() });
                to
            });
            columns.0[at].0 = to;
        }
        renamed.retain(|new| self.reported.insert(new.from.clone()));
        renamed
    }

    fn free(&self, name: &str, columns: &Columns) -> String {
        let mut free = format!("input_{name}");
        while self.ours.contains(&free) || columns.names().any(|taken| taken == free) {
            free.insert_str(0, "input_");
        }
        free
    }
}

impl Columns {
    /// Appends a column.
    pub(super) fn push(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        let value = serde_json::value::to_raw_value(value).expect("texts and JSON can always be written as JSON");
        self.0.push((name.to_owned(), value));
    }

    /// Returns the names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Returns the values of all columns with this name.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &RawValue> {
        self.0.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_ref())
    }
}

/// Returns a column's value as a text: that of a string, or the JSON of anything else.
pub(crate) fn text(value: &RawValue) -> String {
    if value.get().starts_with('"') {
        // Half of a surrogate pair has no other text than its JSON.
        serde_json::from_str(value.get()).unwrap_or_else(|_| value.get().to_owned())
    } else {
        value.get().to_owned()
    }
}

impl Serialize for Columns {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Columns;

            fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Columns, A::Error> {
                let mut columns = Vec::new();
                while let Some(column) = entries.next_entry()? {
                    columns.push(column);
                }
                Ok(Columns(columns))
            }
        }

        deserializer.deserialize_map(Reader)
    }
}

impl fmt::Debug for Columns {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Columns({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(entries: &[(&str, &str)]) -> Columns {
        let raw = |json: &str| RawValue::from_string(json.to_owned()).unwrap();
        Columns(entries.iter().map(|(name, json)| ((*name).to_owned(), raw(json))).collect())
    }

    #[test]
    fn flattened_into_a_row_every_value_is_the_bytes_that_came_in() {
        #[derive(serde::Serialize)]
        struct Row {
            verdict: u8,
            #[serde(flatten)]
            columns: Columns,
        }
        let columns = columns(&[
            ("number", "1.00000000000000000000000000001e+400"),
            ("half", r#""\ud800 \u0041""#),
            ("twice", "1"),
            ("twice", r#"{"b": 2, "a" :[ ]}"#),
            ("qu\"ote", "null"),
        ]);
        assert_eq!(
            serde_json::to_string(&Row { verdict: 1, columns }).unwrap(),
            r#"{"verdict":1,"number":1.00000000000000000000000000001e+400,"half":"\ud800 \u0041","twice":1,"#
                .to_owned()
                + r#""twice":{"b": 2, "a" :[ ]},"qu\"ote":null}"#
        );
    }

    #[test]
    fn on_a_clash_the_column_gets_the_first_free_name() {
        let mut renamer = ColumnRenamer::new(["verdict", "input_label", "label"]);
        let mut rename = |names: &[&str]| {
            let mut columns = columns(&names.iter().map(|name| (*name, "1")).collect::<Vec<_>>());
            let news = renamer.rename(&mut columns);
            let names = columns.names().collect::<Vec<_>>().join(" ");
            (names, news.into_iter().map(|new| new.from + " " + &new.to).collect::<Vec<_>>())
        };
        assert_eq!(rename(&["text", "input_verdict"]), ("text input_verdict".into(), vec![]));
        assert_eq!(rename(&["verdict"]), ("input_verdict".into(), vec!["verdict input_verdict".into()]));
        assert_eq!(rename(&["verdict"]), ("input_verdict".into(), vec![]), "it is reported once");
        assert_eq!(rename(&["verdict", "input_verdict"]).0, "input_input_verdict input_verdict");
        assert_eq!(rename(&["verdict", "verdict"]).0, "input_verdict input_verdict");
        assert_eq!(rename(&vec!["verdict"; 60_000]).0.len(), 60_000 * 14 - 1);
        assert_eq!(rename(&["label"]), ("input_input_label".into(), vec!["label input_input_label".into()]));
        assert_eq!(rename(&["label", "input_label"]).0, "input_input_label input_input_input_label");
    }

    #[test]
    fn debug_shows_no_value() {
        assert_eq!(format!("{:?}", columns(&[("secret", r#""secret""#)])), "Columns(1)");
    }
}
