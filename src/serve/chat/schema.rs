//! `response_format` answered by scoring: each property of a JSON schema becomes a value of the verdict.
//!
//! Nothing is decoded under a grammar. A property that the verdict cannot answer is refused by name.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::form::Sides;
use super::property::{Kind, Names, Property};
use crate::calibration::certificate::Decision;
use crate::label::row::Row;
use crate::policy::{Policy, Verdict};
use crate::serve::api_error::ApiError;

/// The properties of a reply, in the order of the schema.
#[derive(Debug)]
pub struct Plan {
    properties: Vec<(String, Kind)>,
    /// True if the boolean beside `confidence` means safe.
    is_inverted: bool,
}

/// The answers that a schema asks for, where the policy is a text without answers of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskedAnswers {
    /// One of some words.
    Words {
        /// The name of the property.
        property: String,
        /// The words.
        words: Vec<String>,
    },
    /// `true` or `false`, and whether `true` means safe.
    Boolean {
        /// True if `true` means safe.
        is_inverted: bool,
    },
}

impl Plan {
    /// Returns the plan for a schema and the policy that is to answer it. `labels` give the meaning of values that
    /// have no usual one.
    ///
    /// # Errors
    ///
    /// Status 400 for a required property that a verdict cannot answer, and for a schema without any verdict.
    pub fn new(schema: &Value, policy: &Policy, labels: Option<&BTreeMap<String, Verdict>>) -> Result<Self, ApiError> {
        let names = Names::of(schema, Some(&policy.id), labels);
        let mut properties = Vec::new();
        for property in properties_of(schema)? {
            match Kind::of(&property, policy, &names) {
                Some(kind) => properties.push((property.name, kind)),
                None if property.is_required => return Err(refused(&property.name)),
                None => {}
            }
        }
        if !properties.iter().any(|(_, kind)| kind.is_verdict()) {
            let message = "no property of the schema is a verdict: a boolean, an enum, or a number such as probability";
            return Err(ApiError::invalid("unsupported_parameter", message).of("response_format"));
        }
        let is_inverted = properties.iter().any(|(_, kind)| matches!(kind, Kind::Boolean { is_inverted: true }))
            && !properties.iter().any(|(_, kind)| matches!(kind, Kind::Boolean { is_inverted: false }));
        Ok(Self { properties, is_inverted })
    }

    /// Reports whether a reply has the policy's rationale.
    #[must_use]
    pub fn has_rationale(&self) -> bool {
        self.properties.iter().any(|(_, kind)| matches!(kind, Kind::Reason))
    }

    /// Reports whether a reply has a number, which needs a probability.
    #[must_use]
    pub fn has_number(&self) -> bool {
        self.properties.iter().any(|(_, kind)| matches!(kind, Kind::Number { .. }))
    }

    /// Returns the reply for a row with a verdict.
    #[must_use]
    pub fn answer(&self, row: &Row) -> Value {
        let values = self.properties.iter().map(|(name, kind)| (name.clone(), self.value(kind, row)));
        Value::Object(values.collect::<Map<_, _>>())
    }

    fn value(&self, kind: &Kind, row: &Row) -> Value {
        let sides = Sides::of(row);
        match kind {
            Kind::Boolean { is_inverted } => (sides.is_flagged != *is_inverted).into(),
            Kind::Review => (row.verdict == Some(Verdict::Review) || row.decision == Some(Decision::Review)).into(),
            Kind::Number { least, most, is_whole, is_safe, is_confidence } => {
                let Some(violation) = row.probability else { return Value::Null };
                let share = if *is_safe || (*is_confidence && self.is_inverted) { 1.0 - violation } else { violation };
                let value = least + share * (most - least);
                #[allow(clippy::cast_possible_truncation, reason = "a whole number within the schema's bounds")]
                if *is_whole { Value::from(value.round() as i64) } else { Value::from(value) }
            }
            Kind::ByLabel(words) => row.label.as_ref().and_then(|label| words.get(label)).cloned().unwrap_or_default(),
            Kind::ByVerdict { violation, review, safe } => match row.verdict {
                Some(Verdict::Safe) => safe.clone(),
                Some(Verdict::Review) => review.clone().unwrap_or_else(|| violation.clone()),
                _ => violation.clone(),
            },
            Kind::ByCategory { words, none } => {
                row.category.as_ref().and_then(|code| words.get(code)).cloned().unwrap_or_else(|| none.clone())
            }
            Kind::Categories(words) => match &row.category {
                None if sides.is_flagged => vec![row.policy.id.clone()].into(),
                Some(code) if sides.is_flagged => match words {
                    None => vec![code.clone()].into(),
                    Some(words) => words.get(code).cloned().into_iter().collect::<Vec<Value>>().into(),
                },
                _ => Vec::<String>::new().into(),
            },
            Kind::Reason => row.rationale.as_ref().or(row.category_title.as_ref()).cloned().unwrap_or_default().into(),
            Kind::Category { is_nullable } => match &row.category {
                Some(code) => code.clone().into(),
                None if sides.is_flagged => row.policy.id.clone().into(),
                None if *is_nullable => Value::Null,
                None => String::new().into(),
            },
            Kind::Label => row.label.clone().unwrap_or_default().into(),
            Kind::Word => serde_json::to_value(row.verdict).unwrap_or_default(),
        }
    }
}

impl AskedAnswers {
    /// Returns the answers that a schema asks for: those of a boolean, or else the words of an enum.
    #[must_use]
    pub fn of(schema: &Value) -> Option<Self> {
        let names = Names::of(schema, None, None);
        let properties = properties_of(schema).ok()?;
        let boolean = properties.iter().find_map(|property| names.boolean(property));
        if let Some(is_inverted) = boolean {
            return Some(Self::Boolean { is_inverted });
        }
        properties
            .into_iter()
            .find_map(|property| Some(Self::Words { words: property.words()?, property: property.name }))
    }
}

/// Returns the properties of an object.
fn properties_of(schema: &Value) -> Result<Vec<Property>, ApiError> {
    super::property::read(schema).ok_or_else(|| {
        let message = "the schema is not that of an object with properties";
        ApiError::invalid("unsupported_parameter", message).of("response_format")
    })
}

/// Returns the error of a property that a verdict cannot answer.
fn refused(name: &str) -> ApiError {
    let is_plain = name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    let what = if is_plain { format!("the property `{name}`") } else { "a property".to_owned() };
    let message = format!(
        "a verdict cannot answer {what} of the schema: a boolean, an enum of labels or categories, a number such as \
         confidence and a string such as reason can be answered; `magistrate.labels` tells the verdict of other values"
    );
    let param = if is_plain {
        format!("response_format.json_schema.schema.properties.{name}")
    } else {
        "response_format".to_owned()
    };
    ApiError::invalid("unsupported_parameter", message).of(param)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::needless_pass_by_value, reason = "values of `json!` are written in place")]

    use serde_json::json;

    use super::super::tests::row;
    use super::*;
    use crate::policy::PolicyLibrary;

    fn object(properties: Value) -> Value {
        let required: Vec<String> = properties.as_object().unwrap().keys().cloned().collect();
        json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
    }

    fn answers(properties: Value) -> Result<[Value; 2], ApiError> {
        let spam = PolicyLibrary::shipped().get("spam").unwrap();
        let plan = Plan::new(&object(properties), spam, None)?;
        Ok([plan.answer(&row("violation", 0.75, 0.0)), plan.answer(&row("safe", 0.25, 0.0))])
    }

    #[track_caller]
    fn are(properties: Value, violation: Value, safe: Value) {
        assert_eq!(answers(properties).unwrap(), [violation, safe]);
    }

    #[test]
    fn a_boolean_is_the_verdict_and_its_name_says_which_side() {
        let boolean = json!({ "type": "boolean" });
        for (name, of_violation) in [
            ("flagged", true),
            ("violates", true),
            ("is_spam", true),
            ("isUnsafe", true),
            ("safe", false),
            ("isAllowed", false),
            ("compliant", false),
            ("not_safe", true),
            ("is_toxic", true),
        ] {
            are(json!({ name: boolean }), json!({ name: of_violation }), json!({ name: !of_violation }));
        }
    }

    #[test]
    fn openai_guardrails_gets_the_probability_and_discourse_its_reason() {
        are(
            json!({ "flagged": { "type": "boolean" }, "confidence": { "type": "number", "minimum": 0.0, "maximum": 1.0 } }),
            json!({ "flagged": true, "confidence": 0.75 }),
            json!({ "flagged": false, "confidence": 0.25 }),
        );
        are(
            json!({ "spam": { "type": "boolean" }, "reason": { "type": "string" } }),
            json!({ "spam": true, "reason": "It \"wins\"." }),
            json!({ "spam": false, "reason": "It \"wins\"." }),
        );
    }

    #[test]
    fn a_number_is_the_probability_within_its_bounds() {
        are(
            json!({ "risk_score": { "type": "integer", "minimum": 0, "maximum": 100 }, "safe": { "type": "boolean" }, "confidence": { "type": "number" } }),
            json!({ "risk_score": 75, "safe": false, "confidence": 0.25 }),
            json!({ "risk_score": 25, "safe": true, "confidence": 0.75 }),
        );
        assert!(
            answers(json!({ "score": { "type": "integer", "maximum": 1 } })).is_err(),
            "0 and 1 are no probability"
        );
    }

    #[test]
    fn a_number_about_safety_counts_the_other_way() {
        let number = json!({ "type": "number" });
        are(
            json!({ "safe_probability": number }),
            json!({ "safe_probability": 0.25 }),
            json!({ "safe_probability": 0.75 }),
        );
    }

    #[test]
    fn an_enum_is_matched_to_labels_to_words_or_to_categories() {
        let word = |words: Value| json!({ "answer": { "type": "string", "enum": words } });
        let answer = |word: &str| json!({ "answer": word });
        are(word(json!(["0", "1"])), answer("1"), answer("0"));
        are(word(json!(["SAFE", "UNSAFE", "REVIEW"])), answer("UNSAFE"), answer("SAFE"));
        are(word(json!(["spam", "not_spam"])), answer("spam"), answer("not_spam"));
        let codes = ["SP1.a", "SP2.a", "SP2.b", "SP3.a", "bait", "SP4.a", "SP4.b", "none"];
        are(word(json!(codes)), answer("bait"), answer("none"));
        for unclear in [json!(["red", "green"]), json!(["spam", "scam", "safe"]), json!(["safe", "allowed"])] {
            let error = answers(word(unclear)).unwrap_err();
            assert!(error.param.unwrap().ends_with("properties.answer"));
        }
    }

    #[test]
    fn a_list_of_categories_has_the_one_that_was_found() {
        let list = json!({ "flagged": { "type": "boolean" }, "categories": { "type": "array", "items": { "type": "string" } } });
        are(list, json!({ "flagged": true, "categories": ["SP3.b"] }), json!({ "flagged": false, "categories": [] }));
    }

    #[test]
    fn a_required_property_that_no_verdict_answers_is_refused_by_name_and_an_optional_one_is_left_out() {
        let boolean = json!({ "type": "boolean" });
        let error = answers(json!({ "flagged": boolean, "author_age": { "type": "integer" } })).unwrap_err();
        assert_eq!(error.code, "unsupported_parameter");
        assert!(error.message.contains("`author_age`"), "{}", error.message);
        let two = answers(json!({ "spam": boolean, "hateful": boolean })).unwrap_err();
        assert!(two.message.contains("`hateful`"), "{}", two.message);
        let spam = PolicyLibrary::shipped().get("spam").unwrap();
        let mut schema = object(json!({ "flagged": boolean, "author_age": { "type": "integer" } }));
        schema["required"] = json!(["flagged"]);
        assert_eq!(
            Plan::new(&schema, spam, None).unwrap().answer(&row("safe", 0.25, 0.0)),
            json!({ "flagged": false })
        );
        assert!(
            Plan::new(&object(json!({ "reason": { "type": "string" } })), spam, None).is_err(),
            "it has no verdict"
        );
        assert!(Plan::new(&json!({ "type": "string" }), spam, None).is_err());
    }

    #[test]
    fn a_value_that_could_mean_either_side_is_refused_until_the_request_says_which() {
        let spam = PolicyLibrary::shipped().get("spam").unwrap();
        let boolean = json!({ "type": "boolean" });
        for unclear in [
            json!({ "on_topic": boolean }),
            json!({ "not_toxic": boolean }),
            json!({ "safe": { "enum": [0, 1] } }),
            json!({ "flagged": boolean, "safety_score": { "type": "number" } }),
            json!({ "categories": { "type": "array", "items": { "enum": ["SP1.a", "SP2.a"] } } }),
        ] {
            assert!(answers(unclear.clone()).is_err(), "{unclear}");
        }
        let told = |property: Value, labels: [(&str, Verdict); 2]| {
            let labels = labels.map(|(value, verdict)| (value.to_owned(), verdict)).into();
            let plan = Plan::new(&object(json!({ "post": property })), spam, Some(&labels)).unwrap();
            plan.answer(&row("violation", 0.75, 0.0))["post"].clone()
        };
        let (bad, good) = (Verdict::Violation, Verdict::Safe);
        assert_eq!(told(boolean.clone(), [("true", good), ("false", bad)]), false);
        assert_eq!(told(boolean, [("true", bad), ("false", good)]), true);
        assert_eq!(told(json!({ "enum": ["red", "green"] }), [("red", bad), ("green", good)]), "red");
    }

    #[test]
    fn a_person_s_verdict_is_a_word_of_its_own_or_a_violation() {
        let spam = PolicyLibrary::shipped().get("spam").unwrap();
        let properties = json!({
            "verdict": { "enum": ["allow", "block", "escalate"] },
            "flagged": { "type": "boolean" },
            "needs_review": { "type": "boolean" },
        });
        let reply = Plan::new(&object(properties), spam, None).unwrap().answer(&row("review", 0.125, 0.625));
        assert_eq!(reply, json!({ "verdict": "escalate", "flagged": true, "needs_review": true }));
    }

    #[test]
    fn optional_types_and_references_are_followed() {
        let schema = json!({
            "type": "object",
            "properties": {
                "level": { "$ref": "#/$defs/Level" },
                "category": { "anyOf": [{ "type": "string" }, { "type": "null" }] },
                "endless": { "$ref": "#/properties/endless" },
            },
            "required": ["level", "category"],
            "$defs": { "Level": { "type": "string", "enum": ["pass", "fail"] } },
        });
        let spam = PolicyLibrary::shipped().get("spam").unwrap();
        let plan = Plan::new(&schema, spam, None).unwrap();
        assert_eq!(plan.answer(&row("safe", 0.25, 0.0)), json!({ "level": "pass", "category": null }));
        assert_eq!(plan.answer(&row("violation", 0.75, 0.0)), json!({ "level": "fail", "category": "SP3.b" }));
    }

    #[test]
    fn a_schema_tells_the_answers_of_a_policy_without_any() {
        let words = object(json!({ "reason": { "type": "string" }, "label": { "enum": ["VALID", "INVALID"] } }));
        assert_eq!(
            AskedAnswers::of(&words),
            Some(AskedAnswers::Words { property: "label".into(), words: vec!["VALID".into(), "INVALID".into()] })
        );
        let boolean = |name: &str| AskedAnswers::of(&object(json!({ name: { "type": "boolean" } })));
        assert_eq!(boolean("flagged"), Some(AskedAnswers::Boolean { is_inverted: false }));
        assert_eq!(boolean("is_safe"), Some(AskedAnswers::Boolean { is_inverted: true }));
        assert_eq!(AskedAnswers::of(&object(json!({ "reason": { "type": "string" } }))), None);
    }
}
