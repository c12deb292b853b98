//! The answer in a `final` body that the model wrote freely.
//!
//! The one idea: the form of an answer may vary, its meaning may not. The whole body is one answer of the contract, or
//! nothing is read from it.

use crate::policy::{Answer, Form};

/// Returns the index of the contract's answer that a body states, and its rationale.
///
/// A label may differ in case, be in quotes, follow one known word and a colon, and end in a full stop. A JSON
/// answer may have its keys in any order, spaces, and additional keys.
#[must_use]
pub fn read_answer(form: Form, answers: &[Answer], body: &str) -> Option<(usize, Option<String>)> {
    match form {
        Form::Label => read_label(answers, body).map(|leaf| (leaf, None)),
        Form::Category | Form::Rationale => read_json(answers, body),
    }
}

/// Words that models put before a label.
const LEADS: [&str; 6] = ["answer", "classification", "label", "verdict", "output", "result"];

fn read_label(answers: &[Answer], body: &str) -> Option<usize> {
    let bare = |text: &str| {
        let text = text.trim();
        let text = text.strip_suffix('.').unwrap_or(text).trim();
        text.trim_matches(['"', '\'', '`', '*']).trim().to_owned()
    };
    let position = |text: &str| answers.iter().position(|answer| answer.label.eq_ignore_ascii_case(text));
    // A label may itself have quotes or a full stop.
    if let Some(leaf) = position(body.trim()) {
        return Some(leaf);
    }
    let mut text = bare(body);
    if let Some((lead, label)) = text.split_once(':')
        && LEADS.iter().any(|known| bare(lead).eq_ignore_ascii_case(known))
    {
        text = bare(label);
    }
    position(&text)
}

fn read_json(answers: &[Answer], body: &str) -> Option<(usize, Option<String>)> {
    let value: serde_json::Value = serde_json::from_str(body.trim()).ok()?;
    let label = match value.get("violation")? {
        serde_json::Value::String(label) => label.clone(),
        label @ serde_json::Value::Number(_) => label.to_string(),
        _ => return None,
    };
    let category = match value.get("policy_category")? {
        serde_json::Value::Null => None,
        serde_json::Value::String(code) => Some(code.as_str()),
        _ => return None,
    };
    let leaf = answers.iter().position(|answer| answer.label == label && answer.category.as_deref() == category)?;
    let rationale = value.get("rationale").and_then(serde_json::Value::as_str).map(str::to_owned);
    Some((leaf, rationale))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Verdict;

    fn answer(label: &str, category: Option<&str>, verdict: Verdict) -> Answer {
        Answer { text: String::new(), label: label.into(), category: category.map(str::to_owned), verdict }
    }

    #[test]
    fn a_label_may_have_quotes_and_a_lead() {
        let answers = [answer("VALID", None, Verdict::Safe), answer("INVALID", None, Verdict::Violation)];
        let read = |body| read_answer(Form::Label, &answers, body).map(|(leaf, _)| leaf);
        for body in ["INVALID", " invalid\n", "\"INVALID\"", "INVALID.", "**INVALID**", "Classification: INVALID"] {
            assert_eq!(read(body), Some(1), "{body}");
        }
        assert_eq!(read("VALID"), Some(0));
    }

    #[test]
    fn prose_is_no_answer() {
        let answers = [answer("VALID", None, Verdict::Safe), answer("INVALID", None, Verdict::Violation)];
        for body in ["", "The text is INVALID", "VALID INVALID", "I'm sorry, but I can't help with that.", "VALID: no"]
        {
            assert_eq!(read_answer(Form::Label, &answers, body), None, "{body}");
        }
    }

    #[test]
    fn a_json_answer_must_name_an_allowed_pair() {
        let answers = [answer("0", None, Verdict::Safe), answer("1", Some("SP2"), Verdict::Violation)];
        let read = |body| read_answer(Form::Rationale, &answers, body);
        let rationale = r#"{ "policy_category": "SP2", "violation": 1, "rationale": "A prize." }"#;
        assert_eq!(read(rationale), Some((1, Some("A prize.".into()))));
        assert_eq!(read(r#"{"violation":0,"policy_category":null}"#), Some((0, None)));
        for body in [
            r#"{"violation":1,"policy_category":null}"#,
            r#"{"violation":1,"policy_category":"SP9"}"#,
            r#"{"violation":true,"policy_category":"SP2"}"#,
            r#"{"violation":1}"#,
            r#"{"violation":1,"policy_category":"SP2""#,
            r#"Answer: {"violation":1,"policy_category":"SP2"}"#,
        ] {
            assert_eq!(read(body), None, "{body}");
        }
    }
}
