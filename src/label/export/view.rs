//! The columns of a table that are ours: those that people read, or the chosen fields of a row.

use serde_json::Value as Json;

use crate::calibration::terms::Terms;
use crate::label::anew::Anew;
use crate::label::config::{CERTIFICATE, REASONING};
use crate::label::entry::OutputForm;
use crate::label::row::{ColumnKind, PATHS, field, policy_path};

/// A column of ours.
#[derive(Clone, Debug)]
pub(super) struct OwnColumn {
    pub name: String,
    pub kind: ColumnKind,
    pub value: Value,
    /// True for a probability.
    pub is_share: bool,
}

/// The value of a column of ours.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// The verdict over all policies.
    Overall,
    /// A value of the row of one policy.
    Path {
        /// The index of the policy.
        policy: usize,
        /// The path in the row.
        path: &'static str,
    },
}

/// Returns the columns. `anew` is set if the rows are decided anew.
pub(super) fn columns(form: &OutputForm, terms: &Terms, anew: Option<&Anew>) -> Vec<OwnColumn> {
    let paths: Vec<(&str, &'static str, ColumnKind)> = match &form.fields {
        None => of_people(terms, anew),
        Some(fields) => {
            let chosen = PATHS.into_iter().filter(|(path, _)| *path != "id" && fields.has(field(path)));
            chosen.map(|(path, kind)| (path, path, kind)).collect()
        }
    };
    let shares = ["probability", "calibrated"];
    let of_policy = |policy: usize| {
        let name = move |name: &str| match form.policies.as_slice() {
            [_] => name.to_owned(),
            several => policy_path(&several[policy], name),
        };
        paths.iter().map(move |&(column, path, kind)| OwnColumn {
            name: name(column),
            kind,
            value: Value::Path { policy, path },
            is_share: shares.contains(&path),
        })
    };
    let overall =
        (form.policies.len() > 1 && form.fields.as_ref().is_none_or(|fields| fields.has(VERDICT))).then(|| OwnColumn {
            name: VERDICT.to_owned(),
            kind: ColumnKind::Text,
            value: Value::Overall,
            is_share: false,
        });
    overall.into_iter().chain((0..form.policies.len()).flat_map(of_policy)).collect()
}

const VERDICT: &str = "verdict";

/// Returns the columns that people read: their names, paths and kinds.
fn of_people(terms: &Terms, anew: Option<&Anew>) -> Vec<(&'static str, &'static str, ColumnKind)> {
    let is_set = |name: &str| terms.0.get(name).is_some_and(|value| !matches!(value, Json::Null | Json::Bool(false)));
    let certified = anew.map_or_else(|| is_set(CERTIFICATE), Anew::is_certified);
    let reasoning = is_set(REASONING);
    let columns = [
        (VERDICT, VERDICT, ColumnKind::Text, true),
        ("category", "category", ColumnKind::Text, true),
        ("category_title", "category_title", ColumnKind::Text, true),
        ("probability", "probability", ColumnKind::Number, true),
        ("calibrated", "calibrated", ColumnKind::Number, certified),
        ("decision", "decision", ColumnKind::Text, certified),
        ("rationale", "rationale", ColumnKind::Text, true),
        ("reasoning", "reasoning", ColumnKind::Text, reasoning),
        ("error", "error.message", ColumnKind::Text, true),
    ];
    columns.into_iter().filter(|(.., shown)| *shown).map(|(name, path, kind, _)| (name, path, kind)).collect()
}
