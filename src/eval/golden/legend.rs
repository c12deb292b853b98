//! The legend: a line for each policy that shows how its labels were understood.

use std::cmp::Reverse;

use super::answer_source::AnswerSource;
use super::cell::{shown, value, word};
use super::find::Answers;
use super::options::GoldenOptions;
use crate::label::columns::Columns;
use crate::policy::{Policy, Verdict};

/// The most labels that are counted: a column of texts has a different one in every record.
const MOST: usize = 1000;

/// The most labels that a line shows.
const SHOWN: usize = 8;

impl GoldenOptions {
    /// Describes how the labels were understood, with one line for each policy.
    pub(super) fn legend(
        &self,
        source: &AnswerSource,
        columns: &[&Columns],
        answers: &Answers,
        policies: &[Policy],
    ) -> Vec<String> {
        let legend = |(place, policy): (usize, &Policy)| {
            let mut met: Vec<(String, Verdict, u64)> = Vec::new();
            for (columns, answers) in columns.iter().zip(answers) {
                let Ok(Some(expected)) = &answers[place] else { continue };
                let verdict = expected.verdict;
                let label = match source {
                    AnswerSource::Column(name) => shown(&word(&value(columns, name))),
                    AnswerSource::Flags { .. } => self.flag_label(source, policy, verdict),
                    AnswerSource::Own => continue,
                };
                match met.iter().position(|(other, is, _)| *other == label && *is == verdict) {
                    Some(at) => met[at].2 += 1,
                    None if met.len() > MOST => {}
                    None => met.push((label, verdict, 1)),
                }
            }
            met.sort_by_key(|(.., count)| Reverse(*count));
            let more = if met.len() > SHOWN { ", and more" } else { "" };
            let met: Vec<String> = met
                .iter()
                .take(SHOWN)
                .map(|(label, verdict, count)| format!("{label} = {verdict} ({count})"))
                .collect();
            let of = if policies.len() > 1 { format!("labels of {}", policy.id) } else { "labels".to_owned() };
            format!("{of}: {}, {}{more}", source.description(), met.join(", "))
        };
        policies.iter().enumerate().map(legend).collect()
    }

    /// Returns the flags of a policy as one label: `spam or fraud`, or `not spam or fraud`.
    fn flag_label(&self, source: &AnswerSource, policy: &Policy, verdict: Verdict) -> String {
        let not = if verdict == Verdict::Violation { "" } else { "not " };
        let flags = self.flags(source, policy).unwrap_or_default();
        format!("{not}{}", flags.into_iter().map(shown).collect::<Vec<_>>().join(" or "))
    }
}
