//! The page's files, and policies that are saved in a workspace.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use assert_cmd::cargo::cargo_bin;
use serde_json::{Value, json};

use super::client::{Reply, Server};

const PROSE: &str = "# House rules\nAnswer VALID or INVALID. INVALID is advertising.\n";

struct Place {
    folder: tempfile::TempDir,
    server: Server,
}

impl Place {
    fn start(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w");
        let server = Server::start(&[&["--workspace", path.to_str().unwrap()], flags].concat());
        Self { folder, server }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("w").join(name)
    }

    fn put(&self, id: &str, condition: (&str, &str), body: &Value) -> Reply {
        let headers = [("content-type", "application/json"), condition];
        self.server.send("PUT", &format!("/v1/policies/{id}"), &headers, &body.to_string())
    }

    fn source(&self, id: &str) -> Value {
        self.server.get(&format!("/v1/policies/{id}/source")).json()
    }
}

const NEW: (&str, &str) = ("if-none-match", "*");

#[test]
fn the_page_has_its_files_with_a_policy_and_an_unchanged_file_is_not_sent_again() {
    let server = Server::start(&["-p", "spam"]);
    for (path, kind) in [("/", "text/html"), ("/page/page.css", "text/css"), ("/page/main.js", "text/javascript")] {
        let reply = server.get(path);
        assert_eq!(reply.status, 200, "{path} {reply:?}");
        assert!(reply.header("content-type").unwrap().starts_with(kind), "{reply:?}");
        let policy = reply.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self' 'sha256-"), "{policy}");
        for part in ["frame-ancestors 'none'", "form-action 'none'", "connect-src 'self'", "base-uri 'none'"] {
            assert!(policy.contains(part), "{part} is missing in {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
        // The client has its headers in small letters.
        let tag = &reply.header("etag").unwrap().replace("w/", "W/");
        let again = server.send("GET", path, &[("if-none-match", tag)], "");
        assert_eq!((again.status, again.body.as_str(), again.header("etag")), (304, "", reply.header("etag")));
    }
    for path in ["/page/nothing.js", "/page/..%2FCargo.toml", "/page/%2e%2e/secret"] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
    let linked = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    assert_eq!(server.send("GET", "/", &linked, "").status, 200, "a link of another site leads to the page");
    assert_eq!(server.send("GET", "/v1/policies", &linked, "").error(), (403, "cross_site".to_owned()));
}

#[test]
fn the_page_begins_with_facts_and_needs_a_key_where_keys_are_set() {
    let place = Place::start(&["-p", "spam"]);
    let facts = place.server.get("/v1/page").json();
    assert_eq!((&facts["workspace"], &facts["needs_key"]), (&json!(true), &json!(false)));
    assert_eq!((&facts["model"]["is_demonstration"], &facts["reviewer"]), (&json!(true), &json!(null)));
    assert!(facts["model"]["trained_for"].as_array().unwrap().contains(&json!("spam")), "{facts}");
    let key = "a-key-of-the-tests";
    let server = Server::start_with(&["-p", "spam"], |command| {
        command.env("MAGISTRATE_API_KEY", key);
    });
    assert_eq!((server.get("/").status, server.get("/page/main.js").status), (200, 200));
    assert_eq!(server.get("/v1/page").status, 401);
    let facts = server.send("GET", "/v1/page", &[("authorization", &format!("Bearer {key}"))], "").json();
    assert_eq!((&facts["reviewer"], &facts["workspace"]), (&json!("default"), &json!(false)));
}

#[test]
fn a_policy_is_saved_served_at_once_and_replaced_only_by_somebody_who_has_seen_it() {
    let place = Place::start(&["-p", "spam"]);
    assert!(place.path("lock").exists(), "the folder is made");
    let created = place.put("house", NEW, &json!({ "markdown": PROSE }));
    assert_eq!(created.status, 201, "{created:?}");
    let saved = created.json();
    assert_eq!(fs::read_to_string(place.path("house.md")).unwrap(), PROSE);
    let named = format!("house@sha256:{}", saved["digest"].as_str().unwrap());
    let body = json!({ "text": "Hello", "policy": named, "effort": "none", "min_mass": 0 });
    let row = place.server.post("/v1/check", &body).json();
    assert_eq!(row["policy"]["digest"], saved["digest"], "{row}");
    let source = place.source("house");
    assert_eq!(
        (&source["text"], &source["notation"], &source["editable"]),
        (&json!(PROSE), &json!("markdown"), &json!(true))
    );
    assert_eq!((&source["digest"], &source["etag"]), (&saved["digest"], &saved["etag"]));

    let next = json!({ "markdown": PROSE.replace("advertising", "fraud") });
    assert_eq!(place.put("house", ("accept", "*/*"), &next).error(), (428, "precondition_required".to_owned()));
    assert_eq!(place.put("house", NEW, &next).error(), (412, "conflict".to_owned()));
    let tag = format!("\"{}\"", saved["etag"].as_str().unwrap());
    let replaced = place.put("house", ("if-match", &tag), &next);
    assert_eq!((replaced.status, &replaced.json()["history"]), (200, &json!(2)));
    let late = place.put("house", ("if-match", &tag), &json!({ "markdown": PROSE }));
    assert_eq!(late.error(), (412, "conflict".to_owned()));
    assert!(late.body.contains(replaced.json()["digest"].as_str().unwrap()), "{late:?}");
    let digest = format!("\"{}\"", replaced.json()["digest"].as_str().unwrap());
    assert_eq!(place.put("house", ("if-match", &digest), &json!({ "markdown": PROSE })).status, 200);

    let history = place.server.get("/v1/policies/house/history").json();
    let numbers: Vec<_> = history["versions"].as_array().unwrap().iter().map(|version| &version["number"]).collect();
    assert_eq!(numbers, [3, 2, 1], "{history}");
    let second = place.server.get("/v1/policies/house/history/2").json();
    assert_eq!((&second["text"], &second["notation"]), (&next["markdown"], &json!("markdown")));
    assert_eq!(place.server.get("/v1/policies/house/history/9").error(), (404, "not_found".to_owned()));
    assert_eq!(place.server.get("/v1/policies/spam/history").json(), json!({ "versions": [] }));
}

#[test]
fn a_lint_error_is_refused_with_its_line_and_no_path_leaves_the_folder() {
    let place = Place::start(&["-p", "spam"]);
    let spam = place.source("spam");
    assert_eq!((&spam["editable"], &spam["notation"]), (&json!(false), &json!("yaml")));
    let yaml = spam["text"].as_str().unwrap();
    let line = yaml.lines().position(|line| line.starts_with("    verdict: violation")).unwrap() + 1;
    let broken = yaml.replacen("    verdict: violation", "    verdict: forbidden", 1);
    let refused = place.put("spam", ("if-match", "*"), &json!({ "yaml": broken }));
    assert_eq!(refused.error(), (422, "invalid_policy".to_owned()));
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains(&format!("line {line}:")), "{refused:?}");
    for id in ["..%2F..%2Fescaped", "%2e%2e", ".hidden", "a%00b", "UP", "a%2fb"] {
        let reply = place.put(id, NEW, &json!({ "markdown": PROSE }));
        assert!([400, 404, 405].contains(&reply.status), "{id} {reply:?}");
        assert_ne!(place.server.get(&format!("/v1/policies/{id}/source")).status, 200, "{id}");
        assert_ne!(place.server.get(&format!("/v1/policies/{id}/history/1")).status, 200, "{id}");
    }
    let elsewhere = json!({ "yaml": format!("{yaml}golden: ../../secret.yaml\n") });
    assert_eq!(place.put("spam", ("if-match", "*"), &elsewhere).error(), (422, "invalid_policy".to_owned()));
    let outside: Vec<_> = fs::read_dir(place.folder.path()).unwrap().collect();
    assert_eq!(outside.len(), 1, "{outside:?}");
    let off = Server::start(&["-p", "spam"]);
    let headers = [("content-type", "application/json"), NEW];
    let reply = off.send("PUT", "/v1/policies/house", &headers, &json!({ "markdown": PROSE }).to_string());
    assert_eq!(reply.error(), (404, "workspace_off".to_owned()));
}

#[test]
fn a_shipped_policy_is_copied_with_comments_and_the_copy_is_served_after_a_restart() {
    let place = Place::start(&[]);
    let before = place.source("spam");
    let text = before["text"].as_str().unwrap().replace("title: ", "title: Our ") + "# Kept, byte for byte\n";
    let tag = format!("\"{}\"", before["etag"].as_str().unwrap());
    let saved = place.put("spam", ("if-match", &tag), &json!({ "yaml": text, "golden": before["golden"] })).json();
    assert_eq!(saved["history"], 2, "the shipped text is the first version: {saved}");
    assert_eq!(place.source("spam")["text"], text.as_str());
    assert_eq!(place.source("spam")["golden"], before["golden"]);
    let ids = |server: &Server| {
        let list = server.get("/v1/policies").json();
        let of = |policy: &Value| (policy["id"].as_str().unwrap().to_owned(), policy["digest"].clone());
        list["policies"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    let served = ids(&place.server);
    assert_eq!(served.iter().filter(|(id, _)| id == "spam").count(), 1);
    assert!(served.contains(&("spam".to_owned(), saved["digest"].clone())));
    let Place { folder, mut server } = place;
    server.signal("TERM");
    server.wait();
    let path = folder.path().join("w");
    let again = Server::start(&["--workspace", path.to_str().unwrap()]);
    assert_eq!(ids(&again), served);
    let asked = again.send("OPTIONS", "/v1/policies/spam", &[("origin", "https://desk.example")], "");
    assert_eq!(asked.status, 204);
}

#[test]
fn a_golden_set_that_was_saved_is_the_one_of_eval_and_the_figures_are_those_of_eval() {
    let place = Place::start(&["-p", "spam"]);
    let golden = json!([
        { "text": "WINNER!! Reply YES to claim your prize", "expected": "SP3.b", "note": "a prize" },
        { "text": "See you on Thursday", "expected": "safe" },
        { "text": "CLICK here: http://win.example to claim your FREE prize now!!!", "expected": "violation" },
        { "text": "The free museum opens at nine", "expected": "safe", "near_miss": true },
        { "text": "Lunch? \"Yes\" # or no", "expected": "violation" },
    ]);
    let source = place.source("spam");
    let tag = format!("\"{}\"", source["etag"].as_str().unwrap());
    let saved = place.put("spam", ("if-match", &tag), &json!({ "yaml": source["text"], "golden": golden }));
    assert_eq!(saved.status, 200, "{saved:?}");
    assert_eq!(place.source("spam")["golden"], golden);
    let version = place.server.get("/v1/policies/spam/history/2").json();
    assert_eq!(version["golden"], golden);

    let evaluated = eval(&place.path("spam.yaml"));
    let rows = evaluated["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 5, "{evaluated}");
    let is_violation = |value: &Value| value.as_str().map(|verdict| verdict == "violation");
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            let expected = is_violation(&row["expected"]["verdict"]);
            json!({ "expected": expected, "given": is_violation(&row["verdict"]), "probability": row["probability"] })
        })
        .collect();
    let figures = place.server.post("/v1/figures", &json!({ "rows": rows })).json();
    for name in ["precision", "recall", "f1", "accuracy"] {
        assert_eq!(figures["figures"][name], evaluated["scores"][name], "{name}");
    }
    assert_eq!(figures["comparison"], Value::Null);
    let wrong = place.server.post("/v1/figures", &json!({ "rows": [{ "expected": true, "probability": 2 }] }));
    assert_eq!(wrong.error(), (400, "invalid_value".to_owned()));
}

#[test]
fn a_policy_in_prose_has_a_golden_set_too() {
    let place = Place::start(&["-p", "spam"]);
    let golden = json!([{ "text": "Buy now", "expected": "violation" }, { "text": "Hello", "expected": "safe" }]);
    assert_eq!(place.put("house", NEW, &json!({ "markdown": PROSE, "golden": golden })).status, 201);
    let evaluated = eval(&place.path("house.md"));
    assert_eq!((evaluated["rows"].as_array().unwrap().len(), &evaluated["scores"]["violations"]), (2, &json!(1)));
}

/// Returns the JSON of `eval -p FILE`, which finds the golden set beside the file.
fn eval(file: &Path) -> Value {
    let cache = tempfile::tempdir().unwrap();
    let mut eval = Command::new(cargo_bin!("magistrate"));
    eval.args(["eval", "--json", "--effort", "none", "--min-mass", "0", "-p"]).arg(file);
    let output = eval.env("MAGISTRATE_CACHE", cache.path()).output().unwrap();
    let evaluated = serde_json::from_slice(&output.stdout);
    evaluated.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}
