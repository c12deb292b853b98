//! The flags of `check`. A daemon reads them, too.

use clap::Args;

use super::judging::JudgingArgs;
use super::policy::PolicyArgs;
use super::text::TextArgs;
use crate::cli::case::Case;
use crate::cli::terminal::error::ensure_hint;

#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    policy: PolicyArgs,

    #[command(flatten)]
    pub text: TextArgs,

    /// Print one JSON object; several policies stand in `verdicts`, by id
    #[arg(long)]
    json: bool,

    /// Print the JSON Schema of what --json prints, and judge nothing
    #[arg(long, exclusive = true)]
    pub schema: bool,

    /// Say on stderr how long each step took
    #[arg(short, long)]
    verbose: bool,

    /// Let a daemon answer that keeps the model in memory, and start one if there is none, which stops when nobody has asked
    /// for so long [600 if it is not said]
    #[cfg(unix)]
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "600")]
    pub daemon: Option<u64>,

    #[command(flatten)]
    judging: JudgingArgs,
}

impl CheckArgs {
    /// Reports whether the devices are to be listed, and nothing to be judged.
    pub fn lists_devices(&self) -> bool {
        self.judging.lists_devices()
    }

    /// Reads everything that judging needs, except the text and the model.
    pub fn prepare(self) -> Result<Case, anyhow::Error> {
        let policies = self.policy.load()?;
        let config = self.judging.resolve(&policies)?;
        ensure_hint!(self.json || config.fields.is_none(), "--fields is for JSON", "add --json");
        Ok(Case { policies, config, json: self.json, verbose: self.verbose })
    }
}
