//! The host of a remote engine: takes the requests of sessions from the queue, and judges contents on threads of its own.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use super::chat;
use super::connect::Connection;
use super::error::RemoteError;
use super::exact::course;
use super::exact::ids::Ids;
use crate::engine::completion::Completion;
use crate::engine::decode_plan::DecodePlan;
use crate::engine::error::EngineError;
use crate::engine::prefixes::PrefixId;
use crate::engine::queue::{Caller, OpenEvent, Request};
use crate::tokenizer::{Token, Tokenizer};

/// The policy of a session.
#[derive(Debug)]
pub(super) struct Policy {
    pub(super) ids: Ids,
    /// The policy's text in messages, for servers that take no tokens.
    pub(super) messages: chat::Messages,
}

struct Job {
    policy: Arc<Policy>,
    plan: Arc<DecodePlan>,
    suffix: Vec<Token>,
    caller: Caller,
}

/// Serves requests until the last sender is dropped.
///
/// The threads end with their current content. Nobody waits for them: a server may take minutes.
pub(crate) fn serve(connection: &Arc<Connection>, inbox: &Receiver<Request>) {
    // As many wait as are at work, so that no thread waits for the queue.
    let (jobs, taken) = sync_channel(connection.server.parallel);
    let taken = Arc::new(Mutex::new(taken));
    for number in 0..connection.server.parallel {
        let (connection, taken) = (Arc::clone(connection), Arc::clone(&taken));
        let thread = std::thread::Builder::new().name(format!("remote {number}"));
        // With fewer threads fewer contents are in flight.
        let _ = thread.spawn(move || work(&connection, &taken));
    }
    drop(taken);
    dispatch(connection, inbox, &jobs);
}

fn dispatch(connection: &Connection, inbox: &Receiver<Request>, jobs: &SyncSender<Job>) {
    let mut policies: HashMap<PrefixId, Arc<Policy>> = HashMap::new();
    let mut next = 0;
    for request in inbox {
        match request {
            Request::Open { prefix, least, effort, reply } => {
                let (tokens, most) = (prefix.len(), connection.server.context);
                let opened = if least.saturating_add(tokens) > most {
                    Err(EngineError::policy_too_long(tokens, most.saturating_sub(least), least, most))
                } else {
                    let id = PrefixId(next);
                    next += 1;
                    let messages = chat::Messages::of(&connection.tokenizer, &prefix, effort);
                    policies.insert(id, Arc::new(Policy { ids: Ids::new(&prefix), messages }));
                    Ok(id)
                };
                // A reply without a receiver may be lost.
                let _ = reply.send(OpenEvent::Done(opened));
            }
            Request::Close(prefix) => drop(policies.remove(&prefix)),
            Request::Judge { prefix, plan, suffix, caller } => {
                let Some(policy) = policies.get(&prefix) else { continue };
                let (policy, most) = (Arc::clone(policy), connection.server.context);
                let needed = policy.ids.len() + plan.cells(suffix.len(), 0);
                if needed > most {
                    caller.reply.send(Err(EngineError::content_too_long(suffix.len(), needed, most, most)));
                } else if jobs.send(Job { policy, plan, suffix, caller }).is_err() {
                    // All threads have ended, so the caller learns that the engine has.
                    return;
                }
            }
        }
    }
}

/// Judges contents until no more come.
fn work(connection: &Connection, jobs: &Mutex<Receiver<Job>>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { policy, plan, suffix, caller }) = job else { return };
        if caller.abandoned.load(Ordering::Relaxed) {
            continue;
        }
        match judge(connection, &policy, &plan, &suffix, &caller) {
            Ok(Some(completion)) => caller.reply.send(Ok(completion)),
            Ok(None) => {}
            Err(error) => caller.reply.send(Err(EngineError::Remote(error))),
        }
    }
}

/// Judges a content. `None` if it was abandoned.
fn judge(
    connection: &Connection,
    policy: &Policy,
    plan: &Arc<DecodePlan>,
    suffix: &[Token],
    caller: &Caller,
) -> Result<Option<Completion>, RemoteError> {
    let tokenizer: &Tokenizer = &connection.tokenizer;
    let Some(server) = connection.exact() else {
        let chat = chat::Chat { client: &connection.client, model: &connection.server.model, dialect: connection.chat };
        return chat::judge(chat, &policy.messages, plan, suffix).map(Some);
    };
    let completion = course::judge(&*server, plan, &policy.ids, suffix, &caller.abandoned)?;
    // The failures of this content are among them: the server may have been started anew within it.
    connection.guard.check(connection.client.failures(), &*server, tokenizer)?;
    Ok(completion)
}
