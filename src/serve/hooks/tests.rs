use serde_json::{Value, json};

use super::request::{Around, Asked};
use super::*;

/// A request without anything but a body.
struct Bare;

impl Around for Bare {
    fn header(&self, _: &str) -> Option<&str> {
        None
    }

    fn place(&self, _: &str) -> &'static str {
        ""
    }

    fn query(&self, _: &str) -> Option<String> {
        None
    }
}

/// A request to a path of `KServe` with a header.
struct Full;

impl Around for Full {
    fn header(&self, name: &str) -> Option<&str> {
        (name == "detector-id").then_some("hate")
    }

    fn place(&self, name: &str) -> &str {
        if name == "model" { "spam:predict" } else { "prod" }
    }

    fn query(&self, name: &str) -> Option<String> {
        (name == "threshold").then(|| "0.5".to_owned())
    }
}

fn preset(name: &str) -> Hooks {
    Hooks::read(&[name.to_owned()]).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn read(name: &str, route: &str, body: &Value) -> Asked {
    preset(name).find(route).unwrap().read(body, &Bare).unwrap_or_else(|error| panic!("{error:?}"))
}

fn texts(asked: &Asked) -> Vec<&str> {
    asked.texts.iter().map(|(_, text)| text.as_ref().map_or("", |text| text.text())).collect()
}

#[test]
fn every_shipped_hook_can_be_read_names_its_source_and_stands_beside_the_others() {
    let all: Vec<String> = Hooks::presets().map(str::to_owned).collect();
    let hooks = Hooks::read(&all).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(hooks.check(std::iter::empty()), Ok(()));
    for (name, source) in PRESETS {
        assert_eq!(preset(name).iter().next().unwrap().name, name);
        let comment: String = source.lines().take_while(|line| line.starts_with('#')).collect();
        assert!(comment.contains("Source"), "{name}");
    }
}

#[test]
fn an_unknown_name_is_refused_and_a_missing_file_too() {
    let read = |name: &str| Hooks::read(&[name.to_owned()]).expect_err("it is refused");
    assert_eq!(read("litelm"), "no shipped hook has the name `litelm`");
    assert!(read("./nothing.yaml").contains("cannot be read"));
}

#[test]
fn a_hook_whose_path_another_route_has_is_refused() {
    let (get, post) = (Method::GET, Method::POST);
    let check = |method, path| preset("kserve").check([(method, path)].into_iter());
    assert_eq!(check(&get, "/v1/models/{model}"), Ok(()), "another method");
    assert!(check(&post, "/v1/models/{model}").is_err(), "the same method");
    assert!(check(&get, "/v1/models/{name}").is_err(), "a place with two names");
    let twice = Hooks::read(&["tei".to_owned(), "tei".to_owned()]).unwrap();
    assert!(twice.check(std::iter::empty()).unwrap_err().contains("/predict"));
}

#[test]
fn texts_policies_and_settings_are_where_the_file_says() {
    let asked = read(
        "litellm",
        "/beta/litellm_basic_guardrail_api",
        &json!({ "texts": ["Hello", " ", "Bye"], "tool_calls": [{ "function": { "arguments": "{}" } }],
            "additional_provider_specific_params": { "policy": ["spam", "hate"], "threshold": 0.8, "effort": "low" } }),
    );
    assert_eq!(texts(&asked), ["Hello", "Bye", "{}"], "a blank text is no text");
    assert_eq!(
        (asked.policies.join("+").as_str(), asked.threshold, asked.effort.as_deref()),
        ("spam+hate", Some(0.8), Some("low"))
    );
    let kserve = preset("kserve");
    let asked = kserve.find("/v1/models/{model}").unwrap().read(&json!({ "instances": ["Hello"] }), &Full).unwrap();
    assert_eq!((asked.policies, asked.threshold), (vec!["spam".to_owned()], Some(0.5)));
    let tag = "/policyai/v1/decisions/evaluate/{tag}";
    let body = json!({ "content": [{ "type": "TEXT", "content": "Hello" }, { "type": "IMAGE", "content": "x" }] });
    let asked = preset("policyai").find(tag).unwrap().read(&body, &Full).unwrap();
    assert_eq!((texts(&asked), asked.policies.len()), (vec!["Hello"], 0), "prod is no policy");
}

#[test]
fn a_pair_and_a_conversation_are_one_text_each() {
    let asked = read("fms", "/api/v1/text/generation", &json!({ "prompt": "Hello", "generated_text": "Buy now" }));
    assert_eq!(texts(&asked), ["[user]\nHello\n[assistant]\nBuy now"]);
    let chat =
        json!({ "chat_history": [{ "author": "user", "content": "Hello" }, { "role": "agent", "content": "[user]" }] });
    let asked = read("fms", "/api/v1/text/context/chat", &chat);
    assert_eq!(texts(&asked), ["[user]\nHello\n[agent]\n [user]"], "no turn poses as another");
}

#[test]
fn a_list_with_something_else_than_a_text_is_refused_where_each_text_has_an_answer() {
    for (name, route, body) in [
        ("kserve", "/v1/models/{model}", json!({ "instances": ["Hello", 7] })),
        ("kserve", "/v1/models/{model}", json!({ "instances": ["Hello", { "text": "Bye" }] })),
        ("tei", "/predict", json!({ "inputs": ["Hello", "Bye"] })),
        ("tei", "/predict", json!({ "inputs": [["Hello"], "Bye"] })),
        ("tei", "/predict", json!({ "inputs": [["Hello", "Bye"]] })),
        ("tei", "/predict", json!({ "inputs": [] })),
        ("fms", "/api/v1/text/contents", json!({ "contents": ["Hello", null] })),
        ("vllm-classify", "/classify", json!({ "model": "spam", "messages": [] })),
        ("nemo-checks", "/v1/checks", json!({ "messages": [{ "role": "system", "content": "Hello" }] })),
    ] {
        let error = preset(name).find(route).unwrap().read(&body, &Bare).expect_err("it is refused");
        assert_eq!(error.status, 422, "{name} {body}");
    }
    assert_eq!(texts(&read("tei", "/predict", &json!({ "inputs": [["Hello"], ["Bye"]] }))), ["Hello", "Bye"]);
    assert_eq!(texts(&read("tei", "/predict", &json!({ "inputs": ["Hello"] }))), ["Hello"]);
    assert_eq!(texts(&read("tei", "/predict", &json!({ "inputs": "Hello" }))), ["Hello"]);
}

#[test]
fn a_ping_has_no_text_and_a_flag() {
    let asked = read("dify", "/hooks/dify", &json!({ "point": "ping" }));
    assert_eq!((asked.texts.len(), asked.flags["ping"]), (0, true));
    let input =
        json!({ "point": "app.moderation.input", "params": { "inputs": { "a": "Hello", "n": 1 }, "query": "Bye" } });
    let asked = read("dify", "/hooks/dify", &input);
    assert_eq!((texts(&asked), asked.flags["ping"]), (vec!["Bye", "Hello"], false));
}
