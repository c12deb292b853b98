//! Files that are labeled in the server, as a page's requests see it.

use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use serde_json::{Value, json};

use super::client::Server;
use super::{FINE, wait_for};

const ROWS: usize = 2000;
const DISTINCT: usize = 400;
const COLUMN: &str = "Post text";

/// A response of any bytes: its status, its head in small letters, and its body.
struct Raw {
    status: u16,
    head: String,
    body: Vec<u8>,
}

/// Sends bytes, and reads the response to its end.
fn send(server: &Server, method: &str, path: &str, body: &[u8]) -> Raw {
    let mut stream = server.connect();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let _ = stream.write_all(body);
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("there is no response");
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Raw { status, head, body: bytes[end + 4..].to_vec() }
}

fn upload(server: &Server, name: &str, bytes: &[u8]) -> Value {
    let reply = send(server, "POST", &format!("/v1/runs?name={name}"), bytes);
    assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
    serde_json::from_slice(&reply.body).unwrap()
}

/// A table with semicolons in Windows-1252, with a column that has a blank in its name. Its last rows repeat the texts of
/// the first.
fn posts() -> Vec<u8> {
    let text = |number: usize| match number % 50 {
        0 => String::new(),
        7 => "WINNER!! Reply YES to claim your prize".to_owned(),
        part if part % 3 == 0 => format!("WINNER!! Reply YES to claim prize {number}"),
        _ => format!("See you on Thursday at {number}, sch\u{F6}ne Gr\u{FC}\u{DF}e"),
    };
    let mut table = format!("id;{COLUMN};posted\r\n");
    for number in 1..=ROWS {
        let (month, day) = (number % 12 + 1, number % 28 + 1);
        table.push_str(&format!("{number};{};2026-{month:02}-{day:02}\r\n", text(number % DISTINCT)));
    }
    // All characters are below 256.
    table.chars().map(|character| character as u8).collect()
}

fn order() -> Value {
    json!({ "policy": ["spam"], "text_column": COLUMN, "effort": "none", "threshold": 0.6 })
}

fn start(folder: &Path) -> Server {
    Server::start(&["-p", "spam", "--workspace", folder.to_str().unwrap()])
}

fn run(server: &Server, id: &str) -> Value {
    server.get(&format!("/v1/runs/{id}")).json()
}

/// Waits until a run has ended, and returns it.
#[track_caller]
fn ended(server: &Server, id: &str) -> Value {
    let begun = Instant::now();
    loop {
        let now = run(server, id);
        if now["state"] != "running" {
            return now;
        }
        // A busy machine judges a few texts a second.
        assert!(begun.elapsed() < Duration::from_mins(5), "{now}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Returns the output of `label` on the same file with the same settings.
fn labeled(folder: &Path, table: &[u8], ending: &str) -> Vec<u8> {
    // Errors name the input, so its name is that of the upload.
    let (input, output) = ("my posts.csv", folder.join(format!("out.{ending}")));
    std::fs::write(folder.join(input), table).unwrap();
    let mut label = Command::new(cargo_bin!("magistrate"));
    label.args(["label", "-p", "spam", "--effort", "none", "--threshold", "0.6", "--text-column", COLUMN]);
    label.arg(input).arg("-o").arg(&output).current_dir(folder).env("MAGISTRATE_CACHE", folder.join("cache"));
    let done = label.output().unwrap();
    assert!(output.exists(), "{}", String::from_utf8_lossy(&done.stderr));
    std::fs::read(output).unwrap()
}

/// Asserts that two tables are equal. Texts that share a batch may differ in the seventh digit: in the last digit of a
/// rounded probability, and in a rationale where two sentences are equally likely.
#[track_caller]
fn assert_alike(one: &[u8], other: &[u8]) {
    let (one, other) = (String::from_utf8_lossy(one), String::from_utf8_lossy(other));
    assert_eq!(one.lines().count(), other.lines().count());
    let header = one.lines().next().unwrap();
    let rationale = header.split(';').position(|name| name.ends_with("rationale")).expect("a column of rationales");
    let mut ties = 0;
    for (one, other) in one.lines().zip(other.lines()) {
        assert_eq!(one.split(';').count(), other.split(';').count());
        for (column, (one, other)) in one.split(';').zip(other.split(';')).enumerate() {
            let near = |one: f64, other: f64| (one - other).abs() < 1.5e-4;
            let is_alike =
                one == other || matches!((one.parse(), other.parse()), (Ok(one), Ok(other)) if near(one, other));
            ties += usize::from(!is_alike && column == rationale);
            assert!(is_alike || column == rationale, "{one} {other}");
        }
    }
    assert!(ties <= ROWS / 100, "{ties} rationales differ");
}

#[test]
fn a_run_outlives_its_client_and_its_server_and_its_output_is_that_of_label() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().join("workspace");
    let mut server = start(&workspace);
    let table = posts();
    let new = upload(&server, "my%20posts.csv", &table);
    let id = new["id"].as_str().unwrap().to_owned();
    assert_eq!((&new["state"], &new["name"], &new["rows"]), (&json!("uploaded"), &json!("my posts.csv"), &json!(ROWS)));
    assert_eq!((&new["separator"], &new["encoding"]), (&json!(";"), &json!("windows-1252")));
    assert_eq!((&new["columns"][1]["name"], &new["columns"][1]["is_likely"]), (&json!(COLUMN), &json!(true)));
    assert_eq!(new["columns"][0]["samples"], json!(["1", "2", "3"]));
    let plan = server.post(&format!("/v1/runs/{id}/plan"), &order()).json();
    assert_eq!((&plan["rows"], &plan["seconds"]), (&json!(ROWS), &Value::Null), "{plan}");

    // The client goes away without the answer. A request that is not taken yet would go with it.
    let body = order().to_string();
    let head = format!(
        "POST /v1/runs/{id}/start HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = server.connect();
    stream.write_all(head.as_bytes()).unwrap();
    wait_for(|| run(&server, &id)["state"] != "uploaded");
    drop(stream);
    wait_for(|| run(&server, &id)["done"].as_u64().unwrap() > 100);
    let rows = server.get(&format!("/v1/runs/{id}/rows?limit=5")).json();
    assert!(rows["total"].as_u64().unwrap() > 100, "{rows}");
    server.signal("KILL");
    server.wait();

    let server = start(&workspace);
    let done = ended(&server, &id);
    assert_eq!((&done["state"], &done["done"], &done["error"]), (&json!("done"), &json!(ROWS), &Value::Null), "{done}");
    let count = |verdict: &str| done[verdict].as_u64().unwrap();
    assert_eq!(count("undecided"), 40, "a text that is empty has no verdict");
    assert!(count("violation") > 500 && count("safe") > 500, "{done}");

    let csv = send(&server, "GET", &format!("/v1/runs/{id}/output?format=csv"), b"");
    assert!(csv.head.contains("filename=\"my posts.labeled.csv\""), "{}", csv.head);
    assert_alike(&csv.body, &labeled(folder.path(), &table, "csv"));
    let lines = send(&server, "GET", &format!("/v1/runs/{id}/output?format=jsonl"), b"");
    let lines = String::from_utf8(lines.body).unwrap();
    let ids: Vec<String> =
        lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].to_string()).collect();
    assert_eq!(ids, (1..=ROWS).map(|number| format!("\"{number}\"")).collect::<Vec<_>>(), "each row once, in order");
    for (format, begin) in [("xlsx", &b"PK"[..]), ("parquet", b"PAR1"), ("tsv", b"\xEF\xBB\xBFid\t")] {
        let reply = send(&server, "GET", &format!("/v1/runs/{id}/output?format={format}"), b"");
        assert!(reply.status == 200 && reply.body.starts_with(begin), "{format}");
    }
    let unknown = server.get(&format!("/v1/runs/{id}/output?format=md"));
    assert_eq!(unknown.error(), (400, "invalid_value".to_owned()));
    let page = server.get(&format!("/v1/runs/{id}/report"));
    assert!(page.status == 200 && page.body.contains("<title>spam on my posts.csv</title>"), "{}", page.head);
    assert!(page.body.contains("By the column posted"));
    let again = server.post(&format!("/v1/runs/{id}/start"), &order()).json();
    assert_eq!(again["state"], "done");
    let plan = server.post(&format!("/v1/runs/{id}/plan"), &order()).json();
    assert!(plan["seconds"].as_u64().is_some() && plan["basis"].as_str().unwrap().contains("earlier run"), "{plan}");
    let removed = server.send("DELETE", &format!("/v1/runs/{id}"), &[], "");
    assert_eq!((removed.status, server.get("/v1/runs").json()), (204, json!({ "runs": [] })));
    assert_eq!(std::fs::read_dir(workspace.join("runs")).unwrap().count(), 1, "only the lock is left");
}

#[test]
fn a_run_is_stopped_and_goes_on_and_its_rows_are_filtered_and_sorted() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = start(folder.path());
    let id = upload(&server, "posts.csv", &posts())["id"].as_str().unwrap().to_owned();
    let path = |rest: &str| format!("/v1/runs/{id}/{rest}");
    assert_eq!(server.get(&path("output")).error(), (409, "conflict".to_owned()));
    assert_eq!(server.post(&path("start"), &order()).json()["state"], "running");
    wait_for(|| run(&server, &id)["done"].as_u64().unwrap() > 50);
    let stopped = server.post(&path("stop"), &json!({})).json();
    assert_eq!(stopped["state"], "stopped", "{stopped}");
    let done = stopped["done"].as_u64().unwrap();
    assert!((50..ROWS as u64).contains(&done));
    assert_eq!(server.get(&path("rows?limit=0")).json()["total"], done);
    let other = json!({ "policy": ["spam"], "text_column": COLUMN, "effort": "none" });
    assert_eq!(server.post(&path("start"), &other).error(), (409, "conflict".to_owned()));
    assert_eq!(server.post(&path("start"), &order()).status, 200);
    wait_for(|| run(&server, &id)["done"].as_u64().unwrap() > done);

    // A signal ends the server in order, and the next one takes the run up.
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
    let server = start(folder.path());
    let done = ended(&server, &id);
    assert_eq!((&done["state"], &done["done"]), (&json!("done"), &json!(ROWS)), "{done}");

    let rows = |query: &str| server.get(&path(&format!("rows?{query}"))).json();
    let all = rows("offset=10&limit=3");
    let numbers = |page: &Value| -> Vec<u64> {
        page["rows"].as_array().unwrap().iter().map(|row| row["number"].as_u64().unwrap()).collect()
    };
    assert_eq!((&all["total"], numbers(&all)), (&json!(ROWS), vec![11, 12, 13]));
    assert_eq!(rows("verdict=violation&limit=1")["total"], done["violation"]);
    let undecided = rows("verdict=undecided&limit=2");
    assert_eq!((&undecided["total"], numbers(&undecided)), (&json!(40), vec![50, 100]));
    assert!(undecided["rows"][0]["error"].as_str().unwrap().contains("empty"), "{undecided}");
    let sorted = rows("sort=probability&limit=1000");
    let shares: Vec<f64> =
        sorted["rows"].as_array().unwrap().iter().map(|row| row["probability"].as_f64().unwrap()).collect();
    assert!(shares.len() == 1000 && shares.windows(2).all(|pair| pair[0] + 1e-6 >= pair[1]));
    let part = rows("min=0.2&max=0.8&limit=1000");
    let is_within = |row: &Value| (0.2..=0.8).contains(&row["probability"].as_f64().unwrap());
    assert!(part["rows"].as_array().unwrap().iter().all(is_within));
    for wrong in ["limit=9999", "verdict=bad", "sort=text", "min=2", "offset=-1"] {
        assert_eq!(server.get(&path(&format!("rows?{wrong}"))).error(), (400, "invalid_value".to_owned()), "{wrong}");
    }
}

#[test]
fn a_check_beside_a_run_answers_soon() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    let id = upload(&server, "posts.csv", &posts())["id"].as_str().unwrap().to_owned();
    server.post(&format!("/v1/runs/{id}/start"), &order());
    wait_for(|| run(&server, &id)["done"].as_u64().unwrap() > 20);
    let mut longest = Duration::ZERO;
    for number in 0..20 {
        let begun = Instant::now();
        let body = json!({ "text": format!("{FINE} {number}"), "effort": "none" });
        assert_eq!(server.post("/v1/check", &body).json()["verdict"], "safe");
        longest = longest.max(begun.elapsed());
    }
    println!("the slowest check took {longest:?} beside the run");
    assert!(longest < Duration::from_secs(5), "{longest:?}");
    assert_eq!(ended(&server, &id)["done"], ROWS);
}

#[test]
fn a_file_that_cannot_be_used_is_refused_with_a_reason_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().to_str().unwrap();
    let server = Server::start(&["-p", "spam", "--workspace", workspace, "--max-upload", "1000"]);
    let refused = |name: &str, body: &[u8]| {
        let reply = send(&server, "POST", &format!("/v1/runs?name={name}"), body);
        let error: Value = serde_json::from_slice(&reply.body).unwrap();
        (reply.status, error["error"]["code"].as_str().unwrap().to_owned())
    };
    assert_eq!(refused("a.csv", &[b'a'; 1001]), (413, "too_large".to_owned()));
    assert_eq!(refused("a.csv", b""), (400, "empty_file".to_owned()));
    assert_eq!(refused("a.csv", b"\x7FELF\0\0\0\0\0\0"), (400, "invalid_file".to_owned()));
    assert_eq!(refused("a.xlsx", b"text\nhello\n"), (400, "invalid_file".to_owned()));
    // A body without a length is counted as it arrives.
    let mut stream = server.connect();
    let head = "POST /v1/runs?name=a.csv HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                transfer-encoding: chunked\r\n\r\n";
    stream.write_all(format!("{head}7d0\r\n{}\r\n0\r\n\r\n", "a".repeat(2000)).as_bytes()).unwrap();
    assert_eq!(super::client::reply(stream).error(), (413, "too_large".to_owned()));
    // A client that goes in the middle.
    let mut stream = server.connect();
    stream
        .write_all(b"POST /v1/runs?name=a.csv HTTP/1.1\r\nhost: localhost\r\ncontent-length: 900\r\n\r\ntext")
        .unwrap();
    drop(stream);
    let left = || std::fs::read_dir(folder.path().join("runs")).unwrap().count();
    wait_for(|| left() == 1);

    for (name, shown) in [
        ("..%2F..%2Fetc%2Fpasswd", "passwd"),
        ("..%5C..%5Ca.csv", "a.csv"),
        ("%00%1B%5B2Jb%E2%80%AE.csv", "\u{FFFD}\u{FFFD}[2Jb\u{FFFD}.csv"),
        ("%3Cscript%3E.csv", "<script>.csv"),
        ("..", "file"),
        ("", "file"),
    ] {
        let run = upload(&server, name, b"id,body,when\n1,hello,x\n");
        assert_eq!(run["name"], shown, "{name}");
        let id = run["id"].as_str().unwrap();
        let files: Vec<String> = std::fs::read_dir(folder.path().join("runs").join(id))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert!(files.iter().all(|file| file == "run.json" || file.starts_with("input")), "{files:?}");
    }
    assert!(!folder.path().join("etc").exists());
    let run = upload(&server, "a.csv", b"id,body,when\n1,hello,x\n");
    let id = run["id"].as_str().unwrap();
    let begin = |order: Value| server.post(&format!("/v1/runs/{id}/start"), &order);
    let wrong = begin(json!({ "policy": ["spam"], "text_column": "text" }));
    assert_eq!(wrong.error(), (400, "invalid_value".to_owned()));
    assert!(wrong.body.contains(r#"2 \"body\", 3 \"when\""#), "{wrong:?}");
    assert_eq!(wrong.json()["error"]["param"], "text_column");
    assert_eq!(
        begin(json!({ "policy": ["none"], "text_column": "body" })).error(),
        (404, "model_not_found".to_owned())
    );
    assert_eq!(begin(json!({ "policy": [], "text_column": "body" })).error(), (400, "missing".to_owned()));
    assert_eq!(begin(json!({ "policy": ["spam"], "texts": 1 })).error().0, 400);
    assert_eq!(run_state(&server, id), "uploaded");
    assert_eq!(server.get("/v1/runs/run_1").error(), (404, "not_found".to_owned()));
    assert_eq!(server.get("/v1/runs/..%2F..%2Fx").error(), (404, "not_found".to_owned()));
    let off = Server::start(&["-p", "spam"]);
    assert_eq!(off.get("/v1/runs").error(), (404, "not_found".to_owned()));
}

fn run_state(server: &Server, id: &str) -> String {
    run(server, id)["state"].as_str().unwrap().to_owned()
}

#[test]
fn lines_and_json_are_labeled_too_with_several_policies() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().to_str().unwrap();
    let server = Server::start(&["-p", "spam", "-p", "hate", "--workspace", workspace]);
    let lines = upload(&server, "a.txt", b"WINNER!! Reply YES to claim your prize\nSee you on Thursday\n");
    assert_eq!((&lines["format"], &lines["columns"]), (&json!("lines"), &json!([])));
    let json = upload(&server, "a.jsonl", b"{\"body\":\"See you on Thursday\",\"n\":1}\n{\"body\":7}\n");
    assert_eq!(
        json["columns"][0],
        json!({ "name": "body", "samples": ["See you on Thursday", "7"], "is_likely": true })
    );
    let begin = |run: &Value, order: Value| {
        let id = run["id"].as_str().unwrap();
        let begun = server.post(&format!("/v1/runs/{id}/start"), &order);
        assert_eq!(begun.status, 200, "{begun:?}");
        let done = ended(&server, id);
        assert_eq!((&done["state"], &done["done"]), (&json!("done"), &json!(2)), "{done}");
        server.get(&format!("/v1/runs/{id}/rows")).json()
    };
    let rows = begin(&lines, json!({ "policy": ["spam", "hate"], "effort": "none" }));
    assert_eq!((&rows["rows"][0]["verdict"], &rows["rows"][0]["policy"]), (&json!("violation"), &json!("spam")));
    assert_eq!(
        (&rows["rows"][1]["verdict"], &rows["rows"][1]["text"]),
        (&json!("safe"), &json!("See you on Thursday"))
    );
    let rows = begin(&json, json!({ "policy": ["spam"], "text_column": "body", "effort": "none" }));
    assert_eq!((&rows["rows"][0]["verdict"], &rows["rows"][1]["verdict"]), (&json!("safe"), &json!("undecided")));
}

#[test]
fn the_json_of_an_evaluation_becomes_its_report() {
    let server = Server::start(&["-p", "spam"]);
    let folder = tempfile::tempdir().unwrap();
    let golden = folder.path().join("golden.jsonl");
    let rows = [("WINNER!! <b>Reply</b> YES to claim your prize", "violation"), ("See you on Thursday", "safe")];
    let lines: String =
        rows.iter().map(|(text, label)| format!("{}\n", json!({ "text": text, "label": label }))).collect();
    std::fs::write(&golden, lines).unwrap();
    let mut eval = Command::new(cargo_bin!("magistrate"));
    eval.args(["eval", "-p", "spam", "--effort", "none", "--json"]).arg(&golden);
    let made = eval.env("MAGISTRATE_CACHE", folder.path()).output().unwrap();
    let page = send(&server, "POST", "/v1/reports", &made.stdout);
    let body = String::from_utf8(page.body).unwrap();
    assert!(page.status == 200 && page.head.contains("text/html"), "{body}");
    assert!(body.contains("\\u003cb>Reply\\u003c/b>") && !body.contains("<b>Reply"), "{body}");
    let wrong = send(&server, "POST", "/v1/reports", b"{\"rows\": 7}");
    assert_eq!(wrong.status, 400);
}
