//! The engine's side of the queue: what its thread does with requests.
//!
//! The one idea: between two batches it takes what has come in, forgets what nobody waits for any more, and tells
//! everyone whose job ended. What makes a batch is [`super::schedule`]'s affair.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError};

use super::EngineError;
use super::backend::Fault;
use super::item::Completion;
use super::prefixes::PrefixId;
use super::schedule::{Ended, JobId, Schedule};
use super::script::Script;
use crate::tokenizer::Token;

/// Tokens that a hint allows for a content whose length is not known yet.
const CONTENT: usize = 1024;

/// What the thread works with.
pub(super) struct Desk<'backend> {
    schedule: Schedule<'backend>,
    /// The largest context of the model, for hints.
    most: usize,
    next: u64,
    judging: HashMap<JobId, Caller>,
    opening: Vec<(JobId, PrefixId, Sender<Opening>)>,
}

impl<'backend> Desk<'backend> {
    /// `most` is the largest context of the model.
    pub(super) fn new(schedule: Schedule<'backend>, most: usize) -> Self {
        Self { schedule, most, next: 0, judging: HashMap::new(), opening: Vec::new() }
    }

    /// The thread's life: answer requests until nobody can send any, or the engine is dropped.
    pub(super) fn serve(&mut self, inbox: &Receiver<Request>, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            if self.schedule.idle() {
                let Ok(request) = inbox.recv() else { return };
                self.take(request);
            }
            while self.schedule.waiting() < LOOKAHEAD {
                match inbox.try_recv() {
                    Ok(request) => self.take(request),
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
                }
            }
            self.forget_abandoned();
            for (id, ended) in self.schedule.step() {
                self.tell(id, ended);
            }
            for (_, prefix, reply) in &self.opening {
                let _ = reply.send(Opening::Progress(self.schedule.decoded(*prefix)));
            }
        }
    }

    fn take(&mut self, request: Request) {
        let id = JobId(self.next);
        self.next += 1;
        match request {
            Request::Open { prefix, least, reply } => match self.open(id, prefix, least) {
                Ok(prefix) => self.opening.push((id, prefix, reply)),
                // A reply that nobody waits for any more is not missed, here and below.
                Err(error) => drop(reply.send(Opening::Done(Err(error)))),
            },
            Request::Close(prefix) => self.schedule.remove_prefix(prefix),
            Request::Judge { prefix, script, suffix, caller } => match self.judge(id, prefix, script, suffix) {
                Ok(()) => drop(self.judging.insert(id, caller)),
                Err(error) => drop(caller.reply.send(Err(error))),
            },
        }
    }

    fn open(&mut self, id: JobId, prefix: Vec<Token>, least: usize) -> Result<PrefixId, EngineError> {
        let (tokens, cells) = (prefix.len(), self.schedule.limits().cells);
        if tokens > cells {
            // A context of no more than the policy would only lead to the next refusal, that of the content.
            let needed = least.saturating_add(tokens).saturating_add(CONTENT).min(self.most.max(least + tokens));
            return Err(EngineError::TooLong { what: "the policy", tokens, room: cells, needed, most: self.most });
        }
        let prefix = self.schedule.add_prefix(prefix);
        self.schedule.pin(id, prefix)?;
        Ok(prefix)
    }

    fn judge(
        &mut self,
        id: JobId,
        prefix: PrefixId,
        script: Arc<Script>,
        suffix: Vec<Token>,
    ) -> Result<(), EngineError> {
        let (tokens, cells) = (suffix.len(), self.schedule.limits().cells);
        let needed = self.schedule.cells(prefix, &script, tokens);
        if needed > cells {
            // Policy, reasoning and answers need their share of the room as well.
            let room = cells.saturating_sub(needed - tokens);
            return Err(EngineError::TooLong { what: "the content", tokens, room, needed, most: self.most });
        }
        Ok(self.schedule.submit(id, prefix, script, suffix)?)
    }

    /// Cancels what nobody waits for any more.
    fn forget_abandoned(&mut self) {
        let schedule = &mut self.schedule;
        self.judging.retain(|id, caller| {
            let kept = !caller.abandoned.load(Ordering::Relaxed);
            if !kept {
                schedule.cancel(*id);
            }
            kept
        });
    }

    fn tell(&mut self, id: JobId, ended: Ended) {
        if let Some(place) = self.opening.iter().position(|(job, ..)| *job == id) {
            let (_, prefix, reply) = self.opening.swap_remove(place);
            if ended.is_err() {
                self.schedule.remove_prefix(prefix);
            }
            let _ = reply.send(Opening::Done(ended.map(|_| prefix).map_err(EngineError::Fault)));
        } else if let Some(caller) = self.judging.remove(&id) {
            let completion = ended.and_then(|completion| completion.ok_or(Fault::Stopped));
            let _ = caller.reply.send(completion.map_err(EngineError::Fault));
        }
    }
}

/// Jobs that the schedule sees beyond those at work, to gather those of one policy.
const LOOKAHEAD: usize = 64;

/// What the thread is asked for.
pub(super) enum Request {
    /// `least` is what the shortest content will take beside the prefix, in cells.
    Open {
        prefix: Vec<Token>,
        least: usize,
        reply: Sender<Opening>,
    },
    Close(PrefixId),
    Judge {
        prefix: PrefixId,
        script: Arc<Script>,
        suffix: Vec<Token>,
        caller: Caller,
    },
}

/// What is told of a session that opens.
pub(super) enum Opening {
    Progress(usize),
    Done(Result<PrefixId, EngineError>),
}

/// Whoever waits for a completion.
pub(super) struct Caller {
    pub(super) reply: Sender<Result<Completion, EngineError>>,
    /// Set once nobody waits any more.
    pub(super) abandoned: Arc<AtomicBool>,
    /// Counts it among the worker's until it is answered.
    pub(super) _counted: Counted,
}

/// One of a number, as long as it lives.
pub(super) struct Counted(Arc<AtomicUsize>);

impl Counted {
    pub(super) fn of(number: &Arc<AtomicUsize>) -> Self {
        number.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(number))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
