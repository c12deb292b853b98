//! The queue between sessions and a worker: its requests, and their replies.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, sync_channel};

use super::completion::Completion;
use super::decode_plan::DecodePlan;
use super::error::EngineError;
use super::prefixes::PrefixId;
use crate::policy::Effort;
use crate::tokenizer::Token;

/// Most requests that wait for a worker. Further senders wait, or get [`EngineError::Overloaded`].
pub(super) const QUEUE: usize = 64;

/// The sending end of a worker's queue.
#[derive(Debug)]
pub(super) struct WorkerHandle {
    pub(super) requests: SyncSender<Request>,
    /// Contents that were sent and are not answered yet.
    pub(super) load: Arc<AtomicUsize>,
}

impl WorkerHandle {
    /// Makes an empty queue.
    pub(super) fn new() -> (Self, Receiver<Request>) {
        let (requests, inbox) = sync_channel(QUEUE);
        (Self { requests, load: Arc::default() }, inbox)
    }

    /// Sends a request, and waits for room in the queue.
    pub(super) fn send(&self, request: Request) -> Result<(), EngineError> {
        self.requests.send(request).map_err(|_| EngineError::Stopped)
    }
}

/// A request to a worker.
#[derive(Debug)]
pub(super) enum Request {
    /// Decodes a prefix. `least` is the number of cells that the shortest content takes beside it, and `effort` the one
    /// that the prefix names.
    Open {
        prefix: Vec<Token>,
        least: usize,
        #[cfg_attr(not(feature = "remote"), allow(dead_code, reason = "only a server is asked for it"))]
        effort: Effort,
        reply: Sender<OpenEvent>,
    },
    /// Removes a prefix.
    Close(PrefixId),
    /// Judges a content, given as its suffix of the prompt.
    Judge { prefix: PrefixId, plan: Arc<DecodePlan>, suffix: Vec<Token>, caller: Caller },
}

/// The progress or the result of opening a session.
#[derive(Debug)]
pub(super) enum OpenEvent {
    /// The number of tokens that are decoded.
    Progress(usize),
    Done(Result<PrefixId, EngineError>),
}

/// The receiver of a completion.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) reply: Reply,
    /// Set once nobody waits for the completion.
    pub(super) abandoned: Arc<AtomicBool>,
    /// Counts the content among those in flight until its answer is sent.
    pub(super) _in_flight: InFlight,
}

/// The function that gets a completion, on the worker's thread. It is dropped uncalled if nobody waits any more, or the
/// engine has ended.
pub(super) struct Reply(Box<dyn FnOnce(Result<Completion, EngineError>) + Send>);

impl Reply {
    pub(super) fn new(reply: impl FnOnce(Result<Completion, EngineError>) + Send + 'static) -> Self {
        Self(Box::new(reply))
    }

    pub(super) fn send(self, result: Result<Completion, EngineError>) {
        (self.0)(result);
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Reply")
    }
}

/// Adds one to a counter for as long as it lives.
#[derive(Debug)]
pub(super) struct InFlight(Arc<AtomicUsize>);

impl InFlight {
    pub(super) fn count(counter: &Arc<AtomicUsize>) -> Self {
        // Relaxed: the counter guides the choice of a worker, and guards no other memory.
        counter.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(counter))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
