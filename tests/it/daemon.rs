//! A `check` that a daemon answers gives the same output as one without.
#![cfg(all(unix, feature = "cli"))]

use crate::support;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;

struct Stage(tempfile::TempDir);

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("rules.md"), "Answer VALID or INVALID.").unwrap();
        Self(folder)
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(cargo_bin!("magistrate"));
        command.args(support::of_noise(args)).current_dir(&self.0).env("NO_COLOR", "1").env("OMP_THREAD_LIMIT", "1");
        command.env("MAGISTRATE_MODEL", support::demonstration()).env("MAGISTRATE_CACHE", self.0.path().join("cache"));
        command
    }

    fn sockets(&self) -> Vec<PathBuf> {
        let Ok(folder) = std::fs::read_dir(self.0.path().join("cache/daemons")) else { return Vec::new() };
        let files = folder.map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|ending| ending == "sock")).collect()
    }

    #[track_caller]
    fn wait_until(&self, what: &str, there: impl Fn(&[PathBuf]) -> bool) {
        let begun = Instant::now();
        while !there(&self.sockets()) {
            assert!(begun.elapsed() < Duration::from_mins(1), "{what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A check of `rules.md` without reasoning.
const CHECK: [&str; 8] = ["check", "-p", "rules.md", "--min-mass", "0", "--effort", "none", "--daemon=60"];

impl Stage {
    /// Returns a stage with a daemon that a check has started and that is ready.
    #[track_caller]
    fn with_daemon() -> Self {
        let stage = Self::new();
        stage.check("Hello");
        stage.wait_for_answers(0);
        stage
    }

    /// Judges a text, by a daemon if one runs, and checks that it has a verdict.
    #[track_caller]
    fn check(&self, text: &str) -> Output {
        let output = self.run(&[&CHECK[..], &[text]].concat());
        assert!(matches!(output.status.code(), Some(0 | 1)), "{:?}", parts(&output));
        output
    }

    fn status(&self) -> Vec<serde_json::Value> {
        let output = self.run(&["daemon", "status", "--json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// Waits until the only daemon is ready and has answered this number of checks.
    #[track_caller]
    fn wait_for_answers(&self, answered: u64) {
        let begun = Instant::now();
        loop {
            let status = self.status();
            if let [one] = status.as_slice()
                && one["ready"] == true
                && one["answered"] == answered
            {
                return;
            }
            assert!(begun.elapsed() < Duration::from_mins(1), "{status:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Returns the processes of this stage's daemons.
    #[cfg(target_os = "linux")]
    fn processes(&self) -> Vec<u32> {
        let cache = format!("MAGISTRATE_CACHE={}\0", self.0.path().join("cache").display());
        let of = |entry: std::fs::DirEntry| {
            let process = entry.file_name().to_str()?.parse().ok()?;
            let read = |name: &str| {
                std::fs::read(entry.path().join(name)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            };
            let ours = read("environ").ok()?.contains(&cache) && read("cmdline").ok()?.contains("daemon\0serve\0");
            ours.then_some(process)
        };
        std::fs::read_dir("/proc").unwrap().flatten().filter_map(of).collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.run(&["daemon", "stop"]);
    }
}

fn signal(process: u32, name: &str) {
    assert!(Command::new("kill").args([name, &process.to_string()]).status().unwrap().success());
}

fn parts(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_daemon_is_started_answers_alike_and_stops_when_nobody_asks() {
    let stage = Stage::new();
    let checks: [&[&str]; 5] = [
        &["check", "-p", "rules.md", "--min-mass", "0", "--budget", "8", "A text with a quetzal in it."],
        &["check", "-p", "rules.md", "--min-mass", "0", "--budget", "8", "--json", "A text with a quetzal in it."],
        &["check", "-p", "spam", "-p", "rules.md", "--min-mass", "0", "--effort", "none", "Hello"],
        &["check", "-p", "rules.md", "--min-mass", "0", " "],
        &["check", "-p", "rules.md", "--min-mass", "0", "--max-content-tokens", "2", "Too long a text."],
    ];
    let plain: Vec<_> = checks.iter().map(|check| parts(&stage.run(check))).collect();
    assert_eq!(stage.sockets().len(), 0, "nobody asked for a daemon");

    let asked = |check: &&[&str], idle: &str| parts(&stage.run(&[check, &[idle][..]].concat()));
    assert_eq!(asked(&checks[0], "--daemon=60"), plain[0], "the first is judged here");
    stage.wait_for_answers(0);
    // The text is in no process's arguments, where all users could read it.
    #[cfg(target_os = "linux")]
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        assert!(!(line.contains("daemon") && line.contains("quetzal")), "{line}");
    }
    let answered: Vec<_> = checks.iter().map(|check| asked(check, "--daemon=60")).collect();
    assert_eq!(answered, plain);
    stage.wait_for_answers(4); // an empty text is refused before a daemon is asked
    assert_eq!(stage.run(&["daemon", "stop"]).status.code(), Some(0));
    stage.wait_until("it stops", <[PathBuf]>::is_empty);
    assert_eq!(asked(&checks[0], "--daemon=1"), plain[0]);
    stage.wait_until("a daemon starts", |sockets| sockets.len() == 1);
    stage.wait_until("it stops when nobody asks", <[PathBuf]>::is_empty);
}

#[cfg(target_os = "linux")]
#[test]
fn a_text_in_a_file_whose_name_is_not_utf_8_is_judged() {
    use std::os::unix::ffi::OsStringExt;
    let stage = Stage::new();
    let name = std::ffi::OsString::from_vec(b"text-\xff.txt".to_vec());
    std::fs::write(stage.0.path().join(&name), "Hello").unwrap();
    let mut command =
        stage.command(&["check", "-p", "rules.md", "--min-mass", "0", "--budget", "8", "--daemon=1", "-f"]);
    let output = command.arg(name).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
    stage.wait_until("the daemon stops", <[PathBuf]>::is_empty);
}

#[test]
fn a_socket_that_nobody_listens_on_is_no_obstacle() {
    let stage = Stage::new();
    let check = ["check", "-p", "rules.md", "--min-mass", "0", "--budget", "8", "Hello"];
    let plain = parts(&stage.run(&check));
    let mut daemon = stage.command(&["daemon", "--", "check", "-p", "rules.md"]).spawn().unwrap();
    stage.wait_until("a daemon starts", |sockets| sockets.len() == 1);
    assert_eq!(parts(&stage.run(&[&check[..], &["--daemon"]].concat())), plain);
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    assert_eq!(stage.sockets().len(), 1, "it was killed, and could not clean up");
    assert_eq!(parts(&stage.run(&[&check[..], &["--daemon=1"]].concat())), plain);
    stage.wait_until("another daemon takes its place, and stops", <[PathBuf]>::is_empty);
}

#[test]
fn the_same_model_by_another_way_to_name_it_is_the_same_daemon() {
    let stage = Stage::with_daemon();
    // The daemon was started with the variable. Here a flag names the model, relative and through a link.
    std::os::unix::fs::symlink(support::demonstration(), stage.0.path().join("link.gguf")).unwrap();
    for (answers, model) in [(1, support::demonstration()), (2, PathBuf::from("link.gguf"))] {
        stage.run(&[&CHECK[..], &["-m", model.to_str().unwrap(), "Hello"]].concat());
        stage.wait_for_answers(answers);
    }
}

#[test]
fn a_client_that_says_nothing_holds_up_nobody_and_not_the_end() {
    let _alone = support::alone();
    let stage = Stage::new();
    // Longer than a check may take on a busy machine.
    let check: Vec<&str> = CHECK[..7].iter().copied().chain(["--daemon=8", "Hello"]).collect();
    stage.run(&check);
    stage.wait_for_answers(0);
    let mut silent = UnixStream::connect(&stage.sockets()[0]).unwrap();
    silent.write_all(b"{").unwrap();
    let begun = Instant::now();
    stage.run(&check);
    stage.wait_for_answers(1);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    stage.wait_until("it stops when nobody asks", <[PathBuf]>::is_empty);
    drop(silent);
}

#[cfg(target_os = "linux")]
#[test]
fn a_daemon_that_hangs_is_not_waited_for_and_can_be_stopped() {
    let stage = Stage::with_daemon();
    let [process] = stage.processes()[..] else { panic!("{:?}", stage.processes()) };
    signal(process, "-STOP");
    let output = stage.check("Hello");
    assert!(
        parts(&output).2.contains("note: no daemon answers, so the text is judged here: it is silent\n"),
        "{output:?}"
    );
    let stop = parts(&stage.run(&["daemon", "stop"]));
    assert_eq!(stop, (Some(0), String::new(), "a daemon that was silent was killed\n".to_owned()));
    assert!(stage.processes().is_empty());
}

#[test]
fn a_policy_that_can_be_read_but_once_is_judged_by_a_daemon() {
    let stage = Stage::with_daemon();
    let pipe = stage.0.path().join("pipe.md");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for answers in [1, 2] {
        let writing = std::thread::spawn({
            let pipe = pipe.clone();
            move || std::fs::write(pipe, "Answer VALID or INVALID.")
        });
        let output =
            stage.run(&["check", "-p", "pipe.md", "--min-mass", "0", "--effort", "none", "--daemon=60", "Hello"]);
        assert!(matches!(output.status.code(), Some(0 | 1)), "{:?}", parts(&output));
        writing.join().unwrap().unwrap();
        stage.wait_for_answers(answers);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn many_checks_at_once_start_one_daemon() {
    let stage = Stage::new();
    let checks: Vec<Child> =
        (0..8).map(|_| stage.command(&[&CHECK[..], &["Hello"]].concat()).spawn().unwrap()).collect();
    for mut check in checks {
        assert!(matches!(check.wait().unwrap().code(), Some(0 | 1)));
    }
    let begun = Instant::now();
    while stage.processes().len() != 1 {
        assert!(begun.elapsed() < Duration::from_mins(1), "{:?}", stage.processes());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(stage.status().len(), 1);
}

#[test]
fn a_daemon_of_another_build_does_not_answer() {
    let stage = Stage::new();
    let other = stage.0.path().join("other");
    std::fs::copy(cargo_bin!("magistrate"), &other).unwrap();
    let mut check = Command::new(&other);
    check.args(CHECK).arg("Hello").current_dir(&stage.0).env("MAGISTRATE_MODEL", support::demonstration());
    check.env("MAGISTRATE_CACHE", stage.0.path().join("cache"));
    assert!(matches!(check.output().unwrap().status.code(), Some(0 | 1)));
    stage.wait_for_answers(0);
    std::fs::remove_file(&other).unwrap();
    stage.check("Hello");
    stage.wait_until("a second daemon starts", |sockets| sockets.len() == 2);
    assert!(stage.status().iter().all(|one| one["answered"] == 0), "{:?}", stage.status());
}

/// Takes the place of a daemon for one question, and passes the question on with a change.
fn between(stage: &Stage, change: impl FnOnce(String) -> String + Send + 'static) -> std::thread::JoinHandle<String> {
    let place = stage.sockets()[0].clone();
    let moved = place.with_extension("moved");
    std::fs::rename(&place, &moved).unwrap();
    let listener = UnixListener::bind(&place).unwrap();
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut question = String::new();
        BufReader::new(&client).read_line(&mut question).unwrap();
        let mut daemon = UnixStream::connect(&moved).unwrap();
        daemon.write_all(change(question).as_bytes()).unwrap();
        let mut answer = String::new();
        daemon.read_to_string(&mut answer).unwrap();
        let _ = client.write_all(answer.as_bytes());
        std::fs::rename(&moved, &place).unwrap();
        answer
    })
}

#[test]
fn an_empty_text_is_never_judged_safe() {
    let stage = Stage::with_daemon();
    let asked = between(&stage, |question| {
        assert!(question.contains("a text with a quetzal in it"));
        question.replace("a text with a quetzal in it", " ")
    });
    let output = stage.run(&[&CHECK[..], &["a text with a quetzal in it"]].concat());
    let answer = asked.join().unwrap();
    assert!(answer.contains("the text is empty") && answer.contains(r#""code":2"#), "{answer}");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
}

#[test]
fn anything_but_an_answer_is_judged_here() {
    let stage = Stage::with_daemon();
    let plain = parts(&stage.check("Hello"));
    for garbage in ["", "{}\n", "{\"protocol\":99}\n", "not a question\n"] {
        let asked = between(&stage, move |_| garbage.to_owned());
        // The client's end may be closed already.
        assert_eq!(parts(&stage.check("Hello")).1, plain.1, "{garbage}");
        asked.join().unwrap();
    }
}

#[test]
fn a_long_path_to_the_cache_is_no_obstacle() {
    let stage = Stage::new();
    let long = stage.0.path().join("a".repeat(100));
    std::fs::create_dir(&long).unwrap();
    std::fs::write(long.join("rules.md"), "Answer VALID or INVALID.").unwrap();
    let runtime = stage.0.path().join("run");
    std::fs::create_dir(&runtime).unwrap();
    std::fs::set_permissions(&runtime, std::fs::Permissions::from_mode(0o700)).unwrap();
    let run = |args: &[&str]| {
        let mut command = stage.command(args);
        command.env("MAGISTRATE_CACHE", long.join("cache")).env("XDG_RUNTIME_DIR", &runtime).output().unwrap()
    };
    let check = [&CHECK[..], &["Hello"]].concat();
    let plain = parts(&run(&check));
    let status =
        || serde_json::from_slice::<Vec<serde_json::Value>>(&run(&["daemon", "status", "--json"]).stdout).unwrap();
    let begun = Instant::now();
    while status().first().is_none_or(|one| one["ready"] != true) {
        assert!(begun.elapsed() < Duration::from_mins(1), "no daemon starts");
    }
    assert_eq!(parts(&run(&check)), plain);
    assert_eq!(status()[0]["answered"], 1);
    let stop = parts(&run(&["daemon", "stop"]));
    assert_eq!(stop.2, "a daemon was stopped\n");
}

#[test]
fn a_folder_of_sockets_that_others_may_write_to_is_refused() {
    let stage = Stage::new();
    let folder = stage.0.path().join("cache/daemons");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    let check = stage.check("Hello");
    assert!(parts(&check).2.contains("note: no daemon answers, so the text is judged here: "), "{check:?}");
    assert!(stage.sockets().is_empty());
    // A socket of another program in the folder gets no text.
    let listener = UnixListener::bind(folder.join("0123456789abcdef.sock")).unwrap();
    listener.set_nonblocking(true).unwrap();
    assert_eq!(parts(&stage.check("Hello")).1, parts(&check).1);
    assert!(listener.accept().is_err());
    std::fs::remove_file(folder.join("0123456789abcdef.sock")).unwrap();
}

#[test]
fn status_tells_what_runs_and_clearing_the_cache_leaves_none_behind() {
    let stage = Stage::new();
    let nothing = parts(&stage.run(&["daemon", "status"]));
    assert_eq!(nothing, (Some(0), String::new(), "no daemon runs\n".to_owned()));
    stage.check("Hello");
    stage.wait_for_answers(0);
    stage.check("Hello");
    let status = parts(&stage.run(&["daemon", "status"])).1;
    for part in ["process ", "random.gguf\n", "ready; ", "1 answered; stops 60 s after the last question"] {
        assert!(status.contains(part), "{status}");
    }
    let cleared = stage.run(&["cache", "clear"]);
    assert_eq!(cleared.status.code(), Some(0), "{:?}", parts(&cleared));
    #[cfg(target_os = "linux")]
    assert!(stage.processes().is_empty());
    assert_eq!(parts(&stage.run(&["daemon", "status"])).2, "no daemon runs\n");
}

#[test]
fn a_daemon_without_a_check_says_how_one_is_given() {
    let stage = Stage::new();
    let (code, stdout, stderr) = parts(&stage.run(&["daemon"]));
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(stderr.starts_with("error: a daemon needs the check that it is to answer as\nhint: "), "{stderr}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_socket_of_another_user_gets_no_text() {
    const SERVER: &str = "import os, socket, sys\n\
        server = socket.socket(socket.AF_UNIX)\n\
        server.bind(sys.argv[1])\n\
        os.setuid(65534)\n\
        server.listen()\n\
        print('ready', flush=True)\n\
        client, _ = server.accept()\n\
        print(len(client.recv(1)), flush=True)\n";
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    if !root || Command::new("python3").arg("--version").output().is_err() {
        eprintln!("skipped: it takes root and python3 to listen as another user");
        return;
    }
    let stage = Stage::with_daemon();
    let place = stage.sockets()[0].clone();
    std::fs::rename(&place, place.with_extension("moved")).unwrap();
    let mut server = Command::new("python3");
    let mut server = server.args(["-c", SERVER]).arg(&place).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    let check = parts(&stage.check("Hello"));
    assert!(check.2.contains("note: no daemon answers, so the text is judged here: "), "{check:?}");
    assert_eq!(lines.next().unwrap().unwrap(), "0", "it was sent something");
    server.wait().unwrap();
    std::fs::rename(place.with_extension("moved"), place).unwrap();
}
