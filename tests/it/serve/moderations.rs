//! `POST /v1/moderations` as OpenAI's clients see it.

use serde_json::{Value, json};

use super::client::Server;
use super::{FINE, SPAM};

const CATEGORIES: [&str; 13] = [
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

#[track_caller]
fn results(server: &Server, body: &Value) -> Vec<Value> {
    let reply = server.post("/v1/moderations", body);
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["results"].as_array().unwrap().clone()
}

#[test]
fn every_result_has_all_categories_and_the_probability_of_check() {
    let server = Server::start(&["-p", "spam", "-p", "hate", "-p", "weapons", "--reproducible"]);
    let reply = server.post("/v1/moderations", &json!({ "input": [SPAM, FINE], "model": "omni-moderation-latest" }));
    assert_eq!(reply.status, 200, "{reply:?}");
    let policies = reply.header("x-magistrate-policy").unwrap();
    assert!(policies.starts_with("spam@sha256:") && policies.contains(",hate@sha256:"), "{policies}");
    assert!(!policies.contains("weapons"), "the built-in model was not trained for it: {policies}");
    let reply = reply.json();
    assert!(reply["id"].as_str().unwrap().starts_with("modr-"));
    assert!(reply["model"].as_str().unwrap().starts_with("magistrate/"));
    for (result, text, flagged) in [(&reply["results"][0], SPAM, true), (&reply["results"][1], FINE, false)] {
        assert_eq!(result["flagged"], flagged, "{result}");
        for category in CATEGORIES {
            assert!(result["categories"][category].is_boolean(), "{category}");
            assert!(result["category_scores"][category].is_number(), "{category}");
            assert!(result["category_applied_input_types"][category].is_array(), "{category}");
        }
        let check = json!({ "text": text, "policy": ["spam", "hate"], "effort": "none" });
        let rows = server.post("/v1/check", &check).json()["verdicts"].clone();
        for (category, policy) in [("spam", "spam"), ("hate", "hate"), ("hate/threatening", "hate")] {
            let score = result["category_scores"][category].as_f64().unwrap();
            let probability = rows[policy]["probability"].as_f64().unwrap();
            // Texts that are judged together differ in the last digits from a text alone.
            assert!((score - probability).abs() < 1e-5, "{category} {score} {probability}");
            assert_eq!(result["category_applied_input_types"][category], json!(["text"]));
        }
        assert_eq!(result["category_applied_input_types"]["illicit/violent"], json!([]));
    }
}

#[test]
fn a_string_is_one_result_a_list_is_many_and_parts_are_one() {
    let server = Server::start(&["-p", "spam"]);
    let part = |text: &str| json!({ "type": "text", "text": text });
    assert_eq!(results(&server, &json!({ "input": SPAM })).len(), 1);
    let of_parts = results(&server, &json!({ "input": [part(FINE), part(SPAM)] }));
    let of_lines = results(&server, &json!({ "input": [format!("{FINE}\n{SPAM}")], "model": "text-moderation-007" }));
    let score = |results: &[Value]| results[0]["category_scores"]["spam"].as_f64().unwrap();
    assert_eq!((of_parts.len(), of_lines.len()), (1, 1));
    assert!((score(&of_parts) - score(&of_lines)).abs() < 1e-5, "{of_parts:?} {of_lines:?}");
    let image = json!({ "type": "image_url", "image_url": { "url": "https://images.example/a.png" } });
    for (input, code) in
        [(json!([part(FINE), image]), "unsupported_parameter"), (json!([]), "missing"), (json!([[1]]), "invalid_value")]
    {
        assert_eq!(server.post("/v1/moderations", &json!({ "input": input })).error(), (400, code.to_owned()));
    }
    assert_eq!(server.post("/v1/moderations", &json!({})).error(), (400, "missing".to_owned()));
}

#[test]
fn a_model_names_policies_and_an_unknown_one_is_never_a_404() {
    let server = Server::start(&["-p", "spam", "-p", "hate"]);
    let result = &results(&server, &json!({ "input": FINE, "model": "hate" }))[0];
    assert_eq!((&result["categories"]["spam"], &result["categories"]["hate"]), (&Value::Null, &json!(false)));
    for both in ["hate,spam", "magistrate", "openai/gpt-oss-safeguard-20b"] {
        let result = &results(&server, &json!({ "input": FINE, "model": both }))[0];
        let judged: Vec<&String> = result["magistrate"].as_object().unwrap().keys().collect();
        assert_eq!(judged, ["hate", "spam"], "{both}");
    }
    let unknown = server.post("/v1/moderations", &json!({ "input": FINE, "model": "nothing" }));
    assert_eq!(
        (unknown.error(), &unknown.json()["error"]["param"]),
        ((400, "model_not_found".to_owned()), &json!("model"))
    );
}

#[test]
fn a_text_without_a_verdict_is_no_safe_one() {
    let server = Server::start(&["-p", "spam", "-p", "weapons", "--moderation", "spam,weapons"]);
    let result = &results(&server, &json!({ "input": SPAM }))[0];
    assert_eq!(
        (&result["flagged"], &result["category_applied_input_types"]["illicit/violent"]),
        (&json!(true), &json!([]))
    );
    assert_eq!(result["magistrate"]["weapons"]["error"], "untrained");
    let refused = server.post("/v1/moderations", &json!({ "input": [SPAM, FINE] }));
    assert_eq!((refused.error(), refused.header("x-should-retry")), ((422, "unresolved".to_owned()), Some("false")));
    let message = refused.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("text 1, policy `weapons`:") && !message.contains(FINE), "{message}");
    assert_eq!(server.post("/v1/moderations", &json!({ "input": [SPAM, " "] })).error(), (422, "no_text".to_owned()));
}
