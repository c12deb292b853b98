//! The routes for clients of Zentropi and of ROOST's Pigeon.

use serde_json::{Value, json};

use super::client::{Reply, Server};
use super::{FINE, SPAM};

/// Returns the probability that `/v1/check` gives a text.
#[track_caller]
fn probability(server: &Server, text: &str) -> f64 {
    let reply = server.post("/v1/check", &json!({ "text": text, "policy": "spam", "effort": "none" }));
    reply.json()["probability"].as_f64().unwrap_or_else(|| panic!("{reply:?}"))
}

/// Returns the status and the detail of an error.
#[track_caller]
fn detail(reply: &Reply) -> (u16, String) {
    let detail = reply.json()["detail"].as_str().unwrap_or_else(|| panic!("{reply:?}")).to_owned();
    (reply.status, detail)
}

#[test]
fn a_label_of_zentropis_form_has_the_probability_of_check() {
    let server = Server::start(&["-p", "spam", "-p", "hate"]);
    let digest = server.get("/v1/policies").json()["policies"][0]["digest"].as_str().unwrap().to_owned();
    for (text, label) in [(SPAM, "1"), (FINE, "0")] {
        let violation = probability(&server, text);
        let expected = if label == "1" { violation } else { 1.0 - violation };
        for labeler in [
            json!({ "labeler_id": "spam" }),
            json!({ "labeler_id": "spam", "labeler_version_id": &digest[..12] }),
            json!({ "labeler_version_id": digest }),
            json!({ "labeler_version_id": format!("spam@sha256:{digest}") }),
        ] {
            let mut body = json!({ "model": "cope-latest", "content_text": text });
            body.as_object_mut().unwrap().extend(labeler.as_object().unwrap().clone());
            let reply = server.post("/v1/label", &body);
            let labeled = reply.json();
            assert_eq!((reply.status, &labeled["label"]), (200, &json!(label)), "{body} {reply:?}");
            let confidence = labeled["confidence"].as_f64().unwrap();
            assert!((confidence - expected).abs() < 1e-6, "{confidence} {expected}");
            assert!(labeled["compute_time"].as_f64().unwrap() > 0.0);
        }
    }
}

#[test]
fn criteria_of_a_request_are_judged_without_answers_of_their_own() {
    let server = Server::start(&["-p", "spam", "--min-mass", "0"]);
    let criteria = "A text is spam if it asks many people to claim a prize.";
    let labeled = server.post("/v1/label", &json!({ "criteria_text": criteria, "content_text": SPAM }));
    assert_eq!(labeled.status, 200, "{labeled:?}");
    assert!(["0", "1"].contains(&labeled.json()["label"].as_str().unwrap()), "{labeled:?}");
    let model = server.get("/v1/modelspecs").json()["modelspecs"][0]["id"].clone();
    let input = json!({ "text": SPAM });
    let classified = server.post("/v1/classify", &json!({ "model": model, "input": input, "policy": criteria }));
    assert_eq!(classified.status, 200, "{classified:?}");
    let confidence = labeled.json()["confidence"].as_f64().unwrap();
    let violation = if labeled.json()["label"] == "1" { confidence } else { 1.0 - confidence };
    let score = classified.json()["results"][0]["score"].as_f64().unwrap();
    assert!((score - violation).abs() < 1e-6, "the same criteria give the same score: {score} {violation}");
}

#[test]
fn errors_of_zentropis_form_are_a_detail() {
    let server = Server::start(&["-p", "spam"]);
    for (body, status) in [
        (json!({ "labeler_id": "spam" }), 400),
        (json!({ "content_text": FINE }), 400),
        (json!({ "labeler_id": "spma", "content_text": FINE }), 404),
        (json!({ "labeler_version_id": "0123456789ab", "content_text": FINE }), 404),
        (json!({ "labeler_id": "spam", "labeler_version_id": "0123456789ab", "content_text": FINE }), 404),
        (json!({ "labeler_id": "spam", "criteria_text": "Ads", "content_text": FINE }), 400),
        (json!({ "labeler_id": "spam", "content_text": FINE, "content_image": "data:image/png;base64,AA" }), 400),
        (json!({ "labeler_id": "spam", "content_text": " " }), 422),
    ] {
        let reply = server.post("/v1/label", &body);
        assert_eq!(detail(&reply).0, status, "{body} {reply:?}");
    }
}

#[test]
fn an_unresolved_text_has_no_label_and_no_score() {
    let server = Server::start(&["-p", "spam", "--min-mass", "1"]);
    let label = server.post("/v1/label", &json!({ "labeler_id": "spam", "content_text": FINE }));
    assert_eq!(detail(&label).0, 422);
    let classify = server.post("/v1/classify", &json!({ "model": "spam", "input": { "text": FINE } }));
    let (status, message) = detail(&classify);
    assert!(status == 422 && message.starts_with("unresolved: "), "{classify:?}");
}

#[test]
fn pigeons_contract_lists_policies_and_scores_with_the_probability_of_check() {
    let server = Server::start(&["-p", "spam"]);
    let specs = server.get("/v1/modelspecs").json()["modelspecs"].clone();
    let spam = specs.as_array().unwrap().iter().find(|spec| spec["id"] == "spam").unwrap().clone();
    assert_eq!((&spam["kind"], &spam["inputTypes"]), (&json!("byop"), &json!(["text"])));
    assert_eq!((&spam["labels"][0]["id"], &spam["labels"][0]["valueType"]), (&json!("verdict"), &json!("score")));
    assert_eq!(spam["base"], specs[0]["id"], "a policy's base is the model");
    let listed = server.get("/v1/policies").json()["policies"][0].clone();
    for field in ["id", "version", "base"] {
        assert_eq!(listed[field], spam[field], "{field}");
    }
    let full = format!("spam@{}", spam["version"].as_str().unwrap());
    for model in ["spam", &full] {
        // A policy that is bound is not replaced.
        let body = json!({ "model": model, "input": { "text": SPAM }, "policy": "Anything is fine." });
        let reply = server.post("/v1/classify", &body);
        assert_eq!(reply.json()["model"], full.as_str(), "{reply:?}");
        assert_eq!(reply.json()["results"][0]["label"], "verdict");
        let score = reply.json()["results"][0]["score"].as_f64().unwrap();
        assert!((score - probability(&server, SPAM)).abs() < 1e-6, "{reply:?}");
    }
}

#[test]
fn a_thread_is_judged_before_the_text() {
    let server = Server::start(&["-p", "spam"]);
    let messages = json!([{ "role": "ana", "text": "Did you get the mail?" }, { "text": "Which one?" }]);
    let input = json!({ "text": SPAM, "context": { "thread": { "messages": messages } } });
    let reply = server.post("/v1/classify", &json!({ "model": "spam", "input": input }));
    let score = reply.json()["results"][0]["score"].as_f64().unwrap_or_else(|| panic!("{reply:?}"));
    let whole = format!("ana: Did you get the mail?\nWhich one?\n{SPAM}");
    assert!((score - probability(&server, &whole)).abs() < 1e-6, "{score}");
}

#[test]
fn errors_of_pigeons_form_are_a_detail() {
    let server = Server::start(&["-p", "spam"]);
    let model = server.get("/v1/modelspecs").json()["modelspecs"][0]["id"].clone();
    let many: Vec<Value> = (0..101).map(|_| json!({ "text": FINE })).collect();
    for (body, status) in [
        (json!({ "model": "spma", "input": { "text": FINE } }), 404),
        (json!({ "model": "spam@9999", "input": { "text": FINE } }), 404),
        (json!({ "model": model, "input": { "text": FINE } }), 422),
        (json!({ "model": "spam", "input": {} }), 422),
        (json!({ "model": "spam", "input": { "mediaUrl": "https://images.example/1.png" } }), 422),
        (json!({ "model": "spam", "input": { "text": FINE, "context": { "thread": { "messages": many } } } }), 422),
        (json!({ "model": "spam" }), 422),
    ] {
        let reply = server.post("/v1/classify", &body);
        assert_eq!(detail(&reply).0, status, "{reply:?}");
    }
    for (method, path) in [("POST", "/v1/policies"), ("DELETE", "/v1/policies/spam"), ("POST", "/v1/modelspecs")] {
        assert_eq!(server.send(method, path, &[], "{}").status, 405, "{method} {path}: policies are files");
    }
}
