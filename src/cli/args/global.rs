//! The flags that every verb has: the amount of messages, colors and progress.

use clap::{ArgAction, Args};

use crate::cli::terminal::manner::{self, Manner};

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Global")]
pub struct GlobalArgs {
    /// Print results, warnings and errors alone: no notes, no progress, no summary
    #[arg(short, long, global = true)]
    quiet: bool,

    /// Print more, such as the time of each step
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,

    /// Colors: auto, always or never [default: auto]
    #[arg(long, global = true, value_name = "WHEN", hide_possible_values = true, hide_short_help = true)]
    color: Option<Color>,

    /// Draw no progress bars
    #[arg(long, global = true, hide_short_help = true)]
    no_progress: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

impl From<Color> for manner::Color {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => Self::Auto,
            Color::Always => Self::Always,
            Color::Never => Self::Never,
        }
    }
}

impl GlobalArgs {
    /// Resolves the flags.
    pub fn resolve(&self) -> Manner {
        Manner {
            quiet: self.quiet,
            verbose: self.verbose,
            color: self.color.map(manner::Color::from).unwrap_or_default(),
            no_progress: self.no_progress,
        }
    }
}
