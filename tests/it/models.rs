//! Models in the stores of other programs, and files of Ollama that are converted.

use crate::support;

use std::fs;
use std::path::{Path, PathBuf};

use magistrate::gguf::rewrite::convert;
use magistrate::gguf::{Problem, inspect, sha256};
use magistrate::models::stores::{Places, named};
use support::synth::Shape;

#[test]
fn a_file_of_ollamas_becomes_plain_with_the_same_data() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let plain = support::demonstration();
    support::ollama(&plain, &path("blob"));
    assert!(matches!(*inspect(&path("blob")).unwrap_err().problem, Problem::Ollama));
    let made = convert(&path("blob"), &path("made.gguf")).unwrap();
    let original = inspect(&plain).unwrap();
    assert_eq!((made.shape, made.types, made.parameters), (original.shape, original.types, original.parameters));
    let data = |path: &Path| {
        let bytes = fs::read(path).unwrap();
        let sum: u64 = inspect(path).unwrap().types.values().map(|(_, bytes)| bytes).sum();
        bytes[bytes.len() - usize::try_from(sum).unwrap()..].to_vec()
    };
    assert_eq!(data(&path("made.gguf")), data(&plain));
    let again = convert(&plain, &path("again.gguf")).unwrap_err();
    assert!(matches!(*again.problem, Problem::NotOllama) && !path("again.gguf").exists(), "{again}");
    let nowhere = convert(&path("blob"), &path("absent/made.gguf")).unwrap_err();
    assert!(matches!(*nowhere.problem, Problem::Unwritten(_)), "{nowhere}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left behind");
}

/// Copies a model to a path, and makes the folders above it.
fn put(path: PathBuf, from: &Path) -> PathBuf {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::copy(from, &path).unwrap();
    path
}

/// Fills the stores of all programs below a home with a plain model of this digest, and one of Ollama.
fn fill_stores(home: &Path, plain: &Path, digest: &str) {
    let put = |place: &str, from: &Path| put(home.join(place), from);
    let blob = home.join("blob");
    support::ollama(plain, &blob);
    put(&format!(".cache/huggingface/hub/models--org--repo/blobs/{digest}"), plain);
    let snapshot = home.join(".cache/huggingface/hub/models--org--repo/snapshots/abc");
    fs::create_dir_all(&snapshot).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(format!("../../blobs/{digest}"), snapshot.join("small-Q4.gguf")).unwrap();
    #[cfg(not(unix))]
    fs::copy(plain, snapshot.join("small-Q4.gguf")).unwrap();
    put(".lmstudio/models/maker/small/small.gguf", plain);
    put(".lmstudio/models/maker/small/other.txt", plain);
    fs::write(home.join(".lmstudio/models/maker/small/broken.gguf"), "GGUF").unwrap();
    put(&format!(".ollama/models/blobs/sha256-{}", "a".repeat(64)), &blob);
    let manifest = format!(
        r#"{{"layers":[{{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:{}"}}]}}"#,
        "a".repeat(64)
    );
    let tag = home.join(".ollama/models/manifests/registry.ollama.ai/library/gpt-oss-safeguard/20b");
    fs::create_dir_all(tag.parent().unwrap()).unwrap();
    fs::write(tag, manifest).unwrap();
    put(&format!(".docker/models/blobs/sha256/{digest}"), plain);
    let index = format!(r#"{{"models":[{{"tags":["ai/small:20B"],"files":["sha256:{digest}"]}}]}}"#);
    fs::write(home.join(".docker/models/models.json"), index).unwrap();
    fs::create_dir_all(home.join("own")).unwrap();
    support::synth::write(&home.join("own/big.gguf"), &Shape { parts: 2, ..Shape::tiny() }).unwrap();
}

#[test]
fn models_of_every_store_are_found_by_name_and_nothing_else_is() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().to_owned();
    let plain = support::demonstration();
    let digest = sha256(&plain, &mut |_, _| ()).unwrap();
    fill_stores(&home, &plain, &digest);

    let own = home.join("own");
    let places = Places::new(home.clone(), |name| (name == "MAGISTRATE_MODELS").then(|| own.clone().into()));
    let found = places.find();
    let names: Vec<(&str, &str)> = found.iter().map(|model| (model.name.as_str(), model.store)).collect();
    assert_eq!(
        names,
        [
            ("big-00001-of-00002.gguf", "own folder"),
            ("docker:ai/small:20B", "Docker"),
            ("hf:org/repo:small-Q4.gguf", "Hugging Face"),
            ("maker/small/small.gguf", "LM Studio"),
            ("ollama:gpt-oss-safeguard:20b", "Ollama"),
        ]
    );
    let of = |name: &str| named(&found, name).unwrap().unwrap();
    assert!(of("ollama:gpt-oss-safeguard:20b").unusable.is_some());
    assert_eq!(of("docker:ai/small:20B").sha256.as_ref(), Some(&digest));
    #[cfg(unix)]
    assert_eq!(of("small-q4").sha256.as_ref(), Some(&digest));
    assert_eq!(inspect(&of("small-Q4").path).unwrap().digest, inspect(&plain).unwrap().digest);
    let big = of("big-00001-of-00002");
    assert_eq!(big.size, inspect(&big.path).unwrap().size);
    assert_eq!(named(&found, "nothing"), Ok(None));
    // A source of `model pull` also names the fetched model, and so does a file's whole name.
    for (name, whole) in [
        ("small-Q4.gguf", "hf:org/repo:small-Q4.gguf"),
        ("hf:org/repo:Q4", "hf:org/repo:small-Q4.gguf"),
        ("hf:org/repo", "hf:org/repo:small-Q4.gguf"),
        ("docker:small:20B", "docker:ai/small:20B"),
        ("big", "big-00001-of-00002.gguf"),
        ("maker/small/small.gguf", "maker/small/small.gguf"),
    ] {
        assert_eq!(of(name).name, whole, "{name}");
    }
    for nothing in ["hf:org/repo:Q8", "hf:org/other:Q4", "docker:small", "ollama:small:20B", "20b", "org/repo"] {
        assert_eq!(named(&found, nothing), Ok(None), "{nothing}");
    }
    put(home.join("own/maker/small.gguf"), &plain);
    assert_eq!(named(&places.find(), "small").unwrap_err().len(), 2);

    let file = "models--unsloth--gpt-oss-safeguard-20b-GGUF/snapshots/a/gpt-oss-safeguard-20b-Q4_K_M.gguf";
    put(home.join(".cache/huggingface/hub").join(file), &plain);
    assert!(named(&places.find(), "20B").unwrap().unwrap().name.starts_with("hf:unsloth/"));

    // Models of registries and addresses are fetched into the user's own folder.
    for place in ["ai/guard/latest/guard-latest.gguf", "library/guard/20b/guard-20b.gguf", "page.gguf"] {
        put(home.join("own").join(place), &plain);
    }
    let found = places.find();
    for (name, place) in [
        ("docker:guard", "ai/guard/latest/guard-latest.gguf"),
        ("docker:ai/guard:latest", "ai/guard/latest/guard-latest.gguf"),
        ("ollama:guard:20b", "library/guard/20b/guard-20b.gguf"),
        ("https://host.example/models/page.gguf?download=true", "page.gguf"),
    ] {
        assert_eq!(named(&found, name).unwrap().map(|model| model.name.as_str()), Some(place), "{name}");
    }
    for nothing in ["docker:guard:20b", "ollama:guard", "https://host.example/other.gguf"] {
        assert_eq!(named(&found, nothing), Ok(None), "{nothing}");
    }

    let empty = Places::new(PathBuf::from("/nonexistent"), |_| None);
    assert!(empty.find().is_empty() && empty.folders().len() >= 6);
}
