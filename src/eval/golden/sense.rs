//! The sense of a label or of a column's name: yes or no, safe or a violation, with denials.
//!
//! Only known words count. Any other word has no sense here, so the caller must refuse it or look it up elsewhere.

use crate::policy::Verdict;
use crate::policy::vocabulary::{self, is_in};

/// The meaning of "yes" in a column of some name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// The name decides: `is_safe`, `unsafe`, `not_allowed`.
    Means(Verdict),
    /// The name is silent: `label`, `gold`.
    Neutral,
    /// The name could mean either: `safety`, `ham_or_spam`.
    Unclear,
}

/// Words of a name in which "yes" means safe, besides the allowing ones of the vocabulary.
const SAFE: &str = "ham genuine legit legal lawful kept pass passes passed good respectful sfw";

/// Words of a name in which "yes" means a violation, besides the forbidding ones and the topics of the vocabulary.
const VIOLATION: &str =
    "violation violations violate violates violating violative harm ban prohibited forbidden fail fails failed bad";

/// Labels that are known under every policy. A label has no context, so they are fewer than the words of names.
const LABELS: [(&str, Verdict); 14] = [
    ("violation", Verdict::Violation),
    ("violating", Verdict::Violation),
    ("violates", Verdict::Violation),
    ("harmful", Verdict::Violation),
    ("flagged", Verdict::Violation),
    ("safe", Verdict::Safe),
    ("valid", Verdict::Safe),
    ("allowed", Verdict::Safe),
    ("acceptable", Verdict::Safe),
    ("appropriate", Verdict::Safe),
    ("compliant", Verdict::Safe),
    ("benign", Verdict::Safe),
    ("harmless", Verdict::Safe),
    ("ok", Verdict::Safe),
];

/// Words of names that state the question and not the answer.
const UNCLEAR: &str = "safety compliance validity legality acceptability appropriateness quality correct incorrect";

/// Words that reverse the next one, besides those of the vocabulary.
const DENIALS: &str = "isn aint without";

/// Prefixes that reverse the rest of the word.
const PREFIXES: [&str; 6] = ["non", "not", "un", "dis", "in", "il"];

/// Words that leave the answer open.
const DOUBTS: &str =
    "unsure unclear unknown uncertain ambiguous maybe perhaps possibly probably borderline disputed todo";

/// Returns a label in the form in which labels are compared: `1.0` is `1`.
pub(super) fn plain(label: &str) -> String {
    let label = label.trim().to_lowercase();
    match label.split_once('.') {
        Some((whole, zeros))
            if !whole.is_empty()
                && whole.bytes().all(|byte| byte.is_ascii_digit())
                && !zeros.is_empty()
                && zeros.bytes().all(|byte| byte == b'0') =>
        {
            whole.to_owned()
        }
        _ => label,
    }
}

/// Reports whether a label is missing. pandas writes `nan` for a missing one.
pub(super) fn is_absent(label: &str) -> bool {
    matches!(plain(label).as_str(), "" | "null" | "nan" | "n/a" | "<na>")
}

/// Reads a label as yes or no.
pub(super) fn yes_or_no(label: &str) -> Option<bool> {
    match plain(label).as_str() {
        "1" | "true" | "yes" => Some(true),
        "0" | "false" | "no" => Some(false),
        _ => None,
    }
}

/// Returns the words of a label or a name, in lower case: `isSafe-2` is `is`, `safe`, `2`.
pub(super) fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut before) = (Vec::new(), String::new(), ' ');
    for character in text.chars().filter(|character| !matches!(character, '\'' | '\u{2019}')) {
        let hump = character.is_uppercase() && before.is_lowercase();
        if (hump || !character.is_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if character.is_alphanumeric() {
            word.extend(character.to_lowercase());
        }
        before = character;
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Reports whether a word denies the next one.
pub(super) fn is_denial(word: &str) -> bool {
    is_in(&[DENIALS, vocabulary::DENIALS], word)
}

/// Reports whether a label leaves the answer open, or holds a remark as well.
pub(super) fn is_doubtful(label: &str) -> bool {
    label.contains(['?', '(', '[', '{', '"']) || words(label).iter().any(|word| is_in(&[DOUBTS], word))
}

/// Returns the sense of a label that is known under every policy, with denials: `not safe` is a violation.
pub(super) fn of_label(label: &str) -> Option<Verdict> {
    let known = |word: &str| LABELS.iter().find(|(label, _)| *label == word).map(|(_, sense)| *sense);
    let mut sense = None;
    let mut denied = false;
    for word in words(label).iter().filter(|word| !matches!(word.as_str(), "is" | "a" | "an")) {
        if is_denial(word) {
            denied = !denied;
            continue;
        }
        // A second word is a remark.
        if sense.is_some() {
            return None;
        }
        sense = Some(with_prefix(word, known)?);
    }
    if is_doubtful(label) { None } else { sense.map(|sense| if denied { sense.opposite() } else { sense }) }
}

/// Returns the meaning of "yes" in a column of this name.
pub(super) fn of_name(name: &str) -> Name {
    let known = |word: &str| match word {
        word if is_in(&[SAFE, vocabulary::ALLOWED], word) => Some(Verdict::Safe),
        word if is_in(&[VIOLATION, vocabulary::FORBIDDEN, vocabulary::TOPICS], word) => Some(Verdict::Violation),
        _ => None,
    };
    let words = words(name);
    let denied = words.iter().filter(|word| is_denial(word)).count();
    let senses: Vec<Verdict> = words.iter().filter_map(|word| with_prefix(word, known)).collect();
    match senses.as_slice() {
        [] if denied > 0 || words.iter().any(|word| is_in(&[UNCLEAR], word)) => Name::Unclear,
        [] => Name::Neutral,
        [first, others @ ..] if others.iter().all(|other| other == first) => {
            Name::Means(if denied % 2 == 1 { first.opposite() } else { *first })
        }
        _ => Name::Unclear,
    }
}

/// Returns the sense of a word, or the opposite of the rest behind a prefix: `unsafe`.
fn with_prefix(word: &str, known: impl Fn(&str) -> Option<Verdict>) -> Option<Verdict> {
    let behind = |prefix: &&str| word.strip_prefix(*prefix).and_then(&known).map(Verdict::opposite);
    known(word).or_else(|| PREFIXES.iter().find_map(behind))
}

/// Reports whether two labels are equal in the form in which labels are compared.
pub(super) fn alike(one: &str, other: &str) -> bool {
    plain(one) == plain(other)
}

/// Reports whether a label is the one that the user named. `true` and `1` are equal.
pub(super) fn is_named(named: &str, label: &str) -> bool {
    alike(named, label) || yes_or_no(named).is_some_and(|yes| yes_or_no(label) == Some(yes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_decides_the_meaning_of_yes_or_leaves_it_open() {
        for name in
            ["safe", "is_safe", "is_response_0_safe", "isSafe", "Allowed?", "not_harmful", "non-toxic", "nontoxic"]
        {
            assert_eq!(of_name(name), Name::Means(Verdict::Safe), "{name}");
        }
        for name in [
            "unsafe",
            "violation",
            "is_not_safe",
            "isn't safe",
            "not_allowed",
            "disallowed",
            "safety_violation",
            "invalid",
        ] {
            assert_eq!(of_name(name), Name::Means(Verdict::Violation), "{name}");
        }
        for name in ["label", "gold", "expected", "y", "class"] {
            assert_eq!(of_name(name), Name::Neutral, "{name}");
        }
        for name in ["safety", "not_relevant", "safe_or_harmful", "no_eggs"] {
            assert_eq!(of_name(name), Name::Unclear, "{name}");
        }
    }

    #[test]
    fn a_label_is_read_with_its_denials_and_not_with_a_remark() {
        for label in ["Violation", "not safe", "NOT-ALLOWED", "unsafe", "isn't safe", "invalid", "non-compliant"] {
            assert_eq!(of_label(label), Some(Verdict::Violation), "{label}");
        }
        for label in ["safe", "no violation", "not harmful", "not unsafe", "non-violating", "is valid"] {
            assert_eq!(of_label(label), Some(Verdict::Safe), "{label}");
        }
        for label in ["safe?", "safe (mostly)", "probably safe", "safe unless linked", "not", "", "not sure", "spam"] {
            assert_eq!(of_label(label), None, "{label}");
        }
    }

    #[test]
    fn one_and_nought_may_be_written_as_fractions() {
        for (label, is) in
            [("1", true), ("1.0", true), (" 1.000 ", true), ("TRUE", true), ("0.0", false), ("No", false)]
        {
            assert_eq!(yes_or_no(label), Some(is), "{label}");
        }
        for label in ["1.5", "0.", ".0", "10", "-1.0", "nan", "", "1.0.0"] {
            assert_eq!(yes_or_no(label), None, "{label}");
        }
        assert!(["", " ", "NaN", "null"].iter().all(|label| is_absent(label)));
    }
}
