//! The flags of `check`. A daemon reads them, too.

use clap::Args;

use super::judging::JudgingArgs;
use super::policy::PolicyArgs;
use super::text::TextArgs;
use crate::cli::case::Case;
use crate::cli::terminal::error::ensure_hint;
use crate::cli::terminal::output;

#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    policy: PolicyArgs,

    #[command(flatten)]
    pub text: TextArgs,

    /// Print one JSON object. Of several policies it has the overall `verdict`, and each row in `verdicts`, by id
    #[arg(long)]
    json: bool,

    /// With --json, put the row of a single policy into `verdicts`, too, so that the shape is always the same
    #[arg(long, requires = "json")]
    by_policy: bool,

    /// Print the JSON Schema of the --json output, and judge nothing
    #[arg(long)]
    pub schema: bool,

    /// Answer from a background daemon that keeps the model loaded; starts one if needed. It exits after SECONDS
    /// without requests [default SECONDS: 600]
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
        Ok(Case { policies, config, json: self.json, by_policy: self.by_policy, verbose: output::is_verbose() })
    }
}
