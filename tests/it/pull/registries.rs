//! Fetching models from registries.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use magistrate::gguf::inspect;
use magistrate::models::fetch::FetchError;
use magistrate::models::pull::{Hosts, Origin, PullError, Puller};

use super::server::{Act, server};
use super::{bytes, client, digest};
use crate::support;
use crate::support::synth::{self, Shape};

/// Fetches the model of a name. Another test of this process may be starting a program, which has a copy of a closed
/// download's lock for some milliseconds.
fn pull(hosts: &Hosts, name: &str, sha256: Option<&str>) -> Result<PathBuf, PullError> {
    let puller = Puller { client: client(), hosts: hosts.clone() };
    let (origin, begun) = (Origin::parse(name).unwrap(), Instant::now());
    loop {
        match puller.pull(&origin, sha256, &mut |_, _, _| ()) {
            Err(PullError::Fetch(FetchError::Busy(_))) if begun.elapsed() < Duration::from_secs(10) => {
                std::thread::sleep(Duration::from_millis(5));
            }
            done => return done,
        }
    }
}

fn hosts(folder: &Path, url: &str) -> Hosts {
    Hosts {
        hub: url.to_owned(),
        docker_tokens: url.to_owned(),
        docker: url.to_owned(),
        ollama: url.to_owned(),
        hub_cache: folder.join("hub"),
        folder: folder.join("own"),
        token: Some("hf_secret".into()),
    }
}

/// Returns the files of a model in two parts.
fn parts() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let files = synth::write(&folder.path().join("model.gguf"), &Shape { parts: 2, ..Shape::tiny() }).unwrap();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

#[test]
fn a_repository_of_the_hub_becomes_its_own_cache_and_the_token_stays_with_the_first_host() {
    let one = fs::read(support::demonstration()).unwrap();
    let two = parts();
    let content = server({
        let (one, two) = (one.clone(), two.clone());
        move |path, _, headers| {
            assert!(!headers.contains_key("authorization"), "the token went to another host");
            match path {
                "/blob/one" => Act::Serve(one.clone(), ""),
                "/blob/1" => Act::Serve(two[0].clone(), ""),
                _ => Act::Serve(two[1].clone(), ""),
            }
        }
    });
    let commit = "c".repeat(40);
    let listing = format!(
        r#"[{{"type":"file","path":"README.md","size":3}},
            {{"type":"file","path":"small-Q4_K_M.gguf","size":1,"lfs":{{"oid":"{}","size":{}}}}},
            {{"type":"file","path":"big/big-MXFP4-00001-of-00002.gguf","size":1,"lfs":{{"oid":"{}","size":{}}}}},
            {{"type":"file","path":"big/big-MXFP4-00002-of-00002.gguf","size":1,"lfs":{{"oid":"{}","size":{}}}}}]"#,
        digest(&one),
        one.len(),
        digest(&two[0]),
        two[0].len(),
        digest(&two[1]),
        two[1].len()
    );
    let hub = server({
        let (commit, content) = (commit.clone(), content.url.clone());
        move |path, _, headers| {
            assert_eq!(headers["authorization"], "Bearer hf_secret");
            let redirect = |blob: &str| Act::Say("302 Found", format!("Location: {content}/blob/{blob}\r\n"));
            match path {
                "/api/models/org/repo/revision/main" => Act::Whole(format!(r#"{{"sha":"{commit}"}}"#).into_bytes()),
                path if path.contains("/tree/") => Act::Whole(listing.clone().into_bytes()),
                path if path.ends_with("small-Q4_K_M.gguf") => redirect("one"),
                path if path.ends_with("00001-of-00002.gguf") => redirect("1"),
                _ => redirect("2"),
            }
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let hosts = hosts(folder.path(), &hub.url);
    let get = |name: &str| pull(&hosts, name, None);
    let small = get("hf:org/repo:Q4_K_M").unwrap();
    assert!(small.ends_with(format!("models--org--repo/snapshots/{commit}/small-Q4_K_M.gguf")), "{}", small.display());
    assert_eq!(fs::read(&small).unwrap(), one);
    assert_eq!(fs::read_to_string(folder.path().join("hub/models--org--repo/refs/main")).unwrap(), commit);
    let big = get("hf:org/repo:big/big-MXFP4-00001-of-00002.gguf").unwrap();
    assert_eq!(inspect(&big).unwrap().parts.len(), 2, "both parts came");
    let asked = content.asked.lock().unwrap().len();
    get("hf:org/repo:Q4_K_M").unwrap();
    assert_eq!(content.asked.lock().unwrap().len(), asked, "what is there is not fetched again");
    let several = get("hf:org/repo").unwrap_err();
    assert!(matches!(&several, PullError::Choose { files, .. } if files.len() == 3), "{several}");
    assert!(get("hf:org/repo:Q9").unwrap_err().to_string().contains("no such model"));
}

#[test]
fn registries_of_layers_are_read_in_order_and_come_whole_or_not_at_all() {
    let two = parts();
    let manifest = |kind: &str, blobs: &[Vec<u8>]| {
        let layers: Vec<String> = blobs
            .iter()
            .map(|blob| format!(r#"{{"mediaType":"{kind}","digest":"sha256:{}","size":{}}}"#, digest(blob), blob.len()))
            .collect();
        format!(
            r#"{{"layers":[{{"mediaType":"application/json","digest":"sha256:00","size":1}},{}]}}"#,
            layers.join(",")
        )
    };
    let docker = manifest("application/vnd.docker.ai.gguf.v3", &two);
    let ollama = manifest("application/vnd.ollama.image.model", &two[..1]);
    let broken = Arc::new(Mutex::new(true));
    let (switch, blobs, second) = (Arc::clone(&broken), two.clone(), digest(&two[1]));
    let registry = server(move |path, _, headers| {
        if path.starts_with("/token") {
            return Act::Whole(br#"{"token":"t"}"#.to_vec());
        }
        if path.starts_with("/v2/ai/") {
            assert_eq!(headers["authorization"], "Bearer t");
        }
        match path {
            "/v2/ai/safeguard/manifests/120B" => Act::Whole(docker.clone().into_bytes()),
            "/v2/library/safeguard/manifests/latest" => Act::Whole(ollama.clone().into_bytes()),
            path if path.ends_with(&second) && *switch.lock().unwrap() => Act::Say("404 Not Found", String::new()),
            path if path.ends_with(&second) => Act::Serve(blobs[1].clone(), ""),
            _ => Act::Serve(blobs[0].clone(), ""),
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let hosts = hosts(folder.path(), &registry.url);
    let get = |name: &str| pull(&hosts, name, None);
    assert!(get("docker:ai/safeguard:120B").is_err());
    let there = |name: &str| folder.path().join("own/ai/safeguard/120B").join(name).exists();
    assert!(!there("safeguard-120B-00001-of-00002.gguf"), "half of it has no name");
    *broken.lock().unwrap() = false;
    let path = get("docker:safeguard:120B").unwrap();
    assert!(path.ends_with("safeguard-120B-00001-of-00002.gguf") && inspect(&path).unwrap().parts.len() == 2);
    assert!(get("ollama:safeguard").unwrap().ends_with("library/safeguard/latest/safeguard-latest.gguf"));
}

#[test]
fn names_lead_somewhere_or_are_refused_and_a_hostile_registry_writes_nothing() {
    for (name, origin) in [
        ("hf:a/b", Origin::Hub { repository: "a/b".into(), file: None }),
        ("docker:x", Origin::Docker("ai/x".into(), "latest".into())),
        ("ollama:x:20b", Origin::Ollama("library/x".into(), "20b".into())),
        ("https://h/x.gguf", Origin::Url("https://h/x.gguf".into())),
    ] {
        assert_eq!(Origin::parse(name).unwrap(), origin);
    }
    assert!(Origin::parse("20b").is_ok() && Origin::parse("120B").is_ok());
    for wrong in ["", "x", "hf:", "hf:a", "hf:a/b/c", "hf:../b", "docker:../x", "ollama:a:../b", "ftp://x", "hf:a/b:"] {
        assert!(matches!(Origin::parse(wrong), Err(PullError::Name(_))), "{wrong}");
    }
    for path in ["../../evil.gguf", "/etc/evil.gguf", "a//b.gguf"] {
        let listing = format!(r#"[{{"path":"{path}","lfs":{{"oid":"{}","size":1}}}}]"#, "a".repeat(64));
        let hub = server(move |asked, _, _| {
            let sha = format!(r#"{{"sha":"{}"}}"#, "c".repeat(40));
            Act::Whole(if asked.contains("/tree/") { listing.clone() } else { sha }.into_bytes())
        });
        let folder = tempfile::tempdir().unwrap();
        let hosts = hosts(folder.path(), &hub.url);
        let refused = pull(&hosts, "hf:a/b", None);
        assert!(matches!(refused, Err(PullError::Hostile(_))), "{refused:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_digest_that_was_asked_for_is_checked_whatever_is_there_and_whatever_the_registry_says() {
    let whole = bytes(300_000);
    let (right, other) = (digest(&whole), "0".repeat(64));
    let manifest = format!(
        r#"{{"layers":[{{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:{right}","size":300000}}]}}"#
    );
    let server = server({
        let whole = whole.clone();
        move |path, _, _| match path {
            "/v2/library/m/manifests/latest" => Act::Whole(manifest.clone().into_bytes()),
            _ => Act::Serve(whole.clone(), ""),
        }
    });
    for (name, place) in [
        (format!("{}/m.gguf", server.url), "own/m.gguf"),
        ("ollama:m".to_owned(), "own/library/m/latest/m-latest.gguf"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let hosts = hosts(folder.path(), &server.url);
        let get = |asked: &str| pull(&hosts, &name, Some(asked));
        let place = folder.path().join(place);
        assert!(get(&other).is_err() && !place.exists(), "{name}: another is wanted than there is");
        assert_eq!(get(&right).unwrap(), place);
        assert_eq!(get(&right.to_uppercase()).unwrap(), place);
        let error = get(&other).unwrap_err().to_string();
        assert!(error.contains(&format!("its sha256 is {right}, and {other} was asked for")), "{error}");
        // An existing file with another digest is refused, although nothing is fetched.
        fs::write(&place, "not it").unwrap();
        let error = get(&right).unwrap_err();
        assert!(matches!(error, PullError::OtherDigest { .. }), "{error}");
        assert!(error.to_string().contains(place.to_str().unwrap()), "{error}");
        assert_eq!(fs::read(&place).unwrap(), b"not it", "it is the user's");
        assert!(pull(&hosts, &name, None).is_ok());
    }
}

#[test]
fn an_address_that_names_no_file_is_refused_and_no_secret_in_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let hosts = hosts(folder.path(), "http://127.0.0.1:9");
    for address in ["http://127.0.0.1:9/a/.", "http://127.0.0.1:9/a/..", "http://127.0.0.1:9/", "http://127.0.0.1:9"] {
        let refused = pull(&hosts, address, None);
        assert!(matches!(refused, Err(PullError::NoFile(_))), "{address}: {refused:?}");
    }
    let secret = "http://user:pass@127.0.0.1:9/m.gguf?signature=s3cr3t";
    for address in [secret, "http://user:pass@127.0.0.1:9/?signature=s3cr3t"] {
        let error = pull(&hosts, address, None).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("127.0.0.1:9") && !message.contains("pass") && !message.contains("s3cr3t"),
            "{message}"
        );
    }
    let message = Origin::parse("ftp://user:pass@127.0.0.1/m.gguf?signature=s3cr3t").unwrap_err().to_string();
    assert!(!message.contains("pass") && !message.contains("s3cr3t"), "{message}");
}
