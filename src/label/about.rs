//! Facts about a run that its journal keeps beside the terms. Rows do not depend on them, and outputs do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::calibration::terms::{ABOUT, Terms};
use crate::policy::{Policy, Severity};

/// Facts about a run that its outputs need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunAbout {
    /// The form of tables in text.
    #[serde(flatten)]
    pub table: TableForm,
    /// The id is the column `id` of the inputs.
    #[serde(default = "yes")]
    pub id: bool,
    /// The columns that make the text.
    #[serde(default)]
    pub text: Vec<String>,
    /// The policies by their id.
    #[serde(default)]
    pub policies: BTreeMap<String, PolicyAbout>,
}

/// The form of a table in text. An output takes it over from the first input, because the same program reads both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableForm {
    /// Begins with a byte order mark, by which a spreadsheet knows that a text is UTF-8.
    #[serde(default)]
    pub bom: bool,
    /// The separator of the fields of CSV: an ASCII character.
    #[serde(default = "comma")]
    pub separator: u8,
}

/// Facts about a policy of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PolicyAbout {
    /// The name that people read.
    #[serde(default)]
    pub title: String,
    /// The title and the severity of each category, by its code.
    #[serde(default)]
    pub categories: BTreeMap<String, (String, Option<Severity>)>,
    /// The conditions that a certificate is compared with.
    #[serde(default)]
    pub conditions: Terms,
}

fn yes() -> bool {
    true
}

fn comma() -> u8 {
    b','
}

impl Default for TableForm {
    fn default() -> Self {
        Self { bom: false, separator: comma() }
    }
}

impl Default for RunAbout {
    fn default() -> Self {
        Self { table: TableForm::default(), id: true, text: Vec::new(), policies: BTreeMap::new() }
    }
}

impl PolicyAbout {
    /// Returns the facts about a policy under some conditions.
    #[must_use]
    pub fn new(policy: &Policy, conditions: Terms) -> Self {
        let categories = policy.categories().iter();
        let categories =
            categories.map(|category| (category.code.clone(), (category.title.clone(), category.severity))).collect();
        Self { title: policy.title.clone(), categories, conditions }
    }
}

impl RunAbout {
    /// Reads the facts beside some terms. Without any they are the default.
    #[must_use]
    pub fn of(terms: &Terms) -> Self {
        terms.0.get(ABOUT).and_then(|about| serde_json::from_value(about.clone()).ok()).unwrap_or_default()
    }

    /// Puts the facts beside some terms.
    pub fn put(&self, terms: &mut Terms) {
        if let Ok(about) = serde_json::to_value(self) {
            terms.0.insert(ABOUT.to_owned(), about);
        }
    }
}
