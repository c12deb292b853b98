//! The polarity of a phrase: it describes violations, allowed content, or is unclear.
//!
//! The one idea: a phrase is read with its denials. A phrase with two readings is unclear, and callers must not guess.

use crate::policy::Verdict;
use crate::policy::vocabulary::{self, is_in};

/// The polarity of a phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::policy) enum Polarity {
    /// No word of the phrase is about verdicts.
    Silent,
    /// All words about verdicts agree. The verdict is never [`Verdict::Review`].
    Means(Verdict),
    /// The words disagree, or the phrase makes a condition.
    Unclear,
}

/// Words of a condition: a phrase with one holds only in part.
const CONDITIONS: &str = "far hardly barely scarcely wrong mistake mistaken incorrect opposite reverse reversed error unless except exception exceptions excluding exclude excluded excludes but however although though even regardless despite without until \
    whether either maybe possibly may might sometimes partly instead rather";

/// Words that deny the words beside them, besides those of the vocabulary.
const DENIALS: &str =
    "nowhere nobody none nothing neither nor cannot free lack lacks absence absent fail fails doesnt false";

/// Stems of words for content that a policy forbids.
const FORBIDDING: [&str; 7] = ["violat", "prohibit", "disallow", "forbid", "impermissibl", "infring", "unaccept"];

/// Whole words for content that a policy forbids, besides those of the vocabulary.
const FORBIDDEN: &str = "unsafe noncompliant invalid breach breaches deny denied unwanted inappropriate";

/// Words for content that a policy allows, besides those of the vocabulary.
const ALLOWED: &str = "allows permits complies";

/// Words for the text of rules. Breaking rules is a violation, and following them is not.
const RULES: &str = "rule rules policy policies guideline guidelines standards terms criteria them law laws";
const BREAKING: &str = "break breaks breaking broken broke against";
const FOLLOWING: &str = "follow follows following obeys obey respects respect within";

/// Topics that a policy forbids whenever it names them, besides those of the vocabulary. They count only if the phrase
/// says nothing else.
const TOPICS: &str = "spammy scams harassing malware profanity profane insult insulting advertising misinformation";

/// Words that may accompany a topic.
const PLAIN: &str = "meaning a an the this that it is are be if when where for as of any some content contents message messages post \
    posts text texts comment comments user input contains contain containing found has means mean return \
    output answer respond reply label with which category considered clearly all other otherwise present \
    detected one";

/// Reads a phrase. Topics do not count.
pub(in crate::policy) fn polarity(phrase: &str) -> Polarity {
    read(phrase, false)
}

/// Reads a remark on a label, such as `toxic` in `1 (toxic)`. A topic alone counts as a violation.
pub(in crate::policy) fn remark_polarity(phrase: &str) -> Polarity {
    read(phrase, true)
}

/// Reports whether a phrase denies something or makes a condition.
pub(in crate::policy) fn qualifies(phrase: &str) -> bool {
    words(phrase).iter().any(|word| is_denial(word) || is_one(CONDITIONS, word) || word == "only")
}

fn read(phrase: &str, topics: bool) -> Polarity {
    if !phrase.contains(char::is_alphabetic) {
        return Polarity::Silent;
    }
    let phrase = unquoted(&phrase.to_lowercase().replace('’', "'"));
    let (mut found, mut denied) = (None, false);
    for clause in phrase.split(['.', ';', ':', '!', '?', ',', '(', ')', '—', '–', '|', '\n']) {
        for part in words(clause).split(|word| word == "and" || word == "&") {
            denied |= denies_only(part);
            match (clause_polarity(part, topics), found) {
                (Polarity::Silent, _) => {}
                (Polarity::Means(verdict), None) => found = Some(verdict),
                (Polarity::Means(verdict), Some(before)) if verdict == before => {}
                (Polarity::Unclear, _) | (Polarity::Means(_), Some(_)) => return Polarity::Unclear,
            }
        }
    }
    // A question states nothing.
    let conditional = phrase.contains('?') || words(&phrase).iter().any(|word| is_one(CONDITIONS, word));
    match found {
        Some(_) if conditional || denied => Polarity::Unclear,
        Some(verdict) => Polarity::Means(verdict),
        None => Polarity::Silent,
    }
}

/// Reads one clause, which has one denial at most. A denial reverses the words after it, or, at the end, those before
/// it.
fn clause_polarity(words: &[String], topics: bool) -> Polarity {
    // `non-graphic` says nothing about what is allowed beside it.
    let is_topic = |word: &str| is_in(&[TOPICS, vocabulary::TOPICS], word);
    let denies = |at: usize| {
        words[at] != "non" || words.get(at + 1).is_some_and(|next| term(next, words).is_some() || is_topic(next))
    };
    let denials: Vec<usize> = positions(words, is_denial).into_iter().filter(|at| denies(*at)).collect();
    let mut terms: Vec<(usize, Verdict)> =
        words.iter().enumerate().filter_map(|(at, word)| Some((at, term(word, words)?))).collect();
    if terms.is_empty() && topics {
        let only_topics =
            words.iter().all(|word| is_topic(word) || is_one(PLAIN, word) || is_denial(word) || word == "or");
        if only_topics {
            terms = positions(words, is_topic).into_iter().map(|at| (at, Verdict::Violation)).collect();
        }
    }
    let Some((first, _)) = terms.first() else { return Polarity::Silent };
    // `allowed only with approval` makes a condition, `only safe content` does not.
    // `allowed or not` decides nothing.
    let open = words.len() > 1 && words[words.len() - 2] == "or" && denials.last() == Some(&(words.len() - 1));
    if open || denials.len() > 1 || positions(words, |word| word == "only").iter().any(|at| at > first) {
        return Polarity::Unclear;
    }
    let behind = |at: usize| denials.first().is_some_and(|denial| *denial < at);
    let none_behind = denials.first().is_some_and(|denial| terms.iter().all(|(at, _)| at < denial));
    let mut verdicts =
        terms.iter().map(|(at, verdict)| if behind(*at) || none_behind { verdict.opposite() } else { *verdict });
    let Some(verdict) = verdicts.next() else { return Polarity::Silent };
    if verdicts.all(|other| other == verdict) { Polarity::Means(verdict) } else { Polarity::Unclear }
}

fn term(word: &str, clause: &[String]) -> Option<Verdict> {
    let speaks_of_rules = || clause.iter().any(|word| is_one(RULES, word));
    let forbids =
        FORBIDDING.iter().any(|stem| word.starts_with(stem)) || is_in(&[FORBIDDEN, vocabulary::FORBIDDEN], word);
    if forbids || (is_one(BREAKING, word) && speaks_of_rules()) {
        Some(Verdict::Violation)
    } else if is_in(&[ALLOWED, vocabulary::ALLOWED], word) || (is_one(FOLLOWING, word) && speaks_of_rules()) {
        Some(Verdict::Safe)
    } else {
        // `nonviolating` in one word; `non-violating` is two.
        word.strip_prefix("non")
            .filter(|rest| !rest.is_empty())
            .and_then(|rest| term(rest, clause))
            .map(Verdict::opposite)
    }
}

/// Reports whether a word is one of a list of words.
pub(in crate::policy) fn is_one(list: &str, word: &str) -> bool {
    is_in(&[list], word)
}

fn is_denial(word: &str) -> bool {
    is_in(&[DENIALS, vocabulary::DENIALS], word) || word.ends_with("n't")
}

/// Recognizes a clause such as `none found`, which reverses another clause.
fn denies_only(words: &[String]) -> bool {
    let filler = "found present detected is are was were at all of this that these it so in any case";
    words.iter().any(|word| is_denial(word)) && words.iter().all(|word| is_denial(word) || is_one(filler, word))
}

fn positions(words: &[String], wanted: impl Fn(&str) -> bool) -> Vec<usize> {
    words.iter().enumerate().filter(|(_, word)| wanted(word)).map(|(at, _)| at).collect()
}

fn words(phrase: &str) -> Vec<String> {
    let lower = phrase.to_lowercase().replace('’', "'");
    lower
        .split(|char: char| !(char.is_alphanumeric() || char == '\'' || char == '&'))
        .map(|word| word.trim_matches('\''))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Removes long quotations: they are content, and not the policy's own words.
fn unquoted(phrase: &str) -> String {
    /// The most words of a quotation that still counts as the policy's own.
    const SHORT: usize = 3;
    let even = phrase.replace(['“', '”', '„'], "\"");
    let parts: Vec<&str> = even.split('"').collect();
    let closed = parts.len() % 2 == 1;
    let kept = parts.iter().enumerate().filter(|(index, part)| {
        let inside = index % 2 == 1 && closed;
        !inside || part.split_whitespace().count() <= SHORT
    });
    kept.map(|(_, part)| *part).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_is_read_with_its_denials() {
        let (violation, safe) = (Polarity::Means(Verdict::Violation), Polarity::Means(Verdict::Safe));
        for (phrase, expected) in [
            ("VIOLATES Policy", violation),
            ("DOES NOT Violate Policy", safe),
            ("doesn’t violate", safe),
            ("no violation", safe),
            ("violations found: none", Polarity::Unclear),
            ("violation = false", safe),
            ("violates no rule", safe),
            ("non-violating", safe),
            ("nonviolating content", safe),
            ("free of violations", safe),
            ("safe and does not violate", safe),
            ("safe, does not violate", safe),
            ("does not violate and is allowed", safe),
            ("violates the policy and is not allowed", violation),
            ("Unsafe", violation),
            ("Never allowed", violation),
            ("Not permitted", violation),
            ("Content that isn't allowed", violation),
            ("What is not allowed", violation),
            ("cannot be allowed", violation),
            ("fails to comply", violation),
            ("breaks any of the rules", violation),
            ("does not break the rules", safe),
            ("against our policy", violation),
            ("follows the rules", safe),
            ("Invalid Content Types (Remove)", violation),
            ("Valid Content Types (Permit)", safe),
            ("only if it violates", violation),
            ("Allowed Content (Non-graphic or age-appropriate)", safe),
            ("a violent film", Polarity::Silent),
            ("News about a crime", Polarity::Silent),
            ("spam", Polarity::Silent),
            ("Allowed only with approval", Polarity::Unclear),
            ("Exceptions to allowed content", Polarity::Unclear),
            ("allowed unless it violates", Polarity::Unclear),
            ("whether it violates", Polarity::Unclear),
            ("safe or unsafe", Polarity::Unclear),
            ("not unsafe and not safe", Polarity::Unclear),
            ("no rule says that it is not allowed", Polarity::Unclear),
        ] {
            assert_eq!(polarity(phrase), expected, "{phrase}");
        }
    }

    /// Headings over forbidden content.
    const FORBIDDING_HEADINGS: &[&str] = &[
        "What we remove",
        "Never post",
        "Do not post",
        "Not OK",
        "Not acceptable",
        "Unacceptable content",
        "Banned",
        "Things we don't allow",
        "Content we do not permit",
        "You may not",
        "No-go",
        "Zero tolerance",
        "Off limits",
        "Not safe",
        "Non-compliant",
        "Anything that isn't safe",
        "Forbidden under all circumstances",
        "Rule violations",
        "What breaks the rules",
        "What does not comply",
        "Content that fails to follow the rules",
        "Rejected",
        "Disallowed content",
        "Prohibited uses",
        "Violating content",
        "Never safe",
        "No longer allowed",
        "Not considered safe",
        "Neither safe nor allowed",
        "Reasons to block",
        "What must be deleted",
        "Content that is allowed nowhere",
        "Allowed in no case",
        "Allowed: nothing of this",
        "Far from safe",
        "Anything but allowed",
        "The opposite of safe",
        "Safe? No",
        "Violates (1)",
        "INVALID",
        "Unsafe (label: 1)",
    ];

    /// Headings over allowed content.
    const ALLOWING_HEADINGS: &[&str] = &[
        "What is fine",
        "OK",
        "Permitted",
        "What we keep",
        "Not a violation",
        "Never a violation",
        "Not prohibited",
        "Does not break the rules",
        "Doesn’t violate",
        "Nothing here violates the policy",
        "Non-violating",
        "Acceptable content",
        "Always allowed",
        "You may post",
        "Safe (0)",
        "VALID",
        "Allowed content",
        "Harmless",
        "What is not forbidden",
        "No violation",
        "Not unsafe",
        "Follows the rules",
        "Free of violations",
        "Forbidden: nothing of this",
        "Far from a violation",
        "The opposite of a violation",
        "Violation? No",
        "What no rule forbids",
        "Content that violates no rule",
        "Anything but a violation",
        "Hardly a violation",
    ];

    /// Headings without a verdict.
    const OTHER_HEADINGS: &[&str] = &[
        "Exceptions",
        "Allowed with approval only",
        "Sometimes allowed",
        "Allowed except at night",
        "Allowed or not",
        "Is this allowed?",
        "Examples",
        "Purpose",
        "Spam",
        "Allowed and forbidden content",
        "Safe unless reported",
    ];

    /// Headings as policies have them. A wrong reading is the worst result; an unread heading only becomes a comment.
    #[test]
    fn no_heading_is_read_as_its_opposite() {
        let read = |heading: &str, wrong: Verdict| {
            let found = polarity(heading);
            assert_ne!(found, Polarity::Means(wrong), "{heading}");
            usize::from(found == Polarity::Means(wrong.opposite()))
        };
        let forbidden: usize = FORBIDDING_HEADINGS.iter().map(|heading| read(heading, Verdict::Safe)).sum();
        let allowed: usize = ALLOWING_HEADINGS.iter().map(|heading| read(heading, Verdict::Violation)).sum();
        assert!(
            forbidden >= 22 && allowed >= 18,
            "{forbidden} of {}, {allowed} of {}",
            FORBIDDING_HEADINGS.len(),
            ALLOWING_HEADINGS.len()
        );
        for heading in OTHER_HEADINGS {
            assert!(matches!(polarity(heading), Polarity::Silent | Polarity::Unclear), "{heading}");
        }
    }

    #[test]
    fn a_topic_counts_as_a_remark_and_only_by_itself() {
        for (phrase, expected) in [
            ("toxic", Polarity::Means(Verdict::Violation)),
            ("the message is spam", Polarity::Means(Verdict::Violation)),
            ("not spam", Polarity::Means(Verdict::Safe)),
            ("non-toxic", Polarity::Means(Verdict::Safe)),
            ("no hate or harassment", Polarity::Means(Verdict::Safe)),
            ("a news report about spam", Polarity::Silent),
            ("discusses hate", Polarity::Silent),
            ("fine", Polarity::Means(Verdict::Safe)),
        ] {
            assert_eq!(remark_polarity(phrase), expected, "{phrase}");
        }
    }
}
