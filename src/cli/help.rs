//! Help: the short form, groups of flags, examples, exit codes and variables.
//!
//! The one idea: a flag is described once, where it is defined. Its first sentence is the short help, and everything else
//! follows from tables here.

mod examples;
mod exit_codes;
mod flags;
mod variables;

use clap::builder::{StyledStr, Styles};
use clap::{Arg, ArgAction, Command};

use super::settings::keys::KEYS;
use super::settings::takes;

/// Returns the command with its help. `-h` fits a screen, and `--help` has everything.
pub fn dressed(command: Command) -> Command {
    let global = |flag: Arg| flag.global(true).help_heading("Global");
    let help = Arg::new("help").short('h').long("help").action(ArgAction::Help);
    let version = Arg::new("version").short('V').long("version").action(ArgAction::Version);
    let command = command
        .disable_help_flag(true)
        .disable_version_flag(true)
        .arg(global(help.help("Print help: a screen with -h, everything with --help")))
        .arg(global(version.help("Print the version")));
    verb(command, "")
}

/// Dresses a verb and the verbs in it. `name` is the verb without `magistrate`, such as `policy lint`.
fn verb(command: Command, name: &str) -> Command {
    let settings: Vec<(&str, &str)> = KEYS
        .iter()
        .filter(|key| takes(&command, key) && !key.variable.is_empty())
        .map(|key| (key.id, key.variable))
        .collect();
    let common = flags::common(name);
    let command = command.mut_args(|arg| {
        let variable = settings.iter().find(|(id, _)| arg.get_id() == id).map(|(_, variable)| *variable);
        let arg = described(arg, variable);
        let long = arg.get_long().unwrap_or_default().to_owned();
        let arg = match flags::heading(&long) {
            _ if arg.is_positional() => arg.help_heading(None),
            Some(heading) => arg.help_heading(heading),
            None if arg.get_help_heading().is_none() => arg.help_heading("Output"),
            None => arg,
        };
        let is_rare = !long.is_empty() && common.as_ref().is_some_and(|common| !common.contains(&long.as_str()));
        let is_inert = flags::is_inert(name, &long);
        // A negative number is a value that the flag refuses, and no flag.
        let arg = if arg.is_positional() { arg } else { arg.allow_negative_numbers(true) };
        // A flag that is hidden already stays so.
        let (hidden, rare) = (arg.is_hide_set() || is_inert, arg.is_hide_short_help_set() || is_rare);
        arg.hide(hidden).hide_short_help(rare)
    });
    let command = match pages(name) {
        None => command,
        Some(pages) => command.after_long_help(pages).after_help(
            format!("`magistrate {name} --help` has all flags, examples, exit codes and variables.").replace("  ", " "),
        ),
    };
    let command = match flags::usage(name) {
        Some(usage) => command.override_usage(format!("magistrate {usage}")),
        None => command,
    };
    command.mut_subcommands(|inner| {
        let name = format!("{name} {}", inner.get_name()).trim_start().to_owned();
        verb(inner, &name)
    })
}

/// Splits the help of a flag: the first sentence is the short help. The long help has the flag's variable, too.
fn described(arg: Arg, variable: Option<&str>) -> Arg {
    let Some(full) = arg.get_long_help().or(arg.get_help()).map(ToString::to_string) else { return arg };
    let variable = variable.map_or(String::new(), |name| format!(" [env: {name}]"));
    let short = arg.get_help().map_or_else(|| short(&full), |help| short(&help.to_string()));
    if short == full && variable.is_empty() { arg } else { arg.help(short).long_help(format!("{full}{variable}")) }
}

/// Returns the first sentence, with a default that is short.
fn short(help: &str) -> String {
    const SHORT_DEFAULT: usize = 30;
    let (words, bracket) = match help.strip_suffix(']').and_then(|inner| inner.rsplit_once(" [default")) {
        Some((words, default)) => (words, format!(" [default{default}]")),
        None => (help, String::new()),
    };
    // A stop before a capital letter ends a sentence. `a.b` and `1. 2` do not.
    let end = words
        .match_indices(". ")
        .map(|(at, _)| at)
        .find(|at| words[at + 2..].starts_with(|next: char| next.is_uppercase() || next == '-' || next == '`'));
    let sentence = end.map_or(words, |at| &words[..at]);
    let bracket = if bracket.chars().count() <= SHORT_DEFAULT { bracket } else { String::new() };
    format!("{sentence}{bracket}")
}

/// Returns the last part of a verb's help: examples, exit codes and variables. `None` for a verb without examples.
fn pages(name: &str) -> Option<StyledStr> {
    let examples = examples::of(name);
    if examples.is_empty() {
        return None;
    }
    let styles = Styles::default();
    let (title, literal) = (styles.get_header(), styles.get_literal());
    let mut text = format!("{title}Examples:{title:#}\n");
    for (purpose, command) in examples {
        text.push_str(&format!("  # {purpose}\n  {literal}{command}{literal:#}\n"));
    }
    text.push_str(&format!("\n{title}Exit codes:{title:#}\n"));
    for (code, meaning) in exit_codes::of(name) {
        text.push_str(&format!("  {code:<4} {meaning}\n"));
    }
    let variables = variables::of(name);
    if !variables.is_empty() {
        text.push_str(&format!("\n{title}Environment:{title:#}\n"));
        for (name, meaning) in variables {
            text.push_str(&format!("  {literal}{name}{literal:#}\n      {meaning}\n"));
        }
    }
    Some(StyledStr::from(text.trim_end().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command;

    #[test]
    fn the_first_sentence_is_the_short_help() {
        for (help, wanted) in [
            ("One sentence alone", "One sentence alone"),
            ("First. Second [default: 0.5]", "First [default: 0.5]"),
            ("First, such as 1.5GB. Second", "First, such as 1.5GB"),
            ("First. `x` is second [default: the result of a long search on this machine]", "First"),
        ] {
            assert_eq!(short(help), wanted);
        }
    }

    /// Returns all visible verbs, with their names behind `magistrate`.
    fn all(command: &Command, name: &str) -> Vec<(String, Command)> {
        let mut verbs = vec![(name.to_owned(), command.clone())];
        for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help") {
            verbs.extend(all(verb, format!("{name} {}", verb.get_name()).trim_start()));
        }
        verbs
    }

    fn verbs() -> Vec<(String, Command)> {
        let mut command = command();
        command.build();
        all(&command, "")
    }

    #[test]
    fn every_verb_and_every_flag_has_a_line_of_help_in_a_group() {
        const GROUPS: [&str; 9] =
            ["Input", "Output", "Policy", "Model", "Judging", "Server", "Engine", "Remote engine", "Global"];
        for (name, verb) in verbs() {
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(!about.is_empty() && !about.contains('\n'), "`{name}` has no line of help");
            for flag in verb.get_arguments().filter(|flag| !flag.is_hide_set()) {
                let id = flag.get_id();
                assert!(flag.get_help().is_some(), "`{name}` has no help for `{id}`");
                let grouped = flag.get_help_heading().is_some_and(|group| GROUPS.contains(&group));
                assert!(grouped || flag.is_positional(), "`{name}`: `{id}` is in no group");
            }
        }
    }

    #[test]
    fn the_short_help_of_every_verb_fits_a_screen() {
        const LINES: usize = 40;
        for (name, mut verb) in verbs() {
            let help = verb.render_help().to_string();
            let lines = help.lines().count();
            assert!(lines <= LINES, "`magistrate {name} -h` has {lines} lines:\n{help}");
        }
    }

    /// Returns the words of a command as a shell passes them, with the part of a pipe that is ours.
    fn shell_words(command: &str) -> Vec<String> {
        let ours = command.split(['|', '(']).map(str::trim).find(|part| part.starts_with("magistrate")).unwrap();
        let ours = ours.split([')', '>', '<']).next().unwrap().trim();
        let (mut words, mut quoted) = (vec![String::new()], false);
        for letter in ours.chars() {
            match letter {
                '\'' => quoted = !quoted,
                ' ' if !quoted => words.push(String::new()),
                other => words.last_mut().unwrap().push(other),
            }
        }
        words
    }

    #[test]
    fn every_long_help_ends_with_examples_that_parse_and_with_exit_codes() {
        for (name, mut verb) in verbs() {
            let help = verb.render_long_help().to_string();
            let (_, end) =
                help.split_once("Examples:\n").unwrap_or_else(|| panic!("`magistrate {name}` has no example"));
            assert!(end.contains("Exit codes:\n"), "{help}");
            let examples: Vec<&str> = end.lines().take_while(|line| line.starts_with("  ")).collect();
            for (place, line) in examples.iter().enumerate() {
                assert!(line.chars().count() <= 100, "{line}");
                let about = line.trim().strip_prefix("# ");
                assert_eq!(about.is_some(), place % 2 == 0, "{line}");
                if about.is_none() {
                    let words = shell_words(line);
                    let parsed = command().try_get_matches_from(&words);
                    parsed.unwrap_or_else(|error| panic!("`{}`: {error}", line.trim()));
                    let path = name.split(' ').filter(|part| !part.is_empty());
                    assert!(path.into_iter().all(|part| words.contains(&part.to_owned())) || name.is_empty(), "{line}");
                }
            }
        }
    }

    #[test]
    fn every_variable_that_the_program_reads_is_in_a_help() {
        let helps: String = verbs().into_iter().map(|(_, mut verb)| verb.render_long_help().to_string()).collect();
        let mut count = 0;
        for variable in read_variables() {
            count += 1;
            assert!(helps.contains(&variable), "{variable} is in no help");
        }
        assert!(count > 35, "the variables were not found");
    }

    /// Returns the names of environment variables in the source: words in quotes with these beginnings.
    fn read_variables() -> std::collections::BTreeSet<String> {
        const BEGINNINGS: [&str; 10] = [
            "MAGISTRATE_",
            "HF_",
            "HUGGINGFACE_",
            "OLLAMA_",
            "LLAMA_",
            "XDG_",
            "NO_COLOR",
            "CLICOLOR",
            "OMP_",
            "GOMP_",
        ];
        // Set by the program for itself.
        const OWN: [&str; 2] = ["MAGISTRATE_SPINCOUNT_CHOSEN", "MAGISTRATE_BUILT_BACKENDS"];
        let mut names = std::collections::BTreeSet::new();
        let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if entry.is_dir() {
                    folders.push(entry);
                    continue;
                }
                let source = std::fs::read_to_string(&entry).unwrap_or_default();
                for word in source.split('"') {
                    let is_name = word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
                    let begins = BEGINNINGS.iter().any(|beginning| word.starts_with(beginning) && word != *beginning);
                    if is_name && (begins || BEGINNINGS.contains(&word) && !word.ends_with('_')) && !OWN.contains(&word)
                    {
                        names.insert(word.to_owned());
                    }
                }
            }
        }
        names
    }
}
