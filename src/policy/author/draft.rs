//! A draft of a policy, from a template or an import.
//!
//! The one idea: a draft is written as YAML that reads back as the same policy. Comments in it show its owner the next
//! steps.

use crate::policy::{Form, Severity, Verdict};

/// The known parts of a policy.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The id.
    pub id: String,
    /// The name that people read.
    pub title: String,
    /// One line about its subject.
    pub summary: String,
    /// The task of the model.
    pub instruction: String,
    /// The form of replies; [`Form::Rationale`] by default.
    pub form: Option<Form>,
    /// Terms and meanings.
    pub definitions: Vec<(String, String)>,
    /// The categories.
    pub categories: Vec<DraftCategory>,
    /// The order of rules where several apply.
    pub precedence: Vec<String>,
    /// Guidance for doubt.
    pub ambiguity: Vec<String>,
    /// The cases that people decide.
    pub escalation: Vec<String>,
    /// The examples.
    pub examples: Vec<DraftExample>,
    /// The origin of the wording.
    pub note: String,
    /// Comments at the top, without the `#`.
    pub head: Vec<String>,
    /// Comments at the end: text without a place in the draft.
    pub unplaced: Vec<String>,
}

/// A category of a draft.
#[derive(Clone, Debug)]
pub struct DraftCategory {
    /// The code.
    pub code: String,
    /// The rule in a few words.
    pub title: String,
    /// The verdict on content of this category.
    pub verdict: Verdict,
    /// The severity of a violation.
    pub severity: Option<Severity>,
    /// The conditions, a sentence each.
    pub criteria: Vec<String>,
}

/// An example of a draft.
#[derive(Clone, Debug)]
pub struct DraftExample {
    /// The text.
    pub text: String,
    /// The code of its category; `None` is safe.
    pub category: Option<String>,
    /// The reason, in a sentence.
    pub why: Option<String>,
}

impl Draft {
    /// Returns the draft as YAML.
    #[must_use]
    pub fn yaml(&self) -> String {
        let mut yaml = String::new();
        let mut line = |text: &str| {
            yaml.push_str(text);
            yaml.push('\n');
        };
        self.head.iter().for_each(|comment| line(&comment_of(comment)));
        line(&format!("id: {}", self.id));
        line(&format!("title: {}", scalar(&self.title)));
        line("version: \"1.0\"");
        line(&format!("summary: {}", scalar(&self.summary)));
        line("effort: low");
        line(
            "\n# The form of a reply: `label` is the label alone, `category` also names the rule, `rationale` also gives the reason.",
        );
        line(&format!("contract:\n  form: {}", form(self.form.unwrap_or(Form::Rationale))));
        line(&format!("\ninstruction: {}", scalar(&self.instruction)));
        if !self.definitions.is_empty() {
            line("\n# Terms that the rules use.\ndefinitions:");
            for (term, meaning) in &self.definitions {
                line(&format!("  {}: {}", scalar(term), scalar(meaning)));
            }
        }
        line("\n# Forbidden and allowed content. An answer names a category by its code.\ncategories:");
        for rule in &self.categories {
            line(&format!("  - code: {}", scalar(&rule.code)));
            line(&format!("    title: {}", scalar(&rule.title)));
            line(&format!("    verdict: {}", rule.verdict));
            if let Some(severity) = rule.severity {
                line(&format!("    severity: {severity}"));
            }
            line("    criteria:");
            rule.criteria.iter().for_each(|criterion| line(&format!("      - {}", scalar(criterion))));
        }
        for (name, comment, rules) in [
            ("precedence", "The order of rules where several apply.", &self.precedence),
            ("ambiguity", "Guidance for doubt.", &self.ambiguity),
            ("escalation", "Cases that people decide.", &self.escalation),
        ] {
            if !rules.is_empty() {
                line(&format!("\n# {comment}\n{name}:"));
                for rule in rules {
                    line(&format!("  - {}", scalar(rule)));
                }
            }
        }
        self.examples(&mut line);
        line(&format!("\nsource:\n  note: {}", scalar(&self.note)));
        if !self.unplaced.is_empty() {
            line("\n# Text without a place:");
            self.unplaced.iter().for_each(|comment| line(&comment_of(comment)));
        }
        yaml
    }

    /// Writes the examples, line by line.
    fn examples(&self, line: &mut impl FnMut(&str)) {
        if !self.examples.is_empty() {
            line("\n# Content near the boundary, in pairs. Replace the text in brackets with real cases.\nexamples:");
            for case in &self.examples {
                line(&format!("  - text: {}", scalar(&case.text)));
                line(&format!("    category: {}", case.category.as_deref().map_or("null".to_owned(), scalar)));
                if let Some(why) = &case.why {
                    line(&format!("    why: {}", scalar(why)));
                }
            }
        }
    }
}

fn form(form: Form) -> &'static str {
    match form {
        Form::Label => "label",
        Form::Category => "category",
        Form::Rationale => "rationale",
    }
}

fn comment_of(text: &str) -> String {
    let plain: String = text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    format!("# {plain}").trim_end().to_owned()
}

/// Writes a text as a YAML scalar, in quotes only if YAML would read the plain text differently.
pub(super) fn scalar(text: &str) -> String {
    // Any other first character can begin a number, or be a mark of YAML.
    let starts = text.chars().next().is_some_and(char::is_alphabetic);
    let word = text.to_lowercase();
    let reserved = ["null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf"].contains(&word.as_str());
    let plain = |char: char| !char.is_control() && !matches!(char, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{85}');
    let safe = starts
        && !reserved
        && text.chars().all(plain)
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with([':', ' '])
        && !text.contains(['"', '[', ']', '{', '}']);
    // Every string of JSON is one of YAML, with the same escapes.
    if safe { text.to_owned() } else { serde_json::to_string(text).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Body, Policy};

    fn draft(text: &str) -> Draft {
        let text = text.to_owned();
        let rule = |code: &str, verdict| DraftCategory {
            code: code.to_owned(),
            title: text.clone(),
            verdict,
            severity: None,
            criteria: vec![text.clone()],
        };
        Draft {
            id: "draft".into(),
            title: text.clone(),
            summary: text.clone(),
            instruction: text.clone(),
            definitions: vec![(text.clone(), text.clone())],
            categories: vec![rule("D1.a", Verdict::Violation), rule("D0.a", Verdict::Safe)],
            precedence: vec![text.clone()],
            examples: vec![DraftExample { text: text.clone(), category: Some("D1.a".into()), why: None }],
            note: text.clone(),
            head: vec![text.clone()],
            unplaced: vec![text],
            ..Draft::default()
        }
    }

    #[test]
    fn the_yaml_reads_back_as_the_same_text() {
        for text in [
            "plain",
            "a: b",
            "a #b",
            "- a",
            "null",
            "1.0",
            "\"q\"",
            "it's",
            "a:",
            "{x}",
            "*a",
            "&a",
            "!t",
            "% a",
            "@a",
            "`a`",
            "tab\tin",
            "é",
            "yes",
            "two\nlines",
            "\u{feff}x",
            "a\u{85}b",
            "[A post]",
            "? a",
            "| a",
            "> a",
            "\\",
            "<|start|>",
        ] {
            let yaml = draft(text).yaml();
            let policy =
                Policy::from_yaml("draft.yaml", &yaml).unwrap_or_else(|error| panic!("{text:?}: {error}\n{yaml}"));
            let Body::Structured(rules) = &policy.body else { panic!("it has parts") };
            assert_eq!(rules.examples[0].text, text.trim(), "{yaml}");
            let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!((&policy.title, &rules.categories[0].criteria[0]), (&line, &line), "{yaml}");
        }
    }
}
