//! `POST /v1/chat/completions` as clients of OpenAI's API see it.

use serde_json::{Value, json};

use super::client::{Reply, Server};
use super::{FINE, SPAM};

fn chat(server: &Server, model: &str, text: &str, more: &Value) -> Reply {
    let mut body =
        json!({ "model": model, "messages": [{ "role": "user", "content": text }], "reasoning_effort": "none" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    server.post("/v1/chat/completions", &body)
}

#[track_caller]
fn content(server: &Server, model: &str, text: &str, more: &Value) -> String {
    let reply = chat(server, model, text, more);
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
}

fn probability(server: &Server, text: &str) -> f64 {
    let check = json!({ "text": text, "policy": "spam", "effort": "none", "fields": ["probability"] });
    server.post("/v1/check", &check).json()["probability"].as_f64().unwrap()
}

#[track_caller]
fn same_probability(row: &Value, other: &Value) {
    let of = |row: &Value| row["probability"].as_f64().unwrap_or_else(|| panic!("{row}"));
    assert!((of(row) - of(other)).abs() < 1e-6, "{row} {other}");
}

#[test]
fn each_form_has_its_words_and_the_probability_of_check() {
    let server = Server::start(&["-p", "spam"]);
    for (text, is_spam) in [(SPAM, true), (FINE, false)] {
        let expected = probability(&server, text);
        let own = if is_spam { expected } else { 1.0 - expected };
        for (form, violation, safe) in [
            ("label", r#"{"violation":1,"#, r#"{"violation":0,"#),
            ("binary", "1", "0"),
            ("yesno", "yes", "no"),
            ("guard", "unsafe\nSP", "safe"),
            ("nemoguard", r#"{"User Safety":"unsafe","Safety Categories":"SP"#, r#"{"User Safety":"safe"}"#),
            (
                "json",
                r#"{"id":null,"status":"ok","verdict":"violation""#,
                r#"{"id":null,"status":"ok","verdict":"safe""#,
            ),
            ("score", "0.", "0."),
        ] {
            let reply = chat(&server, &format!("spam+{form}"), text, &json!({ "logprobs": true, "top_logprobs": 2 }));
            assert_eq!(reply.status, 200, "{form} {reply:?}");
            let reply = reply.json();
            let content = reply["choices"][0]["message"]["content"].as_str().unwrap();
            assert!(content.starts_with(if is_spam { violation } else { safe }), "{form} {content}");
            let given = &reply["choices"][0]["logprobs"]["content"][0];
            let logprob = given["logprob"].as_f64().unwrap();
            assert!((logprob.exp() - own).abs() < 1e-6, "{form} {logprob} {own}");
            assert_eq!(given["top_logprobs"][0]["token"], given["token"], "{form}");
            assert!((reply["magistrate"]["probability"].as_f64().unwrap() - expected).abs() < 1e-6);
            if form == "score" {
                assert!((content.parse::<f64>().unwrap() - expected).abs() < 1e-6);
            }
        }
    }
}

#[test]
fn one_token_is_enough_for_a_verdict_and_its_logarithm() {
    let server = Server::start(&["-p", "spam"]);
    // As Coop and Pigeon send it.
    let body = json!({
        "model": "spam+binary",
        "messages": [{ "role": "system", "content": "Criteria." }, { "role": "user", "content": SPAM }],
        "max_tokens": 1, "logprobs": true, "top_logprobs": 2, "temperature": 0.1,
    });
    let reply = server.post("/v1/chat/completions", &body);
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.header("x-magistrate-ignored"), Some("system,temperature"));
    assert!(reply.header("x-magistrate-policy").unwrap().starts_with("spam@sha256:"));
    let json = reply.json();
    assert!(json["model"].as_str().unwrap().starts_with("spam@sha256:"));
    assert_eq!(
        (&json["choices"][0]["message"]["content"], &json["choices"][0]["finish_reason"]),
        (&json!("1"), &json!("stop"))
    );
    assert_eq!((&json["magistrate"]["effort"], &json["magistrate"]["rationale"]), (&json!("none"), &Value::Null));
    let usage = &json["usage"];
    assert_eq!(usage["completion_tokens_details"]["reasoning_tokens"], 0);
    let cached = usage["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap();
    assert!(cached > 100 && cached < usage["prompt_tokens"].as_u64().unwrap(), "{usage}");
}

#[test]
fn a_schema_is_answered_from_the_verdict_and_a_property_beyond_it_is_named() {
    let server = Server::start(&["-p", "spam"]);
    let format = |properties: Value| {
        let required: Vec<String> = properties.as_object().unwrap().keys().cloned().collect();
        let schema = json!({ "type": "object", "properties": properties, "required": required });
        json!({ "response_format": { "type": "json_schema", "json_schema": { "name": "reply", "strict": true, "schema": schema } } })
    };
    // As openai-guardrails sends it, with a heading before the text.
    let guardrails = format(json!({ "flagged": { "type": "boolean" }, "confidence": { "type": "number" } }));
    for (text, flagged) in [(SPAM, true), (FINE, false)] {
        let reply: Value =
            serde_json::from_str(&content(&server, "spam", &format!("# Text\n\n{text}"), &guardrails)).unwrap();
        assert_eq!(reply["flagged"], flagged);
        assert!((reply["confidence"].as_f64().unwrap() - probability(&server, text)).abs() < 1e-6);
    }
    // As Discourse sends it.
    let discourse = format(json!({ "spam": { "type": "boolean" }, "reason": { "type": "string" } }));
    let reply: Value = serde_json::from_str(&content(&server, "spam", SPAM, &discourse)).unwrap();
    assert_eq!((&reply["spam"], reply["reason"].is_string()), (&json!(true), true));
    let refused =
        chat(&server, "spam", SPAM, &format(json!({ "flagged": { "type": "boolean" }, "age": { "type": "integer" } })));
    assert_eq!(refused.error(), (400, "unsupported_parameter".to_owned()));
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("`age`"), "{refused:?}");
    let object = content(&server, "spam", SPAM, &json!({ "response_format": { "type": "json_object" } }));
    assert_eq!(serde_json::from_str::<Value>(&object).unwrap()["violation"], 1);
}

#[test]
fn the_policy_may_be_in_the_system_message() {
    let server = Server::start(&["-p", "hate"]);
    let ask = |policy: &str, more: Value| {
        let messages = json!([{ "role": "system", "content": policy }, { "role": "user", "content": SPAM }]);
        let mut all = json!({ "messages": messages, "magistrate": { "min_mass": 0 } });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        chat(&server, "openai/gpt-oss-safeguard-20b", SPAM, &all)
    };
    let policy = "Advertising is INVALID. Return exactly one word: VALID or INVALID.";
    let reply = ask(policy, json!({}));
    assert_eq!((reply.status, reply.header("x-magistrate-ignored")), (200, None), "{reply:?}");
    let content = reply.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
    assert!(["VALID", "INVALID"].contains(&&*content), "{content}");
    let check = json!({ "text": SPAM, "policy": { "markdown": policy }, "effort": "none", "min_mass": 0 });
    same_probability(&reply.json()["magistrate"], &server.post("/v1/check", &check).json());
    let labels = json!({ "magistrate": { "min_mass": 0, "labels": { "ad": "violation", "ok": "safe" } } });
    let content = ask("Find advertising.", labels).json()["choices"][0]["message"]["content"].clone();
    assert!(content == "ad" || content == "ok", "{content}");
    let silent = ask("Find advertising.", json!({}));
    assert_eq!(silent.error(), (400, "invalid_policy".to_owned()));
    assert!(silent.json()["error"]["message"].as_str().unwrap().contains("magistrate.labels"), "{silent:?}");
    assert_eq!(chat(&server, "magistrate", SPAM, &json!({})).error(), (400, "missing".to_owned()));
}

#[test]
fn a_conversation_and_a_pair_are_judged_as_check_judges_them() {
    let server = Server::start(&["-p", "spam"]);
    let messages = json!([
        { "role": "user", "content": "Hello" }, { "role": "assistant", "content": "Hi" },
        { "role": "user", "content": [{ "type": "text", "text": FINE }] }, { "role": "assistant", "content": SPAM },
    ]);
    let reply = chat(&server, "spam+score", "", &json!({ "messages": messages }));
    let context = json!([{ "role": "user", "text": "Hello" }, { "role": "assistant", "text": "Hi" }]);
    let check = json!({ "text": FINE, "answer": SPAM, "context": context, "policy": "spam", "effort": "none" });
    same_probability(&reply.json()["magistrate"], &server.post("/v1/check", &check).json());
    let guard = chat(&server, "spam+nemoguard", "", &json!({ "messages": messages }));
    assert!(
        guard.json()["choices"][0]["message"]["content"].as_str().unwrap().contains("Response Safety"),
        "{guard:?}"
    );
}

#[test]
fn a_stream_has_the_same_answer_in_events() {
    let server = Server::start(&["-p", "spam"]);
    let whole = content(&server, "spam", SPAM, &json!({}));
    let more = json!({ "stream": true, "stream_options": { "include_usage": true }, "logprobs": true });
    let reply = chat(&server, "spam", SPAM, &more);
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/event-stream")), "{reply:?}");
    assert!(reply.header("x-magistrate-policy").is_some());
    let data: Vec<&str> = reply.body.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).collect();
    let (done, chunks) = data.split_last().unwrap();
    assert_eq!(*done, "[DONE]");
    let chunks: Vec<Value> = chunks.iter().map(|chunk| serde_json::from_str(chunk).unwrap()).collect();
    let words: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(words, whole);
    assert!(chunks.iter().any(|chunk| chunk["choices"][0]["logprobs"]["content"][0]["logprob"].is_number()));
    let last = chunks.last().unwrap();
    assert_eq!((&last["choices"], last["usage"]["total_tokens"].is_u64()), (&json!([]), true));
    let refused = chat(&server, "spam", " ", &json!({ "stream": true }));
    assert_eq!(refused.error(), (422, "no_text".to_owned()), "an error that is known early has its status");
}

#[test]
fn raw_reasoning_is_returned_only_on_request() {
    let server = Server::start(&["-p", "spam"]);
    let ask = |more: Value| {
        let mut all = json!({ "reasoning_effort": "low", "max_tokens": 200 });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        chat(&server, "spam", SPAM, &all).json()
    };
    let plain = ask(json!({}));
    assert_eq!(plain["choices"][0]["message"].get("reasoning"), None, "{plain}");
    assert_eq!(plain["magistrate"]["reasoning"], Value::Null);
    for asked in [json!({ "include_reasoning": true }), json!({ "reasoning_format": "parsed" })] {
        let message = ask(asked)["choices"][0]["message"].clone();
        assert!(message["reasoning"].is_string() && message["reasoning"] == message["reasoning_content"], "{message}");
    }
    let used = plain["usage"]["completion_tokens_details"]["reasoning_tokens"].as_u64().unwrap();
    assert!(used > 0 && used <= 200 - 96, "{used}");
}

#[test]
fn a_wrong_chat_gets_one_error_that_names_the_property() {
    let server = Server::start(&["-p", "spam", "-p", "weapons"]);
    for (model, more, status, code, param) in [
        ("nothing", json!({}), 404, "model_not_found", "model"),
        ("spam+poem", json!({}), 400, "invalid_value", "model"),
        ("spam", json!({ "n": 2 }), 400, "unsupported_parameter", "n"),
        ("spam", json!({ "messages": [] }), 400, "missing", "messages"),
        ("spam", json!({ "tool_choice": "required" }), 400, "unsupported_parameter", "tool_choice"),
        ("spam", json!({ "magistrate": { "threshold": 2 } }), 400, "invalid_value", "threshold"),
        ("spam", json!({ "reasoning_effort": "much" }), 400, "invalid_value", "reasoning_effort"),
        ("spam+score", json!({ "magistrate": { "decode": "free" } }), 400, "invalid_value", "magistrate.decode"),
    ] {
        let reply = chat(&server, model, FINE, &more);
        assert_eq!(reply.error(), (status, code.to_owned()), "{model} {more} {reply:?}");
        assert_eq!(reply.json()["error"]["param"], param, "{model} {more}");
    }
    let unresolved = chat(&server, "weapons+binary", FINE, &json!({}));
    assert_eq!(
        (unresolved.error(), unresolved.header("x-should-retry")),
        ((422, "unresolved".to_owned()), Some("false"))
    );
    let long = chat(&server, "spam", &"far too long ".repeat(20_000), &json!({}));
    assert_eq!(long.error(), (422, "too_long".to_owned()));
}
