//! What a run came to: how each record stands, and how many there are of each.
//!
//! The one idea: it is counted from what is written, so a row of this run, of an earlier one and of another machine count
//! alike. A record stands as its worst policy has it, and one without a verdict is never safe.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::journal::End;
use super::row::{RowUsage, Status};
use crate::calibration::certificate::Decision;
use crate::policy::Verdict;
use crate::verdict::MIN_MASS;

/// What a record came to, over all policies of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// A violation of one policy at least.
    Violation,
    /// None, and under one policy at least no verdict: unresolved, or not judged.
    Undecided,
    /// None, all have a verdict, and a person must look at one of them: it is for review, or no certificate covers it.
    Review,
    /// Safe under all.
    Safe,
}

/// How far a run is, or got.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// Records that are done, by how they stand.
    pub standing: BTreeMap<Standing, u64>,
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

/// As much of a row as is counted.
#[derive(Clone, Debug, Deserialize)]
pub struct Count {
    status: Status,
    /// What was said; none if it is undecided.
    pub verdict: Option<Verdict>,
    /// The label that was named.
    pub label: Option<String>,
    /// The category that was named.
    pub category: Option<String>,
    /// P(violation).
    pub probability: Option<f64>,
    mass: Option<f64>,
    decision: Option<Decision>,
    cascade: Option<Escalation>,
    policy: Policy,
    usage: Option<RowUsage>,
    error: Option<Reason>,
}

#[derive(Clone, Debug, Deserialize)]
struct Policy {
    id: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Escalation {
    escalated: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Reason {
    code: String,
    #[serde(default)]
    message: String,
}

impl Count {
    /// Reads the rows of an entry. None if they are no rows of ours.
    #[must_use]
    pub fn of(verdicts: &RawValue) -> Vec<Self> {
        serde_json::from_str(verdicts.get()).unwrap_or_default()
    }

    /// Why there is no verdict.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.error.as_ref().map(|error| error.code.as_str())
    }

    /// Reports whether rows have the same verdicts, or lack them for the same reasons.
    #[must_use]
    pub fn agree(some: &[Self], others: &[Self]) -> bool {
        let said = |count: &Self| (count.verdict, count.label.clone(), count.category.clone(), count.error.clone());
        some.iter().map(said).eq(others.iter().map(said))
    }

    /// The policy's id.
    #[must_use]
    pub fn policy(&self) -> &str {
        &self.policy.id
    }

    fn standing(&self) -> Standing {
        match (self.status, self.verdict) {
            (Status::Ok, Some(_)) if self.decision == Some(Decision::Review) => Standing::Review,
            (Status::Ok, Some(Verdict::Violation)) => Standing::Violation,
            (Status::Ok, Some(Verdict::Review)) => Standing::Review,
            (Status::Ok, Some(Verdict::Safe)) => Standing::Safe,
            _ => Standing::Undecided,
        }
    }
}

impl Standing {
    /// What rows come to, one for each policy.
    #[must_use]
    pub fn of(counts: &[Count]) -> Self {
        counts.iter().map(Count::standing).min().unwrap_or(Self::Undecided)
    }

    /// What it is called.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Violation => "violation",
            Self::Undecided => "undecided",
            Self::Review => "review",
            Self::Safe => "safe",
        }
    }
}

impl Summary {
    /// Counts a record. What it took counts only where it was `judged` for it.
    pub fn add(&mut self, counts: &[Count], judged: bool) {
        *self.standing.entry(Standing::of(counts)).or_default() += 1;
        for count in counts {
            let standing = count.standing();
            let word = match (standing, &count.category) {
                (Standing::Undecided, _) | (_, None) => standing.word().to_owned(),
                (_, Some(category)) => format!("{} {category}", standing.word()),
            };
            let policy = match self.policies.get_mut(&count.policy.id) {
                Some(policy) => policy,
                None => self.policies.entry(count.policy.id.clone()).or_default(),
            };
            *policy.entry(word).or_default() += 1;
            if standing == Standing::Undecided {
                let reason = count.code().unwrap_or("unresolved");
                *self.reasons.entry(reason.to_owned()).or_default() += 1;
            }
            let low = count.mass.is_some_and(|mass| mass < MIN_MASS);
            self.low_mass += u64::from(low && standing != Standing::Undecided);
            if let Some(cascade) = count.cascade {
                self.cascaded += 1;
                self.escalated += u64::from(cascade.escalated);
            }
            if let Some(usage) = count.usage.filter(|_| judged) {
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
    pub fn of(&self, standing: Standing) -> u64 {
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
