//! Labels to suggest for a text that does not state its own, or states them unclearly.

use super::meaning::meanings;
use super::offer::usual_verdict;
use crate::hint::{Hint, Setting};
use crate::policy::Verdict;
use crate::policy::read::polarity::{Polarity, remark_polarity};

/// Appends to a hint the labels that would settle the meaning of `words`, guessed from the text and from usage.
///
/// `policy` is the id to which the labels are limited.
pub(super) fn labels_hint(hint: Hint, text: &str, words: &[&str], policy: Option<&str>) -> Hint {
    let meanings = meanings(text, words);
    let mut verdicts: Vec<Option<Verdict>> =
        words.iter().zip(&meanings).map(|(word, meaning)| meaning.verdict().or_else(|| likely_verdict(word))).collect();
    // If one of two words is known, the other means the opposite.
    if let [one, other] = verdicts.as_mut_slice() {
        match (*one, *other) {
            (Some(verdict), None) => *other = Some(verdict.opposite()),
            (None, Some(verdict)) => *one = Some(verdict.opposite()),
            _ => {}
        }
    }
    let known = verdicts.iter().all(Option::is_some)
        && [Verdict::Violation, Verdict::Safe].iter().all(|verdict| verdicts.contains(&Some(*verdict)));
    let labels = words.iter().zip(&verdicts).enumerate().map(|(index, (word, verdict))| {
        let guess = if index == 0 { Verdict::Violation } else { Verdict::Safe };
        (*word, verdict.filter(|_| known).unwrap_or(guess))
    });
    let labels = pairs(labels);
    let value = policy.map_or_else(|| labels.clone(), |id| format!("{id}:{labels}"));
    let or = if known { "if that is the meaning" } else { "or the other way round" };
    hint.value(Setting::Labels, value).text(format!(" ({or})"))
}

/// Writes labels as the setting takes them: `INVALID=violation,VALID=safe`.
pub(super) fn pairs<'a>(labels: impl Iterator<Item = (&'a str, Verdict)>) -> String {
    labels.map(|(word, verdict)| format!("{word}={verdict}")).collect::<Vec<_>>().join(",")
}

/// Guesses the meaning of a word in most policies. The guess is only ever a suggestion.
fn likely_verdict(word: &str) -> Option<Verdict> {
    let spelt = word.to_ascii_lowercase().replace('_', " ");
    match remark_polarity(&spelt) {
        Polarity::Means(verdict) => Some(verdict),
        _ => usual_verdict(word),
    }
}
