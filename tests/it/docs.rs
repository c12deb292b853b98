//! The documents: their commands work when they are pasted, and print the shown output.
//!
//! Blocks of commands are run page by page, each page in an empty folder. Comments before a fence are directions:
//!
//! - `<!-- file: NAME -->`: the block is a file that later commands of the page use;
//! - `<!-- not run: REASON -->`: the commands of the block are not run;
//! - `<!-- exit: CODE -->`: the commands of the block exit with this code.
//!
//! Every other command is run by `sh`, and must exit with 0 unless `echo $?` follows and shows another code. Output is
//! compared with the shown output. A line `…` means any number of lines, and `…` within a line any characters.

use std::fs;
use std::path::{Path, PathBuf};

/// The most lines of the README.
const README_LINES: usize = 180;

/// The lines of the README that fit on a first screen.
const FIRST_SCREEN: usize = 40;

/// Documents whose commands are pasted, and not run here.
const OTHERS: [&str; 5] =
    ["CONTRIBUTING.md", "ARCHITECTURE.md", "BENCHMARKS.md", "models/README.md", "scripts/nano/README.md"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Returns the names of the README and of the pages in `docs`.
fn pages() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(root().join("docs"))
        .expect("docs can be read")
        .map(|entry| format!("docs/{}", entry.expect("docs can be read").file_name().to_string_lossy()))
        .filter(|name| Path::new(name).extension().is_some_and(|ending| ending == "md"))
        .collect();
    names.push("README.md".to_owned());
    names.sort();
    names
}

/// A block between fences.
struct Block {
    /// The number of its first line, from 1.
    line: usize,
    language: String,
    #[cfg_attr(not(all(unix, feature = "cli", feature = "nano")), allow(dead_code, reason = "no command is run"))]
    direction: Direction,
    lines: Vec<String>,
}

/// The comment before a block.
#[derive(Clone, PartialEq)]
enum Direction {
    Absent,
    File(String),
    NotRun(String),
    Exit(i32),
}

impl Direction {
    fn of(line: &str) -> Option<Self> {
        let (name, value) = line.strip_prefix("<!-- ")?.strip_suffix(" -->")?.split_once(": ")?;
        match name {
            "file" => Some(Self::File(value.to_owned())),
            "not run" => Some(Self::NotRun(value.to_owned())),
            "exit" => value.parse().ok().map(Self::Exit),
            _ => None,
        }
    }
}

/// Returns the blocks of a document. Blank lines are allowed between a direction and its block.
fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut inside, mut direction) = (false, Direction::Absent);
    for (number, line) in (1..).zip(text.lines()) {
        match (line.strip_prefix("```"), inside) {
            (Some(_), true) => inside = false,
            (Some(language), false) => {
                inside = true;
                let direction = std::mem::replace(&mut direction, Direction::Absent);
                blocks.push(Block { line: number + 1, language: language.to_owned(), direction, lines: Vec::new() });
            }
            (None, true) => blocks.last_mut().expect("a block is open").lines.push(line.to_owned()),
            (None, false) if line.is_empty() => {}
            (None, false) => direction = Direction::of(line).unwrap_or(Direction::Absent),
        }
    }
    blocks
}

/// A command, and the output that is shown for it.
struct Step {
    /// The number of its line in the document, from 1.
    line: usize,
    command: String,
    shown: Vec<String>,
}

/// Returns the steps of a block, which begin with `$ `; a `\` at the end joins the next line. Each line of `sh` is a step.
fn steps(block: &Block) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (line, text) in (block.line..).zip(&block.lines) {
        let command = match block.language.as_str() {
            "console" => text.strip_prefix("$ "),
            "sh" => Some(text.as_str()),
            _ => None,
        };
        match (command, steps.last_mut()) {
            (None, Some(step)) if step.command.ends_with('\\') && step.shown.is_empty() => {
                step.command.push_str(&format!("\n{text}"));
            }
            (Some(command), _) => steps.push(Step { line, command: command.to_owned(), shown: Vec::new() }),
            (None, Some(step)) => step.shown.push(text.clone()),
            (None, None) => {}
        }
    }
    steps
}

/// Reports whether an interactive bash would replace a part of a command by an older one: a `!` that is not in single
/// quotes, and not before a blank, an `=` or the end.
fn expands_history(command: &str) -> bool {
    let (mut single, mut double) = (false, false);
    let mut characters = command.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' if !single => drop(characters.next()),
            '\'' if !double => single = !single,
            '"' if !single => double = !double,
            '!' if !single => match characters.peek() {
                None | Some(' ' | '\t' | '=' | '(') => {}
                Some('"') if double => {}
                Some(_) => return true,
            },
            _ => {}
        }
    }
    false
}

#[test]
fn no_command_that_is_shown_is_changed_by_the_history_of_a_shell() {
    assert!(expands_history(r#"check "WINNER!! Reply""#) && expands_history("!ls"));
    assert!(!expands_history("check 'WINNER!! Reply'") && !expands_history(r#"check "Hello!""#));
    let mut count = 0;
    for name in OTHERS.into_iter().map(str::to_owned).chain(pages()) {
        for step in blocks(&read(&name)).iter().flat_map(steps) {
            assert!(!expands_history(&step.command), "{name}, line {}: {}", step.line, step.command);
            count += 1;
        }
    }
    assert!(count > 50, "the documents' commands were not found");
}

#[test]
fn the_readme_shows_a_policy_a_command_and_a_verdict_on_its_first_screen() {
    let text = read("README.md");
    assert!(text.lines().count() <= README_LINES, "the README has {} lines", text.lines().count());
    let screen: Vec<&str> = text.lines().take(FIRST_SCREEN).collect();
    let has = |start: &str| screen.iter().any(|line| line.starts_with(start));
    assert!(has("categories:") && has("$ magistrate check ") && has("forum-ads: violation"));
}

/// Returns the targets of a document's links, less those of other sites.
fn links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    targets.filter(|target| !target.contains("://")).map(str::to_owned).collect()
}

/// Returns the anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    kept.chars().filter(|char| char.is_alphanumeric() || " -_".contains(*char)).collect::<String>().replace(' ', "-")
}

#[test]
fn links_lead_somewhere() {
    for name in pages() {
        let folder: PathBuf = root().join(&name).parent().expect("a page is in a folder").into();
        for link in links(&read(&name)) {
            let (path, place) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() { root().join(&name) } else { folder.join(path) };
            assert!(target.exists(), "{name}: {link} does not exist");
            let found = || fs::read_to_string(&target).unwrap().lines().any(|line| anchor(line) == place);
            assert!(place.is_empty() || found(), "{name}: {link} is no heading");
        }
    }
}

/// Reports whether a line is the one that is shown. `…` matches any characters.
fn is_line(shown: &str, line: &str) -> bool {
    let Some((start, rest)) = shown.split_once('…') else { return shown == line };
    let Some(mut line) = line.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('…').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        match line.find(part) {
            Some(at) => line = &line[at + part.len()..],
            None => return false,
        }
    }
    line.ends_with(end)
}

/// Reports whether lines are those that are shown. A line `…` matches any number of lines.
fn are_lines(shown: &[String], lines: &[&str]) -> bool {
    match shown.split_first() {
        None => lines.is_empty(),
        Some((first, rest)) if first == "…" => (0..=lines.len()).any(|count| are_lines(rest, &lines[count..])),
        Some((first, rest)) => {
            lines.split_first().is_some_and(|(line, others)| is_line(first, line) && are_lines(rest, others))
        }
    }
}

#[test]
fn an_ellipsis_stands_for_what_is_left_out() {
    assert!(is_line("a … c … e", "a b c d e") && is_line("…", "") && is_line("a…", "abc"));
    assert!(!is_line("a … c", "a b d") && !is_line("ab…ba", "aba") && !is_line("a", "ab"));
    let shown = ["…", "b", "…"].map(str::to_owned);
    assert!(are_lines(&shown, &["a", "b"]) && are_lines(&shown, &["b", "c", "d"]) && !are_lines(&shown, &["a"]));
}

/// Commands are run by the built-in model.
#[cfg(all(unix, feature = "cli", feature = "nano"))]
mod run {
    use std::os::unix::fs::symlink;
    use std::process::{Command, Stdio};

    use super::*;

    const MAGISTRATE: &str = env!("CARGO_BIN_EXE_magistrate");

    /// A folder in which the commands of a page run.
    struct Stage(tempfile::TempDir);

    impl Stage {
        fn new() -> Self {
            let stage = Self(tempfile::tempdir().unwrap());
            fs::create_dir_all(stage.path("work/scripts")).unwrap();
            fs::create_dir(stage.path("home")).unwrap();
            // The script builds first; a page is about the program that it becomes.
            symlink(MAGISTRATE, stage.path("work/scripts/run")).unwrap();
            stage
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        /// Returns the output of a command, and its exit code.
        fn run(&self, command: &str) -> (String, i32) {
            let binaries = Path::new(MAGISTRATE).parent().unwrap().display();
            let path = format!("{binaries}:{}", std::env::var("PATH").unwrap_or_default());
            let output = Command::new("sh")
                .args(["-c", &format!("exec 2>&1\n{command}")])
                .current_dir(self.path("work"))
                .env_clear()
                .envs([("PATH", path), ("LC_ALL", "C.UTF-8".to_owned())])
                .env("HOME", self.path("home"))
                .env("MAGISTRATE_CACHE", self.path("cache"))
                .stdin(Stdio::null())
                .output()
                .unwrap();
            (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap_or(-1))
        }

        /// Runs the steps of a block. Returns a message for each step whose output differs.
        fn failures(&self, block: &Block) -> Vec<String> {
            let (mut failures, mut code) = (Vec::new(), 0);
            // A reader may come to a block on another day, when daily notes are due again.
            let _ = fs::remove_dir_all(self.path("cache/notes"));
            let expected = if let Direction::Exit(code) = block.direction { code } else { 0 };
            let steps = steps(block);
            let asks = |step: &Step| step.command == "echo $?";
            for (place, step) in steps.iter().enumerate() {
                let Step { line, command, shown } = step;
                let mut output = format!("{code}\n");
                if !asks(step) {
                    (output, code) = self.run(command);
                }
                if code != expected && !steps[place..].iter().take(2).any(asks) {
                    failures.push(format!("line {line}: {command}\nexits with {code}:\n{output}"));
                } else if !shown.is_empty() && !are_lines(shown, &output.lines().collect::<Vec<_>>()) {
                    failures.push(format!("line {line}: {command}\nprints:\n{output}"));
                }
            }
            failures
        }
    }

    impl Drop for Stage {
        /// A daemon that a page started must not outlive it.
        fn drop(&mut self) {
            self.run("magistrate daemon stop");
        }
    }

    /// Runs the commands of a page, in the order of the page.
    #[track_caller]
    fn works(page: &str) {
        let stage = Stage::new();
        let (mut failures, mut count) = (Vec::new(), 0);
        for block in blocks(&read(page)) {
            match (&block.direction, block.language.as_str()) {
                (Direction::File(name), _) => {
                    fs::write(stage.path("work").join(name), block.lines.join("\n") + "\n").unwrap();
                }
                (Direction::Absent | Direction::Exit(_), "console") => {
                    count += steps(&block).len();
                    failures.extend(stage.failures(&block));
                }
                (Direction::Absent | Direction::Exit(_), "sh") => {
                    failures.push(format!("line {}: commands that are not run have no reason", block.line));
                }
                // Commands that are not run, and blocks without commands.
                (Direction::NotRun(_) | Direction::Absent | Direction::Exit(_), _) => {}
            }
        }
        assert!(failures.is_empty(), "{page}: {} of {count} commands fail\n{}", failures.len(), failures.join("\n"));
    }

    #[test]
    fn commands_of_the_readme_work() {
        works("README.md");
    }

    #[test]
    fn commands_of_the_page_on_judging_work() {
        works("docs/judging.md");
    }

    #[test]
    fn commands_of_the_page_on_labeling_work() {
        works("docs/labelling.md");
    }

    #[test]
    fn commands_of_the_page_on_policies_work() {
        works("docs/policies.md");
    }

    #[test]
    fn commands_of_the_page_on_evaluating_work() {
        works("docs/evaluating.md");
    }

    #[test]
    fn commands_of_the_page_on_models_work() {
        works("docs/models.md");
    }

    #[test]
    fn commands_of_the_page_on_rules_of_lint_work() {
        works("docs/lint-rules.md");
    }

    #[test]
    fn commands_of_the_page_on_installing_work() {
        works("docs/installing.md");
    }

    #[test]
    fn commands_of_the_page_on_internals_work() {
        works("docs/internals.md");
    }

    #[cfg(feature = "serve")]
    #[test]
    fn commands_of_the_pages_on_serving_work() {
        works("docs/serving.md");
        works("docs/serving-clients.md");
    }

    #[test]
    fn commands_of_the_page_on_python_work() {
        works("docs/python.md");
    }

    #[cfg(feature = "remote")]
    #[test]
    fn commands_of_the_page_on_remote_engines_work() {
        works("docs/remote.md");
    }

    #[test]
    fn commands_of_the_page_on_many_machines_work() {
        works("docs/distributed.md");
    }

    #[test]
    fn commands_of_the_page_on_scale_work() {
        works("docs/scale.md");
    }

    #[test]
    fn commands_of_the_reference_work() {
        works("docs/reference.md");
    }

    #[test]
    fn every_page_is_run() {
        let run = [
            "distributed",
            "evaluating",
            "installing",
            "internals",
            "judging",
            "labelling",
            "lint-rules",
            "models",
            "policies",
            "python",
            "reference",
            "remote",
            "scale",
            "serving-clients",
            "serving",
        ];
        let run: Vec<String> = run.iter().map(|name| format!("docs/{name}.md")).collect();
        let pages: Vec<String> = pages().into_iter().filter(|name| name != "README.md").collect();
        assert_eq!(pages, run, "a page needs a test of its own here");
    }

    #[test]
    fn the_reference_has_each_field_of_a_row() {
        let (schema, _) = Stage::new().run("magistrate label --schema");
        let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
        let reference = read("docs/reference.md");
        let mut count = 0;
        let mut check = |path: &str| {
            assert!(reference.contains(&format!("`{path}`")), "the reference lacks the field {path}");
            count += 1;
        };
        let row = &schema["$defs"]["Row"]["properties"];
        for (name, field) in row.as_object().expect("a row has fields") {
            check(name);
            let link = field["$ref"].as_str().or_else(|| field["anyOf"][0]["$ref"].as_str());
            let inner = link.and_then(|link| schema.pointer(&format!("{}/properties", &link[1..])));
            for inner in inner.and_then(|inner| inner.as_object()).into_iter().flat_map(serde_json::Map::keys) {
                check(&format!("{name}.{inner}"));
            }
        }
        assert!(count > 38, "the fields were not found");
    }
}
