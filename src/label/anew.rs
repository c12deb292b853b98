//! Deciding a finished run anew: by another threshold or certificate, from the probabilities in its journal.
//!
//! The result is that of a run under the same flags, because a threshold decides only after the answers are scored. The
//! rationale of a verdict that changes is the exception: the model wrote it for another one, and it is left out.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::about::RunAbout;
use super::config::{self, CERTIFICATE, FREE, THRESHOLD, policy_ids};
use super::entry::Entry;
use super::row::{self, DecidedAnew, Row, Verdicts};
use crate::calibration::certificate::Certificate;
use crate::calibration::terms::Terms;
use crate::hint::{Hint, Hints};

/// The reason why a run cannot be decided anew.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnewError {
    /// The model wrote freely.
    #[error("the run has no probabilities, because the model wrote its answers freely")]
    Free,
    /// A certificate is of one policy.
    #[error("a certificate is of one policy, and the run has {0}")]
    Policies(usize),
    /// The journal does not name the conditions of its probabilities.
    #[error("the journal does not name the conditions under which a certificate holds")]
    NoConditions,
    /// The certificate was issued under other conditions.
    #[error("{0}")]
    OtherConditions(String),
}

impl Hints for AnewError {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::OtherConditions(_) => {
                vec![Hint::new("issue one for the run's conditions with magistrate calibrate")]
            }
            Self::Free | Self::Policies(_) | Self::NoConditions => Vec::new(),
        }
    }
}

/// The rules by which the rows of a run are decided anew, one for each policy.
#[derive(Clone, Debug, Default)]
pub struct Anew {
    rules: Vec<DecidedAnew>,
    /// The run's certificate does not hold for the new threshold, and decides nothing.
    pub without_certificate: bool,
}

impl Anew {
    /// Returns the rules for the run of a journal with these terms. Without a new threshold or certificate those of the
    /// run stay, except a certificate that does not hold for the new threshold.
    ///
    /// # Errors
    ///
    /// An [`AnewError`].
    pub fn new(terms: &Terms, threshold: Option<f64>, certificate: Option<Certificate>) -> Result<Self, AnewError> {
        if terms.0.get(FREE.0).and_then(Value::as_str) == Some(FREE.1) {
            return Err(AnewError::Free);
        }
        let about = RunAbout::of(terms);
        let ids = policy_ids(terms);
        let threshold = threshold.or_else(|| config::threshold(terms));
        let unlike = |certificate: &Certificate| {
            let [id] = ids.as_slice() else { return Err(AnewError::Policies(ids.len())) };
            let conditions = about.policies.get(id).map(|policy| &policy.conditions.0);
            let mut conditions = conditions.filter(|terms| !terms.is_empty()).ok_or(AnewError::NoConditions)?.clone();
            conditions.insert(THRESHOLD.to_owned(), json!(threshold));
            Ok(certificate.unlike(&Terms(conditions)))
        };
        let mut without_certificate = false;
        let certificate = match certificate {
            Some(new) => match unlike(&new)? {
                Some(differences) => return Err(AnewError::OtherConditions(differences)),
                None => Some(new),
            },
            None => {
                let old = terms.0.get(CERTIFICATE).filter(|value| !value.is_null());
                let old = old.and_then(|value| Certificate::read(value.to_string().as_bytes()).ok());
                let holds = |certificate: &Certificate| matches!(unlike(certificate), Ok(None));
                without_certificate = old.as_ref().is_some_and(|old| !holds(old));
                old.filter(holds)
            }
        };
        let rule = |id: &String| DecidedAnew {
            threshold,
            certificate: certificate.clone(),
            categories: about.policies.get(id).map_or_else(HashMap::new, |policy| {
                policy.categories.iter().map(|(code, named)| (code.clone(), named.clone())).collect()
            }),
        };
        Ok(Self { rules: ids.iter().map(rule).collect(), without_certificate })
    }

    /// Reports whether rows get a decision by a certificate.
    #[must_use]
    pub fn is_certified(&self) -> bool {
        self.rules.iter().any(|rule| rule.certificate.is_some())
    }

    /// The distance from a threshold near 0 or 1 within which an estimated probability may be on the wrong side.
    pub const CLOSE: f64 = 0.001;

    /// Decides a record anew.
    pub fn decide(&self, entry: &mut Entry) -> Decided {
        let mut rows = row::rows(&entry.verdicts);
        let (mut changed, mut close) = (false, 0);
        for (row, rule) in rows.iter_mut().zip(&self.rules) {
            let before = (row.verdict, row.category.take(), row.decision);
            row.category.clone_from(&before.1);
            row.decide_anew(rule);
            changed |= (row.verdict, &row.category, row.decision) != (before.0, &before.1, before.2);
            close += u64::from(is_close(row));
        }
        let Verdicts { rows, json } = Verdicts::new(rows);
        entry.verdicts = json;
        Decided { rows, changed, close }
    }
}

/// A record that was decided anew.
#[derive(Clone, Debug)]
pub struct Decided {
    /// Its rows.
    pub rows: Vec<Row>,
    /// Set if a verdict, a category or a decision is another one.
    pub changed: bool,
    /// The number of probabilities close to a threshold near 0 or 1.
    pub close: u64,
}

/// Reports whether a run under the row's threshold could find a probability on its other side. Only near 0 and 1 does a
/// threshold change which answers are scored.
fn is_close(row: &Row) -> bool {
    const FAR: f64 = 0.02;
    let edge = row.threshold.filter(|threshold| threshold.min(1.0 - threshold) < FAR);
    edge.zip(row.probability).is_some_and(|(threshold, probability)| (threshold - probability).abs() < Anew::CLOSE)
}
