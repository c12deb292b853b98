//! Headings, and their roles for the text below them.
//!
//! The one idea: the role comes from the words of the heading, and from the heading above. If the two disagree, it stays
//! unknown.

use super::wording::{belongs_before, is_blank, is_code, plainly};
use crate::policy::read::polarity::{Polarity, polarity, qualifies};
use crate::policy::{Label, Severity, Verdict};

/// The role of a heading for the text below it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Role {
    Unknown,
    Instruction,
    Definitions,
    /// Rules, one for each item.
    Rules(Verdict),
    /// One rule made of everything below. Holds the code and the verdict, if the heading states them.
    Rule(Option<String>, Option<Verdict>),
    /// A label. The headings below name its contents, and the exceptions.
    Label,
    Format,
    Doubt,
    Examples,
}

impl Role {
    /// Returns the role of a heading below another heading with the role `parent`.
    ///
    /// `labels` are those whose meaning the text states.
    pub(super) fn new(text: &str, parent: &Self, labels: &[Label]) -> Self {
        if parent.is_inherited() {
            return parent.clone();
        }
        let words = text.to_lowercase();
        if let Some(role) = Self::of_label(text, &words, parent) {
            return role;
        }
        let has = |list: &str| list.split(' ').any(|word| words.contains(word));
        let code = code_in(text);
        if is_blank(&without(text, code.as_deref())) {
            return Self::Unknown;
        }
        let own = match (polarity_of(text), stated(text, labels)) {
            (Polarity::Silent, Some(verdict)) => Polarity::Means(verdict),
            (Polarity::Means(verdict), Some(other)) if verdict != other => Polarity::Unclear,
            (own, _) => own,
        };
        if FORMATS.iter().any(|format| words.contains(format)) {
            Self::Format
        } else if code.is_none()
            && has("ambigu escalat doubt unsure unclear uncertain borderline precedence priorit interpretation")
            || words.contains("edge case")
        {
            Self::Doubt
        } else if code.is_none() && words.starts_with("example") {
            Self::Examples
        } else if code.is_none() && has("definition terms glossary") && own == Polarity::Silent {
            Self::Definitions
        } else {
            match (own, code, parent) {
                (Polarity::Means(verdict), _, Self::Rules(above)) if verdict != *above => Self::Unknown,
                (Polarity::Means(verdict), Some(code), _) => Self::Rule(Some(code), Some(verdict)),
                (Polarity::Means(verdict), None, _) => Self::Rules(verdict),
                (Polarity::Silent, None, _) if has("example") => Self::Examples,
                (Polarity::Silent, Some(code), Self::Rules(above)) if !belongs_before(&title_of(text, Some(&code))) => {
                    Self::Rule(Some(code), Some(*above))
                }
                (Polarity::Silent, None, Self::Rules(above)) if !qualifies(text) => Self::Rule(None, Some(*above)),
                (Polarity::Silent, Some(code), Self::Unknown | Self::Instruction) => Self::Rule(Some(code), None),
                (Polarity::Silent, None, _) if has("goal instruction overview scope purpose task") => Self::Instruction,
                _ => Self::Unknown,
            }
        }
    }

    /// Returns the role of a heading that names a label, such as `(DRUGS) Drugs`, or the content of one.
    fn of_label(text: &str, words: &str, parent: &Self) -> Option<Self> {
        let name = text.strip_prefix('(').and_then(|rest| rest.split_once(") ")).map(|(name, _)| name);
        let is_name = name.is_some_and(|name| name.len() > 1 && name.chars().all(|char| char.is_ascii_uppercase()));
        if is_name || ["definition of label", "definition of labels"].contains(&words) {
            return Some(Self::Label);
        }
        let (includes, excludes) =
            (["includes", "included"].contains(&words), ["excludes", "excluded"].contains(&words));
        match parent {
            Self::Label | Self::Rules(Verdict::Violation) if includes => Some(Self::Rules(Verdict::Violation)),
            Self::Label | Self::Rules(Verdict::Violation) if excludes => Some(Self::Rules(Verdict::Safe)),
            Self::Rules(Verdict::Safe) if includes => Some(Self::Rules(Verdict::Safe)),
            _ => None,
        }
    }

    /// Reports whether every heading below has the same role. A subheading of examples is an example, for any words.
    pub(super) fn is_inherited(&self) -> bool {
        matches!(self, Self::Examples | Self::Format | Self::Doubt | Self::Definitions)
    }
}

/// Words of a heading over the form of an answer.
const FORMATS: [&str; 8] = [
    "label format",
    "output format",
    "answer format",
    "response format",
    "reply format",
    "how to answer",
    "how to respond",
    "how to reply",
];

/// Reports whether words alone on a line are a heading: they have a role in a policy, or limit the rules before them.
pub(super) fn is_title(words: &str) -> bool {
    let is_known = !matches!(Role::new(words, &Role::Unknown, &[]), Role::Unknown | Role::Rule(..));
    is_known || polarity_of(words) == Polarity::Unclear || belongs_before(words)
}

/// Returns the verdict of the label that a heading names in brackets: `TOXIC CONTENT (Label: 1)`.
fn stated(text: &str, labels: &[Label]) -> Option<Verdict> {
    let (_, inside) = text.trim_end().strip_suffix(')')?.rsplit_once('(')?;
    let word = inside.rsplit([' ', ':']).next().unwrap_or(inside).trim_matches('`');
    labels.iter().find(|label| label.text == word).map(|label| label.verdict)
}

/// Returns the polarity of a heading without its code.
pub(super) fn polarity_of(text: &str) -> Polarity {
    polarity(&without(text, code_in(text).as_deref()))
}

/// Returns the words of a heading other than its code.
pub(super) fn title_of(heading: &str, code: Option<&str>) -> String {
    let Some(code) = code else { return plainly(heading) };
    let before = heading.split(" (").next().unwrap_or(heading);
    let title = plainly(without(before, Some(code)).trim_matches([' ', '-', '–', '—', ':', '.', '[', ']']));
    if title.is_empty() { code.to_owned() } else { title }
}

/// Returns the severity that a heading names explicitly.
pub(super) fn severity_in(heading: &str) -> Option<Severity> {
    let lower = heading.to_lowercase();
    [Severity::Low, Severity::Medium, Severity::High, Severity::Critical]
        .into_iter()
        .find(|severity| lower.contains(&format!("{severity} severity")))
}

fn code_in(text: &str) -> Option<String> {
    text.split(|char: char| !(char.is_ascii_alphanumeric() || char == '.'))
        .map(|word| word.trim_end_matches('.'))
        .find(|word| is_code(word))
        .map(str::to_owned)
}

fn without(text: &str, code: Option<&str>) -> String {
    code.map_or_else(|| text.to_owned(), |code| text.replace(code, " "))
}
