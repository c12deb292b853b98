//! The shipped hooks, each by a recorded exchange in the form of the system that calls it.
//!
//! In a recorded reply `*` is any value, `P(N)` is the probability that `/v1/check` gives the text N, and `1-P(N)` the rest.

use std::path::Path;
use std::process::Command;

use assert_cmd::cargo::cargo_bin;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Reply, Server};
use super::{FINE, SPAM};

/// A file of recorded exchanges.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    hook: String,
    /// The program that the requests come from, with its version.
    source: String,
    exchanges: Vec<Exchange>,
}

/// A request and its reply.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    claim: String,
    path: String,
    #[serde(default)]
    headers: serde_json::Map<String, Value>,
    /// True if the server finds no verdict on any text.
    #[serde(default)]
    unresolved: bool,
    /// The texts that are judged, as `/v1/check` takes them.
    texts: Vec<Value>,
    request: Value,
    status: u16,
    reply: Value,
}

fn recorded() -> Vec<Recorded> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/serve/hooks");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    files.map(|text| serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))).collect()
}

/// Starts a server with all shipped hooks.
fn start(flags: &[&str]) -> Server {
    let names: Vec<String> = recorded().into_iter().map(|recorded| recorded.hook).collect();
    let hooks = names.join(",");
    Server::start(&[&["-p", "spam", "-p", "hate", "--hooks", &hooks], flags].concat())
}

#[track_caller]
fn send(server: &Server, exchange: &Exchange, request: &str) -> Reply {
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(exchange.headers.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())));
    server.send("POST", &exchange.path, &headers, request)
}

/// Checks that a reply is the recorded one.
#[track_caller]
fn assert_reply(reply: &Value, recorded: &Value, probabilities: &[f64], at: &str) {
    match (reply, recorded) {
        (Value::Object(one), Value::Object(other)) => {
            assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>(), "{at}: {reply}");
            one.iter()
                .for_each(|(name, value)| assert_reply(value, &other[name], probabilities, &format!("{at}.{name}")));
        }
        (Value::Array(one), Value::Array(other)) => {
            assert_eq!(one.len(), other.len(), "{at}: {reply}");
            one.iter().zip(other).for_each(|(value, other)| assert_reply(value, other, probabilities, at));
        }
        (_, Value::String(word)) if word == "*" => assert!(!reply.is_null(), "{at} is null"),
        (_, Value::String(word)) if word.contains("P(") => {
            let number: usize = word.trim_start_matches("1-").trim_matches(['P', '(', ')']).parse().unwrap();
            let expected = if word.starts_with("1-") { 1.0 - probabilities[number] } else { probabilities[number] };
            let found = reply.as_f64().unwrap_or_else(|| panic!("{at} is no number: {reply}"));
            assert!((found - expected).abs() < 1e-6, "{at}: {found}, and check has {expected}");
        }
        _ => assert_eq!(reply, recorded, "{at}"),
    }
}

/// Returns the probability that `/v1/check` gives a text under the policy spam.
#[track_caller]
fn probability(server: &Server, text: &Value) -> f64 {
    let mut body = if text.is_string() { json!({ "text": text }) } else { text.clone() };
    body["policy"] = "spam".into();
    body["effort"] = "none".into();
    let reply = server.post("/v1/check", &body);
    reply.json()["probability"].as_f64().unwrap_or_else(|| panic!("{reply:?}"))
}

#[test]
fn every_recorded_exchange_has_the_recorded_reply() {
    let (server, unresolved) = (start(&[]), start(&["--min-mass", "1"]));
    for Recorded { hook, source, exchanges } in recorded() {
        assert!(!source.is_empty() && exchanges.len() >= 4, "{hook}");
        assert!(exchanges.iter().any(|exchange| exchange.unresolved), "{hook}: one text without a verdict");
        for exchange in exchanges {
            let at = format!("{hook}: {}", exchange.claim);
            let asked = if exchange.unresolved { &unresolved } else { &server };
            let reply = send(asked, &exchange, &exchange.request.to_string());
            assert_eq!(reply.status, exchange.status, "{at}: {reply:?}");
            let is_judged = reply.status < 404 && !exchange.unresolved;
            let probabilities: Vec<f64> = if is_judged {
                exchange.texts.iter().map(|text| probability(&server, text)).collect()
            } else {
                Vec::new()
            };
            assert_reply(&reply.json(), &exchange.reply, &probabilities, &at);
        }
    }
}

/// Returns JSON in which every text to judge has a secret in it.
fn with_secret(value: &Value, secret: &str) -> Value {
    match value {
        Value::String(text) if text == SPAM || text == FINE => format!("{text} {secret}").into(),
        Value::Array(list) => list.iter().map(|value| with_secret(value, secret)).collect(),
        Value::Object(object) => {
            object.iter().map(|(name, value)| (name.clone(), with_secret(value, secret))).collect()
        }
        other => other.clone(),
    }
}

#[test]
fn no_reply_and_no_log_has_the_text_whatever_the_text_is() {
    let mut server = start(&["-v"]);
    let hostile = [
        "quetzalcoatl",
        "quetzalcoatl\"}, {{ verdict }}{% for result in results %}{{ result }}{% endfor %}",
        "\u{0}quetzalcoatl\u{202e}</script>\n[user]\n<|end|>",
    ];
    let mut replies = 0;
    for Recorded { hook, exchanges, .. } in recorded() {
        for exchange in exchanges {
            for secret in hostile {
                let reply = send(&server, &exchange, &with_secret(&exchange.request, secret).to_string());
                assert!(!reply.body.contains("quetzalcoatl"), "{hook}: {reply:?}");
                serde_json::from_str::<Value>(&reply.body).unwrap_or_else(|error| panic!("{hook} {error}: {reply:?}"));
                replies += 1;
            }
            let long = with_secret(&exchange.request, &"quetzalcoatl ".repeat(9000)).to_string();
            let broken = format!("{{\"quetzalcoatl\": \"quetzalcoatl\" {}", exchange.request);
            for body in [&long, &broken] {
                let reply = send(&server, &exchange, body);
                assert!(!reply.body.contains("quetzalcoatl"), "{hook}: {reply:?}");
                assert!(body == &long || reply.status == 400 || reply.status >= 403, "{hook}: {reply:?}");
            }
        }
    }
    assert!(replies > 100, "{replies}");
    server.signal("TERM");
    server.wait();
    let log = server.log.lock().unwrap().clone();
    assert!(!log.contains("quetzalcoatl"), "{log}");
}

#[test]
fn a_text_without_a_verdict_is_never_answered_like_a_safe_one() {
    let (server, unresolved) = (start(&[]), start(&["--min-mass", "1"]));
    for Recorded { hook, exchanges, .. } in recorded() {
        for exchange in exchanges.iter().filter(|exchange| !exchange.texts.is_empty()) {
            let request = exchange.request.to_string();
            let reply = send(&unresolved, exchange, &request);
            assert!(reply.status >= 400, "{hook}: {}: {reply:?}", exchange.claim);
            let long = with_secret(&exchange.request, &"far too long ".repeat(20_000)).to_string();
            let reply = send(&server, exchange, &long);
            assert!(reply.status >= 400, "{hook}: {}: {reply:?}", exchange.claim);
        }
    }
}

#[test]
fn a_hook_has_the_keys_the_metrics_and_the_document_of_every_route() {
    let key = "a key of more than 16 characters";
    let server = Server::start_with(&["-p", "spam", "--hooks", "tei"], |command| {
        command.env("MAGISTRATE_API_KEY", key);
    });
    let kind = ("content-type", "application/json");
    let body = json!({ "inputs": FINE }).to_string();
    assert_eq!(server.send("POST", "/predict", &[kind], &body).status, 401);
    assert_eq!(server.send("POST", "/predict", &[kind, ("x-api-key", key), ("host", "evil")], &body).status, 403);
    let reply = server.send("POST", "/predict", &[kind, ("authorization", &format!("Bearer {key}"))], &body);
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.json()[0]["label"], "safe");
    let metrics = server.send("GET", "/metrics", &[("x-api-key", key)], "").body;
    assert!(metrics.contains("magistrate_requests_total{route=\"/predict\",code=\"200\"} 1"), "{metrics}");
    let document = server.get("/openapi.json").json();
    assert!(document["paths"]["/predict"]["post"]["summary"].is_string());
    assert_eq!(server.send("POST", "/classify", &[kind, ("x-api-key", key)], &body).status, 404, "no other hook is on");
}

#[test]
fn a_hook_of_ones_own_is_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("desk.yaml");
    let source = "name: desk\nroutes:\n- path: /hooks/desk/{queue}\n  summary: Judges a ticket\n  texts: [ticket.body]\n  \
                  policy: [{ place: queue }]\nreplies:\n  judged: { body: '{\"flag\": {{ verdict != \"safe\" }}}' }\n  \
                  unresolved: { status: 503, body: '{}' }\n  error: { body: '{\"failed\": {{ error.code }}}' }\n";
    std::fs::write(&file, source).unwrap();
    let server = Server::start(&["-p", "spam", "--hooks", file.to_str().unwrap()]);
    let ask =
        |queue: &str, text: &str| server.post(&format!("/hooks/desk/{queue}"), &json!({ "ticket": { "body": text } }));
    assert_eq!(ask("spam", SPAM).json(), json!({ "flag": true }));
    assert_eq!(ask("spam", FINE).json(), json!({ "flag": false }));
    assert_eq!((ask("spma", FINE).status, ask("spma", FINE).json()), (404, json!({ "failed": "model_not_found" })));
}

#[test]
fn a_wrong_hook_ends_the_server_before_it_listens() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("desk.yaml");
    let wrong = "name: desk\nroutes:\n- { path: /desk, summary: s, texts: [a] }\nreplies:\n  \
                 judged: { body: '{{ text }}' }\n  unresolved: { body: '0' }\n  error: { body: '0' }\n";
    std::fs::write(&file, wrong).unwrap();
    let own = file.to_str().unwrap();
    for (hooks, fault) in
        [("litelm", "litellm, portkey"), ("tei,tei", "the path /predict"), (own, "names `text`, which is no value")]
    {
        let mut command = Command::new(cargo_bin!("magistrate"));
        command.args(["serve", "-p", "spam", "--listen", "127.0.0.1:0", "--hooks", hooks]);
        let done = command.env_remove("MAGISTRATE_API_KEY").output().unwrap();
        let said = String::from_utf8(done.stderr).unwrap();
        assert!(done.status.code() == Some(2) && said.contains(fault), "{hooks}: {said}");
    }
}
