//! The worker loop: takes requests from the queue, runs batches and replies.
//!
//! Between two batches it takes new requests, cancels jobs without callers, and answers the callers of the jobs
//! that ended. [`super::schedule`] decides which tokens make a batch.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError};

use super::backend::Fault;
use super::decode_plan::DecodePlan;
use super::error::EngineError;
use super::prefixes::PrefixId;
use super::queue::{Caller, OpenEvent, Request};
use super::schedule::{JobId, JobResult, Schedule};
use crate::tokenizer::Token;

/// Most waiting jobs that the schedule sees. With too few it could not group the jobs of one policy.
const LOOKAHEAD: usize = 64;

/// The state of the worker loop.
pub(super) struct Worker<'backend> {
    schedule: Schedule<'backend>,
    /// The largest context of the model, for hints.
    max_context: usize,
    next_job: u64,
    judging: HashMap<JobId, Caller>,
    opening: Vec<(JobId, PrefixId, Sender<OpenEvent>)>,
}

impl<'backend> Worker<'backend> {
    pub(super) fn new(schedule: Schedule<'backend>, max_context: usize) -> Self {
        Self { schedule, max_context, next_job: 0, judging: HashMap::new(), opening: Vec::new() }
    }

    /// Serves requests until the last sender is dropped, or `stop` is set.
    pub(super) fn serve(&mut self, inbox: &Receiver<Request>, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            // Without work the thread sleeps in `recv`. With work it only looks whether something has come.
            if self.schedule.idle() {
                let Ok(request) = inbox.recv() else { return };
                self.take(request);
            }
            while self.schedule.waiting() < LOOKAHEAD {
                match inbox.try_recv() {
                    Ok(request) => self.take(request),
                    // A closed queue is noticed by `recv`, once the last job has ended.
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
                }
            }
            self.cancel_abandoned();
            for (id, result) in self.schedule.step() {
                self.reply(id, result);
            }
            // After the replies: a prefix that failed is removed there, and has no progress to report.
            for (_, prefix, reply) in &self.opening {
                let _ = reply.send(OpenEvent::Progress(self.schedule.decoded(*prefix)));
            }
        }
    }

    fn take(&mut self, request: Request) {
        let id = JobId(self.next_job);
        self.next_job += 1;
        match request {
            Request::Open { prefix, least, reply, .. } => match self.open(id, prefix, least) {
                Ok(prefix) => self.opening.push((id, prefix, reply)),
                // A reply without a receiver may be lost, here and below.
                Err(error) => drop(reply.send(OpenEvent::Done(Err(error)))),
            },
            // The contents in flight have no callers by now: a `Pending` does not outlive its session.
            Request::Close(prefix) => self.schedule.remove_prefix(prefix),
            Request::Judge { prefix, plan, suffix, caller } => match self.judge(id, prefix, plan, suffix) {
                Ok(()) => drop(self.judging.insert(id, caller)),
                Err(error) => caller.reply.send(Err(error)),
            },
        }
    }

    /// Adds a prefix and the job that decodes it.
    fn open(&mut self, id: JobId, prefix: Vec<Token>, least: usize) -> Result<PrefixId, EngineError> {
        let (tokens, cells, most) = (prefix.len(), self.schedule.limits().cells, self.max_context);
        if tokens > cells {
            return Err(EngineError::policy_too_long(tokens, cells, least, most));
        }
        let prefix = self.schedule.add_prefix(prefix);
        self.schedule.pin(id, prefix)?;
        Ok(prefix)
    }

    fn judge(
        &mut self,
        id: JobId,
        prefix: PrefixId,
        plan: Arc<DecodePlan>,
        suffix: Vec<Token>,
    ) -> Result<(), EngineError> {
        let (tokens, cells) = (suffix.len(), self.schedule.limits().cells);
        let needed = self.schedule.cells(prefix, &plan, tokens);
        if needed > cells {
            return Err(EngineError::content_too_long(tokens, needed, cells, self.max_context));
        }
        Ok(self.schedule.submit(id, prefix, plan, suffix)?)
    }

    /// Cancels the jobs that nobody waits for.
    fn cancel_abandoned(&mut self) {
        let schedule = &mut self.schedule;
        self.judging.retain(|id, caller| {
            let kept = !caller.abandoned.load(Ordering::Relaxed);
            if !kept {
                schedule.cancel(*id);
            }
            kept
        });
    }

    /// Sends the result of a job to its caller.
    fn reply(&mut self, id: JobId, result: JobResult) {
        if let Some(place) = self.opening.iter().position(|(job, ..)| *job == id) {
            let (_, prefix, reply) = self.opening.swap_remove(place);
            if result.is_err() {
                self.schedule.remove_prefix(prefix);
            }
            let _ = reply.send(OpenEvent::Done(result.map(|_| prefix).map_err(EngineError::Fault)));
        } else if let Some(caller) = self.judging.remove(&id) {
            // Only a pin ends without a completion, so this fault does not occur.
            let completion = result.and_then(|completion| completion.ok_or(Fault::Stopped));
            caller.reply.send(completion.map_err(EngineError::Fault));
        }
    }
}
