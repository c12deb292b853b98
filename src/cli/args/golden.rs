//! The flags that name a golden set, and the set that was read.

use std::collections::HashSet;
use std::io::Cursor;
use std::path::Path;

use anyhow::Context;
use clap::Args;
use magistrate::eval::golden::{Golden, GoldenOptions, lines};
use magistrate::eval::{Evaluation, evaluate};
use magistrate::files::Files;
use magistrate::label::config::RunConfig;
use magistrate::label::records::{InputFormat, RecordFields};
use magistrate::label::run::Settings;
use magistrate::label::source::Source;
use magistrate::policy::{Policy, PolicyLibrary};

use super::input::{self, InputArgs, named};
use super::judging::JudgingArgs;
use super::policy::PolicyArgs;
use crate::cli::fitting::SEVERAL;
use crate::cli::loading;
use crate::cli::terminal::error::{bail_hint, ensure_hint, in_file};
use crate::cli::terminal::{output, progress, stop, summary};

/// The golden set, the policies and the settings of an evaluation.
#[derive(Debug, Args)]
pub struct GoldenArgs {
    #[command(flatten)]
    pub policy: PolicyArgs,

    #[command(flatten)]
    input: InputArgs,

    /// Column with the correct answers [default: expected, label, violation and so on, the first that exists]
    #[arg(long, value_name = "COLUMN")]
    label_column: Option<String>,

    /// Labels that mean a violation; all others mean safe [default: the policy's own meaning of a label]
    #[arg(long, value_name = "LABEL,...", value_delimiter = ',')]
    positive: Vec<String>,

    /// Labels that mean safe. With --positive, a label in neither list is refused
    #[arg(long, value_name = "LABEL,...", value_delimiter = ',')]
    negative: Vec<String>,

    /// Column by whose values figures are reported separately, too
    #[arg(long, value_name = "COLUMN")]
    by: Option<String>,

    #[command(flatten)]
    judging: JudgingArgs,
}

/// A golden set that was read, and the policies and settings to judge it by. The model is not loaded yet.
pub struct Prepared {
    pub policies: Vec<Policy>,
    pub golden: Golden,
    config: RunConfig,
    /// The set's name.
    name: String,
    size: Option<u64>,
}

impl GoldenArgs {
    /// Reports whether the devices are to be listed, and nothing to be judged.
    pub fn lists_devices(&self) -> bool {
        self.judging.lists_devices()
    }

    /// Reads the set, and prints how its labels are understood. Adds each file that it reads to the files of the run.
    pub fn prepare(self, files: &mut Files) -> Result<Prepared, anyhow::Error> {
        self.policy.reads(files)?;
        let policies = self.policy.load()?;
        let mut config = self.judging.resolve(&policies)?;
        config.composition = self.input.composition();
        loading::claim(&config, files)?;
        let is_own = self.input.is_empty();
        let source = if is_own { own(&policies)? } else { self.input.open()? };
        input::claim(source.inputs(), files)?;
        let table = source.names().map(<[String]>::to_vec);
        let name = source.inputs().iter().map(|input| &*input.name).collect::<Vec<_>>().join(", ");
        let options = GoldenOptions::default()
            .with_label(self.label_column.map(|column| named(column, table.as_deref())))
            .with_positive(self.positive)
            .with_negative(self.negative)
            .with_by(self.by.map(|column| named(column, table.as_deref())));
        let size = source.size();
        let records = source.collect::<Result<Vec<_>, _>>()?;
        anyhow::ensure!(!records.is_empty(), "{name} holds no texts");
        let golden = match policies.as_slice() {
            [policy] if is_own => Golden::own(records, &options, policy),
            policies => Golden::read(records, &options, policies),
        };
        let golden = golden.map_err(|error| in_file(&name, error))?;
        let prepared = Prepared { policies, golden, config, name, size };
        prepared.print_notes();
        Ok(prepared)
    }
}

impl Prepared {
    /// Refuses a result that needs probabilities, where the model writes freely and gives none.
    pub fn gives_probabilities(&self, to: &str) -> Result<(), anyhow::Error> {
        let free = self.config.options.free;
        ensure_hint!(!free, "{to} needs probabilities, and --decode free gives none", "leave out --decode free");
        Ok(())
    }

    /// Prints how the set was understood, and which records were left out.
    fn print_notes(&self) {
        /// The most damaged records, and the most contradictions, that are listed one by one.
        const SHOWN: usize = 5;
        let Golden { legend, repeated, contradictions, damaged, .. } = &self.golden;
        for line in legend {
            output::summary(line);
        }
        for what in damaged.iter().take(SHOWN).chain(contradictions.iter().take(SHOWN)) {
            output::message(&format!("warning: {what}"));
        }
        let more = damaged.len().saturating_sub(SHOWN) + contradictions.len().saturating_sub(SHOWN);
        if more > 0 {
            output::message(&format!("warning: and {more} more"));
        }
        if *repeated > 0 {
            output::message(&format!(
                "note: {repeated} records repeat an earlier text and its answer, and are left out"
            ));
        }
        for (place, policy) in self.policies.iter().enumerate() {
            if let Some(class) = self.golden.missing_class(place) {
                output::message(&format!("warning: {} holds no {class} under the policy {}", self.name, policy.id));
            }
        }
    }

    /// Refuses a set that cannot carry `what` under the first policy. It needs texts of both classes, and no text with
    /// two answers.
    pub fn holds(&self, what: &str) -> Result<(), anyhow::Error> {
        let name = &self.name;
        if let Some(class) = self.golden.missing_class(0) {
            bail_hint!("{name} holds no {class}, and {what} needs both", "check the labels, or add such texts");
        }
        if let Some(first) = self.golden.contradictions.first() {
            bail_hint!("{first}, and {what} needs one answer for each", "leave the answer that is meant");
        }
        Ok(())
    }

    /// Refuses a baseline without texts of this set. If figures are held against it, it needs texts of both classes.
    pub fn shares(&self, before: &Evaluation, path: &Path, held: bool) -> Result<(), anyhow::Error> {
        let theirs: HashSet<_> = before.rows.iter().map(|row| row.hash).collect();
        let shared = self.golden.texts(0).filter(|(hash, _)| theirs.contains(hash));
        let (mut violations, mut others) = (0_u64, 0_u64);
        shared.for_each(|(_, is)| *if is { &mut violations } else { &mut others } += 1);
        let path = path.display();
        ensure_hint!(
            violations + others > 0,
            ("{path} has none of the texts of {}: it is the baseline of another set", self.name),
            "make one with eval --json on this set"
        );
        ensure_hint!(
            !held || (violations > 0 && others > 0),
            (
                "{path} and {} share {violations} violations and {others} other texts, and --max-drop needs both",
                self.name
            ),
            "make a baseline with eval --json on this set"
        );
        Ok(())
    }

    /// Judges the set by each policy. Returns `None` if it was stopped.
    pub fn evaluate(self) -> Result<Option<Vec<Evaluation>>, anyhow::Error> {
        let Self { policies, golden, config, name, size } = self;
        let engine = loading::load(&config, &policies, SEVERAL)?;
        let judges = loading::judges(&config, &engine, &policies)?;
        let settings = Settings::default()
            .with_chunking(config.chunking)
            .with_reasoning(config.reasoning)
            .with_stop(stop::on_signal()?);
        let setups = judges.iter().zip(&policies).map(|(judge, policy)| {
            judge.provenance.setup(&name, config.conditions(engine.model(), engine.config(), policy))
        });
        let setups = setups.collect();
        let mut bar = progress::Rows::new(size, false);
        let evaluations = evaluate(&engine, &judges, setups, golden, settings, &mut |summary| bar.show(summary));
        bar.clear();
        evaluations.context(name)
    }
}

/// Returns the policy's own golden set: from its file, or the one that is shipped with it.
fn own(policies: &[Policy]) -> Result<Source, anyhow::Error> {
    let [policy] = policies else {
        bail_hint!("each policy has a golden set of its own", "name a file that all are evaluated on");
    };
    let cases =
        if policy.golden.is_empty() { PolicyLibrary::shipped().golden(&policy.id) } else { policy.golden.as_slice() };
    ensure_hint!(
        !cases.is_empty(),
        ("the policy {} has no golden set", policy.id),
        "name a file of texts whose answer is known, or add `golden:` to the policy"
    );
    let name = format!("the golden set of {}", policy.id);
    Ok(Source::of_stream(&name, Cursor::new(lines(cases)), InputFormat::Jsonl, RecordFields::default())?)
}

/// Reads an evaluation.
pub fn read(path: &Path) -> Result<Evaluation, anyhow::Error> {
    let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    Evaluation::read(&bytes).map_err(|error| in_file(path.display(), error))
}

/// Explains why none of an evaluation's texts has a verdict. Returns `None` if one has.
pub fn without_verdicts(evaluation: &Evaluation) -> Option<String> {
    let Evaluation { about, rows, undecided, .. } = evaluation;
    if rows.is_empty() || rows.iter().any(|row| row.verdict.is_some()) {
        return None;
    }
    Some(format!("{}: no text has a verdict: {}", about.policy[0], summary::reasons(undecided)))
}
