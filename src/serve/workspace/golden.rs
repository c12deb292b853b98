//! Golden cases as the page has them: a text and the expected answer in one word.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::hint::Hints;
use crate::policy::{GoldenCase, Policy, Verdict, golden_yaml};

/// A text with its expected answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The text.
    pub text: String,
    /// `safe`, the code of a category, or `violation` if the category is not known.
    pub expected: String,
    /// The reason, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// True if the text lies close to the boundary.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub near_miss: bool,
}

impl Case {
    /// Returns a case of a golden set as the page has it.
    #[must_use]
    pub fn of(case: &GoldenCase) -> Self {
        let verdict = case.verdict.unwrap_or(Verdict::Safe).as_str();
        Self {
            text: case.text.clone(),
            expected: case.category.clone().unwrap_or_else(|| verdict.to_owned()),
            note: case.why.clone(),
            near_miss: case.near_miss,
        }
    }

    /// Returns the case as a golden set of the policy has it.
    fn case(&self, policy: &Policy) -> GoldenCase {
        let known = policy.categories().iter().find(|category| category.code == self.expected);
        let (category, verdict) = match (known.map(|category| category.verdict), self.expected.parse()) {
            (Some(Verdict::Safe), _) | (None, Ok(Verdict::Safe)) => (None, None),
            (None, Ok(verdict)) => (None, Some(verdict)),
            _ => (Some(self.expected.clone()), None),
        };
        let why = self.note.clone().filter(|note| !note.trim().is_empty());
        GoldenCase { text: self.text.clone(), category, verdict, near_miss: self.near_miss, why }
    }
}

/// Returns the golden set of a policy, and its file. The error is a message that names the case.
pub fn checked(cases: &[Case], policy: &Policy) -> Result<(Vec<GoldenCase>, String), String> {
    let written: Vec<GoldenCase> = cases.iter().map(|case| case.case(policy)).collect();
    let yaml = golden_yaml(&policy.id, &written);
    if written.is_empty() {
        return Ok((written, yaml));
    }
    match policy.golden_cases("the golden set", &yaml) {
        Ok(read) => Ok((read, yaml)),
        Err(error) => {
            // Each case begins with its text, on a line of its own.
            let lines = yaml.lines().take(error.line().unwrap_or(usize::MAX));
            let number = lines.filter(|line| line.starts_with("  - text:")).count();
            let hints = error.hints().iter().map(|hint| format!("; {hint}")).collect::<String>();
            Err(format!("case {number} of the golden set: {}{hints}", error.message()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::PolicyLibrary;

    fn case(text: &str, expected: &str) -> Case {
        Case { text: text.into(), expected: expected.into(), note: None, near_miss: false }
    }

    #[test]
    fn shipped_golden_sets_go_through_the_page_unchanged() {
        for policy in PolicyLibrary::shipped().iter() {
            let cases: Vec<Case> = policy.golden.iter().map(Case::of).collect();
            assert_eq!(checked(&cases, policy).unwrap().0, policy.golden, "{}", policy.id);
        }
    }

    #[test]
    fn an_expected_answer_is_a_verdict_or_a_code_and_a_wrong_case_is_named() {
        let policy = PolicyLibrary::shipped().get("spam").unwrap();
        let cases = [case("a\nb", "violation"), case("c", "safe"), case("d", "SP3.b"), case(" e: \"f\" ", "review")];
        let (read, yaml) = checked(&cases, policy).unwrap();
        assert_eq!(
            read.iter().map(Case::of).map(|case| case.expected).collect::<Vec<_>>(),
            ["violation", "safe", "SP3.b", "review"]
        );
        assert_eq!(GoldenCase::read("golden", &yaml).unwrap(), read);
        for (cases, message) in [
            (vec![case("a", "safe"), case("b", "SP99")], "case 2 of the golden set: no category has the code `SP99`"),
            (vec![case("a", "safe"), case("b", "safe"), case("a ", "safe")], "case 3 of the golden set: the same case"),
            (vec![case(" ", "safe")], "case 1 of the golden set: there is no text here"),
        ] {
            let error = checked(&cases, policy).unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
