//! A pass over the records of a golden set, which can be given up at any moment.

use std::collections::VecDeque;
use std::time::Duration;

use crate::engine::{Engine, EngineError, Session};
use crate::label::judge::{Chunking, Judge, PendingVerdict, Submission};
use crate::label::row::Row;
use crate::label::source::Placed;

/// A pass by one policy.
#[derive(Clone, Copy, Debug)]
pub struct Pass<'run> {
    /// The engine that judges.
    pub engine: &'run Engine,
    /// The policy.
    pub judge: &'run Judge<'run>,
    /// The pieces of a long content. `None`: it is refused.
    pub chunking: Option<Chunking>,
}

/// The longest time between two questions whether the pass should go on. It is immediate for people.
const INTERVAL: Duration = Duration::from_millis(50);

impl Pass<'_> {
    /// Judges records side by side. Reports the row of each, in their order.
    ///
    /// Returns false if `goes_on` ended the pass. Contents at work are then given up, and no verdict on them is waited
    /// for.
    ///
    /// # Errors
    ///
    /// [`EngineError::Stopped`] if the engine has ended. Any other failure is in the row of its record.
    pub fn run<'golden>(
        &self,
        records: Vec<&'golden Placed>,
        goes_on: &mut dyn FnMut() -> bool,
        report: &mut dyn FnMut(&'golden Placed, Row),
    ) -> Result<bool, EngineError> {
        let Self { engine, judge, chunking } = *self;
        let mut records = records.into_iter();
        let mut at_work: VecDeque<(&Placed, PendingVerdict<'_>)> = VecDeque::new();
        while goes_on() {
            while at_work.len() < engine.window()
                && let Some(record) = records.next()
            {
                match &record.record.content {
                    Err(defect) => report(record, judge.provenance.row_of_defect(defect)),
                    Ok(content) => {
                        let submission = Submission { engine, session: &judge.session, content, chunking };
                        at_work.push_back((record, submission.submit(Session::submit)));
                    }
                }
            }
            let Some((record, pending)) = at_work.front_mut() else { return Ok(true) };
            let Some(judged) = pending.wait_for(INTERVAL) else { continue };
            if let Err(error @ EngineError::Stopped) = judged.result {
                return Err(error);
            }
            report(record, judge.provenance.row(&judged, false));
            at_work.pop_front();
        }
        Ok(false)
    }
}
