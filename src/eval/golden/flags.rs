//! Answers that are flags: true or false for each of several kinds of violation.

use super::answer_source::AnswerSource;
use super::cell::{listed, shown, value, word};
use super::error::GoldenError;
use super::meaning::unclear;
use super::options::GoldenOptions;
use super::sense::{self, Name, alike, yes_or_no};
use crate::eval::expected::Expected;
use crate::hint::{Hint, Setting};
use crate::label::columns::Columns;
use crate::policy::{Policy, Verdict};

/// The columns of OpenAI's release of 2022, and their names in `/v1/moderations`.
pub(super) const RELEASE: [(&str, &str); 8] = [
    ("S", "sexual"),
    ("H", "hate"),
    ("V", "violence"),
    ("HR", "harassment"),
    ("SH", "self-harm"),
    ("S3", "sexual/minors"),
    ("H2", "hate/threatening"),
    ("V2", "violence/graphic"),
];

/// The name under which a policy lists the categories of `/v1/moderations`.
const OPENAI: &str = "openai";

/// The most flags that a message lists.
const SHOWN: usize = 8;

impl GoldenOptions {
    /// Returns the answer that flags give, or `None` if all of the policy's flags are missing.
    pub(super) fn in_flags(
        &self,
        source: &AnswerSource,
        columns: &Columns,
        policy: &Policy,
    ) -> Result<Option<Expected>, GoldenError> {
        let AnswerSource::Flags { object, .. } = source else { return Ok(None) };
        let flags = object.as_ref().map(|name| value(columns, name));
        let mut known = Vec::new();
        for name in self.flags(source, policy)? {
            let flag = match &flags {
                Some(flags) => flags.get(name).cloned().unwrap_or_default(),
                None => value(columns, name),
            };
            let answer = word(&flag);
            // A flag that the user chose is a violation, regardless of its name.
            let sense = if self.positive.is_empty() { sense::of_name(name) } else { Name::Neutral };
            match yes_or_no(&answer) {
                Some(_) if sense == Name::Unclear => return Err(unclear(name, &answer, name)),
                Some(is) => known.push(is != (sense == Name::Means(Verdict::Safe))),
                None if sense::is_absent(&answer) => {}
                None => {
                    let [name, answer] = [name, &answer].map(shown);
                    return Err(GoldenError::new(format!(
                        "the flag `{name}` is `{answer}`, and neither true nor false"
                    )));
                }
            }
        }
        let answer = || if known.contains(&true) { Expected::violation() } else { Expected::safe(false) };
        Ok((!known.is_empty()).then(answer))
    }

    /// Returns the flags that make a text a violation of a policy. Empty if the answers are no flags.
    pub(super) fn flags<'source>(
        &self,
        source: &'source AnswerSource,
        policy: &Policy,
    ) -> Result<Vec<&'source str>, GoldenError> {
        let AnswerSource::Flags { names, .. } = source else { return Ok(Vec::new()) };
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let those = |wanted: &dyn Fn(&str) -> bool| names.iter().copied().filter(|name| wanted(name)).collect();
        if !self.positive.is_empty() {
            return Ok(those(&|name| self.positive.iter().any(|positive| alike(positive, name))));
        }
        let in_release =
            |name: &str| RELEASE.iter().find(|(letters, _)| *letters == name).map(|(_, category)| *category);
        if names.iter().all(|name| in_release(name).is_some()) {
            let Some((_, keys)) = policy.taxonomy().iter().find(|(name, _)| name == OPENAI) else {
                let what = format!("the policy {} names no categories of OpenAI's taxonomy", policy.id);
                let hint = Hint::new(format!("add `taxonomy: {{ {OPENAI}: [...] }}`, or name the columns with "));
                return Err(GoldenError::new(what).hint(hint.setting(Setting::Positive)));
            };
            return Ok(those(&|name| in_release(name).is_some_and(|category| keys.iter().any(|key| key == category))));
        }
        let own: Vec<&str> = those(&|name| sense::words(name) == sense::words(&policy.id));
        if !own.is_empty() || names.len() == 1 {
            return Ok(if own.is_empty() { names } else { own });
        }
        let (place, flags) = (source.description(), listed(names, SHOWN));
        let hint = Hint::of_value(Setting::Positive, "FLAG,...").text(" lists the flags that are violations");
        Err(GoldenError::new(format!("{place} has the flags {flags}, but no flag `{}`", policy.id)).hint(hint))
    }
}
