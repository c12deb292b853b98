//! The words that clients of other models use for a verdict, in names of properties and as values.

use crate::policy::vocabulary::{ALLOWED, DENIALS, FORBIDDEN, TOPICS, is_in};
use crate::policy::{Policy, Verdict};

/// The side of a verdict that a name is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// `flagged`
    Violation,
    /// `is_safe`
    Safe,
    /// `needs_review`
    Review,
}

/// Words for a violation, besides those of the vocabulary.
const BAD: &str = "unsafe invalid deny denied ban flags blocks fail failed fails bad breach disallowed prohibited \
    forbidden unacceptable inappropriate noncompliant unapproved unharmless";
/// Words for a safe text, besides those of the vocabulary.
const GOOD: &str = "pass passed passes good ham none allows permits compliance unharmful nonviolating";
/// Words for a text that a person must see.
const REVIEW: &str =
    "review escalate escalated escalation human unsure uncertain unclear ambiguous borderline maybe controversial";
/// Words that say nothing.
const FILLERS: &str =
    "is the a an be it text content message post comment input of to for needs need needed requires required";

/// Splits a name into small words: `isSafe` and `is-safe` are `is` and `safe`.
fn split(name: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut before = ' ';
    for letter in name.chars() {
        if !letter.is_alphanumeric() || (letter.is_uppercase() && before.is_lowercase()) {
            words.push(String::new());
        }
        if letter.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
        before = letter;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Reports whether a name has one of some words.
#[must_use]
pub fn has(name: &str, wanted: &[&str]) -> bool {
    split(name).iter().any(|word| wanted.contains(&word.as_str()))
}

/// Reports whether a name has a topic that policies forbid, such as `toxic`, and denies nothing.
#[must_use]
pub fn has_topic(name: &str) -> bool {
    let words = split(name);
    let has = |list| words.iter().any(|word| is_in(&[list], word));
    has(TOPICS) && !has(DENIALS)
}

/// Reports whether a word means nothing without the name of its property.
#[must_use]
pub fn is_bare(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
        || ["yes", "no", "true", "false"].iter().any(|bare| bare.eq_ignore_ascii_case(word))
}

/// Returns the side of a single word.
fn side_of(word: &str) -> Option<Side> {
    if word.starts_with("violat") || is_in(&[BAD, FORBIDDEN], word) {
        Some(Side::Violation)
    } else if is_in(&[GOOD, ALLOWED], word) {
        Some(Side::Safe)
    } else if is_in(&[REVIEW], word) {
        Some(Side::Review)
    } else {
        None
    }
}

/// Returns the side of all words that have one, if they agree. A denial turns the words behind it.
fn side_of_all<'words>(
    words: impl IntoIterator<Item = &'words str>,
    of: impl Fn(&str) -> Option<Side>,
) -> Option<Side> {
    let (mut found, mut denied) = (None, false);
    for word in words {
        if is_in(&[DENIALS], word) {
            denied = !denied;
            continue;
        }
        let side = match (of(word), denied) {
            (Some(Side::Violation), true) => Side::Safe,
            (Some(Side::Safe), true) => Side::Violation,
            (Some(Side::Review), true) => return None,
            (Some(side), false) => side,
            (None, _) => continue,
        };
        if found.is_some_and(|before| before != side) {
            return None;
        }
        found = Some(side);
    }
    found
}

/// Returns the side that the name of a property is about. The policy's own id means its violation.
#[must_use]
pub fn side(name: &str, policy: Option<&str>) -> Option<Side> {
    let words = split(name);
    let id = policy.map(split).unwrap_or_default();
    let has_id = !id.is_empty() && id.iter().all(|part| words.contains(part));
    side_of_all(words.iter().map(String::as_str), |word| {
        let of_id = || (has_id && id.iter().any(|part| part == word)).then_some(Side::Violation);
        side_of(word).or_else(of_id)
    })
}

/// Returns the verdict that a word of an enum means, if it means nothing else.
///
/// `yes` and `true` agree with the name of the property. The policy's own id and title mean its violation.
#[must_use]
pub fn verdict(word: &str, property: &str, policy: Option<&Policy>) -> Option<Verdict> {
    let yes = if side(property, None) == Some(Side::Safe) { Side::Safe } else { Side::Violation };
    let no = if yes == Side::Safe { Side::Violation } else { Side::Safe };
    let words = split(word);
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["yes" | "true"] => return Some(of_side(yes)),
        ["no" | "false"] => return Some(of_side(no)),
        [] => return word.trim().is_empty().then_some(Verdict::Safe),
        _ => {}
    }
    let own: Vec<String> =
        policy.iter().flat_map(|policy| [split(&policy.id), split(&policy.title)]).flatten().collect();
    let of = |word: &str| {
        let is_topic = is_in(&[TOPICS], word) || own.iter().any(|part| part == word);
        side_of(word).or(is_topic.then_some(Side::Violation))
    };
    let is_known = |word: &String| of(word).is_some() || is_in(&[DENIALS, FILLERS], word);
    let side = side_of_all(words.iter().map(String::as_str), of).filter(|_| words.iter().all(is_known))?;
    Some(of_side(side))
}

fn of_side(side: Side) -> Verdict {
    match side {
        Side::Violation => Verdict::Violation,
        Side::Safe => Verdict::Safe,
        Side::Review => Verdict::Review,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_side_if_its_words_agree() {
        for (name, expected) in [
            ("flagged", Some(Side::Violation)),
            ("hasViolations", Some(Side::Violation)),
            ("is_not_safe", Some(Side::Violation)),
            ("nonCompliant", Some(Side::Violation)),
            ("is-allowed", Some(Side::Safe)),
            ("needs_human_review", Some(Side::Review)),
            ("spam", None),
            ("safe_or_flagged", None),
            ("not_for_review", None),
        ] {
            assert_eq!(side(name, None), expected, "{name}");
        }
        assert_eq!(side("is_spam", Some("spam")), Some(Side::Violation));
        assert_eq!(side("notSpam", Some("spam")), Some(Side::Safe));
        assert_eq!(side("personal", Some("personal-data")), None);
    }

    #[test]
    fn a_word_of_an_enum_has_a_verdict_if_it_says_nothing_else() {
        for (word, expected) in [
            ("UNSAFE", Some(Verdict::Violation)),
            ("not spam", Some(Verdict::Safe)),
            ("Safe content", Some(Verdict::Safe)),
            ("needs_review", Some(Verdict::Review)),
            ("none", Some(Verdict::Safe)),
            ("yes", Some(Verdict::Violation)),
            ("very safe", None),
            ("blue", None),
        ] {
            assert_eq!(verdict(word, "answer", None), expected, "{word}");
        }
        assert_eq!(verdict("yes", "is_safe", None), Some(Verdict::Safe));
        assert_eq!(verdict("no", "is_safe", None), Some(Verdict::Violation));
    }
}
