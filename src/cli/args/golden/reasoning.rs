//! Texts that are judged with reasoning of several lengths: a ladder of efforts, and traces for a certificate.

use anyhow::Context;
use magistrate::calibration::setup::EvaluationSetup;
use magistrate::calibration::stop::{Agreement, Traced};
use magistrate::engine::Sampling;
use magistrate::eval::golden::Golden;
use magistrate::eval::ladder::LadderFigures;
use magistrate::eval::traces::traced;
use magistrate::eval::{EvaluatedRow, Evaluation, Keep};
use magistrate::label::config::RunConfig;
use magistrate::label::journal::Past;
use magistrate::label::run::{EarlierVerdicts, Run};
use magistrate::label::source::Placed;
use magistrate::policy::Effort;

use super::prepared::Prepared;
use crate::cli::fitting::SEVERAL;
use crate::cli::loading;
use crate::cli::terminal::error::{bail_hint, ensure_hint};
use crate::cli::terminal::output;
use crate::cli::terminal::progress::{self, Total};
use crate::cli::terminal::stop;

/// Texts that were judged with their whole reasoning.
pub struct TracedTexts {
    pub about: EvaluationSetup,
    pub texts: Vec<Traced>,
    pub agreement: Option<Agreement>,
}

impl Prepared {
    /// Judges the texts at each effort, and returns the evaluation at the one that is set, with the figures of all.
    /// Returns `None` if it was stopped.
    pub fn climb(self) -> Result<Option<Evaluation>, anyhow::Error> {
        let [policy] = self.policies.as_slice() else {
            bail_hint!("a ladder is of one policy", "give one -p");
        };
        let full = self.traced("--ladder")?.effort(policy);
        ensure_hint!(
            self.keep.journal().is_none(),
            "--ladder judges at several efforts, and --journal keeps the rows of one",
            "leave out --journal; the cache folder keeps the rows of all"
        );
        let planned = loading::plan_for(&self.config, &self.policies, SEVERAL)?;
        let stop = stop::on_signal(self.keep.keeps())?;
        let engine = loading::load_planned(&self.config, planned)?;
        let mut evaluations = Vec::new();
        for effort in [Effort::None, Effort::Low, Effort::Medium, Effort::High] {
            output::detail(&format!("effort: {effort}"));
            let mut config = self.config.clone();
            config.options = config.options.with_effort(Some(effort)).with_trace(effort == full);
            let one = self.with(config, self.golden.clone());
            let keeping = one.memo(&engine, "eval")?;
            let Some(mut judged) = one.judge(&engine, &stop, keeping)? else { return Ok(None) };
            evaluations.push((effort, judged.remove(0)));
        }
        let rows: Vec<(Effort, &[EvaluatedRow])> =
            evaluations.iter().map(|(effort, evaluation)| (*effort, evaluation.rows.as_slice())).collect();
        let figures = LadderFigures::new(&rows, full);
        let of_full = evaluations.into_iter().find(|(effort, _)| *effort == full);
        Ok(of_full.map(|(_, evaluation)| Evaluation { ladder: Some(figures), ..evaluation }))
    }

    /// Judges the texts with their whole reasoning, and returns it with the answers on the way. With texts to judge twice
    /// more, as many of the first ones also show how often the model agrees with itself. Returns `None` if it was stopped.
    pub fn trace(self, twice: usize) -> Result<Option<TracedTexts>, anyhow::Error> {
        let [policy] = self.policies.as_slice() else {
            bail_hint!("a certificate is of one policy", "give one -p");
        };
        let config = self.traced("--stop")?;
        let planned = loading::plan_for(&config, &self.policies, SEVERAL)?;
        let stop = stop::on_signal(self.keep.keeps())?;
        let engine = loading::load_planned(&config, planned)?;
        let run = |config: &RunConfig, records: Vec<Placed>| -> Result<_, anyhow::Error> {
            let judges = loading::judges(config, &engine, &self.policies)?;
            let all = records.len() as u64;
            let one = self.with(config.clone(), Golden::without_answers(records));
            let Keep::Memo(memo) = one.memo(&engine, "calibrate")? else { return Ok(None) };
            let mut bar = progress::Rows::new(Total::Rows(all), stop.clone(), false);
            let settings = one.settings(&stop);
            let earlier = EarlierVerdicts { past: Past::none(), memo };
            let work = Run { engine: &engine, judges: &judges, settings: &settings, earlier };
            let traces = traced(work, one.golden.records, &mut |summary| bar.show(summary));
            bar.clear();
            traces.with_context(|| self.name.clone())
        };
        let Some(traces) = run(&config, self.golden.records.clone())? else { return Ok(None) };
        let conditions = config.conditions(engine.model(), engine.config(), policy);
        let about = config.provenance(&engine, policy)?.setup(&self.name, conditions);
        let mut agreement = None;
        if twice > 0 {
            let first: Vec<Placed> = self.golden.records.iter().take(twice).cloned().collect();
            let mut seeds = Vec::new();
            for seed in [1, 2] {
                let mut config = config.clone();
                // A temperature of 1 draws from the model's own distribution.
                config.options = config.options.with_trace(false).with_sampling(Sampling { temperature: 1.0, seed });
                let Some(traces) = run(&config, first.clone())? else { return Ok(None) };
                seeds.push(traces);
            }
            let same = seeds[0].iter().zip(&seeds[1]).filter(|(one, other)| one.verdict == other.verdict).count();
            agreement = Some(Agreement { same: same as u64, texts: seeds[0].len() as u64 });
        }
        Ok(Some(TracedTexts { about, texts: traces, agreement }))
    }

    /// Returns settings that record the answers at every rung. Refuses those without a whole reasoning.
    fn traced(&self, flag: &str) -> Result<RunConfig, anyhow::Error> {
        let options = &self.config.options;
        ensure_hint!(
            options.sure.is_none() && options.cascade.is_none() && !options.free && options.budget != Some(0),
            ("{} needs the whole reasoning of each text", flag),
            "leave out --sure, --effort auto, --cascade, --decode free and --budget 0"
        );
        ensure_hint!(self.config.chunking.is_none(), ("{} needs texts in one piece", flag), "leave out --chunk");
        let mut config = self.config.clone();
        config.options = config.options.with_trace(true);
        ensure_hint!(
            self.policies.iter().all(|policy| config.effort(policy) != Effort::None),
            ("{} needs reasoning, and the effort `none` has no reasoning", flag),
            "give --effort low, medium or high"
        );
        Ok(config)
    }
}
