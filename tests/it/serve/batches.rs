//! Files and batches, as OpenAI's clients use them.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::{self, Reply, Server};
use super::{FINE, SPAM, wait_for};

/// A line of a batch.
fn line(id: &str, url: &str, body: Value) -> String {
    json!({ "custom_id": id, "method": "POST", "url": url, "body": body }).to_string() + "\n"
}

fn chat(id: &str, model: &str, text: &str) -> String {
    let messages = json!([{ "role": "system", "content": "Be brief." }, { "role": "user", "content": text }]);
    line(id, "/v1/chat/completions", json!({ "model": model, "messages": messages, "reasoning_effort": "none" }))
}

/// Many different texts, in a batch of checks without reasoning.
fn many(count: usize) -> String {
    let body = |number| json!({ "text": format!("{SPAM} {number}"), "effort": "none", "policy": "spam" });
    (0..count).map(|number| line(&format!("n{number}"), "/v1/check", body(number))).collect()
}

fn form(purpose: &str, content: &str) -> String {
    let part =
        |head: &str, content: &str| format!("--XX\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n");
    part("name=\"purpose\"", purpose) + &part("name=\"file\"; filename=\"in.jsonl\"", content) + "--XX--\r\n"
}

#[track_caller]
fn upload(server: &Server, content: &str) -> String {
    let kind = [("content-type", "multipart/form-data; boundary=XX")];
    let file = server.send("POST", "/v1/files", &kind, &form("batch", content));
    assert_eq!(file.status, 200, "{file:?}");
    assert_eq!((&file.json()["bytes"], &file.json()["filename"]), (&json!(content.len()), &json!("in.jsonl")));
    file.json()["id"].as_str().unwrap().to_owned()
}

#[track_caller]
fn create(server: &Server, endpoint: &str, content: &str) -> String {
    let file = upload(server, content);
    let asked = json!({ "input_file_id": file, "endpoint": endpoint, "completion_window": "24h" });
    let batch = server.post("/v1/batches", &asked);
    assert_eq!((batch.status, &batch.json()["object"]), (200, &json!("batch")), "{batch:?}");
    batch.json()["id"].as_str().unwrap().to_owned()
}

fn batch(server: &Server, id: &str) -> Value {
    server.get(&format!("/v1/batches/{id}")).json()
}

#[track_caller]
fn ended(server: &Server, id: &str) -> Value {
    let begun = Instant::now();
    loop {
        let batch = batch(server, id);
        let status = batch["status"].as_str().unwrap_or_default();
        if ["completed", "failed", "cancelled"].contains(&status) {
            return batch;
        }
        assert!(begun.elapsed() < Duration::from_mins(2), "it does not end: {batch}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Asserts that two rows have the same values. Texts share other batches of the engine after a restart, so that numbers
/// may differ in the sixth digit.
#[track_caller]
fn assert_near(one: &Value, other: &Value) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            assert!(one.keys().eq(other.keys()));
            one.iter().for_each(|(name, value)| assert_near(value, &other[name]));
        }
        (Value::Array(one), Value::Array(other)) => {
            assert_eq!(one.len(), other.len());
            one.iter().zip(other).for_each(|(one, other)| assert_near(one, other));
        }
        (Value::Number(one), Value::Number(other)) => {
            let (one, other) = (one.as_f64().unwrap(), other.as_f64().unwrap());
            assert!((one - other).abs() < 1e-5, "{one} {other}");
        }
        _ => assert_eq!(one, other),
    }
}

/// The lines of a file of results.
#[track_caller]
fn results(server: &Server, file: &Value) -> Vec<Value> {
    let Some(id) = file.as_str() else { return Vec::new() };
    let content = server.get(&format!("/v1/files/{id}/content"));
    assert_eq!(content.status, 200, "{content:?}");
    content.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn start(folder: &Path, flags: &[&str]) -> Server {
    Server::start(&[flags, &["--batches", folder.to_str().unwrap()]].concat())
}

#[test]
fn a_batch_of_chats_is_judged_and_a_line_with_another_model_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &["-p", "spam", "-p", "hate"]);
    let lines = chat("a", "spam", SPAM) + &chat("b", "spam", FINE) + &chat("c", "hate", FINE) + &chat("d", "spam", " ");
    let id = create(&server, "/v1/chat/completions", &lines);
    let done = ended(&server, &id);
    assert_eq!((&done["status"], &done["model"]), (&json!("completed"), &json!("spam")), "{done}");
    assert_eq!(done["request_counts"], json!({ "total": 4, "completed": 2, "failed": 2 }));
    let answers = results(&server, &done["output_file_id"]);
    let content = |answer: &Value| -> Value {
        let content = &answer["response"]["body"]["choices"][0]["message"]["content"];
        serde_json::from_str(content.as_str().unwrap()).unwrap()
    };
    assert_eq!(answers.len(), 2);
    assert_eq!((&answers[0]["custom_id"], &answers[0]["error"]), (&json!("a"), &Value::Null));
    assert_eq!(
        (&content(&answers[0])["verdict"], &content(&answers[1])["verdict"]),
        (&json!("violation"), &json!("safe"))
    );
    let check = server.post("/v1/check", &json!({ "text": SPAM, "policy": "spam", "effort": "none" })).json();
    let near = |one: &Value, other: &Value| (one.as_f64().unwrap() - other.as_f64().unwrap()).abs() < 1e-6;
    assert!(near(&content(&answers[0])["probability"], &check["probability"]), "{answers:?} {check}");
    let errors = results(&server, &done["error_file_id"]);
    let codes = errors.iter().map(|error| {
        let response = &error["response"];
        (
            error["custom_id"].as_str().unwrap(),
            response["status_code"].as_u64().unwrap(),
            response["body"]["error"]["code"].as_str().unwrap(),
        )
    });
    assert_eq!(codes.collect::<Vec<_>>(), [("c", 400, "mismatched_model"), ("d", 422, "no_text")]);
}

#[test]
fn moderations_are_judged_without_reasoning_by_the_policies_of_moderations() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &["-p", "spam", "-p", "hate", "--moderation", "spam,hate"]);
    let body = |text: &str| json!({ "model": "omni-moderation-latest", "input": text });
    let lines = line("a", "/v1/moderations", body(SPAM)) + &line("b", "/v1/moderations", body(FINE));
    let done = ended(&server, &create(&server, "/v1/moderations", &lines));
    let answers = results(&server, &done["output_file_id"]);
    let flagged: Vec<_> = answers.iter().map(|answer| &answer["response"]["body"]["results"][0]["flagged"]).collect();
    assert_eq!(flagged, [&json!(true), &json!(false)], "{done}");
    let body = &answers[0]["response"]["body"];
    let real = server.post("/v1/moderations", &json!({ "input": SPAM })).json();
    assert_eq!(body["model"], real["model"]);
    assert_near(&body["results"], &real["results"]);
}

#[test]
fn a_file_that_is_not_in_order_fails_with_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &["-p", "spam"]);
    let lines = chat("a", "spam", FINE) + "{\n" + &chat("a", "spam", FINE);
    let failed = ended(&server, &create(&server, "/v1/chat/completions", &lines));
    let errors = failed["errors"]["data"].as_array().unwrap();
    let codes: Vec<_> =
        errors.iter().map(|error| (error["code"].as_str().unwrap(), error["line"].as_u64().unwrap())).collect();
    assert_eq!(
        (failed["status"].as_str(), codes),
        (Some("failed"), vec![("invalid_json_line", 2), ("duplicate_custom_id", 3)])
    );
    let failed = ended(&server, &create(&server, "/v1/chat/completions", &chat("a", "nothing", FINE)));
    assert_eq!(failed["errors"]["data"][0]["code"], "model_not_found");
    assert_eq!((&failed["output_file_id"], &failed["error_file_id"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_batch_of_a_killed_server_goes_on_and_has_the_rows_of_an_undisturbed_run() {
    let lines = many(200);
    let rows = |server: &Server, done: &Value| -> Vec<Value> {
        assert_eq!(
            (done["status"].as_str(), &done["request_counts"]["completed"]),
            (Some("completed"), &json!(200)),
            "{done}"
        );
        let answers = results(server, &done["output_file_id"]);
        answers.iter().map(|answer| json!([answer["custom_id"], answer["response"]["body"]])).collect()
    };
    let quiet = tempfile::tempdir().unwrap();
    let server = start(quiet.path(), &["-p", "spam"]);
    let undisturbed = rows(&server, &ended(&server, &create(&server, "/v1/check", &lines)));
    drop(server);
    let folder = tempfile::tempdir().unwrap();
    let mut server = start(folder.path(), &["-p", "spam"]);
    let id = create(&server, "/v1/check", &lines);
    for signal in ["KILL", "TERM"] {
        let before = batch(&server, &id)["request_counts"]["completed"].as_u64().unwrap();
        wait_for(|| batch(&server, &id)["request_counts"]["completed"].as_u64().unwrap() > before + 20);
        let counts = batch(&server, &id);
        assert_eq!(counts["status"], "in_progress", "{counts}");
        server.signal(signal);
        let code = server.wait();
        assert_eq!(code, if signal == "TERM" { Some(0) } else { None });
        server = start(folder.path(), &["-p", "spam"]);
    }
    let done = ended(&server, &id);
    let resumed = rows(&server, &done);
    assert_eq!(resumed.len(), undisturbed.len());
    resumed.iter().zip(&undisturbed).for_each(|(one, other)| assert_near(one, other));
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        !left.iter().any(|name| name.to_string_lossy().ends_with(".journal")),
        "the rows are in the results: {left:?}"
    );
    assert_eq!(server.metric("magistrate_items_total{policy=\"spam\",verdict=\"error\"}"), 0.0);
}

#[test]
fn a_canceled_batch_keeps_its_finished_rows_and_one_that_waits_is_canceled_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &["-p", "spam"]);
    let first = create(&server, "/v1/check", &many(3000));
    // The next one is read faster, and would have its turn before.
    wait_for(|| batch(&server, &first)["status"] == "in_progress");
    let second = create(&server, "/v1/check", &many(10));
    wait_for(|| batch(&server, &first)["request_counts"]["completed"].as_u64().unwrap() > 20);
    let input = batch(&server, &first)["input_file_id"].as_str().unwrap().to_owned();
    assert_eq!(server.send("DELETE", &format!("/v1/files/{input}"), &[], "").error(), (400, "in_use".to_owned()));
    for id in [&second, &first] {
        let canceling = server.post(&format!("/v1/batches/{id}/cancel"), &json!({})).json();
        assert_eq!(canceling["status"], "cancelling", "{canceling}");
    }
    let (first, second) = (ended(&server, &first), ended(&server, &second));
    assert_eq!((&first["status"], &second["status"]), (&json!("cancelled"), &json!("cancelled")));
    let (kept, total) =
        (results(&server, &first["output_file_id"]).len(), first["request_counts"]["completed"].as_u64().unwrap());
    assert!((20..3000).contains(&kept) && kept as u64 == total, "{first}");
    assert_eq!(second["output_file_id"], Value::Null);
    let again = server.post(&format!("/v1/batches/{}/cancel", second["id"].as_str().unwrap()), &json!({}));
    assert_eq!(again.error(), (400, "invalid_state".to_owned()));
    assert_eq!(server.send("DELETE", &format!("/v1/files/{input}"), &[], "").json()["deleted"], true);
}

#[test]
fn other_requests_are_answered_while_a_batch_is_judged() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &["-p", "spam", "-p", "hate"]);
    let id = create(&server, "/v1/check", &many(3000));
    wait_for(|| batch(&server, &id)["request_counts"]["completed"].as_u64().unwrap() > 20);
    let before = batch(&server, &id)["request_counts"]["completed"].as_u64().unwrap();
    let requests = 20;
    for number in 0..requests {
        let policy = if number % 2 == 0 { "spam" } else { "hate" };
        let reply: Reply = server
            .post("/v1/check", &json!({ "text": format!("{FINE} {number}"), "policy": policy, "effort": "none" }));
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    let now = batch(&server, &id);
    assert_eq!(now["status"], "in_progress", "{now}");
    let judged = now["request_counts"]["completed"].as_u64().unwrap() - before;
    assert!(judged > 0 && judged / requests < 200, "{judged} texts of the batch went before {requests} requests");
    server.post(&format!("/v1/batches/{id}/cancel"), &json!({}));
}

#[test]
fn files_and_batches_belong_to_a_key_and_can_be_read_by_no_other_user() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let key = |name: &str| {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("magistrate"));
        let made = command.args(["serve", "--new-key", name]).output().unwrap();
        let key = String::from_utf8(made.stderr).unwrap().split_whitespace().last().unwrap().to_owned();
        (key, String::from_utf8(made.stdout).unwrap())
    };
    let ((ana, one), (ben, two)) = (key("ana"), key("ben"));
    std::fs::write(&keys, one + &two).unwrap();
    let kept = folder.path().join("kept");
    let server = start(&kept, &["-p", "spam", "--keys", keys.to_str().unwrap()]);
    let send = |method: &str, path: &str, key: &str, body: &str| {
        let headers = [("x-api-key", key), ("content-type", "multipart/form-data; boundary=XX")];
        server.send(method, path, &headers, body)
    };
    let file = send("POST", "/v1/files", &ana, &form("batch", &many(1))).json();
    let path = format!("/v1/files/{}", file["id"].as_str().unwrap());
    assert_eq!(send("GET", &path, &ana, "").json(), file);
    for path in [path.clone(), format!("{path}/content")] {
        assert_eq!(send("GET", &path, &ben, "").error(), (404, "not_found".to_owned()));
    }
    assert_eq!(send("DELETE", &path, &ben, "").status, 404);
    assert_eq!(send("GET", "/v1/files", &ben, "").json()["data"], json!([]));
    assert_eq!(send("GET", "/v1/files", &ana, "").json()["first_id"], file["id"]);
    for entry in std::fs::read_dir(&kept).unwrap() {
        use std::os::unix::fs::PermissionsExt;
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.file_name());
    }
}

#[test]
fn a_wrong_upload_or_batch_is_refused_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &["-p", "spam"]);
    let send = |kind: &str, body: &str| server.send("POST", "/v1/files", &[("content-type", kind)], body);
    let kind = "multipart/form-data; boundary=XX";
    assert_eq!(send("application/json", "{}").status, 415);
    assert_eq!(send(kind, &form("assistants", "{}")).error(), (400, "invalid_value".to_owned()));
    assert_eq!(send(kind, &form("batch", "")).error(), (400, "empty_file".to_owned()));
    assert_eq!(
        send(kind, form("batch", "{}").trim_end_matches("--XX--\r\n")).error(),
        (400, "invalid_form".to_owned())
    );
    let mut stream = server.connect();
    let head = format!(
        "POST /v1/files HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-length: 300000000\r\n\r\n--XX"
    );
    std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
    assert_eq!(client::reply(stream).error(), (413, "too_large".to_owned()));
    let file = upload(&server, &many(1));
    for (body, code, param) in [
        (json!({ "input_file_id": "file-nothing", "endpoint": "/v1/check" }), "not_found", "input_file_id"),
        (json!({ "input_file_id": file, "endpoint": "/v1/embeddings" }), "invalid_value", "endpoint"),
        (
            json!({ "input_file_id": file, "endpoint": "/v1/check", "completion_window": "1h" }),
            "invalid_value",
            "completion_window",
        ),
        (json!({ "endpoint": "/v1/check" }), "missing", "input_file_id"),
    ] {
        let error = server.post("/v1/batches", &body).json()["error"].clone();
        assert_eq!((error["code"].as_str(), error["param"].as_str()), (Some(code), Some(param)), "{body}");
    }
    let names = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, 3, "the lock, and the file with its record");
    assert_eq!(Server::start(&["-p", "spam"]).get("/v1/files").error(), (404, "batches_off".to_owned()));
}
