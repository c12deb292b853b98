//! Rows and completions for the tests of chats.

use serde_json::json;

use super::completion::Made;
use super::form::Form;
use crate::label::row::Row;
use crate::policy::PolicyLibrary;

/// Returns a row of the policy `spam`, decided from the shares of violation and review.
pub fn row(verdict: &str, violation: f64, review: f64) -> Row {
    let safe = 1.0 - violation - review;
    let (label, category) = match verdict {
        "safe" => ("0", None),
        _ => ("1", Some("SP3.b")),
    };
    serde_json::from_value(json!({
        "status": "ok", "verdict": verdict, "label": label, "category": category, "probability": violation,
        "category_title": category.map(|_| "Bait"),
        "label_probability": if verdict == "safe" { safe } else { violation },
        "rationale": "It \"wins\".", "policy": { "id": "spam" },
        "basis": { "answers": [
            { "verdict": "violation", "probability": violation, "label": "1", "label_probability": violation, "category": "SP3.b" },
            { "verdict": "review", "probability": review, "label": "2", "label_probability": review },
            { "verdict": "safe", "probability": safe, "label": "0", "label_probability": safe },
        ] },
    }))
    .unwrap()
}

/// Returns a completion of the policy `spam` in a form.
pub fn made(form: Form, row: Row, logprobs: Option<usize>) -> Made {
    let shown = form.show(PolicyLibrary::shipped().get("spam").unwrap(), &row, false);
    let (model, fingerprint) = ("spam@sha256:0".to_owned(), "magistrate-0".to_owned());
    Made { id: "chatcmpl-0".to_owned(), created: 0, model, fingerprint, shown, row, logprobs }
}
