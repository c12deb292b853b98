//! Files and batches, as OpenAI's clients use them.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::{Reply, Server, assert_alike, reply};
use super::{FINE, SPAM, wait_for};

/// A line of a batch.
#[allow(clippy::needless_pass_by_value, reason = "values of `json!` are written in place")]
fn line(id: &str, url: &str, body: Value) -> String {
    json!({ "custom_id": id, "method": "POST", "url": url, "body": body }).to_string() + "\n"
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
        if ["completed", "failed", "cancelled", "expired"].contains(&status) {
            return batch;
        }
        assert!(begun.elapsed() < Duration::from_mins(2), "it does not end: {batch}");
        std::thread::sleep(Duration::from_millis(50));
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

fn completed(server: &Server, id: &str) -> u64 {
    batch(server, id)["request_counts"]["completed"].as_u64().unwrap()
}

/// The ids, the statuses and the codes in a file of errors.
fn codes(errors: &[Value]) -> Vec<(Value, Value, Value)> {
    let response = |error: &Value| error["response"].clone();
    let code = |error: &Value| response(error)["body"]["error"]["code"].clone();
    errors
        .iter()
        .map(|error| (error["custom_id"].clone(), response(error)["status_code"].clone(), code(error)))
        .collect()
}

#[test]
fn a_result_is_what_the_route_answers_for_the_same_request() {
    let folder = tempfile::tempdir().unwrap();
    // Texts that share a batch of the engine differ in the seventh digit.
    let server = start(folder.path(), &["-p", "spam", "-p", "hate", "--reproducible"]);
    let chat = |model: &str, more: Value| {
        let messages = json!([{ "role": "system", "content": "Be brief." }, { "role": "user", "content": SPAM }]);
        let mut body = json!({ "model": model, "messages": messages, "reasoning_effort": "none" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let policies = json!(["spam", "hate"]);
    for (url, bodies) in [
        (
            "/v1/check",
            vec![
                json!({ "id": 7, "text": SPAM, "policy": "spam", "effort": "none", "fields": ["verdict", "probability"] }),
                json!({ "texts": [SPAM, " ", FINE], "policy": policies, "effort": "none" }),
                json!({ "text": FINE, "policy": "hate", "context": [{ "role": "clerk", "text": SPAM }] }),
            ],
        ),
        (
            "/v1/moderations",
            vec![
                json!({ "model": "omni-moderation-latest", "input": [SPAM, FINE] }),
                json!({ "model": "spam", "input": FINE, "magistrate": { "effort": "low" } }),
            ],
        ),
        (
            "/v1/chat/completions",
            vec![
                chat("spam", json!({ "logprobs": true, "top_logprobs": 2 })),
                chat("spam+score", json!({})),
                chat("hate+yesno", json!({})),
            ],
        ),
        (
            "/v1/decisions",
            vec![json!({ "model": "gpt-6-luna", "input": SPAM, "questions": [
                    { "type": "predicate", "instructions": "policy:spam" },
                    { "type": "score", "instructions": "How long is it?", "levels": [{ "label": "short" }, { "label": "long" }] },
                ] })],
        ),
    ] {
        let lines: String = (0..).zip(&bodies).map(|(at, body)| line(&format!("n{at}"), url, body.clone())).collect();
        let id = create(&server, url, &lines);
        let done = ended(&server, &id);
        let count = bodies.len();
        assert_eq!(done["status"], "completed", "{done}");
        assert_eq!(done["request_counts"], json!({ "total": count, "completed": count, "failed": 0 }), "{done}");
        assert_eq!((&done["model"], &done["error_file_id"]), (&bodies[0]["model"], &Value::Null));
        let answers = results(&server, &done["output_file_id"]);
        assert_eq!(answers.len(), count);
        for (at, (answer, body)) in answers.iter().zip(&bodies).enumerate() {
            assert_eq!((&answer["custom_id"], &answer["error"]), (&json!(format!("n{at}")), &Value::Null));
            let response = &answer["response"];
            assert_eq!(response["request_id"], format!("req_{id}_{}", at + 1));
            let (mut one, mut other) = (response["body"].clone(), server.post(url, body).json());
            if url != "/v1/check" {
                // The id and the time are new in each response.
                for body in [&mut one, &mut other] {
                    body.as_object_mut().unwrap().retain(|name, _| name != "id" && name != "created");
                }
            }
            assert_alike(&one, &other);
        }
    }
}

#[test]
fn a_request_that_cannot_be_answered_is_an_error_of_its_own_wherever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &["-p", "spam"]);
    let check = |id: &str, text: &str, policy: &str| {
        line(id, "/v1/check", json!({ "text": text, "policy": policy, "effort": "none" }))
    };
    let lines = check("unknown", FINE, "nothing")
        + &check("good", FINE, "spam")
        + "{ broken\n"
        + &line("other", "/v1/moderations", json!({ "input": FINE }))
        + "\n"
        + &check("empty", " ", "spam")
        + &line("wrong", "/v1/check", json!({ "text": FINE, "treshold": 1 }))
        + &check("last", SPAM, "spam");
    let done = ended(&server, &create(&server, "/v1/check", &lines));
    assert_eq!(done["status"], "completed", "{done}");
    assert_eq!(done["request_counts"], json!({ "total": 7, "completed": 2, "failed": 5 }));
    let answers = results(&server, &done["output_file_id"]);
    let verdict = |at: usize| (&answers[at]["custom_id"], &answers[at]["response"]["body"]["verdict"]);
    assert_eq!((verdict(0), verdict(1)), ((&json!("good"), &json!("safe")), (&json!("last"), &json!("violation"))));
    let errors = codes(&results(&server, &done["error_file_id"]));
    let wanted = [
        (json!("unknown"), json!(404), json!("model_not_found")),
        (Value::Null, json!(400), json!("invalid_json_line")),
        (json!("other"), json!(400), json!("invalid_url")),
        (json!("empty"), json!(422), json!("no_text")),
        (json!("wrong"), json!(400), json!("unsupported_parameter")),
    ];
    assert_eq!(errors, wanted);
}

#[test]
fn a_chat_that_asks_for_a_stream_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &["-p", "spam"]);
    let body = json!({ "model": "spam", "messages": [{ "role": "user", "content": FINE }], "stream": true });
    let done = ended(&server, &create(&server, "/v1/chat/completions", &line("a", "/v1/chat/completions", body)));
    let errors = codes(&results(&server, &done["error_file_id"]));
    assert_eq!(errors, [(json!("a"), json!(400), json!("unsupported_parameter"))], "{done}");
}

#[test]
fn a_broken_file_fails_with_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &["-p", "spam"]);
    for (lines, code, number) in
        [("\n{\n[]\n".to_owned(), "invalid_json_line", 2), (many(1) + &many(1), "duplicate_custom_id", 2)]
    {
        let failed = ended(&server, &create(&server, "/v1/check", &lines));
        let error = &failed["errors"]["data"][0];
        assert_eq!(
            (&failed["status"], &error["code"], &error["line"]),
            (&json!("failed"), &json!(code), &json!(number))
        );
        assert_eq!((&failed["output_file_id"], &failed["error_file_id"]), (&Value::Null, &Value::Null));
    }
}

#[test]
fn a_batch_of_a_killed_server_goes_on_and_has_one_result_for_each_request() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = start(folder.path(), &["-p", "spam"]);
    let id = create(&server, "/v1/check", &many(400));
    let journal = folder.path().join(format!("{id}.journal"));
    let mut before = 0;
    for signal in ["KILL", "TERM"] {
        wait_for(|| completed(&server, &id) > before + 20);
        let now = batch(&server, &id);
        assert_eq!(now["status"], "in_progress", "{now}");
        server.signal(signal);
        assert_eq!(server.wait(), if signal == "TERM" { Some(0) } else { None });
        let mut torn = std::fs::OpenOptions::new().append(true).open(&journal).unwrap();
        std::io::Write::write_all(&mut torn, b"{\"number\":390,\"is_err").unwrap();
        server = start(folder.path(), &["-p", "spam"]);
        let counted = now["request_counts"]["completed"].as_u64().unwrap();
        wait_for(|| completed(&server, &id) >= counted);
        before = completed(&server, &id);
    }
    let done = ended(&server, &id);
    assert_eq!(
        (done["status"].as_str(), &done["request_counts"]["completed"]),
        (Some("completed"), &json!(400)),
        "{done}"
    );
    let answers = results(&server, &done["output_file_id"]);
    let ids: Vec<&str> = answers.iter().map(|answer| answer["custom_id"].as_str().unwrap()).collect();
    assert_eq!(ids, (0..400).map(|number| format!("n{number}")).collect::<Vec<_>>(), "each once, and in order");
    assert!(answers.iter().all(|answer| answer["response"]["body"]["verdict"] == "violation"));
    assert!(!journal.exists(), "its lines are in the results");
}

#[test]
fn a_batch_whose_time_is_over_keeps_its_results_and_names_the_other_requests() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = start(folder.path(), &["-p", "spam"]);
    let id = create(&server, "/v1/check", &many(3000));
    wait_for(|| completed(&server, &id) > 0);
    server.signal("TERM");
    server.wait();
    let path = folder.path().join(format!("{id}.json"));
    let mut record: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    record["batch"]["expires_at"] = json!(1);
    std::fs::write(&path, record.to_string()).unwrap();
    let server = start(folder.path(), &["-p", "spam"]);
    let done = ended(&server, &id);
    assert_eq!(done["status"], "expired", "{done}");
    let answers = results(&server, &done["output_file_id"]);
    let errors = results(&server, &done["error_file_id"]);
    assert_eq!((answers.is_empty(), answers.len() + errors.len()), (false, 3000), "{done}");
    let first = &errors[0];
    assert_eq!((&first["error"]["code"], &first["response"]), (&json!("batch_expired"), &Value::Null));
    assert_eq!(first["custom_id"], format!("n{}", answers.len()));
}

#[test]
fn a_canceled_batch_keeps_its_finished_rows_and_one_that_waits_is_canceled_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &["-p", "spam"]);
    let first = create(&server, "/v1/check", &many(3000));
    wait_for(|| completed(&server, &first) > 20);
    let second = create(&server, "/v1/check", &many(10));
    let input = batch(&server, &first)["input_file_id"].as_str().unwrap().to_owned();
    assert_eq!(server.send("DELETE", &format!("/v1/files/{input}"), &[], "").error(), (400, "in_use".to_owned()));
    let cancel = |id: &str| {
        let canceling = server.post(&format!("/v1/batches/{id}/cancel"), &json!({})).json();
        assert_eq!(canceling["status"], "cancelling", "{canceling}");
        ended(&server, id)
    };
    let second = cancel(&second);
    assert_eq!(batch(&server, &first)["status"], "in_progress");
    let first = cancel(&first);
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
    wait_for(|| completed(&server, &id) > 20);
    let before = completed(&server, &id);
    let requests = 20;
    for number in 0..requests {
        let policy = if number % 2 == 0 { "spam" } else { "hate" };
        let reply: Reply = server
            .post("/v1/check", &json!({ "text": format!("{FINE} {number}"), "policy": policy, "effort": "none" }));
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    let now = batch(&server, &id);
    assert_eq!(now["status"], "in_progress", "{now}");
    let judged = completed(&server, &id) - before;
    assert!(judged / requests < 50, "{judged} texts of the batch went before {requests} requests");
    wait_for(|| completed(&server, &id) > before);
    server.post(&format!("/v1/batches/{id}/cancel"), &json!({}));
}

#[test]
fn files_and_batches_belong_to_a_key_that_their_audit_lines_name_and_no_other_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let key = |name: &str| {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("magistrate"));
        let made = command.args(["serve", "--new-key", name]).output().unwrap();
        let key = String::from_utf8(made.stderr).unwrap().split_whitespace().last().unwrap().to_owned();
        (key, String::from_utf8(made.stdout).unwrap())
    };
    let ((ana, one), (ben, two)) = (key("ana"), key("ben"));
    std::fs::write(&keys, format!("{} requests_per_minute=2 max_running=1\n{two}", one.trim())).unwrap();
    let (kept, audit) = (folder.path().join("kept"), folder.path().join("audit"));
    let flags = ["-p", "spam", "--keys", keys.to_str().unwrap(), "--audit", audit.to_str().unwrap()];
    let server = start(&kept, &flags);
    let send = |method: &str, path: &str, key: &str, body: &str| {
        let headers = [("x-api-key", key), ("content-type", "multipart/form-data; boundary=XX")];
        server.send(method, path, &headers, body)
    };
    let file = send("POST", "/v1/files", &ana, &form("batch", &many(5))).json();
    let path = format!("/v1/files/{}", file["id"].as_str().unwrap());
    assert_eq!(send("GET", &path, &ana, "").json(), file);
    for path in [path.clone(), format!("{path}/content")] {
        assert_eq!(send("GET", &path, &ben, "").error(), (404, "not_found".to_owned()));
    }
    assert_eq!(send("DELETE", &path, &ben, "").status, 404);
    assert_eq!(send("GET", "/v1/files", &ben, "").json()["data"], json!([]));
    assert_eq!(send("GET", "/v1/files", &ana, "").json()["first_id"], file["id"]);
    let asked = json!({ "input_file_id": file["id"], "endpoint": "/v1/check" }).to_string();
    let headers = [("x-api-key", ana.as_str()), ("content-type", "application/json")];
    let made = server.send("POST", "/v1/batches", &headers, &asked).json();
    let path = format!("/v1/batches/{}", made["id"].as_str().unwrap());
    wait_for(|| send("GET", &path, &ana, "").json()["status"] == "completed");
    assert_eq!(send("GET", &path, &ben, "").status, 404);
    let audit = std::fs::read_to_string(audit).unwrap();
    let lines: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 5, "the limits of a key are for requests that it sends itself");
    assert!(lines.iter().all(|line| line["key"] == "ana" && line["route"] == "/v1/check"), "{audit}");
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
    assert_eq!(reply(stream).error(), (413, "too_large".to_owned()));
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
