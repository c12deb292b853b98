//! A policy that is being written: for `policy new` and `policy import`.
//!
//! The one idea: what is written out is YAML that reads back as the same policy, with comments that tell its owner what to
//! do next. How it came about is not known here.

use super::{Form, Severity, Verdict};

/// The parts of a policy, as far as they are known.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The id.
    pub id: String,
    /// The name that people read.
    pub title: String,
    /// One line about it.
    pub summary: String,
    /// What the model must do.
    pub instruction: String,
    /// The form of replies.
    pub form: Option<Form>,
    /// Terms and meanings.
    pub definitions: Vec<(String, String)>,
    /// The rules.
    pub categories: Vec<Rule>,
    /// Which rule wins.
    pub precedence: Vec<String>,
    /// What to do in doubt.
    pub ambiguity: Vec<String>,
    /// What goes to people.
    pub escalation: Vec<String>,
    /// Cases: the text, the code or none, why.
    pub examples: Vec<Case>,
    /// Where it comes from.
    pub note: String,
    /// Comments at the top, without the sign.
    pub head: Vec<String>,
    /// Comments at the end: what has found no place.
    pub rest: Vec<String>,
}

/// A category.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The code.
    pub code: String,
    /// The rule in a few words.
    pub title: String,
    /// What follows.
    pub verdict: Verdict,
    /// How bad it is.
    pub severity: Option<Severity>,
    /// When it applies.
    pub criteria: Vec<String>,
}

/// An example.
#[derive(Clone, Debug)]
pub struct Case {
    /// The text.
    pub text: String,
    /// The code; none is safe.
    pub category: Option<String>,
    /// Why.
    pub why: Option<String>,
}

impl Draft {
    /// The YAML.
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
            "\n# How a reply looks: `label` is the label alone, `category` names the rule, `rationale` says why, too.",
        );
        line(&format!("contract:\n  form: {}", form(self.form.unwrap_or(Form::Rationale))));
        line(&format!("\ninstruction: {}", scalar(&self.instruction)));
        if !self.definitions.is_empty() {
            line("\n# Terms that the rules use.\ndefinitions:");
            for (term, meaning) in &self.definitions {
                line(&format!("  {}: {}", scalar(term), scalar(meaning)));
            }
        }
        line("\n# What is forbidden, and what is allowed. An answer names a category by its code.\ncategories:");
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
            ("precedence", "Which rule wins where several apply.", &self.precedence),
            ("ambiguity", "What to do in doubt.", &self.ambiguity),
            ("escalation", "What goes to people.", &self.escalation),
        ] {
            if !rules.is_empty() {
                line(&format!("\n# {comment}\n{name}:"));
                for rule in rules {
                    line(&format!("  - {}", scalar(rule)));
                }
            }
        }
        if !self.examples.is_empty() {
            line(
                "\n# Content that is near the boundary, in pairs. Replace what stands in brackets with real cases.\nexamples:",
            );
            for case in &self.examples {
                line(&format!("  - text: {}", scalar(&case.text)));
                line(&format!("    category: {}", case.category.as_deref().map_or("null".to_owned(), scalar)));
                if let Some(why) = &case.why {
                    line(&format!("    why: {}", scalar(why)));
                }
            }
        }
        line(&format!("\nsource:\n  note: {}", scalar(&self.note)));
        if !self.rest.is_empty() {
            line("\n# What has found no place:");
            self.rest.iter().for_each(|comment| line(&comment_of(comment)));
        }
        yaml
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

/// A text as a YAML scalar: as it is where nothing in it means anything to YAML, else in quotes.
fn scalar(text: &str) -> String {
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
    // JSON's escapes are YAML's, too.
    if safe { text.to_owned() } else { serde_json::to_string(text).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Body, Policy};

    fn draft(text: &str) -> Draft {
        let text = text.to_owned();
        let rule = |code: &str, verdict| Rule {
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
            examples: vec![Case { text: text.clone(), category: Some("D1.a".into()), why: None }],
            note: text.clone(),
            head: vec![text.clone()],
            rest: vec![text],
            ..Draft::default()
        }
    }

    #[test]
    fn whatever_a_text_is_the_yaml_reads_back_as_it() {
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
