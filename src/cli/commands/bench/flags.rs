//! The flags of `bench`.

use std::path::PathBuf;

use clap::Args;
use magistrate::policy::Effort;

use crate::cli::args::engine::EngineArgs;
use crate::cli::args::model::ModelArgs;

#[derive(Debug, Args)]
#[command(args_override_self = true)]
pub struct BenchFlags {
    /// The policy: as many random tokens, or a policy by which --data is judged
    #[arg(short, long, value_name = "TOKENS|POLICY", default_value = "800")]
    pub policy: String,

    /// Texts that the policy judges, a line each; the flags that count tokens say nothing then
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,

    /// How much the model reasons about them [default: the policy's own]
    #[arg(long, value_name = "EFFORT", requires = "data")]
    pub effort: Option<Effort>,

    /// Tokens of each text, what stands around it included
    #[arg(long, value_name = "TOKENS", default_value_t = 100)]
    pub content: usize,

    /// Tokens that the model writes for each text; 0 is a pass without reasoning
    #[arg(long, value_name = "TOKENS", default_value_t = 60)]
    pub output: usize,

    /// How many of these are known beforehand, and appended rather than sampled
    #[arg(long, value_name = "TOKENS", default_value_t = 0)]
    pub fixed: usize,

    /// Texts, at most [default: 64, or with --tune as many as take a few seconds]
    #[arg(long, value_name = "N")]
    pub items: Option<usize>,

    /// Compare with a run of other flags, in turn, and print the ratio of each pair: --versus "--parallel 1"
    #[arg(long, value_name = "FLAGS", allow_hyphen_values = true)]
    pub versus: Option<String>,

    /// Try more and fewer texts at once, workers and layouts, and remember what is the fastest for this model on this machine:
    /// label, eval, verify and bench then take it where no flag says otherwise
    #[arg(long, conflicts_with_all = ["versus", "parallel", "workers", "layout", "context"])]
    pub tune: bool,

    /// Run N programs beside the work that compute without end, as on a machine that somebody uses
    #[arg(long, value_name = "N")]
    pub busy: Option<usize>,

    /// Compute until stdin is closed, for --busy
    #[arg(long, hide = true, exclusive = true)]
    pub compute: bool,

    /// Pairs of runs to compare, with --versus or --tune
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub pairs: usize,

    /// Print JSON
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub model: ModelArgs,

    #[command(flatten)]
    pub engine: EngineArgs,
}
