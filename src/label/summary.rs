//! What a run came to: how each record stands, and how many there are of each.
//!
//! The one idea: it is counted from what is written, so a row of this run, of an earlier one and of another machine count
//! alike. A record stands as its worst policy has it, and one without a verdict is never safe.

use std::collections::BTreeMap;

use serde::Serialize;

use super::journal::End;
use super::row::{Row, RowVerdict};
use crate::verdict::MIN_MASS;

/// How far a run is, or got.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// Records that are done, by how they stand.
    pub standing: BTreeMap<RowVerdict, u64>,
    /// For each policy, how many for each verdict and category: `violation SP3.b`.
    pub policies: BTreeMap<String, BTreeMap<String, u64>>,
    /// Of those that are undecided under a policy, how many for which reason.
    pub reasons: BTreeMap<String, u64>,
    /// Verdicts that rest on less mass than [`MIN_MASS`], which a lower --min-mass allows.
    pub low_mass: u64,
    /// Contents that were judged in a cascade, counted once for each policy.
    pub cascaded: u64,
    /// Those of them that it had to reason about.
    pub escalated: u64,
    /// Tokens that this run decoded or sampled, policies not counted.
    pub tokens: Tokens,
    /// Records whose text this run, or the archive, had judged before.
    pub reused: u64,
    /// Records that an earlier run had done.
    pub resumed: u64,
    /// Bytes of the input that are done.
    #[serde(skip)]
    pub bytes: u64,
    /// Records that were let through, or rows that were written.
    pub written: u64,
    /// Why it ended before the input did.
    pub ended: Option<Ended>,
    /// The end of the inputs, those of other shares too, once all was read. Written as the number of records.
    #[serde(rename = "records", serialize_with = "records")]
    pub end: Option<End>,
}

#[allow(clippy::ref_option, reason = "how serde asks")]
fn records<S: serde::Serializer>(end: &Option<End>, serializer: S) -> Result<S::Ok, S::Error> {
    end.map(|end| end.records).serialize(serializer)
}

/// Tokens by what they were for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tokens {
    /// Of contents, and what stands around them.
    pub content: u64,
    /// Sampled as reasoning.
    pub reasoning: u64,
    /// Appended and scored for answers.
    pub answer: u64,
    /// Sampled as rationale.
    pub rationale: u64,
}

/// Why a run ended before its input did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// It was stopped. Records that were taken and not done by then are not counted.
    Stopped,
    /// Nobody reads the output any more.
    Closed,
}

impl Summary {
    /// Counts a record by its rows. The tokens count only if the record was `judged` by this run.
    pub fn add(&mut self, rows: &[Row], judged: bool) {
        *self.standing.entry(RowVerdict::of(rows)).or_default() += 1;
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
            if let Some(usage) = row.usage.filter(|_| judged) {
                self.tokens.content += usage.content_tokens as u64;
                self.tokens.reasoning += usage.reasoning_tokens as u64;
                self.tokens.answer += usage.answer_tokens as u64;
                self.tokens.rationale += usage.rationale_tokens as u64;
            }
        }
    }

    /// Records that are done.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.standing.values().sum()
    }

    /// Those of them that stand so.
    #[must_use]
    pub fn of(&self, standing: RowVerdict) -> u64 {
        self.standing.get(&standing).copied().unwrap_or(0)
    }
}

impl Tokens {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.content + self.reasoning + self.answer + self.rationale
    }
}
