//! Errors on stderr: the message, its causes, and hints in which settings have the names of flags.

use std::process::ExitCode;

use magistrate::content::NotText;
use magistrate::error::{ErrorKind, hints as library_hints, kind};
use magistrate::hint::{Hint, Hints, Setting};

use super::manner::prints_json;
use super::{exit, output};

/// An error of the command with its remedy.
#[derive(Debug)]
pub struct Hinted {
    error: anyhow::Error,
    hint: String,
}

impl std::fmt::Display for Hinted {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(out)
    }
}

impl std::error::Error for Hinted {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

/// Returns an error with a hint, which comes after the error's own hints.
pub fn hinted(error: anyhow::Error, hint: impl Into<String>) -> anyhow::Error {
    Hinted { error, hint: hint.into() }.into()
}

/// Returns from a function with an error and a hint: `bail_hint!("message", "hint")`, or
/// `bail_hint!(("message with {}", value), "hint")`.
macro_rules! bail_hint {
    (($message:literal, $($value:expr),+ $(,)?), $hint:literal $(,)?) => {
        return Err($crate::cli::terminal::error::hinted(
            anyhow::anyhow!($message, $($value),+),
            format_args!($hint).to_string(),
        ))
    };
    ($message:literal, $hint:literal $(,)?) => {
        return Err($crate::cli::terminal::error::hinted(anyhow::anyhow!($message), format_args!($hint).to_string()))
    };
}

/// Returns from a function with an error and a hint if a condition does not hold.
macro_rules! ensure_hint {
    ($holds:expr, $($error:tt)+) => {
        if !$holds {
            $crate::cli::terminal::error::bail_hint!($($error)+);
        }
    };
}

pub(crate) use {bail_hint, ensure_hint};

/// Prints an error on stderr, with its causes and hints. With `--json` it is on stdout, too.
pub fn report(error: &anyhow::Error) -> ExitCode {
    output::message(&render(error));
    if prints_json() {
        print_json(code(error), &message(error), &hints(error));
    }
    ExitCode::from(exit::ERROR)
}

/// Prints an error as JSON on stdout. A closed stdout changes nothing: the exit code is that of an error already.
pub fn print_json(code: &str, message: &str, hints: &[String]) {
    let error = serde_json::json!({ "error": { "code": code, "message": message, "hints": hints } });
    let _ = output::data(&format!("{error}\n"));
}

/// Returns the code of an error, a word for programs: the part that failed.
fn code(error: &anyhow::Error) -> &'static str {
    if let Some(why) = error.chain().find_map(|cause| cause.downcast_ref::<NotText>()) {
        return why.code();
    }
    let kind = kind(error.as_ref()).or_else(|| {
        error.chain().find_map(|cause| {
            // `source` skips the error inside.
            kind(cause.downcast_ref::<Hinted>()?.error.as_ref())
        })
    });
    match kind {
        Some(ErrorKind::Policy) => "policy",
        Some(ErrorKind::Template) => "template",
        Some(ErrorKind::Model) => "model",
        Some(ErrorKind::Engine) => "engine",
        Some(ErrorKind::File) => "file",
        Some(ErrorKind::Label) => "input",
        Some(ErrorKind::Evaluation) => "evaluation",
        Some(ErrorKind::Verdict) => "unresolved",
        _ => "failed",
    }
}

/// Returns the text of an error: after `error:`, with its causes and hints.
pub fn render(error: &anyhow::Error) -> String {
    format!("error: {}", message_with_hints(error))
}

/// Returns the message of an error, with its causes and hints.
pub fn message_with_hints(error: &anyhow::Error) -> String {
    let mut text = message(error);
    for hint in hints(error) {
        text.push_str(&format!("\nhint: {hint}"));
    }
    text
}

/// Returns the message of an error, with its causes.
pub fn message(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        // Some errors contain the message of their cause.
        if !text.contains(&cause) {
            text.push_str(&format!("\n  caused by: {cause}"));
        }
    }
    output::plain_reason(&text)
}

/// Returns the remedies of an error and of its causes, with settings as flags.
pub fn hints(error: &anyhow::Error) -> Vec<String> {
    let mut all: Vec<String> = library_hints(error.as_ref()).iter().map(with_flags).collect();
    for Hinted { error, hint } in error.chain().filter_map(|cause| cause.downcast_ref()) {
        // `source` skips the error inside, so its own hints are not among those above.
        all.extend(hints(error));
        all.push(hint.clone());
    }
    let mut distinct = Vec::with_capacity(all.len());
    for hint in all {
        if !distinct.contains(&hint) {
            distinct.push(hint);
        }
    }
    distinct
}

/// Returns a message in words, with its hints.
pub fn with_hints(error: &impl Hints) -> String {
    error.hints().iter().fold(error.to_string(), |text, hint| text + "\nhint: " + &with_flags(hint))
}

/// Returns a hint with each setting as the flag that sets it.
pub fn with_flags(hint: &Hint) -> String {
    hint.render(|setting, value| match value {
        Some(value) => format!("{} {value}", flag(setting)),
        None => flag(setting).to_owned(),
    })
}

/// Returns an error that begins with a file's name.
pub fn in_file(name: impl std::fmt::Display, error: impl std::error::Error + Send + Sync + 'static) -> anyhow::Error {
    let text = format!("{name}: {error}");
    anyhow::Error::new(error).context(text)
}

fn flag(setting: Setting) -> &'static str {
    match setting {
        Setting::Alpha => "--alpha",
        Setting::Budget => "--budget",
        Setting::By => "--by",
        Setting::Chunk => "--chunk",
        Setting::Columns => "--columns",
        Setting::Context => "--context",
        Setting::Delimiter => "--delimiter",
        Setting::Encoding => "--encoding",
        Setting::Effort => "--effort",
        Setting::Format => "--format",
        Setting::IdColumn => "--id-column",
        Setting::Kernels => "--kernels",
        Setting::LabelColumn => "--label-column",
        Setting::Labels => "--labels",
        Setting::MaxContentTokens => "--max-content-tokens",
        Setting::MinMass => "--min-mass",
        Setting::Mix => "--mix",
        Setting::Model => "--model",
        Setting::Negative => "--negative",
        Setting::Output => "-o",
        Setting::Partial => "--partial",
        Setting::Policy => "-p",
        Setting::Positive => "--positive",
        Setting::Quote => "--quote",
        Setting::RemoteKey => "--remote-key",
        Setting::RemoteLevel => "--remote-level",
        Setting::RemoteModel => "--remote-model",
        Setting::Restart => "--restart",
        Setting::Sha256 => "--sha256",
        Setting::Sheet => "--sheet",
        Setting::SkipRows => "--skip-rows",
        Setting::TextColumn => "--text-column",
        other => unreachable!("{other} has no flag"),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;
    use magistrate::engine::EngineError;
    use magistrate::engine::backend::Fault;

    use super::*;

    #[test]
    fn a_cause_is_printed_once() {
        let fault = anyhow::Error::from(EngineError::Fault(Fault::NoCells));
        assert_eq!(render(&fault), format!("error: decoding failed: {}", Fault::NoCells));
        let wrapped = Err::<(), _>(fault).context("the text was not judged").unwrap_err();
        assert_eq!(
            render(&wrapped),
            format!("error: the text was not judged\n  caused by: decoding failed: {}", Fault::NoCells)
        );
    }

    fn refuse(path: &str) -> Result<(), anyhow::Error> {
        bail_hint!(("{} is there already", path), "name another file with -o, not {path}")
    }

    #[test]
    fn hints_of_the_command_come_once_and_after_the_causes() {
        let error = refuse("a.yaml").context("nothing is written").unwrap_err();
        let text = "error: nothing is written\n  caused by: a.yaml is there already\n\
            hint: name another file with -o, not a.yaml";
        assert_eq!(render(&error), text);
        let twice = hinted(hinted(error, "look at a.yaml"), "look at a.yaml");
        assert_eq!(render(&twice), format!("{text}\nhint: look at a.yaml"));
    }

    #[test]
    fn a_hint_of_the_library_names_the_flag() {
        let error = EngineError::TooLong { what: "the content", tokens: 9, room: 8, needed: 20, most: 100 };
        let text = render(&error.into());
        assert!(text.ends_with("\nhint: --context 20 makes room; --chunk judges it in pieces"), "{text}");
    }
}
