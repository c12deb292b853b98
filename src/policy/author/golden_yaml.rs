//! A golden set as a YAML file of its own.

use super::draft::scalar;
use crate::policy::GoldenCase;

/// Writes the cases of the policy with this id as a file that reads back as the same cases.
#[must_use]
pub fn golden_yaml(id: &str, cases: &[GoldenCase]) -> String {
    let mut yaml = format!("policy: {}\ncases:\n", scalar(id));
    for case in cases {
        yaml.push_str(&format!("  - text: {}\n", scalar(&case.text)));
        match case.verdict {
            Some(verdict) => yaml.push_str(&format!("    verdict: {verdict}\n")),
            None => {
                let category = case.category.as_deref().map_or("null".to_owned(), scalar);
                yaml.push_str(&format!("    category: {category}\n"));
            }
        }
        if case.near_miss {
            yaml.push_str("    near_miss: true\n");
        }
        if let Some(why) = &case.why {
            yaml.push_str(&format!("    why: {}\n", scalar(why)));
        }
    }
    yaml
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Policy, PolicyLibrary, Verdict};

    #[test]
    fn a_golden_set_that_was_written_is_read_back_as_it_was() {
        for policy in PolicyLibrary::shipped().iter() {
            let yaml = golden_yaml(&policy.id, &policy.golden);
            assert_eq!(policy.golden_cases("golden.yaml", &yaml).unwrap(), policy.golden, "{yaml}");
            assert_eq!(GoldenCase::read("golden.yaml", &yaml).unwrap(), policy.golden);
        }
    }

    #[test]
    fn a_case_of_an_unknown_category_keeps_its_verdict() {
        let policy = Policy::from_plain("house", "Answer VALID or INVALID. INVALID is spam.", None).unwrap();
        let case = |text: &str, verdict| GoldenCase {
            text: text.to_owned(),
            category: None,
            verdict,
            near_miss: true,
            why: Some("a: reason".to_owned()),
        };
        let cases = [case("buy: now", Some(Verdict::Violation)), case("hello\nthere", None)];
        let yaml = golden_yaml("house", &cases);
        assert_eq!(policy.golden_cases("golden.yaml", &yaml).unwrap(), cases, "{yaml}");
        let both = "policy: a\ncases:\n  - text: b\n    category: C1\n    verdict: violation\n";
        assert_eq!(GoldenCase::read("golden.yaml", both).unwrap_err().line(), Some(4));
    }
}
