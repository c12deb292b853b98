//! A golden set as a YAML file of its own.

use super::draft::scalar;
use crate::policy::GoldenCase;

/// Writes the cases of the policy with this id as a file that reads back as the same cases.
#[must_use]
pub fn golden_yaml(id: &str, cases: &[GoldenCase]) -> String {
    let mut yaml = format!("policy: {}\ncases:\n", scalar(id));
    for case in cases {
        yaml.push_str(&format!("  - text: {}\n", scalar(&case.text)));
        yaml.push_str(&format!("    category: {}\n", case.category.as_deref().map_or("null".to_owned(), scalar)));
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
    use crate::policy::PolicyLibrary;

    #[test]
    fn a_golden_set_that_was_written_is_read_back_as_it_was() {
        for policy in PolicyLibrary::shipped().iter() {
            let yaml = golden_yaml(&policy.id, &policy.golden);
            assert_eq!(policy.golden_cases("golden.yaml", &yaml).unwrap(), policy.golden, "{yaml}");
        }
    }
}
