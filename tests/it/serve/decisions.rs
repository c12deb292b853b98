//! `POST /v1/decisions` as clients of OpenAI's API see it.

use serde_json::{Value, json};

use super::client::{Reply, Server};
use super::{FINE, SPAM};

fn decide(server: &Server, input: &Value, questions: &Value) -> Reply {
    // The one model that OpenAI takes here.
    server.post("/v1/decisions", &json!({ "model": "gpt-6-luna", "input": input, "questions": questions }))
}

#[track_caller]
fn answers(server: &Server, input: &Value, questions: &Value) -> Vec<Value> {
    let reply = decide(server, input, questions);
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["answers"].as_array().unwrap().clone()
}

#[track_caller]
fn assert_near(one: &Value, other: f64) {
    assert!((one.as_f64().unwrap() - other).abs() < 1e-6, "{one} {other}");
}

#[test]
fn a_predicate_of_a_policy_has_its_probability_however_it_is_named() {
    let server = Server::start(&["-p", "spam", "-p", "hate"]);
    let questions = json!([
        { "type": "predicate", "name": "hate", "instructions": "See the policy." },
        { "type": "predicate", "instructions": [{ "type": "input_text", "text": "policy:spam" }] },
        { "type": "predicate", "name": "again", "instructions": "policy:spam" },
    ]);
    for (text, is_spam) in [(SPAM, true), (FINE, false)] {
        let rows = server.check(&["spam", "hate"], text)["verdicts"].clone();
        let message = json!([{ "role": "user", "content": [{ "type": "input_text", "text": text }] }]);
        for input in [json!(text), message] {
            let answers = answers(&server, &input, &questions);
            let names: Vec<&Value> = answers.iter().map(|answer| &answer["name"]).collect();
            assert_eq!(names, [&json!("hate"), &Value::Null, &json!("again")]);
            assert_near(&answers[0]["probability"], rows["hate"]["probability"].as_f64().unwrap());
            for answer in &answers[1..] {
                assert_eq!((&answer["type"], &answer["value"]), (&json!("predicate"), &json!(is_spam)));
                assert_near(&answer["probability"], rows["spam"]["probability"].as_f64().unwrap());
            }
        }
    }
    let reply = decide(&server, &json!(FINE), &questions);
    let policies: Vec<&str> = reply.header("x-magistrate-policy").unwrap().split(',').collect();
    assert!(policies.len() == 2 && policies[0].starts_with("hate@sha256:"), "{policies:?}");
    let usage = &reply.json()["usage"];
    let number = |pointer: &str| usage.pointer(pointer).unwrap().as_u64().unwrap();
    assert!(number("/input_tokens") > number("/input_tokens_details/cached_tokens"), "{usage}");
    assert_eq!(number("/input_tokens_details/cache_write_tokens"), 0);
    assert_eq!(number("/output_tokens_details/reasoning_tokens"), 0);
    assert_eq!(number("/total_tokens"), number("/input_tokens") + number("/output_tokens"));
}

/// The built-in model answers other questions badly, so only the form of the answers is looked at.
#[test]
fn a_choice_and_a_score_are_whole_distributions_in_the_order_of_the_request() {
    let server = Server::start(&["-p", "spam"]);
    let values: Vec<String> =
        (0..12).map(|number| format!("Team {number}, whose name is too long {}", "x".repeat(64))).collect();
    let choices: Vec<Value> = values.iter().map(|value| json!({ "value": value })).collect();
    let questions = json!([
        { "type": "choice", "name": "team", "instructions": "Which team reads this?",
          "choices": [{ "value": "sales", "description": "Offers." }, { "value": "help" }, { "value": true }] },
        { "type": "choice", "name": "many", "instructions": "Which team reads this?", "choices": choices },
        { "type": "score", "name": "anger", "instructions": "How angry is the writer?",
          "levels": [{ "label": "calm" }, { "label": "annoyed" }, { "label": "angry", "description": "Shouts." }] },
        { "type": "predicate", "name": "urgent", "instructions": "It is urgent." },
    ]);
    let answers = answers(&server, &json!(FINE), &questions);
    for answer in &answers[..3] {
        let shares: Vec<f64> = answer["probabilities"]
            .as_array()
            .unwrap_or_else(|| panic!("{answer}"))
            .iter()
            .map(|one| one["probability"].as_f64().unwrap())
            .collect();
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{answer}");
        assert!(shares.iter().all(|share| *share > 0.0), "{answer}");
        let confidence = answer["confidence"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&confidence), "{answer}");
        if answer["type"] == "score" {
            assert_near(&answer["score"], shares[1] + 2.0 * shares[2]);
        } else {
            let best = (0..shares.len()).max_by(|one, two| shares[*one].total_cmp(&shares[*two])).unwrap();
            assert_eq!(answer["choice"], answer["probabilities"][best]["value"]);
        }
    }
    assert_eq!(answers[0]["probabilities"][2]["value"], true);
    let many: Vec<&Value> = answers[1]["probabilities"].as_array().unwrap().iter().map(|one| &one["value"]).collect();
    assert_eq!(many, values.iter().map(|value| json!(value)).collect::<Vec<_>>().iter().collect::<Vec<_>>());
    assert_eq!(
        (&answers[2]["probabilities"][1]["label"], &answers[2]["probabilities"][1]["value"]),
        (&json!("annoyed"), &json!(1))
    );
    assert!((0.0..=1.0).contains(&answers[3]["probability"].as_f64().unwrap()), "{}", answers[3]);
}

#[test]
fn what_cannot_be_answered_is_refused_and_harms_no_other_question() {
    // The built-in model was not trained for this policy.
    let server = Server::start(&["-p", "spam", "-p", "weapons"]);
    let named = |name: &str| json!({ "type": "predicate", "name": name, "instructions": "See the policy." });
    let answers = answers(&server, &json!(SPAM), &json!([named("weapons"), named("spam")]));
    assert_eq!(
        (&answers[0]["type"], &answers[0]["name"], &answers[0]["reason"], &answers[0]["probability"]),
        (&json!("refusal"), &json!("weapons"), &json!("untrained"), &Value::Null)
    );
    assert_eq!((&answers[1]["type"], &answers[1]["value"]), (&json!("predicate"), &json!(true)));
}

#[test]
fn a_wrong_request_has_the_place_of_its_fault() {
    let server = Server::start(&["-p", "spam"]);
    let spam = json!({ "type": "predicate", "instructions": "policy:spam" });
    let call = json!({ "type": "function_call", "name": "f", "arguments": "{}", "call_id": "1" });
    for (input, questions, status, param) in [
        (json!(SPAM), json!([]), 400, "questions"),
        (
            json!(SPAM),
            json!([spam, { "type": "predicate", "instructions": "policy:nothing" }]),
            400,
            "questions[1].instructions",
        ),
        (
            json!(SPAM),
            json!([{ "type": "choice", "instructions": "Which?", "choices": [] }]),
            400,
            "questions[0].choices",
        ),
        (json!([call]), json!([spam]), 400, "input[0].type"),
        (json!(""), json!([spam]), 422, "input"),
    ] {
        let reply = decide(&server, &input, &questions);
        assert_eq!((reply.status, reply.json()["error"]["param"].as_str()), (status, Some(param)), "{reply:?}");
    }
}
