//! The flags of the prompt.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use magistrate::policy::{Effort, UnknownWord};
use magistrate::prompt::{TemplateError, Templates};

/// The prompt.
#[derive(Debug, Args)]
#[command(next_help_heading = "Judging")]
pub struct PromptArgs {
    /// Reasoning effort: none, low, medium or high; auto reasons as the policy asks, until the verdict is sure [default:
    /// set by the policy]
    #[arg(long, value_name = "EFFORT")]
    pub effort: Option<EffortArg>,

    /// Date to put into the prompt. Changing it invalidates the cached policy
    #[arg(long, value_name = "DATE")]
    pub date: Option<String>,

    /// Folder with a harmony.jinja or a policy.md.jinja that replaces the shipped template
    #[arg(long, value_name = "FOLDER")]
    pub templates: Option<PathBuf>,
}

/// An effort on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EffortArg {
    Of(Effort),
    Auto,
}

impl FromStr for EffortArg {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "auto" => Ok(Self::Auto),
            word => word
                .parse()
                .map(Self::Of)
                .map_err(|error: UnknownWord| error.to_string().replace(" or high", ", high or auto")),
        }
    }
}

impl PromptArgs {
    /// Returns the effort. `None` is the policy's own.
    pub fn effort(&self) -> Option<Effort> {
        match self.effort? {
            EffortArg::Of(effort) => Some(effort),
            EffortArg::Auto => None,
        }
    }

    /// Reports whether reasoning ends once the verdict is sure.
    pub fn is_auto(&self) -> bool {
        self.effort == Some(EffortArg::Auto)
    }

    /// Reads the templates.
    pub fn templates(&self) -> Result<Templates, TemplateError> {
        self.templates.as_deref().map_or_else(|| Ok(Templates::shipped()), Templates::from_folder)
    }
}
