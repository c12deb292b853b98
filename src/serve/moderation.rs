//! Moderations in OpenAI's shape: the texts of an input, and the categories that follow from the rows of a text.
//!
//! All of OpenAI's categories are always there. Some clients cannot read a reply that lacks one. A category without
//! a policy has an empty list of input types, which is OpenAI's own sign for it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api_error::ApiError;
use super::parts::{Part, joined};
use super::policies::Served;
use crate::label::row::{Row, Status};
use crate::policy::{Policy, Verdict};

/// OpenAI's categories.
pub const CATEGORIES: [&str; 13] = [
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
];

/// OpenAI's names of moderation models. Many clients can send no other name.
pub const NAMES: [&str; 5] = [
    "omni-moderation-latest",
    "omni-moderation-2024-09-26",
    "text-moderation-latest",
    "text-moderation-stable",
    "text-moderation-007",
];

/// The input of a request.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Input {
    /// One text, which gets one result.
    Text(String),
    /// Several texts, which get a result each.
    Texts(Vec<String>),
    /// The parts of one text, which get one result together.
    Parts(Vec<Part>),
}

/// The result for a text.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Moderated<'rows> {
    /// True if some policy finds a violation, or leaves the text to a person.
    flagged: bool,
    /// The categories of OpenAI, the policies by id, and a category of a policy whose labels are its categories.
    categories: BTreeMap<Cow<'rows, str>, bool>,
    /// The largest P(violation) of a category's policies.
    category_scores: BTreeMap<Cow<'rows, str>, f64>,
    /// `text` for the categories that were judged.
    category_applied_input_types: BTreeMap<Cow<'rows, str>, &'static [&'static str]>,
    /// The verdict of each policy, by id.
    magistrate: BTreeMap<&'rows str, Found<'rows>>,
}

/// The verdict of a policy.
#[derive(Debug, Serialize, JsonSchema)]
struct Found<'rows> {
    /// `ok` if and only if there is a verdict.
    status: Status,
    verdict: Option<Verdict>,
    probability: Option<f64>,
    /// The code of the category.
    category: Option<&'rows str>,
    /// The category's title.
    category_title: Option<&'rows str>,
    /// The code of the error, without a verdict.
    error: Option<&'rows str>,
}

/// The verdicts of a category's policies, summed up.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    is_flagged: bool,
    score: f64,
    is_judged: bool,
    lacks_verdict: bool,
}

impl Input {
    /// Returns the texts that get a result each.
    ///
    /// # Errors
    ///
    /// Status 400 for an empty list, and for a part that is not text.
    pub fn texts(self) -> Result<Vec<String>, ApiError> {
        match self {
            Self::Text(text) => Ok(vec![text]),
            Self::Texts(texts) if texts.is_empty() => {
                Err(ApiError::invalid("missing", "the list has no text").of("input"))
            }
            Self::Texts(texts) => Ok(texts),
            Self::Parts(parts) => Ok(vec![joined(&parts, "input")?]),
        }
    }
}

/// Reports whether a verdict flags a text. Only a safe one does not.
fn is_flagged(row: &Row) -> bool {
    row.verdict.is_some_and(|verdict| verdict != Verdict::Safe)
}

/// Returns the categories of a policy: those of its taxonomy, and its own id.
fn keys(policy: &Policy) -> impl Iterator<Item = &str> {
    let of_openai = policy.taxonomy().iter().filter(|(name, _)| name == "openai").flat_map(|(_, keys)| keys);
    let own = Some(policy.id.as_str()).filter(|id| !of_openai.clone().any(|key| key == id));
    of_openai.map(String::as_str).filter(|key| CATEGORIES.contains(key)).chain(own)
}

impl<'rows> Moderated<'rows> {
    /// Returns the result for a text, from the row of each policy.
    ///
    /// # Errors
    ///
    /// The index of a row without a verdict, if no other row flags the text.
    pub fn of(policies: &'rows [Arc<Served>], rows: &'rows [Row]) -> Result<Self, usize> {
        let flagged = rows.iter().any(is_flagged);
        match rows.iter().position(|row| row.verdict.is_none()) {
            Some(at) if !flagged => return Err(at),
            _ => {}
        }
        let mut tallies: BTreeMap<Cow<'_, str>, Tally> =
            CATEGORIES.iter().map(|key| (Cow::Borrowed(*key), Tally::default())).collect();
        let mut magistrate = BTreeMap::new();
        for (served, row) in policies.iter().zip(rows) {
            for key in keys(&served.policy) {
                tallies.entry(key.into()).or_default().add(row, row.probability);
            }
            // The share of a single category is known only where labels are categories.
            if let Some(code) = row.category.as_ref().filter(|code| row.label.as_ref() == Some(code)) {
                let key = format!("{}/{code}", served.policy.id);
                tallies.entry(key.into()).or_default().add(row, row.label_probability);
            }
            magistrate.insert(served.policy.id.as_str(), Found::of(row));
        }
        Ok(Self {
            flagged,
            categories: tallies.iter().map(|(key, tally)| (key.clone(), tally.is_flagged)).collect(),
            category_scores: tallies.iter().map(|(key, tally)| (key.clone(), tally.score)).collect(),
            category_applied_input_types: tallies.iter().map(|(key, tally)| (key.clone(), tally.types())).collect(),
            magistrate,
        })
    }
}

impl Tally {
    fn add(&mut self, row: &Row, probability: Option<f64>) {
        self.is_flagged |= is_flagged(row);
        self.score = self.score.max(probability.unwrap_or_default());
        self.is_judged |= row.verdict.is_some();
        self.lacks_verdict |= row.verdict.is_none();
    }

    /// Returns the types of input that were judged. Empty if a policy of the category has no verdict, and no other
    /// flags the text.
    fn types(self) -> &'static [&'static str] {
        if self.is_flagged || (self.is_judged && !self.lacks_verdict) { &["text"] } else { &[] }
    }
}

impl<'rows> Found<'rows> {
    fn of(row: &'rows Row) -> Self {
        Self {
            status: row.status,
            verdict: row.verdict,
            probability: row.probability,
            category: row.category.as_deref(),
            category_title: row.category_title.as_deref(),
            error: row.error_code(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::policy::PolicyLibrary;

    fn served(ids: &[&str]) -> Vec<Arc<Served>> {
        let library = PolicyLibrary::shipped();
        ids.iter().map(|id| Arc::new(Served::named(library.get(id).unwrap().clone()))).collect()
    }

    fn row(verdict: &str, probability: f64) -> Row {
        serde_json::from_value(json!({
            "status": "ok", "verdict": verdict, "probability": probability, "policy": { "id": "p" }
        }))
        .unwrap()
    }

    fn unresolved() -> Row {
        let error = json!({ "code": "off-contract", "message": "Too little." });
        serde_json::from_value(json!({ "status": "unresolved", "policy": { "id": "p" }, "error": error })).unwrap()
    }

    fn moderated(ids: &[&str], rows: &[Row]) -> Result<Value, usize> {
        let policies = served(ids);
        Moderated::of(&policies, rows).map(|result| serde_json::to_value(result).unwrap())
    }

    #[test]
    fn every_category_of_openai_is_there_and_one_without_a_policy_was_not_judged() {
        let result = moderated(&["spam"], &[row("violation", 0.9)]).unwrap();
        for category in CATEGORIES {
            assert_eq!(result["categories"][category], false, "{category}");
            assert_eq!(result["category_scores"][category], 0.0, "{category}");
            assert_eq!(result["category_applied_input_types"][category], json!([]), "{category}");
        }
        assert_eq!((&result["flagged"], &result["categories"]["spam"]), (&json!(true), &json!(true)));
        assert_eq!(result["category_scores"]["spam"], 0.9);
        assert_eq!(result["categories"].as_object().unwrap().len(), 14);
    }

    #[test]
    fn of_several_policies_of_a_category_the_largest_probability_counts() {
        let ids = ["harassment", "violence-and-threats"];
        let result = moderated(&ids, &[row("safe", 0.4), row("violation", 0.7)]).unwrap();
        let shared = "harassment/threatening";
        assert_eq!((&result["category_scores"][shared], &result["categories"][shared]), (&json!(0.7), &json!(true)));
        assert_eq!(
            (&result["category_scores"]["harassment"], &result["categories"]["harassment"]),
            (&json!(0.4), &json!(false))
        );
        assert_eq!(result["category_applied_input_types"]["violence"], json!(["text"]));
    }

    #[test]
    fn a_policy_without_a_verdict_is_an_error_unless_another_flags_the_text() {
        let ids = ["spam", "hate"];
        assert_eq!(moderated(&ids, &[row("safe", 0.1), unresolved()]), Err(1));
        let result = moderated(&ids, &[row("violation", 0.9), unresolved()]).unwrap();
        assert_eq!((&result["flagged"], &result["categories"]["hate"]), (&json!(true), &json!(false)));
        assert_eq!(result["category_applied_input_types"]["hate"], json!([]));
        assert_eq!(result["category_applied_input_types"]["spam"], json!(["text"]));
        assert_eq!(result["magistrate"]["hate"]["error"], "off-contract");
    }

    #[test]
    fn a_verdict_for_a_person_is_flagged() {
        let result = moderated(&["spam"], &[row("review", 0.2)]).unwrap();
        assert_eq!((&result["flagged"], &result["categories"]["spam"]), (&json!(true), &json!(true)));
    }

    #[test]
    fn a_category_that_is_the_label_has_a_score_of_its_own() {
        let mut row = row("violation", 0.9);
        (row.label, row.category, row.label_probability) = (Some("SP3.b".into()), Some("SP3.b".into()), Some(0.6));
        let result = moderated(&["spam"], &[row.clone()]).unwrap();
        assert_eq!(
            (&result["category_scores"]["spam/SP3.b"], &result["category_scores"]["spam"]),
            (&json!(0.6), &json!(0.9))
        );
        row.label = Some("1".into());
        assert_eq!(moderated(&["spam"], &[row]).unwrap()["category_scores"]["spam/SP3.b"], Value::Null);
    }

    #[test]
    fn a_category_stays_open_if_one_of_its_policies_has_no_verdict() {
        let ids = ["spam", "harassment", "violence-and-threats"];
        let result = moderated(&ids, &[row("violation", 0.9), row("safe", 0.1), unresolved()]).unwrap();
        let types = &result["category_applied_input_types"];
        assert_eq!((&types["harassment"], &types["harassment/threatening"]), (&json!(["text"]), &json!([])));
    }

    #[test]
    fn strings_are_texts_and_parts_are_one_text() {
        let texts = |input: Value| serde_json::from_value::<Input>(input).unwrap().texts();
        assert_eq!(texts(json!("a")).unwrap(), ["a"]);
        assert_eq!(texts(json!(["a", "b"])).unwrap(), ["a", "b"]);
        let part = |text: &str| json!({ "type": "text", "text": text });
        assert_eq!(texts(json!([part("a"), part("b")])).unwrap(), ["a\nb"]);
        let image = json!({ "type": "image_url", "image_url": { "url": "data:," } });
        assert_eq!(texts(json!([part("a"), image])).unwrap_err().code, "unsupported_parameter");
        assert_eq!(texts(json!([])).unwrap_err().code, "missing");
        assert!(serde_json::from_value::<Input>(json!(["a", part("b")])).is_err());
    }
}
