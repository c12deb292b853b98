//! The summary of a run: the number of records by verdict, and its costs.
//!
//! It is counted from the written rows, so a row of this run, of an earlier run and of another machine count alike. A
//! record counts with the verdict of its worst policy. A record without a verdict is never safe.

use std::collections::BTreeMap;

use serde::Serialize;

use super::journal::End;
use super::row::{ReasoningEnd, Row, RowVerdict};
use crate::verdict::MIN_MASS;

/// The progress of a run, or its result.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// Records that are done, by verdict.
    // Programs read the JSON, so it keeps the field's first name.
    #[serde(rename = "standing")]
    pub verdicts: BTreeMap<RowVerdict, u64>,
    /// Records by policy, and by verdict and category: `violation SP3.b`.
    pub policies: BTreeMap<String, BTreeMap<String, u64>>,
    /// The titles of the categories that occur, by policy and code.
    #[serde(skip)]
    pub titles: BTreeMap<String, BTreeMap<String, String>>,
    /// Undecided records by reason, counted once for each policy.
    pub reasons: BTreeMap<String, u64>,
    /// Verdicts with less mass than [`MIN_MASS`], which a lower limit allows.
    pub low_mass: u64,
    /// Contents that were judged in a cascade, counted once for each policy.
    pub cascaded: u64,
    /// Contents of a cascade that the model had to reason about.
    pub escalated: u64,
    /// Contents that the model reasoned about, counted once for each policy.
    #[serde(skip)]
    pub reasoned: u64,
    /// Contents whose reasoning ended because the verdict was sure.
    #[serde(skip_serializing_if = "is_zero")]
    pub sure: u64,
    /// Tokens that this run decoded or sampled, policies not counted.
    pub tokens: Tokens,
    /// Records whose text this run, or the archive, had judged before.
    pub reused: u64,
    /// Records that an earlier run had done.
    pub resumed: u64,
    /// Bytes of the input that are done.
    #[serde(skip)]
    pub bytes: u64,
    /// Rows written, or records printed.
    pub written: u64,
    /// The reason why the run ended before its input.
    pub ended: Option<StopReason>,
    /// The end of the inputs, other shares included. `None` until every record was read. Written as the number of records.
    #[serde(rename = "records", serialize_with = "records")]
    pub end: Option<End>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[allow(clippy::ref_option, reason = "serde passes a reference")]
fn records<S: serde::Serializer>(end: &Option<End>, serializer: S) -> Result<S::Ok, S::Error> {
    end.map(|end| end.records).serialize(serializer)
}

/// Tokens by their use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tokens {
    /// Contents, with the control tokens around them.
    pub content: u64,
    /// Sampled as reasoning.
    pub reasoning: u64,
    /// Appended to score answers while the model reasoned on.
    #[serde(skip_serializing_if = "is_zero")]
    pub probes: u64,
    /// Appended and scored for answers.
    pub answer: u64,
    /// Sampled as rationale.
    pub rationale: u64,
}

/// The reason why a run ended before its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StopReason {
    /// It was stopped. Records that were not done by then are not counted.
    Stopped,
    /// The reader of the output has closed it.
    Closed,
}

impl Summary {
    /// Counts a record by its rows. The tokens count only if the record was `judged` by this run.
    pub fn add(&mut self, rows: &[Row], judged: bool) {
        *self.verdicts.entry(RowVerdict::of(rows)).or_default() += 1;
        for row in rows {
            let verdict = RowVerdict::of_row(row);
            let word = match (verdict, &row.category) {
                (RowVerdict::Undecided, _) | (_, None) => verdict.word().to_owned(),
                (_, Some(category)) => format!("{} {category}", verdict.word()),
            };
            let policy = match self.policies.get_mut(&row.policy.id) {
                Some(policy) => policy,
                None => self.policies.entry(row.policy.id.clone()).or_default(),
            };
            *policy.entry(word).or_default() += 1;
            self.name(row);
            if verdict == RowVerdict::Undecided {
                let reason = row.error_code().unwrap_or("unresolved");
                *self.reasons.entry(reason.to_owned()).or_default() += 1;
            }
            let low = row.mass.is_some_and(|mass| mass < MIN_MASS);
            self.low_mass += u64::from(low && verdict != RowVerdict::Undecided);
            if let Some(cascade) = row.cascade {
                self.cascaded += 1;
                self.escalated += u64::from(cascade.escalated);
            }
            if let Some(end) = row.usage.and_then(|usage| usage.reasoning_ended) {
                self.reasoned += 1;
                self.sure += u64::from(end == ReasoningEnd::Sure);
            }
            if let Some(usage) = row.usage.filter(|_| judged) {
                self.tokens.probes += usage.probe_tokens as u64;
                self.tokens.content += usage.content_tokens as u64;
                self.tokens.reasoning += usage.reasoning_tokens as u64;
                self.tokens.answer += usage.answer_tokens as u64;
                self.tokens.rationale += usage.rationale_tokens as u64;
            }
        }
    }

    /// Remembers the title of a row's category.
    fn name(&mut self, row: &Row) {
        let (Some(code), Some(title)) = (&row.category, &row.category_title) else { return };
        if self.title(&row.policy.id, code).is_none() {
            let titles = self.titles.entry(row.policy.id.clone()).or_default();
            titles.insert(code.clone(), title.clone());
        }
    }

    /// Returns the title of a policy's category, if it occurs.
    #[must_use]
    pub fn title(&self, policy: &str, code: &str) -> Option<&str> {
        self.titles.get(policy)?.get(code).map(String::as_str)
    }

    /// Returns the number of records that are done.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.verdicts.values().sum()
    }

    /// Returns the number of records with a verdict.
    #[must_use]
    pub fn of(&self, verdict: RowVerdict) -> u64 {
        self.verdicts.get(&verdict).copied().unwrap_or(0)
    }
}

impl Tokens {
    /// Returns the sum.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.content + self.reasoning + self.probes + self.answer + self.rationale
    }
}
