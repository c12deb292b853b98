//! Never a file that is not ours: whatever a flag names, what a run reads stays, and what is no regular file stays what it is.

#![cfg(all(feature = "cli", unix))]

use crate::support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use assert_cmd::cargo::cargo_bin;
use tempfile::TempDir;

/// A folder in which commands run.
struct Stage(TempDir);

/// Flags that every verb that judges takes here.
const JUDGING: [&str; 6] = ["-p", "policy.yaml", "--effort", "none", "--min-mass", "0"];

/// The things below a folder: the sort of each, and its bytes or where it leads to.
type State = BTreeMap<PathBuf, (char, Vec<u8>)>;

impl Stage {
    fn new() -> Self {
        let stage = Self(tempfile::tempdir().unwrap());
        let rows: String = [("WINNER, claim your prize", "violation"), ("See you at nine", "safe")]
            .iter()
            .cycle()
            .take(12)
            .enumerate()
            .map(|(number, (text, label))| format!("{{\"text\":\"{text} {number}\",\"label\":\"{label}\"}}\n"))
            .collect();
        fs::write(stage.path("in.jsonl"), rows).unwrap();
        fs::write(stage.path("rules.md"), "# Begging (BE1 - asks for money)\n## VIOLATES\n- Asks for money.\n")
            .unwrap();
        let policy = stage.run(&["policy", "show", "spam"]).stdout;
        fs::write(stage.path("policy.yaml"), policy).unwrap();
        fs::create_dir(stage.path("folder")).unwrap();
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(cargo_bin!("magistrate"));
        command.args(args).current_dir(&self.0).env("NO_COLOR", "1").env("OMP_THREAD_LIMIT", "1");
        command.env("MAGISTRATE_MODEL", support::demonstration());
        command.env("MAGISTRATE_CACHE", self.path("cache"));
        command.stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    #[track_caller]
    fn succeeds(&self, args: &[&str]) -> Output {
        let done = self.run(args);
        assert!(matches!(done.status.code(), Some(0 | 3)), "{args:?}: {}", said(&done));
        done
    }

    fn label(&self, args: &[&str]) -> Output {
        self.run(&[&["label"], &JUDGING[..], args].concat())
    }

    fn state(&self) -> State {
        fn look(folder: &Path, state: &mut State) {
            for entry in fs::read_dir(folder).unwrap() {
                let (path, kind) = entry.map(|entry| (entry.path(), entry.file_type().unwrap())).unwrap();
                let (letter, bytes) = if kind.is_dir() {
                    look(&path, state);
                    ('d', Vec::new())
                } else if kind.is_symlink() {
                    ('l', fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes())
                } else if kind.is_file() {
                    ('f', fs::read(&path).unwrap())
                } else {
                    (if kind.is_fifo() { 'p' } else { 's' }, Vec::new())
                };
                state.insert(path, (letter, bytes));
            }
        }
        let mut state = State::new();
        look(self.0.path(), &mut state);
        state.retain(|path, _| !path.starts_with(self.path("cache")));
        state
    }
}

fn said(done: &Output) -> String {
    String::from_utf8_lossy(&done.stderr).into_owned()
}

/// A verb that writes, what it reads, and how the name of what it writes must end. `OUT` stands for that name.
struct Writes {
    args: &'static [&'static str],
    reads: &'static [&'static str],
    ending: &'static str,
    /// True if it judges by a policy, which it reads.
    judges: bool,
    /// True if it writes to a pipe that stands there.
    streams: bool,
}

const VERBS: [Writes; 12] = [
    Writes {
        args: &["label", "in.jsonl", "-o", "OUT"],
        reads: &["in.jsonl"],
        ending: ".jsonl",
        judges: true,
        streams: true,
    },
    Writes {
        args: &["label", "in.jsonl", "-o", "OUT"],
        reads: &["in.jsonl"],
        ending: ".csv",
        judges: true,
        streams: true,
    },
    Writes {
        args: &["label", "in.jsonl", "--only", "safe", "-o", "OUT"],
        reads: &["in.jsonl"],
        ending: ".jsonl",
        judges: true,
        streams: true,
    },
    Writes {
        args: &["label", "in.jsonl", "-o", "new.jsonl", "--summary", "OUT"],
        reads: &["in.jsonl"],
        ending: ".json",
        judges: true,
        streams: true,
    },
    Writes {
        args: &["label", "in.jsonl", "--dry-run", "--summary", "OUT"],
        reads: &["in.jsonl"],
        ending: ".json",
        judges: true,
        streams: true,
    },
    Writes {
        args: &["merge", "done.jsonl", "-o", "OUT"],
        reads: &["done.jsonl.journal"],
        ending: ".csv",
        judges: false,
        streams: true,
    },
    Writes {
        args: &["merge", "one.jsonl", "two.jsonl", "-o", "OUT"],
        reads: &["one.jsonl.journal", "two.jsonl.journal"],
        ending: ".jsonl",
        judges: false,
        streams: false,
    },
    Writes {
        args: &["eval", "in.jsonl", "--report", "OUT"],
        reads: &["in.jsonl"],
        ending: ".json",
        judges: true,
        streams: true,
    },
    Writes {
        args: &["calibrate", "in.jsonl", "-o", "OUT"],
        reads: &["in.jsonl"],
        ending: ".json",
        judges: true,
        streams: false,
    },
    Writes {
        args: &["policy", "new", "begging", "--violation", "Begging: Asks for money.", "-o", "OUT"],
        reads: &[],
        ending: ".yaml",
        judges: false,
        streams: true,
    },
    Writes {
        args: &["policy", "import", "rules.md", "-o", "OUT"],
        reads: &["rules.md"],
        ending: ".yaml",
        judges: false,
        streams: true,
    },
    Writes {
        args: &["model", "convert", "blob.gguf", "-o", "OUT"],
        reads: &["blob.gguf"],
        ending: ".gguf",
        judges: false,
        streams: false,
    },
];

impl Writes {
    fn command(&self, out: &str) -> Vec<String> {
        let mut args: Vec<String> =
            self.args.iter().map(|arg| if *arg == "OUT" { out.to_owned() } else { (*arg).to_owned() }).collect();
        if self.judges {
            args.splice(1..1, JUDGING.map(str::to_owned));
        }
        args
    }
}

/// A stage with all that the verbs read.
fn furnished() -> Stage {
    let stage = Stage::new();
    for args in
        [&["-o", "done.jsonl"][..], &["--shard", "1/2", "-o", "one.jsonl"], &["--shard", "2/2", "-o", "two.jsonl"]]
    {
        stage.succeeds(&[&["label"], &JUDGING[..], &["in.jsonl"], args].concat());
    }
    support::ollama(&support::demonstration(), &stage.path("blob.gguf"));
    stage
}

#[test]
fn no_verb_writes_over_what_it_reads_nor_where_no_file_can_be() {
    let stage = furnished();
    let _socket = std::os::unix::net::UnixListener::bind(stage.path("socket")).unwrap();
    let mut tried = 0;
    for verb in &VERBS {
        let read = verb.reads.iter().chain(verb.judges.then_some(&"policy.yaml"));
        let mut targets: Vec<String> = Vec::new();
        for (number, name) in read.enumerate() {
            let (hard, soft) = (format!("hard{number}{}", verb.ending), format!("soft{number}{}", verb.ending));
            let _ = (fs::remove_file(stage.path(&hard)), fs::remove_file(stage.path(&soft)));
            fs::hard_link(stage.path(name), stage.path(&hard)).unwrap();
            symlink(name, stage.path(&soft)).unwrap();
            targets.extend([(*name).to_owned(), format!("folder/../{name}"), hard, soft]);
        }
        for (link, to) in [("folder", "folder"), ("socket", "socket"), ("circle", "CIRCLE")] {
            let name = format!("to-{link}{}", verb.ending);
            let _ = fs::remove_file(stage.path(&name));
            symlink(if to == "CIRCLE" { &name } else { to }, stage.path(&name)).unwrap();
            targets.push(name);
        }
        targets.extend([format!("absent/x{}", verb.ending), format!("in.jsonl/x{}", verb.ending)]);
        let before = stage.state();
        for target in targets {
            let args = verb.command(&target);
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            // Without a model: it is refused before one is looked at.
            let done = stage.command(&args).env("MAGISTRATE_MODEL", "absent.gguf").output().unwrap();
            let told = said(&done);
            assert_eq!(done.status.code(), Some(2), "{args:?}: {told}");
            assert!(
                told.starts_with("error: ") && (told.contains("hint: ") || told.contains("try '--help'")),
                "{args:?}: {told}"
            );
            assert!(
                told.contains(&target) || told.contains("--report") || told.contains("no format has this ending"),
                "{args:?}: {told}"
            );
            let after = stage.state();
            let changed: Vec<_> = after.iter().filter(|(path, what)| before.get(*path) != Some(what)).collect();
            assert!(changed.is_empty() && after.len() == before.len(), "{args:?}: {changed:?}");
            tried += 1;
        }
    }
    assert!(tried > 100, "{tried}");
}

#[test]
fn a_pipe_stays_a_pipe_and_nothing_is_put_beside_it() {
    let stage = furnished();
    for verb in &VERBS {
        let name = format!("pipe{}", verb.ending);
        assert!(Command::new("mkfifo").arg(stage.path(&name)).status().unwrap().success());
        // Held open on both sides, so that nobody waits for a reader; what is written fits.
        let mut pipe = fs::File::options().read(true).write(true).open(stage.path(&name)).unwrap();
        let before = stage.state();
        let args = verb.command(&name);
        let done = stage.run(&args.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(fs::symlink_metadata(stage.path(&name)).unwrap().file_type().is_fifo(), "{args:?}");
        let beside: Vec<_> = stage.state().into_keys().filter(|path| !before.contains_key(path)).collect();
        let beside: Vec<_> =
            beside.iter().filter(|path| !path.ends_with("new.jsonl") && !path.ends_with("new.jsonl.journal")).collect();
        assert!(beside.is_empty(), "{args:?}: {beside:?}");
        if verb.streams {
            assert!(matches!(done.status.code(), Some(0 | 3)), "{args:?}: {}", said(&done));
            let mut first = [0; 1];
            pipe.read_exact(&mut first).unwrap();
        } else {
            assert_eq!(done.status.code(), Some(2), "{args:?}: {}", said(&done));
        }
        drop(pipe);
        fs::remove_file(stage.path(&name)).unwrap();
        let _ = (fs::remove_file(stage.path("new.jsonl")), fs::remove_file(stage.path("new.jsonl.journal")));
    }
}

#[test]
fn two_files_of_one_run_are_never_the_same() {
    let stage = furnished();
    symlink("new.jsonl", stage.path("soft.jsonl")).unwrap();
    let label = |args: &[&'static str]| [&["label"], &JUDGING[..], &["in.jsonl"], args].concat();
    let eval = |args: &[&'static str]| [&["eval"], &JUDGING[..], &["in.jsonl"], args].concat();
    fs::write(stage.path("base.json"), "{}").unwrap();
    fs::create_dir(stage.path("templates")).unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/policy.md.jinja");
    fs::copy(shipped, stage.path("templates/policy.md.jinja")).unwrap();
    fs::copy(stage.path("in.jsonl"), stage.path("out.safe.jsonl")).unwrap();
    fs::copy(support::demonstration(), stage.path("model.gguf")).unwrap();
    let before = stage.state();
    for (args, what) in [
        (label(&["-o", "new.jsonl", "--summary", "new.jsonl"]), "the output"),
        (label(&["-o", "new.jsonl", "--summary", "soft.jsonl"]), "the output"),
        (label(&["-o", "soft.jsonl", "--summary", "new.jsonl"]), "the output"),
        (label(&["-o", "new.jsonl", "--summary", "new.jsonl.journal"]), "the journal"),
        (label(&["-o", "new.jsonl", "--split-by", "verdict", "--summary", "new.safe.jsonl"]), "the output"),
        (label(&["out.safe.jsonl", "-o", "out.jsonl", "--split-by", "verdict"]), "the input"),
        (label(&["--summary", "model.gguf", "-m", "model.gguf"]), "the model"),
        (label(&["--summary", "m-00002-of-00002.gguf", "-m", "m-00001-of-00002.gguf"]), "the model"),
        (label(&["--summary", "templates/policy.md.jinja", "--templates", "templates"]), "a template"),
        (label(&["--summary", "templates/harmony.jinja", "--templates", "templates"]), "a template"),
        (eval(&["--report", "r.json", "--report", "./r.json"]), "a report"),
        (eval(&["--report", "base.json", "--baseline", "base.json"]), "the baseline"),
        (vec!["calibrate", "-p", "spam", "--from", "base.json", "-o", "base.json"], "the evaluation"),
    ] {
        let done = stage.run(&args);
        let told = said(&done);
        assert_eq!(done.status.code(), Some(2), "{args:?}: {told}");
        assert!(told.contains(&format!(" is {what}\nhint: name another file with -")), "{args:?}: {told}");
        assert!(stage.state() == before, "{args:?}");
    }
}

#[test]
fn what_comes_in_by_redirection_is_a_file_of_the_run_as_well() {
    let stage = Stage::new();
    let open = |name: &str| fs::File::options().read(true).append(true).open(stage.path(name)).unwrap();
    let before = stage.state();
    let mut command = stage.command(&[&["label"], &JUDGING[..], &["in.jsonl"]].concat());
    let done = command.stdout(open("in.jsonl")).stderr(Stdio::piped()).output().unwrap();
    assert!(said(&done).contains("stdout is the input\n") && done.status.code() == Some(2), "{}", said(&done));
    let mut command = stage.command(&[&["label"], &JUDGING[..], &["-", "--summary", "in.jsonl"]].concat());
    let done = command.stdin(open("in.jsonl")).output().unwrap();
    assert!(said(&done).contains("in.jsonl is the input\n") && done.status.code() == Some(2), "{}", said(&done));
    assert!(stage.state() == before);
}

#[test]
fn a_file_that_was_called_as_a_temporary_file_was_stays() {
    let stage = Stage::new();
    fs::copy(stage.path("in.jsonl"), stage.path("x.jsonl.part")).unwrap();
    let before = stage.read("x.jsonl.part");
    let done = stage.label(&["--format", "jsonl", "x.jsonl.part", "-o", "x.jsonl"]);
    assert!(matches!(done.status.code(), Some(0 | 3)), "{}", said(&done));
    assert_eq!(stage.read("x.jsonl.part"), before);
    assert_eq!(stage.read("x.jsonl").lines().count(), 12);
}

#[test]
fn an_output_keeps_its_mode_and_goes_where_a_link_leads() {
    let stage = Stage::new();
    fs::write(stage.path("out.jsonl"), "").unwrap();
    fs::set_permissions(stage.path("out.jsonl"), fs::Permissions::from_mode(0o600)).unwrap();
    symlink("out.jsonl", stage.path("link.jsonl")).unwrap();
    let done = stage.label(&["in.jsonl", "-o", "link.jsonl", "--summary", "folder/s.json"]);
    assert!(matches!(done.status.code(), Some(0 | 3)), "{}", said(&done));
    assert!(fs::symlink_metadata(stage.path("link.jsonl")).unwrap().is_symlink());
    assert_eq!(fs::metadata(stage.path("out.jsonl")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(stage.read("out.jsonl").lines().count(), 12);
}

#[test]
fn an_output_that_was_edited_is_not_made_anew_until_it_is_removed() {
    let stage = Stage::new();
    let label = || stage.label(&["in.jsonl", "-o", "out.jsonl"]);
    assert!(matches!(label().status.code(), Some(0 | 3)));
    let made = stage.read("out.jsonl");
    assert!(matches!(label().status.code(), Some(0 | 3)), "untouched, the same command goes on");
    fs::write(stage.path("out.jsonl"), "corrected by hand").unwrap();
    let done = label();
    assert_eq!(done.status.code(), Some(2));
    assert!(said(&done).contains("out.jsonl was changed after it was made\nhint: "), "{}", said(&done));
    assert_eq!(stage.read("out.jsonl"), "corrected by hand");
    fs::remove_file(stage.path("out.jsonl")).unwrap();
    assert!(matches!(label().status.code(), Some(0 | 3)));
    assert_eq!(stage.read("out.jsonl"), made);
}

#[test]
fn an_ending_that_nothing_is_written_for_is_refused_before_the_run() {
    let stage = Stage::new();
    for name in ["rows.xlsx", "rows.json", "rows.txt", "rows.xlsx.gz"] {
        let done = stage.label(&["in.jsonl", "-o", name]);
        assert_eq!(done.status.code(), Some(2), "{name}");
        assert!(said(&done).contains(&format!("{name}: no format has this ending\nhint: ")), "{}", said(&done));
        assert!(!stage.path(name).exists() && !stage.path(&format!("{name}.journal")).exists());
    }
    let done = stage.label(&["in.jsonl", "-o", "rows.txt", "--output-format", "jsonl"]);
    assert!(matches!(done.status.code(), Some(0 | 3)), "{}", said(&done));
    assert!(matches!(stage.label(&["in.jsonl", "-o", "rows"]).status.code(), Some(0 | 3)));
}

#[test]
fn a_dash_is_stdout_in_every_verb_that_has_an_output() {
    let stage = furnished();
    let csv = ["--output-format", "csv", "--fields", "verdict"];
    for args in [
        &[&["label"], &JUDGING[..], &["in.jsonl", "-o", "-"]].concat()[..],
        &[&["merge", "done.jsonl", "-o", "-"], &csv[..]].concat(),
        &["policy", "new", "begging", "--violation", "Begging: Asks for money.", "-o", "-"],
        &["policy", "import", "rules.md", "-o", "-"],
    ] {
        let done = stage.succeeds(args);
        assert!(done.stdout.len() > 20 && !stage.path("-").exists(), "{args:?}");
    }
    let done = stage.succeeds(&["policy", "new", "begging", "--violation", "Begging: Asks for money.", "-o", "b.yaml"]);
    assert!(said(&done).contains("b.yaml is written"), "{}", said(&done));
    let again = stage.run(&["policy", "new", "begging", "--violation", "Begging: Asks for money.", "-o", "b.yaml"]);
    assert_eq!(said(&again), "error: b.yaml is there already\nhint: name another file with -o\n");
}

#[test]
fn a_cache_folder_that_others_may_write_is_refused_and_nothing_is_put_there() {
    let stage = Stage::new();
    let evil = stage.path("evil");
    fs::create_dir(&evil).unwrap();
    fs::set_permissions(&evil, fs::Permissions::from_mode(0o777)).unwrap();
    let run = |args: &[&str]| {
        stage.command(args).env("MAGISTRATE_CACHE", &evil).env_remove("MAGISTRATE_MODEL").output().unwrap()
    };
    for args in [
        &["check", "-p", "spam", "--effort", "none", "hi"][..],
        &["cache", "clear"],
        &[
            "label",
            "-p",
            "spam",
            "in.jsonl",
            "--output-format",
            "csv",
            "-m",
            support::demonstration().to_str().unwrap(),
        ],
    ] {
        let done = run(args);
        assert_eq!(done.status.code(), Some(2), "{args:?}: {}", said(&done));
        assert!(
            said(&done).contains("evil can be written by other users\nhint: chmod go-w "),
            "{args:?}: {}",
            said(&done)
        );
    }
    let verdicts = stage.label(&["in.jsonl", "--cache=evil"]);
    assert!(said(&verdicts).contains("can be written by other users"), "{}", said(&verdicts));
    assert_eq!(fs::read_dir(&evil).unwrap().count(), 0);
}

#[test]
fn clearing_the_cache_leaves_what_magistrate_did_not_make_and_says_so() {
    let stage = Stage::new();
    assert!(
        stage
            .command(&["check", "-p", "spam", "--effort", "none", "hi"])
            .env_remove("MAGISTRATE_MODEL")
            .status()
            .is_ok()
    );
    fs::write(stage.path("cache/thesis.txt"), "x").unwrap();
    fs::write(stage.path("cache/models/gpt-oss.gguf"), "x").unwrap();
    let done = stage.run(&["cache", "clear"]);
    let told = said(&done);
    assert!(
        told.contains(" MB are removed from ") && told.contains("\nnote: models/gpt-oss.gguf and 1 more in "),
        "{told}"
    );
    let mut left: Vec<_> = fs::read_dir(stage.path("cache")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["models", "thesis.txt"]);
    assert_eq!(fs::read_dir(stage.path("cache/models")).unwrap().count(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn rows_that_are_kept_on_the_way_to_stdout_have_no_name_so_a_kill_leaves_none() {
    let stage = Stage::new();
    let mut command =
        stage.command(&[&["label"], &JUDGING[..], &["--format", "jsonl", "--output-format", "csv"]].concat());
    let mut run = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = run.stdin.take().unwrap();
    stdin.write_all(stage.read("in.jsonl").as_bytes()).unwrap();
    let open = format!("/proc/{}/fd", run.id());
    let hidden = || {
        fs::read_dir(&open).into_iter().flatten().flatten().any(|file| {
            let link = fs::read_link(file.path()).unwrap_or_default().to_string_lossy().into_owned();
            link.ends_with(".journal (deleted)")
        })
    };
    while !hidden() {
        assert!(run.try_wait().unwrap().is_none(), "it ended before its rows were hidden");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(fs::read_dir(stage.path("cache/journals")).unwrap().count(), 0);
    run.kill().unwrap();
    run.wait().unwrap();
    assert_eq!(fs::read_dir(stage.path("cache/journals")).unwrap().count(), 0);
}

#[test]
fn clearing_the_cache_beside_a_run_loses_no_verdict() {
    let stage = Stage::new();
    let args = [
        &["label"],
        &JUDGING[..],
        &["--format", "jsonl", "--output-format", "csv", "--fields", "verdict", "--columns", "", "--cache"],
    ]
    .concat();
    let mut run = stage.command(&args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = run.stdin.take().unwrap();
    stdin.write_all(stage.read("in.jsonl").as_bytes()).unwrap();
    let verdicts = stage.path("cache/verdicts");
    let rows = || {
        let files = fs::read_dir(&verdicts).into_iter().flatten().flatten();
        files.map(|file| fs::read_to_string(file.path()).unwrap_or_default().lines().count()).sum::<usize>()
    };
    while rows() < 12 {
        assert!(run.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let cleared = stage.run(&["cache", "clear"]);
    assert!(said(&cleared).contains(" stays: another process uses it"), "{}", said(&cleared));
    drop(stdin);
    let lines = BufReader::new(run.stdout.take().unwrap()).lines().count();
    assert!(matches!(run.wait().unwrap().code(), Some(0 | 3)));
    assert_eq!((lines, rows()), (13, 12));
}

#[test]
fn lint_mends_whole_or_not_at_all_keeps_the_mode_and_touches_no_namesake_of_a_shipped_policy() {
    let stage = Stage::new();
    let broken = stage.read("policy.yaml").replacen("the", "t\u{200B}he", 1);
    assert_ne!(broken, stage.read("policy.yaml"));
    fs::write(stage.path("policy.yaml"), &broken).unwrap();
    fs::set_permissions(stage.path("policy.yaml"), fs::Permissions::from_mode(0o640)).unwrap();
    let program = cargo_bin!("magistrate");
    let line = format!("trap '' XFSZ; ulimit -f 1; exec {} policy lint --fix policy.yaml", program.display());
    let full = Command::new("sh").args(["-c", &line]).current_dir(&stage.0).output().unwrap();
    assert_eq!((full.status.code(), stage.read("policy.yaml")), (Some(2), broken.clone()), "{}", said(&full));
    assert!(!stage.state().keys().any(|path| path.extension().is_some_and(|ending| ending == "part")));
    // A file of the user's is not the shipped policy that is linted.
    fs::write(stage.path("spam.yaml"), &broken).unwrap();
    stage.run(&["policy", "lint", "--fix", "spam"]);
    assert_eq!(stage.read("spam.yaml"), broken);
    stage.run(&["policy", "lint", "--fix", "policy.yaml"]);
    assert_ne!(stage.read("policy.yaml"), broken);
    assert_eq!(fs::metadata(stage.path("policy.yaml")).unwrap().permissions().mode() & 0o777, 0o640);
}

#[cfg(all(target_os = "linux", feature = "nano"))]
#[test]
fn the_built_in_model_judges_where_nothing_can_be_written() {
    let stage = Stage::new();
    let check = |cache: &str| {
        let mut command = stage.command(&["check", "-p", "spam", "--effort", "none", "--json", "WINNER, reply YES"]);
        let done = command.env("MAGISTRATE_CACHE", cache).env_remove("MAGISTRATE_MODEL").output().unwrap();
        assert!(matches!(done.status.code(), Some(0 | 1 | 3)), "{}", said(&done));
        serde_json::from_slice::<serde_json::Value>(&done.stdout).unwrap()
    };
    // No folder can be made there, not even by root.
    let (without, with) = (check("/proc/magistrate"), check(stage.path("cache").to_str().unwrap()));
    assert_eq!((&without["model"], &without["probability"]), (&with["model"], &with["probability"]));
    assert_eq!(without["model"]["id"], "magistrate-nano");
    // Rows that are kept on the way to stdout find a place, too.
    let args = ["label", "-p", "spam", "--effort", "none", "in.jsonl", "--output-format", "csv", "--fields", "verdict"];
    let mut label = stage.command(&args);
    let done = label.env("MAGISTRATE_CACHE", "/proc/magistrate").env("TMPDIR", stage.path("folder")).output().unwrap();
    assert!(matches!(done.status.code(), Some(0 | 3)), "{}", said(&done));
    assert!(done.stdout.starts_with(b"verdict") && fs::read_dir(stage.path("folder")).unwrap().count() == 0);
}
