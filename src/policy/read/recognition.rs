//! Recognition of policies among other files, by their text.
//!
//! The one idea: a policy has keys of the schema, or asks for an answer. Every other file gets a reason why it is
//! passed over.

use crate::policy::read::notation::{Notation, has_keys, has_keys_of_a_policy};
use crate::policy::read::plain;

/// Returns the reason why a file that nobody named is probably not a policy. `None` if it looks like one.
#[must_use]
pub fn unlike_a_policy(name: &str, text: &str) -> Option<&'static str> {
    if text.trim().is_empty() {
        return Some("empty");
    }
    match Notation::detect(name, text) {
        Notation::Yaml if has_keys_of_a_policy(text) => None,
        Notation::Yaml if has_keys(text, &["policy:", "cases:"]) => Some("a golden set"),
        Notation::Yaml => Some("no keys of a policy"),
        Notation::Plain if is_about_a_project(name) => Some("a file about a project"),
        Notation::Plain if plain::asks_for_an_answer(text) => None,
        Notation::Plain => Some("asks for no answer"),
    }
}

/// Recognizes `README.md` and its like, which may quote a request for an answer.
fn is_about_a_project(name: &str) -> bool {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name).to_ascii_lowercase();
    ["readme", "changelog", "contributing", "license", "security", "notice"].iter().any(|start| file.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_told_from_its_neighbors() {
        for (name, text, expected) in [
            ("a.yaml", "id: a\ntitle: b\n", None),
            ("a.yaml", "id: a\nname: b\n", Some("no keys of a policy")),
            ("golden/a.yml", "policy: a\ncases:\n  - text: b\n", Some("a golden set")),
            ("a.md", "# A\nReturn exactly one word: VALID or INVALID\n", None),
            ("a.md", "# A\nReturn exactly one word: REMOVE or KEEP\n", None),
            ("README.md", "# A\nReturn exactly one word: VALID or INVALID\n", Some("a file about a project")),
            ("notes.txt", "Buy milk.\n", Some("asks for no answer")),
            ("empty.yaml", " \n", Some("empty")),
        ] {
            assert_eq!(unlike_a_policy(name, text), expected, "{name}");
        }
    }
}
