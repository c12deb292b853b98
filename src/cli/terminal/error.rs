//! Errors on stderr: the message, its causes, and hints in which settings have the names of flags.

use std::process::ExitCode;

use magistrate::error::hints;
use magistrate::hint::{Hint, Setting};

use crate::cli::{exit, output};

/// Prints an error on stderr, with its causes and hints.
pub fn report(error: &anyhow::Error) -> ExitCode {
    output::say(&with_causes(error));
    ExitCode::from(exit::ERROR)
}

/// Returns an error as it is printed: after `error:`, with its causes and hints.
pub fn with_causes(error: &anyhow::Error) -> String {
    format!("error: {}", in_words(error))
}

/// Returns an error in words, with its causes and hints.
pub fn in_words(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        // Some errors contain the message of their cause.
        if !text.contains(&cause) {
            text.push_str(&format!("\n  caused by: {cause}"));
        }
    }
    for hint in hints(error.as_ref()) {
        text.push_str(&format!("\nhint: {}", with_flags(&hint)));
    }
    text
}

/// Returns a hint with each setting as the flag that sets it.
pub fn with_flags(hint: &Hint) -> String {
    hint.render(|setting, value| match value {
        Some(value) => format!("{} {value}", flag(setting)),
        None => flag(setting).to_owned(),
    })
}

fn flag(setting: Setting) -> &'static str {
    match setting {
        Setting::Alpha => "--alpha",
        Setting::Budget => "--budget",
        Setting::By => "--by",
        Setting::Chunk => "--chunk",
        Setting::Columns => "--columns",
        Setting::Context => "--context",
        Setting::Effort => "--effort",
        Setting::Format => "--format",
        Setting::IdColumn => "--id-column",
        Setting::LabelColumn => "--label-column",
        Setting::Labels => "--labels",
        Setting::MaxContentTokens => "--max-content-tokens",
        Setting::MinMass => "--min-mass",
        Setting::Mix => "--mix",
        Setting::Model => "--model",
        Setting::Negative => "--negative",
        Setting::Output => "-o",
        Setting::Partial => "--partial",
        Setting::Positive => "--positive",
        Setting::Quote => "--quote",
        Setting::Restart => "--restart",
        Setting::Sha256 => "--sha256",
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
        assert_eq!(with_causes(&fault), format!("error: decoding failed: {}", Fault::NoCells));
        let wrapped = Err::<(), _>(fault).context("the text was not judged").unwrap_err();
        assert_eq!(
            with_causes(&wrapped),
            format!("error: the text was not judged\n  caused by: decoding failed: {}", Fault::NoCells)
        );
    }

    #[test]
    fn a_hint_of_the_library_names_the_flag() {
        let error = EngineError::TooLong { what: "the content", tokens: 9, room: 8, needed: 20, most: 100 };
        let text = in_words(&error.into());
        assert!(text.ends_with("\nhint: --context 20 makes room; --chunk judges it in pieces"), "{text}");
    }
}
