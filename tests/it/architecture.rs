//! The invariants of ARCHITECTURE.md that a look at the source can check.

#[path = "arrows.rs"]
mod arrows;

use std::path::{Path, PathBuf};

use arrows::Arrows;

/// All Rust files of the library and the command, with their paths from `src`.
fn sources() -> Vec<(String, String)> {
    let files = arrows::files(&root());
    assert!(files.len() > 20, "the sources are not where they were");
    files
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Code alone: no comments, and nothing from the file's tests on.
fn code(source: &str) -> String {
    source
        .split("#[cfg(test)]\nmod ")
        .next()
        .unwrap()
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[track_caller]
fn only_in(words: &[&str], rooms: &[&str]) {
    for (name, source) in sources() {
        if rooms.iter().any(|room| name.starts_with(room)) || name.contains("/tests") {
            continue;
        }
        for word in words {
            assert!(!code(&source).contains(word), "{name} holds `{word}`, which belongs in {rooms:?}");
        }
    }
}

#[test]
fn unsafe_is_in_the_fence_and_where_the_system_is_asked() {
    only_in(
        &["unsafe {", "unsafe fn", "unsafe impl", "allow(unsafe_code)"],
        &["engine/llama", "engine/kernels", "cli/terminal/ending", "cli/daemon/peer.rs"],
    );
}

#[test]
fn the_process_ends_in_one_place_and_no_thread_panics_where_none_is_to_be_had() {
    only_in(&["process::exit("], &["cli/terminal/ending"]);
    only_in(&["thread::spawn(", "scope.spawn("], &[]);
}

#[test]
fn each_heavy_dependency_has_one_place() {
    only_in(&["llama_cpp_2", "llama_cpp_sys_2"], &["engine/llama"]);
    only_in(
        &["minijinja"],
        &["prompt/template.rs", "eval/report/html.rs", "label/report/html.rs", "serve/hooks/reply.rs"],
    );
    only_in(&["serde_yaml"], &["policy/read/yaml.rs", "serve/hooks/file.rs"]);
    only_in(&["etcetera"], &["cache/folder.rs", "cli/settings/places.rs"]);
    only_in(&["toml_span"], &["cli/settings/file.rs"]);
    only_in(&["clap_complete"], &["cli/commands/completions.rs"]);
    only_in(&["clap_mangen"], &["cli/commands/man.rs"]);
    only_in(&["ureq"], &["http.rs", "models/fetch", "engine/remote"]);
    only_in(
        &["parquet::"],
        &[
            "label/records/parquet.rs",
            "label/export/parquet.rs",
            "label/export/output.rs",
            "label/source/whole_file/parquet.rs",
        ],
    );
    only_in(&["flate2", "zstd::"], &["label/unpack.rs", "label/export/pack.rs", "workbook", "serve/page.rs"]);
    only_in(&["quick_xml", "rawzip"], &["workbook"]);
    only_in(&["encoding_rs"], &["label/records/encoding.rs", "label/decode.rs"]);
    only_in(&["glob::"], &["cli/"]);
    only_in(&["tokio::", "axum::", "hyper::", "async fn"], &["serve"]);
    only_in(&["clap::", "anyhow", "indicatif"], &["cli", "main.rs"]);
}

#[test]
fn files_are_written_whole_and_no_name_is_made_of_a_process_id() {
    only_in(&["fs::write(", "File::create("], &["files"]);
    // `daemon status` reports it.
    only_in(&["process::id("], &["cli/commands/daemon/"]);
}

#[test]
fn every_text_from_outside_passes_the_gate() {
    // A piece of a text that has passed it, a place that was emptied, and texts of our own.
    only_in(
        &["Content::new"],
        &[
            "content.rs",
            "label/judge/pending.rs",
            "label/judge/reply.rs",
            "label/run/send.rs",
            "cli/commands/doctor/canary.rs",
        ],
    );
}

#[test]
fn what_decides_does_no_io_and_reads_no_clock() {
    let io = ["std::fs", "std::io", "std::net", "std::env", "std::time", "std::process", "Instant", "SystemTime"];
    let pure = [
        "content",
        "harmony",
        "verdict",
        "tokenizer",
        "engine/item",
        "engine/schedule",
        "engine/prefixes",
        "engine/sample",
        "engine/tune",
        "engine/completion",
        "engine/config",
        "engine/decode_plan",
        "engine/memory_plan",
        "engine/observed",
        "engine/scoring",
        "engine/sequence",
        "random",
        "calibration",
        "eval/comparison",
        "eval/evaluat",
        "eval/expected",
        "eval/gate",
        "eval/golden",
        "eval/metrics",
        "eval/report",
        "policy/author",
        "policy/body",
        "policy/category",
        "policy/compatibility",
        "policy/contract",
        "policy/diagnostics",
        "policy/examples",
        "policy/read/check",
        "policy/read/document",
        "policy/read/limit",
        "policy/read/notation",
        "policy/read/plain",
        "policy/read/polarity",
        "policy/read/recognition",
        "policy/read/windows",
        "policy/read/yaml",
        "policy/render",
        "policy/terms",
        "label/columns",
        "label/journal/layout",
        "label/judge/result",
        "label/row",
        "label/shard",
        "label/summary",
        "label/records/batch",
        "label/records/calendar",
        "label/records/seen",
        "label/records/start",
        "label/records/text",
        "label/pieces",
        "label/records/defect",
        "label/records/dialect",
        "label/records/encoding",
        "label/records/jsonl",
        "label/records/layout",
        "label/records/names",
        "label/records/separated",
        "label/records/table",
    ];
    for (name, source) in sources() {
        if pure.iter().any(|room| name.starts_with(room)) && !name.contains("/tests") {
            for word in io {
                assert!(!code(&source).contains(word), "{name} holds `{word}`");
            }
        }
    }
}

#[test]
fn nothing_asks_for_a_partial_removal() {
    let sources = sources();
    let lines = sources.iter().flat_map(|(name, source)| source.lines().map(move |line| (name, line)));
    let removals: Vec<_> = lines.filter(|(_, line)| line.contains("llama_memory_seq_rm(context")).collect();
    // One clears a sequence. The other cuts one whose window is checked or replaced behind it.
    let partial = removals.iter().filter(|(_, line)| !line.contains("-1, -1")).count();
    assert_eq!((removals.len(), partial), (2, 1), "{removals:?}");
}

/// The rooms of `src`, from the foot up, each with the rooms that it may use. A room uses only rooms above it in the table.
const ROOMS: &[(&str, &[&str])] = &[
    ("text", &[]),
    ("hint", &[]),
    ("random", &[]),
    ("setters", &[]),
    ("digest", &["text"]),
    ("content", &[]),
    ("file_kind", &[]),
    ("workbook", &["hint"]),
    ("certificates", &[]),
    ("http", &["certificates"]),
    ("machine", &[]),
    ("harmony", &[]),
    ("files", &["hint"]),
    ("cache", &["files", "hint"]),
    ("tokenizer", &["harmony", "text"]),
    ("gguf", &["files", "harmony", "hint", "text", "tokenizer"]),
    ("models", &["cache", "certificates", "files", "gguf", "hint", "http", "machine", "text"]),
    ("policy", &["content", "file_kind", "harmony", "hint", "text"]),
    ("prompt", &["harmony", "hint", "policy", "text", "tokenizer"]),
    ("verdict", &["harmony", "hint", "policy", "setters", "tokenizer"]),
    ("calibration", &["digest", "hint", "policy", "random", "text", "verdict"]),
    (
        "engine",
        &[
            "cache",
            "certificates",
            "content",
            "gguf",
            "harmony",
            "hint",
            "http",
            "machine",
            "policy",
            "prompt",
            "random",
            "setters",
            "text",
            "tokenizer",
            "verdict",
        ],
    ),
    ("canary", &["engine", "policy", "prompt", "text", "verdict"]),
    ("bench", &["content", "engine", "machine", "policy", "prompt", "random", "tokenizer"]),
    (
        "label",
        &[
            "cache",
            "calibration",
            "content",
            "digest",
            "engine",
            "file_kind",
            "files",
            "gguf",
            "hint",
            "machine",
            "policy",
            "prompt",
            "setters",
            "text",
            "tokenizer",
            "verdict",
            "workbook",
        ],
    ),
    ("eval", &["calibration", "digest", "engine", "hint", "label", "policy", "setters", "text", "verdict"]),
    ("review", &["cache", "eval", "files", "policy"]),
    (
        "serve",
        &[
            "cache",
            "calibration",
            "content",
            "engine",
            "eval",
            "files",
            "gguf",
            "hint",
            "label",
            "policy",
            "prompt",
            "review",
            "text",
            "verdict",
        ],
    ),
    (
        "error",
        &[
            "cache",
            "engine",
            "eval",
            "files",
            "gguf",
            "hint",
            "label",
            "models",
            "policy",
            "prompt",
            "calibration",
            "verdict",
        ],
    ),
];

/// The rooms of `src/cli`, from the foot up, each with the rooms that it may use. `shared` are the files beside the rooms.
const CLI_ROOMS: &[(&str, &[&str])] = &[
    ("terminal", &[]),
    ("shared", &["terminal"]),
    ("args", &["shared", "terminal"]),
    ("commands", &["args", "shared", "terminal"]),
];

/// Returns the room of a file of `src/cli`. `None` for `cli.rs`, which uses all rooms.
fn cli_room(module: &[String]) -> Option<&'static str> {
    let room = module.get(1)?.as_str();
    CLI_ROOMS.iter().map(|(name, _)| *name).find(|name| *name == room).or(Some("shared"))
}

/// Returns the arrows inside `src/cli` that its table does not allow, and those from one verb to another.
fn forbidden_in_cli(arrows: &Arrows) -> Vec<String> {
    let mut wrong = Vec::new();
    for (from, targets) in arrows.arrows.iter().filter(|(from, _)| from[0] == "cli") {
        let Some(room) = cli_room(from) else { continue };
        let (_, allowed) = CLI_ROOMS.iter().find(|(name, _)| *name == room).unwrap();
        for to in targets.iter().filter(|to| to[0] == "cli") {
            let other = cli_room(to);
            let is_other_verb = room == "commands" && other == Some(room) && from.get(2) != to.get(2) && from.len() > 2;
            if is_other_verb || (other != Some(room) && !other.is_some_and(|other| allowed.contains(&other))) {
                wrong.push(format!("{} uses {}", arrows.sources[from].name, arrows.sources[to].name));
            }
        }
    }
    wrong
}

#[test]
fn rooms_of_the_command_use_only_those_below_and_no_verb_uses_another() {
    assert_eq!(forbidden_in_cli(&arrows(&[])), Vec::<String>::new());
}

#[test]
fn an_arrow_up_in_the_command_and_one_between_verbs_are_found() {
    let planted = [
        ("cli/terminal/planted.rs", "use crate::cli::args::policy::PolicyArgs;\nfn f(_: PolicyArgs) {}"),
        ("cli/args/planted.rs", "use crate::cli::commands::check::Check;"),
        ("cli/planted.rs", "use super::args::model::ModelArgs;"),
        ("cli/commands/planted.rs", "use super::check::Check;\nuse crate::cli::args::model::ModelArgs;"),
    ];
    let found = [
        "cli/args/planted.rs uses cli/commands/check.rs",
        "cli/commands/planted.rs uses cli/commands/check.rs",
        "cli/planted.rs uses cli/args/model.rs",
        "cli/terminal/planted.rs uses cli/args/policy.rs",
    ];
    assert_eq!(forbidden_in_cli(&arrows(&planted)), found);
}

fn arrows(more: &[(&str, &str)]) -> Arrows {
    Arrows::read(&root(), more)
}

/// Returns the arrows between rooms that the table does not allow, and rooms that it does not list.
fn forbidden(arrows: &Arrows) -> Vec<String> {
    let mut wrong = Vec::new();
    for (from, targets) in &arrows.arrows {
        if from[0] == "cli" {
            continue;
        }
        let Some((_, allowed)) = ROOMS.iter().find(|(room, _)| *room == from[0]) else {
            wrong.push(format!("{} is in no room of the table", arrows.sources[from].name));
            continue;
        };
        for to in targets.iter().filter(|to| to[0] != from[0] && !allowed.contains(&to[0].as_str())) {
            wrong.push(format!("{} uses {}", arrows.sources[from].name, arrows.sources[to].name));
        }
    }
    wrong
}

#[test]
fn rooms_use_only_the_rooms_that_the_table_allows() {
    for (place, (room, allowed)) in ROOMS.iter().enumerate() {
        for other in *allowed {
            let below = ROOMS[..place].iter().any(|(name, _)| name == other);
            assert!(below, "{room} may not use {other}, which is no room below it");
        }
    }
    assert_eq!(forbidden(&arrows(&[])), Vec::<String>::new());
}

#[test]
fn no_files_use_one_another_in_a_circle() {
    let circles = arrows(&[]).circles();
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
fn an_import_against_the_table_and_a_circle_are_found() {
    let planted = arrows(&[("engine/planted.rs", "use crate::label::run::run;\nfn f() { run() }")]);
    assert_eq!(forbidden(&planted), ["engine/planted.rs uses label/run.rs"]);
    let before = arrows(&[]).circles().len();
    let circle = [("text/one.rs", "use super::two::b;"), ("text/two.rs", "use super::one::a;")];
    assert_eq!(arrows(&circle).circles().len(), before + 1);
}

#[test]
fn flags_and_rendered_hints_are_in_the_command_alone() {
    for (name, source) in sources() {
        // The names of a journal's terms are those of the flags that set them.
        if name.starts_with("cli")
            || name.contains("tests")
            || ["label/config.rs", "calibration/terms.rs"].contains(&name.as_str())
        {
            continue;
        }
        // Flags of zstd and of llama-server.
        let others = ["--long", "--cache-ram", "--swa-full"];
        let code = others.iter().fold(code(&source), |code, flag| code.replace(flag, ""));
        assert!(!code.contains("\\nhint: "), "{name} renders a hint: return it from `hints()`");
        for (at, _) in code.match_indices("--") {
            let before = code[..at].chars().next_back();
            let begins = !before.is_some_and(|before| before.is_alphanumeric() || matches!(before, '-' | '!'));
            let flag = code[at + 2..].starts_with(|next: char| next.is_ascii_lowercase());
            let line = code[..at].matches('\n').count();
            assert!(!(begins && flag), "{name} names a flag: {}", code.lines().nth(line).unwrap_or_default());
        }
    }
}

#[test]
fn every_file_is_in_the_code_map_once() {
    let map = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    let map = map.split("## Code map").nth(1).and_then(|rest| rest.split("### Beside").next()).expect("a code map");
    let listed: Vec<_> = map.lines().filter_map(|line| line.strip_prefix("| `")?.split_once(".rs` | ")).collect();
    for (name, _) in sources().iter().filter(|(name, _)| !name.contains("tests")) {
        let count = listed.iter().filter(|(listed, _)| format!("{listed}.rs") == *name).count();
        assert_eq!(count, 1, "{name} is in the code map of ARCHITECTURE.md {count} times");
    }
    for (listed, _) in listed {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(listed).with_extension("rs");
        assert!(path.exists(), "ARCHITECTURE.md lists {listed}.rs, which does not exist");
    }
}
