//! The flags of the prompt.

use std::path::PathBuf;

use clap::Args;
use magistrate::policy::Effort;
use magistrate::prompt::{TemplateError, Templates};

/// Which prompt.
#[derive(Debug, Args)]
pub struct PromptArgs {
    /// How much the model reasons: none, low, medium or high [default: the policy's own]
    #[arg(long, value_name = "EFFORT")]
    pub effort: Option<Effort>,

    /// A date for the prompt, printed as it is. A date makes every day's prompt another one
    #[arg(long, value_name = "DATE")]
    pub date: Option<String>,

    /// A folder with a harmony.jinja or a policy.md.jinja in place of the shipped ones
    #[arg(long, value_name = "FOLDER")]
    pub templates: Option<PathBuf>,
}

impl PromptArgs {
    pub fn templates(&self) -> Result<Templates, TemplateError> {
        self.templates.as_deref().map_or_else(|| Ok(Templates::shipped()), Templates::from_folder)
    }
}
