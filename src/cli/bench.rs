//! `bench`: how fast this machine judges, and where the time goes.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use clap::Args;
use magistrate::bench::{Counts, Report, Shared, Work};
use magistrate::content::{self, Content};
use magistrate::engine::plan::{Job, Plan};
use magistrate::engine::{SessionOptions, llama};
use magistrate::gguf::Opened;
use magistrate::policy::Effort;
use magistrate::tokenizer::Tokenizer;
use serde::{Deserialize, Serialize};

use super::engine::EngineArgs;
use super::{ModelArgs, busy, exit, fit, output, tune, waiting};

#[derive(Debug, Args)]
#[command(args_override_self = true)]
pub struct Bench {
    /// The policy: as many random tokens, or a policy by which --data is judged
    #[arg(short, long, value_name = "TOKENS|POLICY", default_value = "800")]
    policy: String,

    /// Texts that the policy judges, a line each; the flags that count tokens say nothing then
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,

    /// How much the model reasons about them [default: the policy's own]
    #[arg(long, value_name = "EFFORT", requires = "data")]
    effort: Option<Effort>,

    /// Tokens of each text, what stands around it included
    #[arg(long, value_name = "TOKENS", default_value_t = 100)]
    content: usize,

    /// Tokens that the model writes for each text; 0 is a pass without reasoning
    #[arg(long, value_name = "TOKENS", default_value_t = 60)]
    output: usize,

    /// How many of these are known beforehand, and appended rather than sampled
    #[arg(long, value_name = "TOKENS", default_value_t = 0)]
    fixed: usize,

    /// Texts, at most [default: 64, or with --tune as many as take a few seconds]
    #[arg(long, value_name = "N")]
    pub(super) items: Option<usize>,

    /// Compare with a run of other flags, in turn, and print the ratio of each pair: --versus "--parallel 1"
    #[arg(long, value_name = "FLAGS", allow_hyphen_values = true)]
    versus: Option<String>,

    /// Try more and fewer texts at once, workers and layouts, and remember what is the fastest for this model on this machine:
    /// label, eval, verify and bench then take it where no flag says otherwise
    #[arg(long, conflicts_with_all = ["versus", "parallel", "workers", "layout", "context"])]
    tune: bool,

    /// Run N programs beside the work that compute without end, as on a machine that somebody uses
    #[arg(long, value_name = "N")]
    busy: Option<usize>,

    /// Compute until stdin is closed, for --busy
    #[arg(long, hide = true, exclusive = true)]
    compute: bool,

    /// Pairs of runs to compare, with --versus or --tune
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub(super) pairs: usize,

    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,

    #[command(flatten)]
    pub(super) model: ModelArgs,

    #[command(flatten)]
    pub(super) engine: EngineArgs,
}

impl Bench {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        if self.compute {
            busy::compute();
        }
        if let Some(count) = self.busy {
            return busy::beside(count);
        }
        if let Some(flags) = &self.versus {
            return self.compare(flags);
        }
        if self.tune {
            return self.tune();
        }
        let report = self.measure()?;
        if self.json {
            output::data(&format!("{}\n", serde_json::to_string(&report)?))?;
        } else {
            output::print(&self.table(&report))?;
        }
        Ok(ExitCode::from(exit::DONE))
    }

    fn measure(&self) -> Result<Report, anyhow::Error> {
        let Opened { file, tokenizer } = Opened::read(&self.model.path()?)?;
        let work = self.work(&tokenizer)?;
        let mut wishes = self.engine.wishes(file.path.clone())?;
        let machine = fit::machine()?;
        let tuned = tune::remembered(&file, &wishes, &machine);
        let job = Job { parallel: fit::MANY, tuned, policies: Vec::new() };
        wishes.parallel.get_or_insert(job.at_once());
        let first = Plan::new(&file, &wishes, &job, &machine).config;
        wishes.context.get_or_insert(work.cells(first.layout, first.places()));
        let Plan { config, cpu, .. } = Plan::new(&file, &wishes, &job, &machine);
        let never = AtomicBool::new(false);
        let common = Shared::new(&work, config.workers);
        let shares = llama::with_backends(&file, &config, |_| true, &never, |_, backend| common.run(backend, &config))?;
        let shares = shares.into_iter().collect::<Result<Vec<_>, _>>().context("the work was not done")?;
        Ok(Report { planned_memory: Some(cpu.bytes()), ..Report::of(&work, &shares) })
    }

    fn work(&self, tokenizer: &Arc<Tokenizer>) -> Result<Work, anyhow::Error> {
        let most = self.items.unwrap_or(64);
        anyhow::ensure!(most > 0, "there is nothing to measure\nhint: --items is at least 1");
        let path = match (self.policy.parse(), &self.data) {
            (Ok(policy), None) => {
                let Self { content, output, fixed, .. } = *self;
                anyhow::ensure!(policy > 0 && content > 0, "--policy and --content are at least 1 token");
                return Ok(Work::counted(tokenizer, Counts { policy, content, output, fixed, items: most }));
            }
            (Err(_), Some(path)) => path,
            (Ok(_), Some(_)) => anyhow::bail!("--data is judged by a policy\nhint: name one, such as -p spam"),
            (Err(_), None) => anyhow::bail!("there are no texts for the policy\nhint: name a file of them with --data"),
        };
        let policy = magistrate::policy::load(&self.policy, None)?;
        let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let text = content::readable(&bytes).with_context(|| format!("{} cannot be judged", path.display()))?;
        let lines = text.lines().filter(|line| !line.trim().is_empty()).take(most);
        let contents = lines.map(Content::of).collect::<Result<Vec<Content>, _>>();
        let contents = contents.with_context(|| format!("{} cannot be judged", path.display()))?;
        anyhow::ensure!(!contents.is_empty(), "{} holds no texts", path.display());
        let options = SessionOptions { effort: self.effort, ..SessionOptions::default() };
        Ok(Work::judging(tokenizer, &policy, &options, &contents)?)
    }

    /// Runs both in turn, each in a process of its own, so that neither has the other's memory.
    fn compare(&self, flags: &str) -> Result<ExitCode, anyhow::Error> {
        let one = super::arguments().context("a flag is not UTF-8")?;
        let two: Vec<String> = one.iter().cloned().chain(flags.split_whitespace().map(str::to_owned)).collect();
        let mut pairs = Vec::new();
        for _ in 0..self.pairs {
            let (one, two) = (rate(&one)?, rate(&two)?);
            pairs.push(Pair { one, two, ratio: two / one });
            if !self.json {
                let (first, second) = (per_second(one), per_second(two));
                output::print(&format!("{first} items/s, with {flags} {second}: {:.2} times\n", two / one))?;
            }
        }
        if self.json {
            output::data(&format!("{}\n", serde_json::to_string(&pairs)?))?;
        }
        Ok(ExitCode::from(exit::DONE))
    }

    fn table(&self, report: &Report) -> String {
        let Report { items, seconds, batches, policy_tokens, .. } = report;
        let memory = report.peak_memory.zip(report.planned_memory).map_or_else(String::new, |(bytes, planned)| {
            format!("memory     {} MB at most, {} MB planned\n", bytes / 1_000_000, planned / 1_000_000)
        });
        let each = match &self.data {
            Some(path) => format!("of {}", path.display()),
            None => {
                let Self { content, output, .. } = self;
                format!("of {content} + {output} tokens, of which {} appended", self.fixed.min(*output))
            }
        };
        format!(
            "work       {items} items {each}, behind a policy of {policy_tokens} tokens\n\
             items      {}/s, {seconds:.2} s in all\n\
             tokens     {:.0}/s of contents, {:.0}/s written\n\
             batches    {batches}, of {:.1} tokens\n\
             llama.cpp  {:.1} % of the time\n\
             policy     decoded in {:.3} s, {} tokens reused\n{memory}",
            per_second(report.items_per_s),
            report.prompt_tokens_per_s,
            report.output_tokens_per_s,
            report.batch_fill,
            report.inside * 100.0,
            report.policy_seconds,
            report.reused_tokens,
        )
    }
}

/// A rate with enough digits to be compared, also where an item takes a minute.
fn per_second(rate: f64) -> String {
    if rate < 1.0 { format!("{rate:.4}") } else { format!("{rate:.2}") }
}

#[derive(Serialize)]
struct Pair {
    one: f64,
    two: f64,
    ratio: f64,
}

#[derive(Deserialize)]
struct Rate {
    items_per_s: f64,
}

/// Items in a second, as another process measures it.
pub(super) fn rate(flags: &[String]) -> Result<f64, anyhow::Error> {
    let program: PathBuf = std::env::current_exe().context("this program does not know where it is")?;
    // The last of a flag counts, and no flag is the verb's own comparison again.
    let mut alone = Vec::new();
    let mut flags = flags.iter();
    while let Some(flag) = flags.next() {
        match flag.as_str() {
            "--versus" | "--pairs" => drop(flags.next()),
            "--tune" | "--json" => {}
            other if other.starts_with("--versus=") || other.starts_with("--pairs=") => {}
            _ => alone.push(flag),
        }
    }
    let mut program = Command::new(program);
    waiting::leave_to(&mut program);
    let done = program.args(alone).arg("--json").stderr(Stdio::inherit()).output()?;
    anyhow::ensure!(done.status.success(), "a run with these flags failed");
    let Rate { items_per_s } = serde_json::from_slice(&done.stdout).context("a run printed no report")?;
    Ok(items_per_s)
}
