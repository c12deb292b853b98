//! The flags of the prompt.

use std::path::PathBuf;

use clap::Args;
use magistrate::policy::Effort;
use magistrate::prompt::{TemplateError, Templates};

/// The prompt.
#[derive(Debug, Args)]
#[command(next_help_heading = "Judging")]
pub struct PromptArgs {
    /// Reasoning effort: none, low, medium or high [default: set by the policy]
    #[arg(long, value_name = "EFFORT")]
    pub effort: Option<Effort>,

    /// Date to put into the prompt. Changing it invalidates the cached policy
    #[arg(long, value_name = "DATE")]
    pub date: Option<String>,

    /// Folder with a harmony.jinja or a policy.md.jinja that replaces the shipped template
    #[arg(long, value_name = "FOLDER")]
    pub templates: Option<PathBuf>,
}

impl PromptArgs {
    /// Reads the templates.
    pub fn templates(&self) -> Result<Templates, TemplateError> {
        self.templates.as_deref().map_or_else(|| Ok(Templates::shipped()), Templates::from_folder)
    }
}
