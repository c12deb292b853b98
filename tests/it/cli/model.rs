//! `model`, and the choice of a model and its device.

use std::fs;

use insta::{assert_snapshot, with_settings};
use serde_json::{Value, json};

use super::{Stage, transcript};
use crate::support;
use crate::support::synth::{self, Shape};

#[test]
fn whether_a_model_fits_is_told_before_it_is_loaded() {
    let stage = Stage::new();
    synth::outline(&stage.path("20b.gguf"), &Shape::safeguard_20b()).unwrap();
    let runs = [
        stage.run(&["model", "fit", "20b.gguf", "-p", "spam", "--device", "CPU", "--memory", "16GB"]),
        stage.run(&[
            "model", "fit", "20b.gguf", "-p", "spam", "--device", "CPU", "--memory", "12.5GB", "--for", "check",
        ]),
        stage.run(&["model", "fit", "20b.gguf", "--device", "CPU", "--memory", "16GB", "--repack", "--parallel", "32"]),
        stage.run(&["model", "fit", "20b.gguf", "--device", "CPU", "--memory", "8GB", "--json"]),
        stage.fails(&["check", "-m", "20b.gguf", "-p", "spam", "--device", "CPU", "--memory", "8GB"]),
    ];
    assert_eq!(runs.each_ref().map(|run| run.code), [0, 0, 1, 1, 2]);
    assert_transcript!(runs);
}

#[test]
fn a_published_model_is_fitted_before_it_is_fetched_as_its_file_would_be() {
    let stage = Stage::new();
    synth::outline(&stage.path("file.gguf"), &Shape::safeguard_20b()).unwrap();
    let home = stage.path("home").display().to_string();
    let run = |args: &[&str]| stage.run_with(b"", args, &[("HOME", &home)]);
    let fit = |model: &str, more: &[&str]| run(&[&["model", "fit", model, "--device", "CPU"], more].concat());
    let plan = |model: &str| -> Value {
        serde_json::from_str(&fit(model, &["--memory", "16GB", "--json"]).stdout).expect("a plan")
    };
    let (known, file) = (plan("20b"), plan("file.gguf"));
    assert_eq!((&known["reckoned"], &file["reckoned"]), (&json!(true), &json!(false)));
    for need in ["cells", "computing", "program"] {
        assert_eq!(known["cpu"][need], file["cpu"][need], "{need} do not depend on the types of the weights");
    }
    assert_eq!(known["flags"], file["flags"]);
    let runs = [
        fit("20b", &["--memory", "16GB", "-p", "spam"]),
        fit("120b", &["--memory", "16GB"]),
        fit("hf:unsloth/gpt-oss-safeguard-20b-GGUF:F16", &["--memory", "16GB"]),
    ];
    assert_eq!(runs.each_ref().map(|run| run.code), [0, 1, 2]);
    assert_transcript!(runs);
}

#[cfg(feature = "hub")]
#[test]
fn without_a_network_a_pull_says_so_at_once_and_names_the_file_for_a_browser() {
    let stage = Stage::new();
    // A port on which nothing listens.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (home, host) = (stage.path("home").display().to_string(), format!("127.0.0.1:{port}"));
    let hub = format!("http://{host}");
    let pull =
        |source: &str| stage.run_with(b"", &["model", "pull", source], &[("HOME", &home), ("HF_ENDPOINT", &hub)]);
    for (source, files) in [
        ("20b", format!("{hub}/unsloth/gpt-oss-safeguard-20b-GGUF/resolve/main/gpt-oss-safeguard-20b-Q4_K_M.gguf")),
        ("hf:org/repo:Q4", format!("the Q4 GGUF files of {hub}/org/repo/tree/main")),
        (&format!("{hub}/model.gguf"), format!("{hub}/model.gguf")),
    ] {
        let run = pull(source);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run}");
        assert!(run.stderr.starts_with(&format!("error: no network: {host} cannot be reached (")), "{run}");
        let hint = format!("hint: download {files} in a browser, and pass its path with --model; ");
        assert!(run.stderr.contains(&hint), "{run}");
    }
}

#[test]
fn where_memory_is_short_less_is_done_at_once_and_that_is_said() {
    let stage = Stage::new();
    let fit = stage.run(&["model", "fit", support::demonstration().to_str().unwrap(), "-p", "spam", "--json"]);
    let plan: Value = serde_json::from_str(&fit.stdout).unwrap();
    let short = (plan["cpu"]["together"].as_u64().unwrap() - 1).to_string();
    let run = stage.run_on(b"one\ntwo\n", &["label", "-p", "spam", "--effort", "none", "--memory", &short]);
    assert!(run.stderr.contains("note: memory is short, so the model is loaded with --parallel 4"), "{run}");
    assert_eq!((run.code, run.stdout.lines().count()), (0, 2), "{run}");
}

#[test]
fn a_device_that_is_not_there_is_named_with_those_that_are() {
    let run = Stage::new().fails(&["check", "-p", "spam", "--device", "Vulkan7"]);
    assert!(
        run.stderr.contains("there is no device `Vulkan7`\nhint: the devices are ") && run.stderr.contains("CPU"),
        "{run}"
    );
}

#[test]
fn models_are_listed_named_inspected_and_verified() {
    let stage = Stage::new().model("stores/maker/small.gguf", &Shape::tiny()).file("in.txt", "Hello\n");
    let home = stage.path("home").display().to_string();
    let none = stage.run_with(b"", &["model", "list"], &[("HOME", &home)]);
    assert!(none.code == 0 && none.stderr.starts_with("no gpt-oss model was found in\n  Hugging Face  "), "{none}");
    assert!(none.stderr.contains("hint: `magistrate model pull 20b` fetches one"), "{none}");
    let own = stage.path("stores").display().to_string();
    let run = |args: &[&str]| stage.run_with(b"", args, &[("HOME", &home), ("MAGISTRATE_MODELS", &own)]);
    let list = run(&["model", "list"]);
    assert!(list.stdout.starts_with("maker/small.gguf  ") && list.stdout.ends_with("  own folder\n"), "{list}");
    let json: Value = serde_json::from_str(&run(&["model", "list", "--json"]).stdout).unwrap();
    assert_eq!((&json[0]["name"], &json[0]["unusable"]), (&"maker/small.gguf".into(), &Value::Null));
    let path = run(&["model", "path", "small"]);
    assert_eq!(path.stdout.trim(), stage.path("stores/maker/small.gguf").display().to_string());
    let check =
        run(&["check", "-p", "rules.md", "-m", "maker/small.gguf", "--effort", "none", "--threshold", "0", "Hello"]);
    assert_eq!(check.code, 1, "{check}");
    let about: Value = serde_json::from_str(&run(&["model", "inspect", "small", "--json"]).stdout).unwrap();
    assert_eq!((&about["experts"], about["parts"].as_array().unwrap().len()), (&Shape::tiny().experts.into(), 1));
    let verify = run(&["model", "verify", "small"]);
    assert!(
        verify.code == 0 && verify.stdout.len() > 64 && verify.stderr == "no store has a digest to compare with\n",
        "{verify}"
    );
    let inspect = run(&["model", "inspect", "nothing"]);
    for verb in ["path", "inspect", "verify"] {
        let absent = run(&["model", verb, "20b"]);
        assert_eq!((absent.code, absent.stdout.as_str()), (2, ""), "{absent}");
        let hint = "hint: `magistrate model pull 20b` fetches it (12 GB)";
        assert_eq!(absent.stderr, format!("error: 20b is not on this machine\n{hint}\n"));
        assert_eq!(run(&["model", verb, "nothing"]).code, 2);
    }
    let check = run(&["check", "-p", "rules.md", "-m", "hf:org/repo:Q4", "Hello"]);
    let hint = "hint: `magistrate model pull hf:org/repo:Q4` fetches it";
    assert_eq!(check.stderr, format!("error: hf:org/repo:Q4 is not on this machine\n{hint}\n"));
    #[cfg(feature = "nano")]
    assert!(run(&["model", "path", "magistrate-nano"]).stdout.ends_with("magistrate-nano.gguf\n"));
    let convert = run(&["model", "convert", "small", "-o", "plain.gguf"]);
    assert!(convert.stderr.contains("it was not made for Ollama's own engine\nhint: "), "{convert}");
    assert_eq!((inspect.code, convert.code), (2, 2));
    assert_transcript!([inspect]);
}

#[test]
fn the_model_is_named_by_flag_or_variable_and_the_flag_wins() {
    let stage = Stage::new().model("tiny.gguf", &Shape::tiny());
    let named = |args: &[&str], variable| {
        let args = [&["check", "-p", "rules.md", "--effort", "none", "--json", "Hello"], args].concat();
        let run = stage.run_with(b"", &args, &[("MAGISTRATE_MODEL", variable)]);
        serde_json::from_str::<Value>(&run.stdout).unwrap_or_else(|_| panic!("{run}"))["model"]["id"].clone()
    };
    assert_eq!(named(&[], "tiny.gguf"), "tiny");
    assert_eq!(named(&["--model", "tiny.gguf"], "none.gguf"), "tiny");
    assert_eq!(named(&[], ""), "magistrate-nano");
}

#[test]
fn a_model_in_parts_is_named_by_its_first() {
    let stage = Stage::new().model("split.gguf", &Shape { parts: 2, ..Shape::tiny() });
    let row = stage.json(&["check", "-p", "rules.md", "--effort", "none", "-m", "split-00001-of-00002.gguf"]);
    assert_eq!((&row["model"]["id"], &row["status"]), (&json!("split"), &json!("ok")));
}

#[test]
fn a_model_that_cannot_be_used_says_why_and_what_to_do() {
    let changed = |key: &str, value: &str| {
        let value = synth::Value::String(value.to_owned());
        Shape { metadata: vec![(key.to_owned(), Some(value))], ..Shape::tiny() }
    };
    let stage = Stage::new()
        .model("llama.gguf", &changed("general.architecture", "llama"))
        .model("ollama.gguf", &changed("general.architecture", "gptoss"))
        .model("llama-words.gguf", &changed("tokenizer.ggml.pre", "llama-bpe"))
        .model("cut.gguf", &Shape::tiny())
        .model("split.gguf", &Shape { parts: 2, ..Shape::tiny() })
        .model("lone.gguf", &Shape { parts: 3, ..Shape::tiny() })
        .file("page.gguf", "<!DOCTYPE html>")
        .file("pointer.gguf", "version https://git-lfs.github.com/spec/v1\n")
        .file("models/some.gguf", "");
    let cut = fs::read(stage.path("cut.gguf")).unwrap();
    fs::write(stage.path("cut.gguf"), &cut[..cut.len() - 1000]).unwrap();
    fs::remove_file(stage.path("lone-00002-of-00003.gguf")).unwrap();
    let models = [
        "none.gguf",
        "models",
        "page.gguf",
        "pointer.gguf",
        "cut.gguf",
        "llama.gguf",
        "ollama.gguf",
        "llama-words.gguf",
        "split-00002-of-00002.gguf",
        "lone-00001-of-00003.gguf",
    ];
    assert_transcript!(models.map(|model| stage.fails(&["check", "-p", "rules.md", "--model", model])));
    let prompt = stage.fails(&["prompt", "-p", "rules.md", "--tokens", "--model", "none.gguf"]);
    assert_eq!(prompt.code, 2);
}
