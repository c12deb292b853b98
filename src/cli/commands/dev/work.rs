//! The work of `dev`: judges the texts of a version that have no verdict yet, and compares the version with the last.

use std::collections::HashMap;
use std::time::Instant;

use indicatif::ProgressBar;
use magistrate::digest::Hash;
use magistrate::engine::Engine;
use magistrate::eval::comparison::Comparison;
use magistrate::eval::pass::Pass;
use magistrate::eval::versions::Versions;
use magistrate::eval::{EvaluatedRow, Evaluation};
use magistrate::label::config::RunConfig;
use magistrate::label::judge::Judge;

use super::screen::{self, Flip, Judged, Screen};
use super::version::Version;
use crate::cli::loading;
use crate::cli::terminal::progress;

/// A loaded model, and the verdicts by the latest versions.
pub struct Work<'engine> {
    engine: &'engine Engine,
    config: RunConfig,
    versions: Versions,
    /// The last version whose texts were all judged.
    last: Option<Evaluation>,
}

impl<'engine> Work<'engine> {
    pub fn new(engine: &'engine Engine, config: RunConfig) -> Self {
        Self { engine, config, versions: Versions::default(), last: None }
    }

    /// Returns the last version whose texts were all judged.
    pub fn last(&self) -> Option<&Evaluation> {
        self.last.as_ref()
    }

    /// Judges a version, and prints flips as they come. Gives up when `goes_on` returns false. `begun` is the time of
    /// the change.
    pub fn judge(
        &mut self,
        version: &Version,
        begun: Instant,
        goes_on: &mut dyn FnMut() -> bool,
        screen: &Screen,
    ) -> Result<(), anyhow::Error> {
        let Version { policy, golden, name, findings } = version;
        screen::begin(policy, name, golden, findings)?;
        let Self { engine, config, versions, last } = self;
        let provenance = config.provenance(engine, policy)?;
        let about = provenance.setup(name, config.conditions(engine.model(), engine.config(), policy));
        versions.begin(&format!("{} {}", policy.digest(), config.effort(policy)));
        let before: HashMap<Hash, &EvaluatedRow> =
            last.iter().flat_map(|last| &last.rows).map(|row| (row.hash, row)).collect();
        let flip = |now: EvaluatedRow| Flip::of(before.get(&now.hash)?, now);
        for record in &golden.records {
            versions.evaluated(golden, record).and_then(flip).map_or(Ok(()), |flip| screen::flip(&flip))?;
        }
        let unknown = versions.unknown(golden);
        let judged = unknown.len();
        if judged > 0 {
            let judge = Judge { session: loading::session(config, engine, policy)?, provenance };
            let pass = Pass { engine, judge: &judge, chunking: config.chunking };
            let template = "judging {pos} of {len} {wide_bar} {eta} left";
            let bar = progress::styled(ProgressBar::new(judged as u64), template);
            let mut shown = Ok(());
            let is_whole = pass.run(unknown, goes_on, &mut |record, row| {
                versions.put(record, row);
                bar.inc(1);
                if let Some(flip) = versions.evaluated(golden, record).and_then(flip) {
                    let print = bar.suspend(|| screen::flip(&flip));
                    shown = std::mem::replace(&mut shown, Ok(())).and(print);
                }
            });
            bar.finish_and_clear();
            shown?;
            if !is_whole? {
                return Ok(());
            }
        }
        let now = versions.evaluation(golden, about).described(policy, None);
        let before = last.as_ref().map(|last| (last, Comparison::of(["before", "now"], last, &now)));
        screen.end(&Judged { now: &now, before, anew: judged, seconds: begun.elapsed().as_secs_f64() })?;
        *last = Some(now);
        Ok(())
    }
}
