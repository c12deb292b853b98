//! The linter: finds passages that weaken a policy, or that break the replies to it.
//!
//! The one idea: a rule is a name, a level and a function. It looks at the parts of one policy and reports places. A fault
//! that keeps the policy from being read is reported in the same form.
//!
//! The rules come from OpenAI's guide to gpt-oss-safeguard
//! (<https://cookbook.openai.com/articles/gpt-oss-safeguard-guide>) and from observed faults in replies.

mod allow;
mod answers;
mod cases;
pub(in crate::policy) mod codes;
mod collector;
mod explanation;
mod finding;
mod hidden;
mod length;
mod placeholders;
pub(in crate::policy) mod rule;
mod words;

use std::path::Path;

use collector::Collector;
pub use explanation::{Explanation, NoSuchRule, explain, explanations, ignorable};
pub use finding::{Finding, Level, fixed};
pub use length::Length;

use crate::policy::read::{plain, yaml};
use crate::policy::{Label, Notation, Policy};

/// Checks a policy and returns the findings, in the order of the lines.
///
/// `name` is the policy's name in the findings; its ending may also show the notation. `labels` give the answers of a
/// plain text, as in [`Policy::from_plain`]. `length` measures the policy. If it returns `None`, the length is not
/// checked.
#[must_use]
pub fn lint(
    name: &str,
    source: &str,
    labels: Option<&[Label]>,
    length: impl FnOnce(&Policy) -> Option<Length>,
) -> Vec<Finding> {
    let mut findings = Collector::new(name, source);
    words::check_source(&mut findings);
    let notation = Notation::detect(name, source);
    let policy = match notation {
        Notation::Plain => {
            answers::check_plain(&mut findings);
            placeholders::check_plain(&mut findings);
            let id = Path::new(name).file_stem().map_or(name.into(), |stem| stem.to_string_lossy());
            labels
                .map_or(Ok(()), |labels| plain::check_labels(&id, source, labels))
                .and_then(|()| Policy::from_plain(&id, source, labels.map(<[Label]>::to_vec)))
                .map_err(|error| error.named(name))
        }
        Notation::Yaml => yaml::parse(name, source).and_then(|file| {
            let policy = Policy::from_document(name, source, &file)?;
            words::check_texts(&mut findings, &file);
            placeholders::check_parts(&mut findings, &file);
            codes::check(&mut findings, &file, &policy);
            cases::check(&mut findings, &file);
            answers::check_labels(&mut findings, &file, &policy);
            Ok(policy)
        }),
    };
    match policy {
        Ok(policy) => length::check(&mut findings, &policy, length(&policy)),
        Err(error) => findings.add_error(error),
    }
    allow::apply(&mut findings, notation);
    findings.sorted()
}
