//! The review queue, from a request to a golden set.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use assert_cmd::cargo::cargo_bin;
use serde_json::{Value, json};

use super::client::{Reply, Server};
use super::{FINE, SPAM, wait_for};

fn start(folder: &Path, flags: &[&str]) -> Server {
    Server::start(&[&["-p", "spam", "--review", folder.to_str().unwrap()], flags].concat())
}

/// Judges a text without reasoning.
#[track_caller]
fn check(server: &Server, text: &str, more: &Value) {
    let mut body = json!({ "text": text, "policy": "spam", "effort": "none" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let reply = server.post("/v1/check", &body);
    assert!(reply.status == 200 || reply.error() == (422, "unresolved".to_owned()), "{reply:?}");
}

/// Returns the value of a counter.
#[track_caller]
fn count(server: &Server, series: &str) -> u64 {
    format!("{:.0}", server.metric(series)).parse().unwrap()
}

#[track_caller]
fn queue(server: &Server, query: &str) -> Value {
    let reply = server.get(&format!("/v1/review{query}"));
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

/// Waits until the queue has this many items, and returns them.
#[track_caller]
fn items(server: &Server, count: usize) -> Vec<Value> {
    let all = || queue(server, "?state=all")["items"].as_array().unwrap().clone();
    wait_for(|| all().len() >= count);
    let items = all();
    assert_eq!(items.len(), count, "{items:?}");
    items
}

#[track_caller]
fn decide(server: &Server, item: &Value, body: &Value) -> Value {
    let path = format!("/v1/review/{}/decisions", item["id"].as_str().unwrap());
    let reply = server.post(&path, body);
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.json()
}

fn retract(server: &Server, decision: &Value, headers: &[(&str, &str)]) -> Reply {
    let id = decision["decision"]["id"].as_str().unwrap();
    server.send("DELETE", &format!("/v1/review/decisions/{id}"), headers, "")
}

fn command(arguments: &[&str]) -> Output {
    let cache = tempfile::tempdir().unwrap();
    let mut command = Command::new(cargo_bin!("magistrate"));
    command.args(arguments).env("MAGISTRATE_CACHE", cache.path()).env("NO_COLOR", "1").stdin(Stdio::null());
    command.output().unwrap()
}

#[track_caller]
fn said(output: &Output, code: i32) -> (String, String) {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8(bytes.clone()).unwrap());
    assert_eq!(output.status.code(), Some(code), "{out}\n{err}");
    (out, err)
}

#[test]
fn doubtful_texts_are_queued_and_sure_ones_drafts_and_policies_of_a_request_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &["--near", "0.05"]);
    check(&server, FINE, &json!({}));
    let draft = json!({ "text": SPAM, "policy": "spam", "effort": "none", "min_mass": 1.0 }).to_string();
    let page = [("content-type", "application/json"), ("x-magistrate-page", "1")];
    server.send("POST", "/v1/check", &page, &draft);
    let policy = json!({ "markdown": "Say 1 for advertising and 0 for anything else.", "labels": { "1": "violation", "0": "safe" } });
    check(&server, SPAM, &json!({ "policy": policy, "min_mass": 0, "threshold": 0.5 }));
    check(&server, SPAM, &json!({ "threshold": 0.97 }));
    check(&server, SPAM, &json!({ "min_mass": 1.0, "context": [{ "role": "clerk", "text": "Hello" }] }));
    check(&server, " ", &json!({ "texts": [" "], "text": null }));
    let items = items(&server, 2);
    let near = &items[0];
    assert_eq!(
        (&near["reasons"], &near["verdict"], &near["text"]),
        (&json!(["near"]), &json!("violation"), &json!(SPAM))
    );
    assert_eq!((&near["threshold"], &near["decision"], &near["shadow"]), (&json!(0.97), &Value::Null, &Value::Null));
    assert_eq!((&near["policy"], &near["severe"], near["category"].is_string()), (&json!("spam"), &json!(false), true));
    assert!(near["categories"].as_array().unwrap().len() > 3 && near["categories"][0]["verdict"].is_string());
    let unresolved = &items[1];
    assert_eq!((&unresolved["reasons"], &unresolved["verdict"]), (&json!(["unresolved"]), &json!("unresolved")));
    assert!(unresolved["text"].as_str().unwrap().contains("clerk"), "with the turns before it");
    assert_eq!(queue(&server, "?reason=near")["open"], 1);
    assert_eq!(queue(&server, "?policy=hate")["items"], json!([]));
    for (query, param) in [("?reason=doubt", "reason"), ("?state=new", "state"), ("?limit=0", "limit")] {
        let reply = server.get(&format!("/v1/review{query}"));
        assert_eq!((reply.error(), &reply.json()["error"]["param"]), ((400, "invalid_value".into()), &json!(param)));
    }
    assert_eq!(count(&server, "magistrate_review_items_total{reason=\"near\"}"), 1);
}

#[test]
fn a_random_share_is_queued_whatever_the_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &["--sample", "50%", "--near", "0"]);
    let texts: Vec<String> = (0..200).map(|number| format!("{FINE} {number}")).collect();
    let reply = server.post("/v1/check", &json!({ "texts": texts, "policy": "spam", "effort": "none" }));
    assert_eq!(reply.status, 200);
    let sampled = || server.metric("magistrate_review_items_total{reason=\"sample\"}");
    wait_for(|| sampled() >= 60.0);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!((60.0..=140.0).contains(&sampled()), "{} of 200", sampled());
    assert_eq!(queue(&server, "?reason=sample&limit=7")["items"].as_array().unwrap().len(), 7);
}

#[test]
fn a_shadow_policy_queues_texts_with_another_verdict() {
    let place = tempfile::tempdir().unwrap();
    let shown = said(&command(&["policy", "show", "spam"]), 0).0;
    let shadow = place.path().join("spam.yaml");
    std::fs::write(&shadow, shown).unwrap();
    let folder = place.path().join("review");
    // The same policy has the same verdict, and is not asked.
    let server = start(&folder, &["--shadow", shadow.to_str().unwrap(), "--near", "0"]);
    check(&server, SPAM, &json!({}));
    drop(server);
    let other = "Answer with one word: VALID or INVALID. INVALID is a text about gardening. All other texts are VALID.";
    let shadow = place.path().join("spam.md");
    std::fs::write(&shadow, other).unwrap();
    let server = start(&folder, &["--shadow", shadow.to_str().unwrap(), "--near", "0"]);
    for number in 0..8 {
        check(&server, &format!("{SPAM} {number}"), &json!({ "min_mass": 0 }));
    }
    wait_for(|| queue(&server, "")["open"].as_u64().unwrap() > 0);
    let item = &queue(&server, "")["items"][0];
    assert_eq!(item["reasons"], json!(["flip"]));
    assert_eq!(item["verdict"], "violation");
    assert_ne!(item["shadow"]["verdict"], "violation");
    let violations = "magistrate_items_total{policy=\"spam\",verdict=\"violation\"}";
    assert_eq!(count(&server, violations), 8, "it answers nobody");
}

#[test]
fn a_decision_is_undone_and_a_correction_is_in_the_next_evaluation() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("review");
    let path = folder.to_str().unwrap();
    let server = start(&folder, &["--sample", "100%"]);
    for text in [SPAM, FINE, "Win a cruise, click here now"] {
        check(&server, text, &json!({}));
    }
    let items = items(&server, 3);
    let code = items[0]["category"].as_str().unwrap();
    let wrong = server.post(
        &format!("/v1/review/{}/decisions", items[0]["id"].as_str().unwrap()),
        &json!({ "verdict": "violation", "category": "nothing" }),
    );
    assert_eq!((wrong.error(), &wrong.json()["error"]["param"]), ((400, "invalid_value".into()), &json!("category")));
    assert_eq!(
        server.post("/v1/review/item_0/decisions", &json!({ "verdict": "safe" })).error(),
        (404, "not_found".into())
    );
    let first = decide(&server, &items[0], &json!({ "verdict": "safe" }));
    assert_eq!((&first["open"], &first["decision"]["reviewer"]), (&json!(2), &json!("reviewer")));
    let undone = retract(&server, &first, &[]);
    assert_eq!((undone.status, &undone.json()["open"]), (200, &json!(3)));
    assert_eq!(retract(&server, &first, &[]).error(), (404, "not_found".into()));
    decide(&server, &items[0], &json!({ "verdict": "violation", "category": code, "golden": true, "blind": true }));
    decide(&server, &items[1], &json!({ "verdict": "violation", "note": "an invitation", "reviewer": "ana" }));
    decide(&server, &items[2], &json!({ "verdict": "safe" }));
    let decided = queue(&server, "?state=decided");
    assert_eq!((&decided["open"], &decided["decided"]), (&json!(0), &json!(3)));
    assert_eq!(decided["items"][1]["decision"]["note"], "an invitation");
    let agreement = server.get("/v1/review/agreement?policy=spam").json();
    assert_eq!((&agreement["with_model"]["rows"], &agreement["sampled"]["rows"]), (&json!(3), &json!(3)));
    assert_eq!(agreement["between_reviewers"], Value::Null);

    // The server is still running.
    let (out, _) = said(&command(&["eval", "-p", "spam", path, "--json", "--effort", "none"]), 0);
    let evaluation: Value = serde_json::from_str(&out).unwrap();
    let rows = evaluation["rows"].as_array().unwrap();
    let expected: Vec<&Value> = rows.iter().map(|row| &row["expected"]).collect();
    assert_eq!(expected.len(), 3, "{out}");
    assert_eq!((&expected[0]["verdict"], &expected[0]["category"]), (&json!("violation"), &json!(code)));
    assert_eq!(
        (&expected[1]["verdict"], &expected[1]["category"]),
        (&json!("violation"), &Value::Null),
        "the correction"
    );
    assert_eq!(expected[2]["verdict"], "safe");
    let (_, err) = said(&command(&["eval", "-p", "hate", path]), 2);
    assert!(err.contains("no decision about the policy hate"), "{err}");
    said(&command(&["eval", "-p", "spam,hate", path]), 2);

    let (out, _) = said(&command(&["review", "export", path]), 0);
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(
        (&lines[0]["expected"], &lines[0]["category"], &lines[0]["text"]),
        (&json!("violation"), &json!(code), &json!(SPAM))
    );
    assert_eq!((&lines[1]["reviewer"], &lines[1]["note"]), (&json!("ana"), &json!("an invitation")));
    let file = place.path().join("decisions.jsonl");
    said(&command(&["review", "export", path, "-p", "spam", "--reason", "sample", "-o", file.to_str().unwrap()]), 0);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), out);
    let (out, _) = said(&command(&["eval", "-p", "spam", file.to_str().unwrap(), "--json", "--effort", "none"]), 0);
    assert!(out.contains("\"violation\""), "an export is a golden set, too");
    said(&command(&["review", "export", place.path().to_str().unwrap()]), 2);
    let into_itself = folder.join("items.jsonl");
    said(&command(&["review", "export", path, "-o", into_itself.to_str().unwrap()]), 2);
}

#[test]
fn a_certificate_is_issued_on_the_random_share_alone() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("review");
    let path = folder.to_str().unwrap();
    let server = start(&folder, &["--near", "0"]);
    let put = |text: String| {
        let body =
            json!({ "policy": "spam", "text": text, "expected": "safe", "verdict": "violation", "probability": 0.9 });
        let reply = server.post("/v1/review", &body);
        assert_eq!(reply.status, 201, "{reply:?}");
    };
    (0..4).for_each(|number| put(format!("{SPAM} {number}")));
    let added = items(&server, 4);
    assert_eq!((&added[0]["reasons"], &added[0]["expected"]), (&json!(["disagreement"]), &json!("safe")));
    for item in &added {
        decide(&server, item, &json!({ "verdict": "safe" }));
    }
    let (_, err) = said(&command(&["calibrate", "-p", "spam", path, "--effort", "none"]), 2);
    assert!(err.contains("chosen at random") && err.contains("--sample"), "{err}");
    drop(server);
    let server = start(&folder, &["--sample", "100%", "--near", "0"]);
    for (text, verdict) in [(SPAM, "violation"), (FINE, "safe")] {
        check(&server, text, &json!({}));
        wait_for(|| queue(&server, "")["open"] == 1);
        decide(&server, &queue(&server, "")["items"][0], &json!({ "verdict": verdict }));
    }
    let (_, err) = said(&command(&["calibrate", "-p", "spam", path, "--effort", "none"]), 2);
    assert!(err.contains("2 texts were chosen at random, and are used; 4 texts with a decision are left out"), "{err}");
    for (body, param) in [
        (json!({ "policy": "spam", "text": "x", "expected": "no code" }), "expected"),
        (json!({ "policy": "spam", "text": "x", "probability": 2 }), "probability"),
        (json!({ "policy": "spam", "text": " " }), "text"),
        (json!({ "policy": "spam", "text": "x".repeat((1 << 20) + 1) }), "text"),
        (json!({ "policy": "nothing", "text": "x" }), "policy"),
    ] {
        let reply = server.post("/v1/review", &body);
        assert_eq!(reply.json()["error"]["param"], param, "{reply:?}");
    }
}

#[test]
fn only_the_key_that_decided_may_retract_and_its_name_is_the_reviewer() {
    let place = tempfile::tempdir().unwrap();
    let made = |name: &str| {
        let (line, key) = said(&command(&["serve", "--new-key", name]), 0);
        (line, key.split_whitespace().last().unwrap().to_owned())
    };
    let [(ana, of_ana), (ben, of_ben)] = ["ana", "ben"].map(made);
    let keys = place.path().join("keys");
    std::fs::write(&keys, ana + &ben).unwrap();
    let folder = place.path().join("review");
    let server = start(&folder, &["--keys", keys.to_str().unwrap()]);
    let send = |method: &str, path: &str, key: &str, body: &Value| {
        let headers = [("content-type", "application/json"), ("x-api-key", key)];
        server.send(method, path, &headers, &body.to_string())
    };
    assert_eq!(server.get("/v1/review").error(), (401, "invalid_api_key".into()));
    let item =
        send("POST", "/v1/review", &of_ana, &json!({ "policy": "spam", "text": FINE, "verdict": "safe" })).json();
    let path = format!("/v1/review/{}/decisions", item["id"].as_str().unwrap());
    let decided = send("POST", &path, &of_ana, &json!({ "verdict": "safe", "reviewer": "ben" })).json();
    assert_eq!(decided["decision"]["reviewer"], "ana");
    assert_eq!(retract(&server, &decided, &[("x-api-key", &of_ben)]).error(), (403, "forbidden".into()));
    send("POST", &path, &of_ben, &json!({ "verdict": "violation" }));
    let agreement = send("GET", "/v1/review/agreement", &of_ana, &Value::Null).json();
    assert_eq!(agreement["between_reviewers"]["rows"], 1);
    assert_eq!(agreement["between_reviewers"]["agree"], 0);
    let (out, err) = said(&command(&["review", "export", folder.to_str().unwrap()]), 0);
    assert!(out.is_empty() && err.contains("1 texts with different verdicts"), "{err}");
    assert_eq!(retract(&server, &decided, &[("x-api-key", &of_ana)]).status, 200);
    assert_eq!(said(&command(&["review", "export", folder.to_str().unwrap()]), 0).0.lines().count(), 1);
}

#[test]
fn texts_are_in_the_folder_alone_for_its_user_alone_and_an_end_of_the_server_loses_none() {
    let place = tempfile::tempdir().unwrap();
    let (folder, audit) = (place.path().join("review"), place.path().join("audit.jsonl"));
    let mut server = start(&folder, &["--sample", "1", "-v", "--audit", audit.to_str().unwrap()]);
    let secret = "quetzalcoatl";
    let replies = [
        server.post("/v1/review", &json!({ "policy": "spam", "text": secret, secret: 1 })),
        server.post("/v1/review", &json!({ "policy": secret, "text": secret })),
        server.post(&format!("/v1/review/{secret}/decisions"), &json!({ "verdict": secret })),
        server.send("DELETE", &format!("/v1/review/decisions/{secret}"), &[], ""),
        server.get("/metrics"),
    ];
    for (at, reply) in replies.iter().enumerate() {
        // An unknown policy or property is named.
        assert!([0, 1, 2].contains(&at) || !reply.body.contains(secret), "{reply:?}");
    }
    check(&server, &format!("{secret} is here"), &json!({}));
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let log = server.log.lock().unwrap().clone();
    assert!(!log.contains("is here") && !read(&audit).contains(secret), "{log}");
    assert!(read(&folder.join("items.jsonl")).contains("quetzalcoatl is here"));
    for (path, mode) in [("", 0o700), ("items.jsonl", 0o600), ("decisions.jsonl", 0o600)] {
        use std::os::unix::fs::PermissionsExt;
        let permissions = std::fs::metadata(folder.join(path)).unwrap().permissions();
        assert_eq!(permissions.mode() & 0o777, mode, "{path}");
    }
}

#[test]
fn a_full_disk_fails_no_request_and_is_reported_once() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["-p", "spam", "--sample", "1", "--review", folder.path().to_str().unwrap()];
    let server = Server::start_with(&flags, |command| {
        // Files of this process end at 16 MiB, as on a full disk. The built-in model is smaller.
        let words: Vec<_> =
            std::iter::once(command.get_program()).chain(command.get_args()).map(ToOwned::to_owned).collect();
        let variables: Vec<_> =
            command.get_envs().map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned))).collect();
        let mut limited = Command::new("sh");
        limited.args(["-c", "trap '' XFSZ; ulimit -f 32768; exec \"$@\"", "sh"]).args(words);
        limited.stderr(Stdio::piped()).stdout(Stdio::null());
        for (name, value) in variables {
            match value {
                Some(value) => limited.env(name, value),
                None => limited.env_remove(name),
            };
        }
        *command = limited;
    });
    for words in [400_000, 20_000, 400] {
        let text = "x ".repeat(words);
        let put = || server.post("/v1/review", &json!({ "policy": "spam", "text": text }));
        let last = (0..60).map(|_| put()).find(|reply| reply.status != 201).unwrap();
        assert_eq!(last.error(), (500, "storage".into()));
    }
    let before = queue(&server, "?limit=1")["open"].as_u64().unwrap();
    let padding = "a b ".repeat(300);
    let lost = || server.metric("magistrate_review_lost_total{reason=\"storage\"}");
    for number in 0..2 {
        check(&server, &format!("{number} {padding}"), &json!({}));
    }
    wait_for(|| lost() >= 2.0);
    assert!(queue(&server, "?limit=1")["open"].as_u64().unwrap() >= before);
    let log = server.log.lock().unwrap().clone();
    assert_eq!(log.matches("texts are missing in the review queue").count(), 1, "{log}");
}

#[test]
fn wrong_flags_are_refused_before_the_model_is_loaded() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("review");
    let path = folder.to_str().unwrap();
    let server = start(&folder, &[]);
    let serve =
        |flags: &[&str]| said(&command(&[&["serve", "-p", "spam", "--listen", "127.0.0.1:0"], flags].concat()), 2).1;
    assert!(serve(&["--review", path]).contains("another server uses this folder"));
    for flags in [["--sample", "1%"], ["--near", "0.2"], ["--shadow", "spam"], ["--retain", "3"]] {
        assert!(serve(&flags).contains("--review"), "{flags:?}");
    }
    let other = place.path().join("other");
    let other = other.to_str().unwrap();
    assert!(serve(&["--review", other, "--shadow", "hate"]).contains("`hate` has the id of no served policy"));
    assert!(serve(&["--review", other, "--sample", "3"]).contains("not a share"));
    assert!(serve(&["--review", other, "--retain", "0"]).contains("--retain"));
    let off = Server::start(&["-p", "spam"]);
    for (method, path) in [
        ("GET", "/v1/review"),
        ("POST", "/v1/review"),
        ("POST", "/v1/review/item_0/decisions"),
        ("DELETE", "/v1/review/decisions/decision_0"),
        ("GET", "/v1/review/agreement"),
    ] {
        let reply = off.send(method, path, &[("content-type", "application/json")], "{}");
        assert_eq!(reply.error(), (404, "not_found".into()), "{method} {path}");
        assert!(reply.body.contains("review"), "{reply:?}");
    }
    drop(server);
}
