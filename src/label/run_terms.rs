//! The terms of a run's journal: those of its settings, its inputs and its policies, and the facts that outputs need.

use serde_json::value::RawValue;

use super::about::{PolicyAbout, RunAbout};
use super::columns::{ColumnRenamer, Columns};
use super::config::COLUMNS_TO_JUDGE;
use super::row;
use super::shard::Shard;
use super::source::Source;
use crate::calibration::terms::{COLUMNS, SHARD, Terms};
use crate::policy::Policy;

/// Returns the terms of a run's journal. `terms` are those of its settings, and `conditions` those under which a policy
/// judges.
#[must_use]
pub fn run_terms(
    terms: &Terms,
    source: &Source,
    shard: Option<Shard>,
    policies: &[Policy],
    conditions: impl Fn(&Policy) -> Terms,
) -> Terms {
    let mut terms = terms.clone();
    terms.0.insert(COLUMNS_TO_JUDGE.to_owned(), source.reading());
    if let Some(columns) = table_columns(source, policies) {
        terms.0.insert(COLUMNS.to_owned(), columns.into());
    }
    if let Some(shard) = shard {
        terms.0.insert(SHARD.to_owned(), shard.to_string().into());
    }
    let policy = |policy: &Policy| (policy.id.clone(), PolicyAbout::new(policy, conditions(policy)));
    let about = RunAbout {
        table: source.table_form(),
        id: source.has_usual_id(),
        text: source.text_columns().into_iter().map(str::to_owned).collect(),
        policies: policies.iter().map(policy).collect(),
    };
    about.put(&mut terms);
    terms
}

/// Returns the columns of tables as rows name them, so that an output without rows has them, too. `id` is that of the id.
fn table_columns(source: &Source, policies: &[Policy]) -> Option<Vec<String>> {
    let names = source.table_columns()?;
    let is_id = |name: &str| name == "id" && source.has_usual_id();
    let null = |name: &&str| ((*name).to_owned(), RawValue::NULL.to_owned());
    let mut columns = Columns(names.iter().filter(|name| !is_id(name)).map(null).collect());
    ColumnRenamer::new(row::names(policies.iter().map(|policy| policy.id.as_str()))).rename(&mut columns);
    let mut renamed = columns.names().map(str::to_owned);
    let name = |name: &str| if is_id(name) { Some(name.to_owned()) } else { renamed.next() };
    Some(names.into_iter().filter_map(name).collect())
}
