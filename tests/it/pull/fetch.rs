//! Fetching one file.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

use magistrate::models::fetch::{FetchError, Remote};

use super::server::{Act, Asked, server};
use super::{bytes, client, digest};

/// Fetches a file from a server. Returns the result, the file's bytes if it exists, and the requests.
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

    // Bytes of a process that was killed.
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

    // Without a tag and a digest, nothing shows that the bytes are of another file.
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
    let (result, _, _) = fetched(false, b"", |_, _, _| Act::Promise(1 << 60));
    #[cfg(unix)]
    assert!(matches!(result, Err(FetchError::Full { .. })), "the length that the server tells: {result:?}");
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
    // The first one holds the lock when it sends its request, and waits for the stalled answer.
    while server.asked.lock().unwrap().is_empty() {
        std::thread::yield_now();
    }
    assert!(matches!(client().fetch(&remote, &place, &mut |_, _| ()), Err(FetchError::Busy(_))));
    first.join().unwrap().unwrap();
    client().fetch(&remote, &place, &mut |_, _| ()).unwrap();
    assert_eq!(fs::read(&place).unwrap(), whole);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
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
    // A file with the name that another program would use is left alone.
    let theirs = folder.path().join("model.gguf.part");
    fs::write(&theirs, "half of another's").unwrap();
    fetch().unwrap();
    assert_eq!((fs::read(&place).unwrap(), fs::read(&theirs).unwrap()), (whole, b"half of another's".to_vec()));
}
