//! The flags of `bench`.

use std::path::PathBuf;

use clap::Args;
use magistrate::policy::Effort;

use crate::cli::args::engine::EngineArgs;
use crate::cli::args::model::ModelArgs;

#[derive(Debug, Args)]
#[command(args_override_self = true)]
pub struct BenchFlags {
    /// Policy: a number of random tokens, or a policy by which --data is judged
    #[arg(short, long, value_name = "TOKENS|POLICY", default_value = "800")]
    pub policy: String,

    /// File of texts, one per line. The flags that count tokens have no effect then
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,

    /// Reasoning effort for --data [default: set by the policy]
    #[arg(long, value_name = "EFFORT", requires = "data")]
    pub effort: Option<Effort>,

    /// Tokens of each text, with everything around it
    #[arg(long, value_name = "TOKENS", default_value_t = 100)]
    pub content: usize,

    /// Tokens that the model writes for each text; 0 is a pass without reasoning
    #[arg(long, value_name = "TOKENS", default_value_t = 60)]
    pub output: usize,

    /// Number of these that are known beforehand, and appended rather than sampled
    #[arg(long, value_name = "TOKENS", default_value_t = 0)]
    pub fixed: usize,

    /// Most texts [default: 64, or with --tune as many as take a few seconds]
    #[arg(long, value_name = "N")]
    pub items: Option<usize>,

    /// Compare with a run of other flags, in turn, and print the ratio of each pair: --versus "--parallel 1"
    #[arg(long, value_name = "FLAGS", allow_hyphen_values = true)]
    pub versus: Option<String>,

    /// Search the fastest number of texts at once, workers and layout for this model on this machine, and remember it.
    /// label, eval, verify and bench use it unless a flag is given
    #[arg(long, conflicts_with_all = ["versus", "parallel", "workers", "layout", "context"])]
    pub tune: bool,

    /// Run N programs that compute beside the work, as on a machine in use
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
