//! The meaning of the labels of a record.
//!
//! A label is read with its denials, its lists and its remarks, or it is refused.

use super::cell::{is_sentence, labels, shown};
use super::error::GoldenError;
use super::options::GoldenOptions;
use super::sense::{self, Name, alike, is_named, plain, yes_or_no};
use crate::eval::expected::Expected;
use crate::hint::{Hint, Setting};
use crate::label::columns::Columns;
use crate::policy::{Policy, Verdict};

impl GoldenOptions {
    /// Returns the answer that the labels in a column give, or `None` if there is no label.
    pub(super) fn in_column(
        &self,
        name: &str,
        columns: &Columns,
        policy: &Policy,
    ) -> Result<Option<Expected>, GoldenError> {
        let sense = sense::of_name(name);
        let known = |label: &str| self.lists(label) || by_policy(&plain(label), policy).is_some();
        match labels(columns, name, &known)?.as_deref() {
            None => Ok(None),
            // An empty list means that no label applies.
            Some([]) => Ok(Some(Expected::safe(false))),
            Some([label]) => self.meaning(label, sense, name, policy).map(Some),
            Some(labels) => self.several(labels, sense, name, policy).map(Some),
        }
    }

    /// Combines several labels of one text: a violation if any of them is one.
    fn several(&self, labels: &[String], name: Name, column: &str, policy: &Policy) -> Result<Expected, GoldenError> {
        if let Some(doubtful) = labels.iter().find(|label| sense::is_doubtful(label) && !self.lists(label)) {
            return Err(GoldenError::new(format!("the label `{}` leaves the answer open", shown(doubtful))));
        }
        let each: Vec<Result<Expected, GoldenError>> =
            labels.iter().map(|label| self.meaning(label, name, column, policy)).collect();
        let violations: Vec<&Expected> =
            each.iter().flatten().filter(|expected| expected.verdict == Verdict::Violation).collect();
        if let Some(first) = violations.first() {
            let sure = each.iter().all(Result::is_ok)
                && first.knows_category
                && violations.iter().all(|other| other.category == first.category);
            return Ok(if sure { (*first).clone() } else { Expected::violation() });
        }
        let each = each.into_iter().collect::<Result<Vec<_>, _>>()?;
        let all_known = each.iter().all(|expected| expected.knows_category);
        let review = each.into_iter().find(|expected| expected.verdict == Verdict::Review);
        Ok(review.unwrap_or_else(|| Expected::safe(all_known)))
    }

    /// Returns the meaning of one label: by the user's lists, by the policy, or by common usage.
    pub(super) fn meaning(
        &self,
        label: &str,
        name: Name,
        column: &str,
        policy: &Policy,
    ) -> Result<Expected, GoldenError> {
        let written = label;
        let label = plain(label);
        let is_in = |list: &[String]| list.iter().any(|other| is_named(other, &label));
        if is_in(&self.positive) {
            return Ok(Expected::violation());
        }
        if is_in(&self.negative) {
            return Ok(Expected::safe(false));
        }
        if !self.positive.is_empty() {
            return self.other(written).map(|()| Expected::safe(false));
        }
        // A policy may have the label `1` for a violation, and `is_safe` is 1 for the opposite.
        match (yes_or_no(&label), name) {
            (Some(yes), Name::Means(verdict)) => return Ok(of_yes(yes == (verdict == Verdict::Violation))),
            (Some(_), Name::Unclear) => return Err(unclear(column, written, written)),
            _ => {}
        }
        if let Some(expected) = by_policy(&label, policy) {
            return Ok(expected);
        }
        if let Some(yes) = yes_or_no(&label) {
            return Ok(of_yes(yes));
        }
        match (sense::of_label(&label), label.as_str()) {
            (Some(verdict), _) => Ok(of_yes(verdict == Verdict::Violation)),
            (None, "review" | "escalate") => {
                Ok(Expected { verdict: Verdict::Review, category: None, knows_category: false })
            }
            (None, _) => {
                let what =
                    format!("\"{}\" is not a label of the policy {} ({})", shown(written), policy.id, known(policy));
                let hint = Hint::of_value(Setting::Positive, "LABEL,...").text(" lists the labels that are violations");
                Err(GoldenError::new(what).hint(hint))
            }
        }
    }

    /// Accepts a label that is no positive one as safe, unless it contains more than a plain word.
    fn other(&self, label: &str) -> Result<(), GoldenError> {
        let words = sense::words(label);
        let refuse = |why: &str| {
            let hint = Hint::new("list it in ")
                .setting(Setting::Positive)
                .text(" if it is a violation, in ")
                .setting(Setting::Negative)
                .text(" if it is safe");
            Err(GoldenError::new(format!("the label `{}` {why}", shown(label))).hint(hint))
        };
        if !self.negative.is_empty() {
            return refuse("is in neither of the lists");
        }
        if is_sentence(label) {
            return refuse("is a text and no label");
        }
        if sense::is_doubtful(label) {
            return refuse("leaves the answer open");
        }
        let mut denies = words.len() > 1 && words.iter().any(|word| sense::is_denial(word));
        for positive in self.positive.iter().map(|positive| sense::words(positive)).filter(|words| !words.is_empty()) {
            for at in (0..words.len()).filter(|at| words[*at..].starts_with(&positive)) {
                if at == 0 || !sense::is_denial(&words[at - 1]) {
                    return refuse("contains a label of a violation and other words");
                }
                denies = false;
            }
        }
        if denies { refuse("denies something that is no label of a violation") } else { Ok(()) }
    }
}

fn of_yes(violation: bool) -> Expected {
    if violation { Expected::violation() } else { Expected::safe(false) }
}

/// Returns the meaning that a policy itself gives to a label: a code, the start of codes, or an answer.
fn by_policy(label: &str, policy: &Policy) -> Option<Expected> {
    let categories = policy.categories();
    if let Some(category) = categories.iter().find(|category| category.code.eq_ignore_ascii_case(label)) {
        let code = Some(category.code.clone()).filter(|_| category.verdict != Verdict::Safe);
        return Some(Expected { verdict: category.verdict, category: code, knows_category: true });
    }
    // A label such as SP3 may be the start of several codes.
    let begins = |code: &str| code.len() > label.len() && code.to_lowercase().starts_with(label);
    let mut family = categories.iter().filter(|category| begins(&category.code)).map(|category| category.verdict);
    if let Some(verdict) = family.next().filter(|first| family.all(|other| other == *first)) {
        return Some(Expected { verdict, category: None, knows_category: verdict == Verdict::Safe });
    }
    let known = policy.contract.labels.iter().find(|known| alike(&known.text, label))?;
    Some(Expected { verdict: known.verdict, category: None, knows_category: false })
}

/// Lists the labels and codes of a policy for a message.
fn known(policy: &Policy) -> String {
    /// The most that are listed.
    const MOST: usize = 8;
    let labels = policy.contract.labels.iter().map(|label| label.text.as_str());
    let codes = policy.categories().iter().map(|category| category.code.as_str());
    let mut all: Vec<&str> = labels.collect();
    all.extend(codes.filter(|code| !all.contains(code)).collect::<Vec<_>>());
    let more = if all.len() > MOST { ", …" } else { "" };
    format!("{}{more}", all.into_iter().take(MOST).collect::<Vec<_>>().join(", "))
}

/// Refuses a yes or no whose column or flag has a name that could mean either. `positive` is the value of the setting
/// that would decide it.
pub(super) fn unclear(name: &str, answer: &str, positive: &str) -> GoldenError {
    let [name, answer, positive] = [name, answer, positive].map(shown);
    let what = format!("`{name}` is `{answer}`, and its name leaves open whether that is a violation");
    GoldenError::new(what).hint(Hint::of_value(Setting::Positive, positive).text(" if it is"))
}
