//! The manner of output: the amount of messages, colors, progress and the form of errors. One for the whole process.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::sync::OnceLock;

/// The manner of output, as global flags set it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manner {
    /// Prints errors, warnings and results alone.
    pub quiet: bool,
    /// The number of `-v` flags.
    pub verbose: u8,
    pub color: Color,
    /// Draws no bars, and prints no lines of progress.
    pub no_progress: bool,
}

/// The use of colors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    /// On a terminal, unless a variable decides otherwise.
    #[default]
    Auto,
    Always,
    Never,
}

static MANNER: OnceLock<Manner> = OnceLock::new();

/// Set if errors are JSON on stdout, too. Known before the manner: an error in a settings file must be JSON as well.
static JSON: OnceLock<bool> = OnceLock::new();

/// Sets the manner. Later calls change nothing.
pub fn set(manner: Manner) {
    let _ = MANNER.set(manner);
}

/// Returns the manner: the default before it is set.
pub fn manner() -> Manner {
    MANNER.get().copied().unwrap_or_default()
}

/// Sets whether errors are JSON on stdout, too. Later calls change nothing.
pub fn set_json(json: bool) {
    let _ = JSON.set(json);
}

/// Reports whether errors are JSON on stdout, too.
pub fn prints_json() -> bool {
    JSON.get().copied().unwrap_or_default()
}

/// Reports whether stdout gets colors.
pub fn colors_stdout() -> bool {
    colors(manner().color, std::io::stdout().is_terminal(), |name| std::env::var_os(name))
}

/// Reports whether stderr gets colors.
pub fn colors_stderr() -> bool {
    colors(manner().color, std::io::stderr().is_terminal(), |name| std::env::var_os(name))
}

/// Decides about colors, by the conventions of <https://no-color.org> and <https://bixense.com/clicolors>.
fn colors(color: Color, is_terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto if set("NO_COLOR").is_some() => false,
        Color::Auto if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
        Color::Auto => {
            is_terminal
                && set("TERM").is_none_or(|value| value != "dumb")
                && set("CLICOLOR").is_none_or(|value| value != "0")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(color: Color, is_terminal: bool, variables: &[(&str, &str)], colored: bool) {
        let variable =
            |name: &str| variables.iter().find(|(other, _)| *other == name).map(|(_, value)| OsString::from(value));
        assert_eq!(colors(color, is_terminal, variable), colored, "{color:?} {is_terminal} {variables:?}");
    }

    #[test]
    fn a_flag_decides_before_variables_and_variables_before_the_terminal() {
        check(Color::Auto, true, &[], true);
        check(Color::Auto, false, &[], false);
        check(Color::Auto, true, &[("TERM", "dumb")], false);
        check(Color::Auto, true, &[("TERM", "xterm-256color"), ("NO_COLOR", "")], true);
        check(Color::Auto, true, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], false);
        check(Color::Auto, false, &[("CLICOLOR_FORCE", "1"), ("TERM", "dumb")], true);
        check(Color::Auto, false, &[("CLICOLOR_FORCE", "0")], false);
        check(Color::Auto, true, &[("CLICOLOR", "0")], false);
        check(Color::Always, false, &[("NO_COLOR", "1")], true);
        check(Color::Never, true, &[("CLICOLOR_FORCE", "1")], false);
    }
}
