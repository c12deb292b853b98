//! `magistrate serve` as its clients see it.
#![cfg(all(unix, feature = "serve"))]

mod batches;
mod chat;
pub mod client;
mod clients;
mod decisions;
mod hooks;
mod moderations;
mod page;
mod review;
mod roost;
mod runs;
mod workspace;

use std::io::{Read, Write};
use std::process::Command;
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use client::{Reply, Server};
use serde_json::{Value, json};

use crate::support;

const SPAM: &str = "WINNER!! Reply YES to claim your prize";
const FINE: &str = "See you on Thursday";

#[test]
fn a_row_of_the_server_is_the_row_of_check() {
    let server = Server::start(&["-p", "spam", "-p", "hate"]);
    for (text, policies) in [(SPAM, &["spam"][..]), (FINE, &["spam", "hate"])] {
        let row = server.check(policies, text);
        let reply = server.post("/v1/check", &json!({ "text": text, "policy": policies, "effort": "none" }));
        assert_eq!(reply.status, 200, "{reply:?}");
        client::assert_alike(&reply.json(), &row);
    }
}

#[test]
fn several_texts_get_their_rows_in_order_each_with_its_own_status() {
    let server = Server::start(&["-p", "spam"]);
    let texts = json!([SPAM, { "id": 7, "text": FINE }, "", { "id": "pair", "text": "Hello", "answer": "Buy now" }]);
    let reply = server.post(
        "/v1/check",
        &json!({ "texts": texts, "effort": "none", "fields": ["id", "status", "verdict", "error"] }),
    );
    let rows = reply.json()["rows"].clone();
    assert_eq!(rows.as_array().unwrap().len(), 4, "{reply:?}");
    assert_eq!((&rows[0]["verdict"], &rows[1]["verdict"]), (&json!("violation"), &json!("safe")));
    assert_eq!((&rows[1]["id"], &rows[3]["id"]), (&json!(7), &json!("pair")));
    assert_eq!((&rows[2]["status"], &rows[2]["error"]["code"]), (&json!("error"), &json!("empty")));
}

#[test]
fn lines_are_answered_in_order_and_a_bad_one_harms_no_other() {
    let server = Server::start(&["-p", "spam"]);
    let lines = [
        json!({ "id": 1, "text": SPAM }).to_string(),
        "{".to_owned(),
        json!({ "id": "three", "text": FINE, "policy": "nothing" }).to_string(),
        json!({ "id": 4, "text": FINE }).to_string(),
    ];
    let kind = [("content-type", "application/x-ndjson")];
    let reply = server.send("POST", "/v1/check?policy=spam&effort=none", &kind, &lines.join("\n"));
    let rows: Vec<Value> = reply.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 4, "{reply:?}");
    assert_eq!((&rows[0]["id"], &rows[0]["verdict"]), (&json!(1), &json!("violation")));
    assert_eq!(
        (&rows[1]["error"]["code"], &rows[2]["error"]["code"]),
        (&json!("invalid_json"), &json!("model_not_found"))
    );
    assert_eq!((&rows[1]["line"], &rows[2]["id"]), (&json!(2), &json!("three")));
    assert_eq!((&rows[3]["id"], &rows[3]["verdict"]), (&json!(4), &json!("safe")));
}

#[test]
fn a_row_of_a_stream_comes_while_the_stream_is_open() {
    let server = Server::start(&["-p", "spam"]);
    let mut stream = server.connect();
    let head = "POST /v1/check?effort=none HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n\
                transfer-encoding: chunked\r\n\r\n";
    let line = format!("{}\n", json!({ "text": SPAM }));
    stream.write_all(format!("{head}{:x}\r\n{line}\r\n", line.len()).as_bytes()).unwrap();
    let mut read = Vec::new();
    let mut piece = [0; 4096];
    while !String::from_utf8_lossy(&read).contains("\"verdict\":\"violation\"") {
        let count = stream.read(&mut piece).unwrap();
        assert!(count > 0, "{}", String::from_utf8_lossy(&read));
        read.extend_from_slice(&piece[..count]);
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
}

#[test]
fn a_text_alone_and_a_policy_of_the_request_are_judged() {
    let server = Server::start(&[]);
    let plain = server.send("POST", "/v1/check?policy=spam&effort=none", &[("content-type", "text/plain")], SPAM);
    assert_eq!(plain.json()["verdict"], "violation");
    let wrong = server.send("POST", "/v1/check?policy=spam&efort=none", &[("content-type", "text/plain")], SPAM);
    assert_eq!(wrong.error(), (400, "unsupported_parameter".to_owned()));
    let few = "/v1/check?policy=spam&effort=none&fields=verdict,label";
    let few = server.send("POST", few, &[("content-type", "text/plain")], SPAM).json();
    assert_eq!(few, json!({ "verdict": "violation", "label": "1" }));
    let policy = json!({ "markdown": "Say 1 for advertising and 0 for anything else.", "labels": { "1": "violation", "0": "safe" } });
    let ad_hoc = server.post("/v1/check", &json!({ "text": SPAM, "policy": policy, "effort": "none", "min_mass": 0 }));
    assert_eq!(ad_hoc.status, 200, "{ad_hoc:?}");
    assert_eq!(ad_hoc.json()["policy"]["id"], "policy");
    let broken = server.post("/v1/check", &json!({ "text": SPAM, "policy": { "yaml": "id: x" } }));
    assert_eq!(broken.error(), (400, "invalid_policy".to_owned()));
}

#[test]
fn a_wrong_request_gets_one_error_that_names_the_property() {
    let server = Server::start(&["-p", "spam", "-p", "hate"]);
    for (body, status, code, param) in [
        (json!({}), 400, "missing", "text"),
        (json!({ "text": FINE }), 400, "missing", "policy"),
        (json!({ "text": FINE, "policy": "spma" }), 404, "model_not_found", "policy"),
        (json!({ "text": FINE, "policy": "spam", "treshold": 1 }), 400, "unsupported_parameter", "treshold"),
        (json!({ "text": FINE, "policy": "spam", "threshold": 2 }), 400, "invalid_value", "threshold"),
        (json!({ "text": FINE, "policy": "spam", "cascade": [0.9, 0.1] }), 400, "invalid_value", "cascade"),
        (json!({ "text": FINE, "policy": "spam", "fields": ["nothing"] }), 400, "invalid_value", "fields"),
        (json!({ "text": FINE, "texts": [], "policy": "spam" }), 400, "invalid_value", "texts"),
    ] {
        let reply = server.post("/v1/check", &body);
        assert_eq!((reply.status, reply.json()["error"]["code"].as_str()), (status, Some(code)), "{body} {reply:?}");
        assert_eq!(reply.json()["error"]["param"], param, "{body}");
    }
    assert_eq!(
        server.post("/v1/check", &json!({ "text": " ", "policy": "spam" })).error(),
        (422, "no_text".to_owned())
    );
    let long = "far too long ".repeat(20_000);
    assert_eq!(
        server.post("/v1/check", &json!({ "text": long, "policy": "spam" })).error(),
        (422, "too_long".to_owned())
    );
    assert_eq!(
        server.send("POST", "/v1/check", &[("content-type", "application/x-www-form-urlencoded")], "text=a").status,
        415
    );
    assert_eq!(server.get("/v1/nothing").error(), (404, "not_found".to_owned()));
    assert_eq!(server.get("/v1/check").error(), (405, "method_not_allowed".to_owned()));
}

#[test]
fn a_body_beyond_the_limit_is_refused_before_it_is_read() {
    let server = Server::start(&["-p", "spam"]);
    let mut stream = server.connect();
    let head = "POST /v1/check HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 2147483648\r\n\r\n{";
    stream.write_all(head.as_bytes()).unwrap();
    assert_eq!(client::reply(stream).error(), (413, "too_large".to_owned()));
    let many: Vec<&str> = vec![FINE; 1025];
    assert_eq!(server.post("/v1/check", &json!({ "texts": many })).error(), (413, "too_large".to_owned()));
}

#[test]
fn only_a_right_key_is_answered_and_each_has_its_limits() {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new(cargo_bin!("magistrate")).args(["serve", "--new-key", "ana"]).output().unwrap();
    let said = String::from_utf8(made.stderr).unwrap();
    let key = said.split_whitespace().last().unwrap();
    let line = String::from_utf8(made.stdout).unwrap();
    assert!(!line.contains(key), "the file has no key");
    let file = folder.path().join("keys");
    std::fs::write(&file, format!("{} requests_per_minute=2\n", line.trim())).unwrap();
    let server = Server::start(&["-p", "spam", "--keys", file.to_str().unwrap()]);
    let send = |headers: &[(&str, &str)]| {
        let headers = [headers, &[("content-type", "application/json")]].concat();
        server.send("POST", "/v1/check", &headers, &json!({ "text": FINE, "effort": "none" }).to_string())
    };
    let refused = send(&[]);
    assert_eq!(
        (refused.error(), refused.header("www-authenticate")),
        ((401, "invalid_api_key".to_owned()), Some("bearer"))
    );
    assert_eq!(send(&[("authorization", "Bearer wrong")]).status, 401);
    assert_eq!(send(&[("authorization", &format!("Bearer {key}x"))]).status, 401);
    assert_eq!(send(&[("authorization", &format!("Bearer {key}"))]).status, 200);
    assert_eq!(send(&[("x-api-key", key)]).status, 200);
    let limited = send(&[("x-api-key", key)]);
    assert_eq!(limited.error(), (429, "rate_limited".to_owned()));
    assert!(limited.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    for open in ["/health", "/ready", "/openapi.json"] {
        assert_eq!(server.get(open).status, 200, "{open}");
    }
    assert_eq!(server.get("/metrics").status, 401);
}

#[test]
fn an_address_that_others_reach_needs_a_key() {
    let serve = |flags: &[&str]| {
        let mut command = Command::new(cargo_bin!("magistrate"));
        command.args(["serve", "-p", "spam", "--listen", "0.0.0.0:0"]).args(flags).env_remove("MAGISTRATE_API_KEY");
        command.output().unwrap()
    };
    let refused = serve(&[]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(said.contains("no key is set") && said.contains("--keys FILE"), "{said}");
}

#[test]
fn other_hosts_and_pages_of_other_sites_are_refused() {
    let server = Server::start(&["-p", "spam", "--cors", "https://desk.example"]);
    let body = json!({ "text": FINE, "effort": "none" }).to_string();
    let send = |headers: &[(&str, &str)]| {
        server.send("POST", "/v1/check", &[headers, &[("content-type", "application/json")]].concat(), &body)
    };
    assert_eq!(send(&[("host", "evil")]).error(), (403, "unknown_host".to_owned()));
    assert_eq!(send(&[("origin", "https://evil.example")]).error(), (403, "cross_site".to_owned()));
    assert_eq!(send(&[("sec-fetch-site", "cross-site")]).error(), (403, "cross_site".to_owned()));
    let allowed = send(&[("origin", "https://desk.example")]);
    assert_eq!((allowed.status, allowed.header("access-control-allow-origin")), (200, Some("https://desk.example")));
    let asked = server.send("OPTIONS", "/v1/check", &[("origin", "https://evil.example")], "");
    assert_eq!(asked.header("access-control-allow-origin"), None);
}

#[test]
fn a_changed_policy_is_read_again_and_a_broken_one_leaves_the_old() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("house.md");
    std::fs::write(&file, "Answer VALID or INVALID. INVALID is spam.").unwrap();
    let server = Server::start(&["-p", file.to_str().unwrap()]);
    let digest = || server.get("/v1/policies").json()["policies"][0]["digest"].as_str().unwrap().to_owned();
    let before = digest();
    std::fs::write(&file, "\0").unwrap();
    wait_for(|| server.metric("magistrate_policy_reload_errors_total") > 0.0);
    assert_eq!(digest(), before);
    std::fs::write(&file, "Answer VALID or INVALID. INVALID is advertising.").unwrap();
    wait_for(|| digest() != before);
    let old = format!("house@sha256:{before}");
    let reply = server.post("/v1/check", &json!({ "text": FINE, "policy": old, "effort": "none", "min_mass": 0 }));
    assert_eq!(reply.json()["policy"]["digest"], before.as_str(), "the old one can be named: {reply:?}");
}

#[test]
fn a_full_queue_refuses_with_a_time_and_the_server_stays_alive() {
    let server = Server::start(&["-p", "spam", "--queue", "1", "--model", support::demonstration().to_str().unwrap()]);
    let long = json!({ "text": "a b c ".repeat(200), "effort": "high", "min_mass": 0 }).to_string();
    let mut slow = server.connect();
    let head = format!("POST /v1/check HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{long}", long.len());
    slow.write_all(head.as_bytes()).unwrap();
    wait_for(|| server.get("/ready?fail_on_busy=1").status == 503);
    let refused = server.post("/v1/check", &json!({ "text": FINE, "effort": "none" }));
    assert_eq!(refused.error(), (503, "overloaded".to_owned()));
    assert!((1..=120).contains(&refused.header("retry-after").unwrap().parse::<u64>().unwrap()));
    assert_eq!((server.get("/health").status, server.get("/ready").status), (200, 200));
    drop(slow);
    wait_for(|| server.get("/ready?fail_on_busy=1").status == 200);
    assert!(
        server.metric("magistrate_rejected_total{reason=\"canceled\"}") >= 1.0,
        "the place of a client that left is free"
    );
}

#[test]
fn sigterm_ends_the_requests_in_flight_first() {
    let mut server = Server::start(&["-p", "spam"]);
    let texts: Vec<String> = (0..200).map(|number| format!("{FINE} {number}")).collect();
    let body = json!({ "texts": texts, "effort": "none" }).to_string();
    let mut stream = server.connect();
    let head = format!("POST /v1/check HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(head.as_bytes()).unwrap();
    wait_for(|| server.metric("magistrate_items_total{policy=\"spam\",verdict=\"safe\"}") > 0.0);
    server.signal("TERM");
    let reply: Reply = client::reply(stream);
    assert_eq!(reply.json()["rows"].as_array().unwrap().len(), 200);
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn no_text_is_in_a_log_an_error_or_an_audit_line() {
    let folder = tempfile::tempdir().unwrap();
    let audit = folder.path().join("audit.jsonl");
    let mut server = Server::start(&["-p", "spam", "-v", "--audit", audit.to_str().unwrap()]);
    let secret = "quetzalcoatl";
    let mut replies = vec![
        server.post("/v1/check", &json!({ "text": format!("{secret} {SPAM}"), "effort": "none" })),
        server.post("/v1/check", &json!({ "text": secret.repeat(9000) })),
        server.post("/v1/check", &json!({ "text": FINE, "policy": secret })),
        server.post("/v1/check", &json!({ "text": FINE, secret: 1 })),
        server.post("/v1/check", &json!({ "text": FINE, "effort": format!("{secret} is here") })),
        server.send("POST", "/v1/check", &[], &format!("{{\"text\": \"{secret}\" {secret}")),
    ];
    replies.push(server.get(&format!("/v1/{secret}")));
    // An unknown name is repeated only if it can be one of a policy or a property.
    for (at, reply) in replies.iter().enumerate().filter(|(at, _)| ![2, 3].contains(at)) {
        assert!(!reply.body.contains(secret), "{at}: {reply:?}");
    }
    server.signal("TERM");
    server.wait();
    let log = server.log.lock().unwrap().clone();
    let audit = std::fs::read_to_string(audit).unwrap();
    assert!(!log.contains(secret) && !audit.contains(secret), "{log}{audit}");
    let line: Value = serde_json::from_str(audit.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&line["policy"], &line["verdict"], &line["route"]),
        (&json!("spam"), &json!("violation"), &json!("/v1/check"))
    );
}

#[track_caller]
fn wait_for(mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_mins(1), "it does not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}
