//! Outputs of every verb, and the files that the verb reads.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use super::{JUDGING, Stage, furnished, messages};
use crate::support;

/// A verb that writes: its arguments, its inputs, and the ending of its output. `OUT` is the output in the arguments.
struct Writes {
    args: &'static [&'static str],
    reads: &'static [&'static str],
    ending: &'static str,
    /// True if the verb judges by a policy, which it reads.
    judges: bool,
    /// True if the verb writes to an existing pipe.
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
            // Without a model, because the run is refused before.
            let done = stage.command(&args).env("MAGISTRATE_MODEL", "absent.gguf").output().unwrap();
            let printed = messages(&done);
            assert_eq!(done.status.code(), Some(2), "{args:?}: {printed}");
            assert!(
                printed.starts_with("error: ") && (printed.contains("hint: ") || printed.contains("try '--help'")),
                "{args:?}: {printed}"
            );
            assert!(
                printed.contains(&target)
                    || printed.contains("--report")
                    || printed.contains("no format has this ending"),
                "{args:?}: {printed}"
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
        // Open on both sides, so the writer does not wait for a reader. The output fits the pipe's buffer.
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
            assert!(matches!(done.status.code(), Some(0 | 3)), "{args:?}: {}", messages(&done));
            let mut first = [0; 1];
            pipe.read_exact(&mut first).unwrap();
        } else {
            assert_eq!(done.status.code(), Some(2), "{args:?}: {}", messages(&done));
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
        let printed = messages(&done);
        assert_eq!(done.status.code(), Some(2), "{args:?}: {printed}");
        assert!(printed.contains(&format!(" is {what}\nhint: name another file with -")), "{args:?}: {printed}");
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
    assert!(messages(&done).contains("stdout is the input\n") && done.status.code() == Some(2), "{}", messages(&done));
    let mut command = stage.command(&[&["label"], &JUDGING[..], &["-", "--summary", "in.jsonl"]].concat());
    let done = command.stdin(open("in.jsonl")).output().unwrap();
    assert!(
        messages(&done).contains("in.jsonl is the input\n") && done.status.code() == Some(2),
        "{}",
        messages(&done)
    );
    assert!(stage.state() == before);
}
