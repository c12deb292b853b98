//! Servers that are refused before anything is judged, and those that change on the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use magistrate::content::Content;
use magistrate::engine::remote::{Kind, Level, RemoteError, RemoteKey, RemoteOptions};
use magistrate::engine::{Engine, EngineError};
use magistrate::hint::Hints;
use magistrate::policy::Effort;
use magistrate::prompt::Templates;
use magistrate::tokenizer::Token;
use serde_json::{Value, json};

use super::{EXACT, connect, connect_with, noise, tokenizer};
use crate::support;
use crate::support::remote::{Answer, Program, moody, stub};

fn error(result: Result<magistrate::engine::remote::Connection, RemoteError>) -> RemoteError {
    result.map(|_| ()).unwrap_err()
}

#[test]
fn a_server_is_known_by_its_own_routes() {
    for (program, kind, version, parallel) in [
        (Program::Vllm, Kind::Vllm, "0.33.0", 64),
        (Program::Sglang, Kind::Sglang, "0.5.23", 64),
        (Program::LlamaServer, Kind::LlamaServer, "b9000", 4),
    ] {
        let connection = connect(&stub(program, &tokenizer(), noise)).unwrap();
        let server = connection.server();
        assert_eq!((server.kind, server.version.as_str(), server.parallel), (kind, version, parallel));
        assert_eq!((server.level, server.context, server.canary.len()), (Level::Exact, 8192, 8));
        assert_eq!(server.name(), format!("remote:{kind}:gpt-oss-safeguard-20b@{version}"));
    }
}

#[test]
fn an_address_without_http_or_with_a_key_is_refused_unasked() {
    for url in ["localhost:8000", "", "http://", "ftp://host", "http://host/?key=1", "http://ho st"] {
        assert!(matches!(error(connect_with(&RemoteOptions::new(url))), RemoteError::Address { .. }), "{url}");
    }
    let secret = error(connect_with(&RemoteOptions::new("http://user:secret@host")));
    assert_eq!(secret, RemoteError::KeyInAddress);
    assert!(!secret.to_string().contains("secret"));
    let gone = error(connect_with(&RemoteOptions::new("http://127.0.0.1:9")));
    assert!(matches!(gone, RemoteError::Unreachable { .. }), "{gone}");
}

#[test]
fn another_vocabulary_is_refused() {
    for program in EXACT {
        let stub = moody(program, &tokenizer(), true, noise, |path, _, _, answer| match path {
            "/tokenize" => Answer::json(&json!({ "tokens": [1, 2, 3] })),
            _ => answer,
        });
        let error = error(connect(&stub));
        assert!(error.to_string().contains("another vocabulary than random.gguf"), "{error}");
        assert!(error.hints()[0].to_string().contains("tokenizer.json"));
    }
}

#[test]
fn log_probabilities_that_are_not_raw_are_refused() {
    // A server that gives them after it has restricted the choice.
    let stub = moody(Program::Vllm, &tokenizer(), true, noise, |_, _, body, answer| {
        if body["allowed_token_ids"].is_null() {
            return answer;
        }
        let mut reply: Value = serde_json::from_slice(&answer.body).unwrap();
        let top = reply["choices"][0]["logprobs"]["top_logprobs"][0].as_object_mut().unwrap();
        top.values_mut().for_each(|log| *log = json!(-0.01));
        Answer::json(&reply)
    });
    assert_eq!(error(connect(&stub)), RemoteError::NotRaw);
    // Probabilities that are more than a whole.
    let stub = moody(Program::Sglang, &tokenizer(), true, noise, |path, _, _, answer| {
        if path != "/generate" {
            return answer;
        }
        let mut reply: Value = serde_json::from_slice(&answer.body).unwrap();
        let named = reply["meta_info"]["output_token_ids_logprobs"][0].as_array_mut().unwrap();
        for entry in named.iter_mut() {
            entry[0] = json!(-0.1);
        }
        Answer::json(&reply)
    });
    let error = error(connect(&stub));
    assert!(error.to_string().contains("together"), "{error}");
}

#[test]
fn a_server_that_restores_prompts_wrongly_is_refused() {
    let stub = moody(Program::LlamaServer, &tokenizer(), true, noise, |_, _, body, answer| {
        if body["id_slot"].is_null() || body["cache_prompt"] == false {
            return answer;
        }
        let mut reply: Value = serde_json::from_slice(&answer.body).unwrap();
        let top = reply["completion_probabilities"][0]["top_logprobs"].as_array_mut().unwrap();
        for likely in top.iter_mut() {
            likely["logprob"] = json!(likely["logprob"].as_f64().unwrap() - 0.4);
        }
        Answer::json(&reply)
    });
    let error = error(connect(&stub));
    assert_eq!(error, RemoteError::WrongRestore);
    assert!(error.hints()[0].to_string().contains("--cache-ram 0"));
}

#[test]
fn of_several_models_one_must_be_named() {
    let stub = moody(Program::Vllm, &tokenizer(), true, noise, |path, _, _, answer| match path {
        "/v1/models" => Answer::json(&json!({ "data": [{ "id": "one" }, { "id": "two" }] })),
        _ => answer,
    });
    let several = error(connect(&stub));
    assert!(several.to_string().contains("2 models"), "{several}");
    assert!(several.hints()[0].to_string().contains("one, two"));
    let named = |name: &str| RemoteOptions { model: Some(name.to_owned()), ..RemoteOptions::new(&*stub.url) };
    assert!(matches!(error(connect_with(&named("three"))), RemoteError::NoModel { .. }));
    assert_eq!(connect_with(&named("two")).unwrap().server().model, "two");
}

#[test]
fn a_key_is_sent_and_never_shown() {
    let stub = moody(Program::Vllm, &tokenizer(), true, noise, |path, _, _, answer| match path {
        "/v1/completions" => Answer::status(401, r#"{"error":{"message":"bad key hunter2secret"}}"#),
        _ => answer,
    });
    let key = Some(RemoteKey::new(" hunter2secret\n"));
    let options = RemoteOptions { key, ..RemoteOptions::new(&*stub.url) };
    assert!(!format!("{options:?}").contains("hunter2"));
    let error = error(connect_with(&options));
    assert_eq!(error.to_string(), "the server refuses: 401 bad key [key]");
    assert!(error.hints()[0].to_string().contains("file with the key"));
    let asked = stub.asked.lock().unwrap();
    assert!(asked.iter().all(|(_, headers, _)| headers.contains("authorization: bearer hunter2secret")));
}

/// A model of noise, or another one.
fn either(swapped: &Arc<AtomicBool>) -> impl Fn(&[Token], &mut [f32]) + Send + Sync + 'static {
    let swapped = Arc::clone(swapped);
    move |history, logits| {
        noise(history, logits);
        if swapped.load(Ordering::Relaxed) {
            logits.reverse();
        }
    }
}

#[test]
fn a_model_that_is_swapped_behind_a_failure_judges_nothing() {
    for program in EXACT {
        let (swapped, fails) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let failing = Arc::clone(&fails);
        let stub = moody(program, &tokenizer(), true, either(&swapped), move |_, _, _, answer| {
            if failing.swap(false, Ordering::Relaxed) { Answer::status(503, "") } else { answer }
        });
        let remote = Engine::remote(connect(&stub).unwrap(), Templates::shipped()).unwrap();
        let policy = support::plain("digits", "Judge.", "0=safe,1=violation");
        let session = remote.session(&policy, support::noisy(Effort::None)).unwrap();
        session.classify(&Content::new("One.")).unwrap();
        // A failure alone is no reason for doubt once the canary is the same.
        fails.store(true, Ordering::Relaxed);
        session.classify(&Content::new("Two.")).unwrap();
        swapped.store(true, Ordering::Relaxed);
        fails.store(true, Ordering::Relaxed);
        for text in ["Three.", "Four."] {
            let error = session.classify(&Content::new(text)).unwrap_err();
            assert!(matches!(error, EngineError::Remote(RemoteError::Changed)), "{program:?}: {error}");
        }
    }
}

#[test]
fn a_server_that_names_another_model_judges_nothing() {
    let swapped = Arc::new(AtomicBool::new(false));
    let other = Arc::clone(&swapped);
    let stub = moody(Program::Vllm, &tokenizer(), true, noise, move |_, _, _, answer| {
        let renamed = String::from_utf8_lossy(&answer.body).replace("gpt-oss-safeguard-20b", "another");
        if other.load(Ordering::Relaxed) { Answer { body: renamed.into_bytes(), ..answer } } else { answer }
    });
    let remote = Engine::remote(connect(&stub).unwrap(), Templates::shipped()).unwrap();
    let policy = support::plain("digits", "Judge.", "0=safe,1=violation");
    let session = remote.session(&policy, support::noisy(Effort::None)).unwrap();
    session.classify(&Content::new("One.")).unwrap();
    swapped.store(true, Ordering::Relaxed);
    let error = session.classify(&Content::new("Two.")).unwrap_err();
    assert!(matches!(error, EngineError::Remote(RemoteError::Changed)), "{error}");
}

#[test]
fn a_silent_server_costs_a_content_its_patience_and_no_more() {
    let silent = Arc::new(AtomicBool::new(false));
    let is_silent = Arc::clone(&silent);
    let stub = moody(Program::Vllm, &tokenizer(), true, noise, move |_, _, _, answer| {
        let wait = if is_silent.load(Ordering::Relaxed) { Duration::from_secs(5) } else { Duration::ZERO };
        Answer { wait, ..answer }
    });
    let options = RemoteOptions { patience: Duration::from_millis(200), ..RemoteOptions::new(&*stub.url) };
    let remote = Engine::remote(connect_with(&options).unwrap(), Templates::shipped()).unwrap();
    let policy = support::plain("digits", "Judge.", "0=safe,1=violation");
    let session = remote.session(&policy, support::noisy(Effort::None)).unwrap();
    silent.store(true, Ordering::Relaxed);
    let error = session.classify(&Content::new("One.")).unwrap_err();
    assert!(error.to_string().contains("broke off"), "{error}");
    silent.store(false, Ordering::Relaxed);
    session.classify(&Content::new("One.")).unwrap();
}
