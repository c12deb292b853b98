//! Fetching models from servers that speak the registries' languages, and behave badly.
#![cfg(feature = "hub")]

use crate::support;

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use magistrate::gguf::inspect;
use magistrate::gguf::sha256;
use magistrate::models::fetch::{Client, FetchError, Remote};
use magistrate::models::pull::{Hosts, Origin, PullError, pull};
use support::synth::{self, Shape};

/// What a server does with a request.
enum Act {
    /// Gives all of it, or the range that is asked for.
    Serve(Vec<u8>, &'static str),
    /// Gives all of it whatever is asked for.
    Whole(Vec<u8>),
    /// Gives so much of it, under its whole length, and hangs up.
    Cut(Vec<u8>, usize, &'static str),
    /// Gives so much of it and falls silent.
    Stall(Vec<u8>, usize),
    /// Says that so many bytes are coming, and hangs up.
    Promise(usize),
    /// An answer without a body: status and headers.
    Say(&'static str, String),
}

/// A request, as far as it matters: its path and its headers, in lower case.
type Asked = (String, HashMap<String, String>);

/// What to do with a request, by its path, its number from 0 and its headers.
type Answer = dyn Fn(&str, usize, &HashMap<String, String>) -> Act;

struct Server {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// A server on a port of its own, which acts on each request as `answer` says: by its path, its number from 0 and its headers.
fn server(answer: impl Fn(&str, usize, &HashMap<String, String>) -> Act + Send + Sync + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let (log, answer) = (Arc::clone(&asked), Arc::new(answer));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
            std::thread::spawn(move || serve(stream, &log, &*answer));
        }
    });
    Server { url, asked }
}

fn serve(mut stream: TcpStream, log: &Mutex<Vec<Asked>>, answer: &Answer) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let Some(Ok(first)) = lines.next() else { return };
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let headers: HashMap<String, String> = lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned())))
        .collect();
    let number = {
        let mut log = log.lock().unwrap();
        log.push((path.clone(), headers.clone()));
        log.iter().filter(|(other, _)| *other == path).count() - 1
    };
    let range =
        headers.get("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let head = |status: &str, length: usize, more: &str| {
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n")
    };
    let part = |bytes: &[u8], tag: &str| {
        let same = headers.get("if-range").is_none_or(|asked| asked == tag);
        let tag_line = if tag.is_empty() { String::new() } else { format!("ETag: {tag}\r\n") };
        match range.filter(|from| same && *from < bytes.len()) {
            Some(from) => {
                let range = format!("Content-Range: bytes {from}-{}/{}\r\n{tag_line}", bytes.len() - 1, bytes.len());
                (head("206 Partial Content", bytes.len() - from, &range), from)
            }
            None => (head("200 OK", bytes.len(), &tag_line), 0),
        }
    };
    let _ = match answer(&path, number, &headers) {
        Act::Serve(bytes, tag) => {
            let (head, from) = part(&bytes, tag);
            stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&bytes[from..]))
        }
        Act::Whole(bytes) => {
            stream.write_all(head("200 OK", bytes.len(), "").as_bytes()).and_then(|()| stream.write_all(&bytes))
        }
        Act::Cut(bytes, count, tag) => {
            let (head, from) = part(&bytes, tag);
            stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(&bytes[from..bytes.len().min(from + count)]))
        }
        Act::Stall(bytes, count) => {
            let (head, from) = part(&bytes, "");
            let sent = stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(&bytes[from..bytes.len().min(from + count)]));
            std::thread::sleep(Duration::from_secs(3));
            sent
        }
        Act::Promise(length) => stream.write_all(head("200 OK", length, "").as_bytes()),
        Act::Say(status, headers) => stream.write_all(head(status, 0, &headers).as_bytes()),
    };
    let _ = stream.flush();
}

/// So impatient that a test does not take long.
fn client() -> Client {
    Client::new(Duration::from_millis(600))
}

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|number| u8::try_from(number * 7919 % 251).unwrap()).collect()
}

fn digest(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), bytes).unwrap();
    sha256(&folder.path().join("a"), &mut |_, _| ()).unwrap()
}

/// Fetches a file from a server that acts so, and says what came of it; the file's bytes if there is one.
fn fetched(
    known: bool,
    before: &[u8],
    answer: impl Fn(&str, usize, &HashMap<String, String>) -> Act + Send + Sync + 'static,
) -> (Result<(), FetchError>, Option<Vec<u8>>, Vec<Asked>) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("deep/model.gguf");
    if !before.is_empty() {
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(folder.path().join("deep/model.gguf.magistrate.part"), before).unwrap();
    }
    let server = server(answer);
    let whole = bytes(300_000);
    let remote = Remote {
        url: format!("{}/model.gguf", server.url),
        size: known.then_some(whole.len() as u64),
        sha256: known.then(|| digest(&whole)),
        ..Remote::default()
    };
    let done = client().fetch(&remote, &place, &mut |_, _| ());
    let asked = server.asked.lock().unwrap().clone();
    (done, fs::read(&place).ok(), asked)
}

fn ranges(asked: &[Asked]) -> Vec<Option<&str>> {
    asked.iter().map(|(_, headers)| headers.get("range").map(String::as_str)).collect()
}

#[test]
fn whatever_breaks_it_off_the_file_comes_whole() {
    let whole = bytes(300_000);
    let cut = whole.clone();
    let (done, file, asked) = fetched(true, b"", move |_, number, _| match number {
        0..3 => Act::Cut(cut.clone(), 80_000, ""),
        _ => Act::Serve(cut.clone(), ""),
    });
    done.unwrap();
    assert_eq!(file.as_deref(), Some(&whole[..]));
    assert_eq!(ranges(&asked), [None, Some("bytes=80000-"), Some("bytes=160000-"), Some("bytes=240000-")]);

    let stall = whole.clone();
    let (done, file, _) = fetched(true, b"", move |_, number, _| match number {
        0 => Act::Stall(stall.clone(), 100_000),
        _ => Act::Serve(stall.clone(), ""),
    });
    done.unwrap();
    assert_eq!(file.as_deref(), Some(&whole[..]));

    // What a killed process has left.
    let resumed = whole.clone();
    let (done, file, asked) = fetched(true, &whole[..120_000], move |_, _, _| Act::Serve(resumed.clone(), ""));
    done.unwrap();
    assert_eq!((file.as_deref(), ranges(&asked)), (Some(&whole[..]), vec![Some("bytes=120000-")]));

    let without = whole.clone();
    let (done, file, _) = fetched(true, &whole[..120_000], move |_, _, _| Act::Whole(without.clone()));
    done.unwrap();
    assert_eq!(file.as_deref(), Some(&whole[..]), "a server without ranges begins anew");

    let unknown = whole.clone();
    let (done, file, _) = fetched(false, b"", move |_, number, _| match number {
        0 => Act::Cut(unknown.clone(), 1000, "\"one\""),
        _ => Act::Serve(unknown.clone(), "\"one\""),
    });
    done.unwrap();
    assert_eq!(file.as_deref(), Some(&whole[..]), "nothing but the length of the answer is known");
}

#[test]
fn a_file_that_changes_on_the_way_is_begun_anew() {
    let (old, new) = (bytes(300_000).iter().map(|byte| byte ^ 1).collect::<Vec<_>>(), bytes(300_000));
    let changed = new.clone();
    let (done, file, asked) = fetched(true, b"", move |_, number, _| match number {
        0 => Act::Cut(old.clone(), 50_000, "\"old\""),
        _ => Act::Serve(changed.clone(), "\"new\""),
    });
    done.unwrap();
    assert_eq!(file.as_deref(), Some(&new[..]));
    assert_eq!(asked[1].1["if-range"], "\"old\"");

    // Neither a tag nor a digest would tell that what is there is of another file.
    let (left, untold) = (new[..50_000].iter().map(|byte| byte ^ 1).collect::<Vec<_>>(), new.clone());
    let (done, file, asked) = fetched(false, &left, move |_, _, _| Act::Serve(untold.clone(), ""));
    done.unwrap();
    assert_eq!((file.as_deref(), ranges(&asked)), (Some(&new[..]), vec![None]));
}

#[test]
fn a_busy_server_is_waited_for_as_long_as_it_asks() {
    let whole = bytes(300_000);
    let begun = Instant::now();
    let (done, file, asked) = fetched(true, b"", move |_, number, _| match number {
        0 => Act::Say("429 Too Many Requests", "Retry-After: 1\r\n".into()),
        1 => Act::Say("503 Service Unavailable", String::new()),
        _ => Act::Serve(whole.clone(), ""),
    });
    done.unwrap();
    assert!(file.is_some() && asked.len() == 3 && begun.elapsed() >= Duration::from_secs(1));
}

#[test]
fn what_is_wrong_never_gets_its_name_and_says_so() {
    let whole = bytes(300_000);
    let damaged: Vec<u8> = whole.iter().map(|byte| byte ^ 2).collect();
    let (done, file, _) = fetched(true, b"", move |_, _, _| Act::Serve(damaged.clone(), ""));
    let error = done.unwrap_err();
    assert!(matches!(error, FetchError::Wrong { .. }) && error.to_string().contains("its sha256 is "), "{error}");
    assert_eq!(file, None);
    let long = bytes(400_000);
    let (done, file, _) = fetched(true, b"", move |_, _, _| Act::Serve(long.clone(), ""));
    assert!(matches!(done, Err(FetchError::Wrong { .. })) && file.is_none());
    let short = bytes(100_000);
    let (done, file, _) = fetched(true, b"", move |_, _, _| Act::Whole(short.clone()));
    assert!(matches!(done, Err(FetchError::Broken { .. })) && file.is_none(), "{done:?}");
    let (done, file, asked) = fetched(true, b"", |_, _, _| Act::Say("404 Not Found", String::new()));
    assert!(matches!(done, Err(FetchError::Status { status: 404, .. })) && file.is_none() && asked.len() == 1);
    let (done, _, asked) =
        fetched(true, b"", |_, _, _| Act::Say("503 Service Unavailable", "Retry-After: 0\r\n".into()));
    assert!(matches!(done, Err(FetchError::Status { status: 503, .. })) && asked.len() == 5);

    let folder = tempfile::tempdir().unwrap();
    let huge = Remote { url: "http://127.0.0.1:9/x".into(), size: Some(1 << 60), ..Remote::default() };
    let full = client().fetch(&huge, &folder.path().join("x"), &mut |_, _| ());
    #[cfg(unix)]
    assert!(matches!(full, Err(FetchError::Full { .. })), "{full:?}");
    let (told, _, _) = fetched(false, b"", |_, _, _| Act::Promise(1 << 60));
    #[cfg(unix)]
    assert!(matches!(told, Err(FetchError::Full { .. })), "the length that the server tells: {told:?}");
}

#[test]
fn of_two_that_fetch_the_same_one_is_told_to_wait_and_nothing_is_harmed() {
    let folder = tempfile::tempdir().unwrap();
    let whole = bytes(300_000);
    let slow = whole.clone();
    let server = server(move |_, number, _| match number {
        0 => Act::Stall(slow.clone(), 1000),
        _ => Act::Serve(slow.clone(), ""),
    });
    let remote = Remote {
        url: format!("{}/x", server.url),
        size: Some(300_000),
        sha256: Some(digest(&whole)),
        ..Remote::default()
    };
    let place = folder.path().join("x");
    let first = std::thread::spawn({
        let (remote, place) = (remote.clone(), place.clone());
        move || client().fetch(&remote, &place, &mut |_, _| ())
    });
    std::thread::sleep(Duration::from_millis(200));
    assert!(matches!(client().fetch(&remote, &place, &mut |_, _| ()), Err(FetchError::Busy(_))));
    first.join().unwrap().unwrap();
    client().fetch(&remote, &place, &mut |_, _| ()).unwrap();
    assert_eq!(fs::read(&place).unwrap(), whole);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
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

/// A model in two parts, as bytes.
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
    let get = |name: &str| pull(&client(), &hosts, &Origin::parse(name).unwrap(), None, &mut |_, _, _| ());
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
    let get = |name: &str| pull(&client(), &hosts, &Origin::parse(name).unwrap(), None, &mut |_, _, _| ());
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
        let refused = pull(&client(), &hosts, &Origin::parse("hf:a/b").unwrap(), None, &mut |_, _, _| ());
        assert!(matches!(refused, Err(PullError::Hostile(_))), "{refused:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[cfg(unix)]
#[test]
fn a_link_or_a_pipe_where_a_fetch_is_kept_is_not_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let (place, victim) = (folder.path().join("model.gguf"), folder.path().join("victim"));
    let part = folder.path().join("model.gguf.magistrate.part");
    let whole = bytes(1_000);
    let server = server({
        let whole = whole.clone();
        move |_, _, _| Act::Whole(whole.clone())
    });
    let remote = Remote { url: format!("{}/model.gguf", server.url), ..Remote::default() };
    let fetch = || client().fetch(&remote, &place, &mut |_, _| ());
    fs::write(&victim, "secret").unwrap();
    std::os::unix::fs::symlink(&victim, &part).unwrap();
    assert!(matches!(fetch(), Err(FetchError::Disk { .. })));
    fs::remove_file(&part).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&part).status().unwrap().success());
    assert!(matches!(fetch(), Err(FetchError::Disk { .. })));
    assert_eq!(fs::read(&victim).unwrap(), b"secret");
    fs::remove_file(&part).unwrap();
    // A file that another program would call so is not ours.
    let theirs = folder.path().join("model.gguf.part");
    fs::write(&theirs, "half of another's").unwrap();
    fetch().unwrap();
    assert_eq!((fs::read(&place).unwrap(), fs::read(&theirs).unwrap()), (whole, b"half of another's".to_vec()));
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
        let get = |asked: &str| {
            let asked = Some(asked.to_owned());
            pull(&client(), &hosts, &Origin::parse(&name).unwrap(), asked, &mut |_, _, _| ())
        };
        let place = folder.path().join(place);
        assert!(get(&other).is_err() && !place.exists(), "{name}: another is wanted than there is");
        assert_eq!(get(&right).unwrap(), place);
        assert_eq!(get(&right.to_uppercase()).unwrap(), place);
        let error = get(&other).unwrap_err().to_string();
        assert!(error.contains(&format!("its sha256 is {right}, and --sha256 asks for {other}")), "{error}");
        // What is there is not what it should be, though nobody needs to fetch it.
        fs::write(&place, "not it").unwrap();
        let error = get(&right).unwrap_err();
        assert!(matches!(error, PullError::OtherDigest { .. }), "{error}");
        assert!(error.to_string().contains(place.to_str().unwrap()), "{error}");
        assert_eq!(fs::read(&place).unwrap(), b"not it", "it is the user's");
        assert!(pull(&client(), &hosts, &Origin::parse(&name).unwrap(), None, &mut |_, _, _| ()).is_ok());
    }
}

#[test]
fn an_address_that_names_no_file_is_refused_and_no_secret_in_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let hosts = hosts(folder.path(), "http://127.0.0.1:9");
    for address in ["http://127.0.0.1:9/a/.", "http://127.0.0.1:9/a/..", "http://127.0.0.1:9/", "http://127.0.0.1:9"] {
        let refused = pull(&client(), &hosts, &Origin::parse(address).unwrap(), None, &mut |_, _, _| ());
        assert!(matches!(refused, Err(PullError::NoFile(_))), "{address}: {refused:?}");
    }
    let secret = "http://user:pass@127.0.0.1:9/m.gguf?signature=s3cr3t";
    for address in [secret, "http://user:pass@127.0.0.1:9/?signature=s3cr3t"] {
        let error = pull(&client(), &hosts, &Origin::parse(address).unwrap(), None, &mut |_, _, _| ()).unwrap_err();
        let told = error.to_string();
        assert!(told.contains("http://127.0.0.1:9/") && !told.contains("pass") && !told.contains("s3cr3t"), "{told}");
    }
    let told = Origin::parse("ftp://user:pass@127.0.0.1/m.gguf?signature=s3cr3t").unwrap_err().to_string();
    assert!(!told.contains("pass") && !told.contains("s3cr3t"), "{told}");
}
