//! The command line beside its verbs: its words before clap reads them, help, the version, and errors of clap.

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgMatches, ColorChoice};

use super::terminal::error::{print_json, report};
use super::terminal::{exit, output};
use super::{models, suggestions};

/// Returns the words of the command line that may be flags: those before `--`.
pub fn words() -> Vec<String> {
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    words.take_while(|word| word != "--").collect()
}

/// Returns the colors of help and of clap's errors. Both come before the flags are known, so `--color` is searched.
pub fn color(words: &[String]) -> ColorChoice {
    let after = words.iter().zip(words.iter().skip(1)).find_map(|(flag, value)| (flag == "--color").then_some(value));
    let inside = words.iter().find_map(|word| word.strip_prefix("--color="));
    match inside.or(after.map(String::as_str)) {
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        _ => ColorChoice::Auto,
    }
}

/// Reports whether the verb was asked for JSON.
pub fn is_for_json(matches: &ArgMatches) -> bool {
    match matches.subcommand() {
        Some((_, inner)) => is_for_json(inner),
        None => matches!(matches.try_get_one::<bool>("json"), Ok(Some(true))),
    }
}

/// Prints help, the version or an error of clap. Returns the exit code.
pub fn ended(error: &clap::Error, words: &[String]) -> ExitCode {
    if error.kind() == ErrorKind::DisplayVersion {
        return version().unwrap_or_else(|error| report(&error));
    }
    if !error.use_stderr() {
        // The help contains no text of the user. A closed stdout is no error here.
        let _ = error.print();
        return ExitCode::from(exit::DONE);
    }
    // An error repeats words of the user, which `message` makes harmless for the terminal.
    let text = suggestions::in_words(&error.render().to_string());
    output::message(text.trim_end());
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand && words.is_empty() {
        output::message(first_steps());
    }
    if words.iter().any(|word| word == "--json") {
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        print_json("usage", message, &[]);
    }
    ExitCode::from(exit::ERROR)
}

/// Returns the first commands for a machine without a model, else the way to its models.
fn first_steps() -> &'static str {
    if models::places().find().is_empty() {
        "\nFirst steps:\n  magistrate doctor                   checks this machine\n  \
         magistrate check -p spam 'Buy now'  tries the small built-in model\n  \
         magistrate model pull 20b           fetches a model for real use (12 GB)"
    } else {
        "\nFirst steps:\n  magistrate doctor      checks this machine\n  \
         magistrate model list  lists its models, for --model"
    }
}

/// Prints the version of the program, which is the version of each verb.
pub fn version() -> Result<ExitCode, anyhow::Error> {
    output::print(&format!("magistrate {}\n", env!("CARGO_PKG_VERSION")))?;
    Ok(ExitCode::from(exit::DONE))
}

#[cfg(test)]
mod tests {
    use clap::ColorChoice;

    #[test]
    fn color_of_help_is_read_from_the_words() {
        let color = |words: &[&str]| super::color(&words.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(color(&["check", "--color", "never"]), ColorChoice::Never);
        assert_eq!(color(&["--color=always", "check"]), ColorChoice::Always);
        assert_eq!(color(&["check", "never"]), ColorChoice::Auto);
    }
}
