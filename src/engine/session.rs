//! Sessions: an engine with one policy and effort, which judges contents.

use std::borrow::Borrow;
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TrySendError, channel};
use std::time::Duration;

use super::completion::Completion;
use super::config::SessionOptions;
use super::decode_plan::DecodePlan;
use super::error::EngineError;
use super::handle::{Engine, Progress};
use super::prefixes::PrefixId;
use super::queue::{Caller, InFlight, OpenEvent, QUEUE, Reply, Request, WorkerHandle};
use crate::content::Content;
use crate::gguf::ModelFile;
use crate::policy::{Policy, PolicyLibrary};
use crate::prompt::{Prompt, named_effort};
use crate::tokenizer::Token;
use crate::verdict::Unresolved;

/// An engine with one policy and effort, decoded. Dropping it frees the policy's place in the KV cache.
///
/// A shipped policy that the model was not trained for is not decoded: every content is then
/// [`Unresolved::Untrained`].
#[derive(Debug)]
pub struct Session<'engine> {
    engine: &'engine Engine,
    prompt: Prompt,
    plan: Plan,
    /// The policy's prefix on each worker.
    prefixes: Vec<(&'engine WorkerHandle, PrefixId)>,
    untrained: Option<Unresolved>,
}

/// The way in which a session judges a content, behind its prefix.
#[derive(Clone, Debug)]
pub struct Plan {
    decode: Arc<DecodePlan>,
    max_content: Option<usize>,
}

/// A mark on contents in flight. Once it is set, nobody waits for them, and their work is canceled.
#[derive(Clone, Debug, Default)]
pub struct Abandoned(Arc<AtomicBool>);

/// A content in flight. Dropping it cancels the work.
#[derive(Debug)]
pub struct Pending<'session> {
    answer: Receiver<Result<Completion, EngineError>>,
    abandoned: Abandoned,
    session: PhantomData<&'session ()>,
}

impl Engine {
    /// Decodes a policy, for any number of contents. The options may be an [`Effort`](crate::policy::Effort) alone.
    ///
    /// # Errors
    ///
    /// [`EngineError::Template`] if a template fails, [`EngineError::TooLong`] if the policy does not fit.
    pub fn session(&self, policy: &Policy, options: impl Into<SessionOptions>) -> Result<Session<'_>, EngineError> {
        self.session_with(policy, &options.into(), &mut |_, _| ())
    }

    /// Decodes a policy and reports the progress in tokens.
    ///
    /// # Errors
    ///
    /// The errors of [`Engine::session`].
    pub fn session_with(
        &self,
        policy: &Policy,
        options: &SessionOptions,
        progress: Progress<'_>,
    ) -> Result<Session<'_>, EngineError> {
        let effort = options.effort.unwrap_or(policy.effort);
        let prompt = Prompt::new(&self.templates, policy, effort, options.date.as_deref())?;
        let prefix = prompt.prefix_tokens(&self.tokenizer);
        let plan = options.decode_plan(&self.tokenizer, policy);
        let all = u64::try_from(prefix.len()).unwrap_or(u64::MAX);
        let least = plan.cells(1, usize::MAX);
        let mut session = Session {
            engine: self,
            prompt,
            plan: Plan { decode: Arc::new(plan), max_content: options.max_content },
            prefixes: Vec::new(),
            untrained: untrained(&self.model, policy),
        };
        if session.untrained.is_some() {
            return Ok(session);
        }
        // All workers decode the policy at the same time.
        let mut openings = Vec::new();
        for worker in &self.workers {
            let (reply, events) = channel();
            worker.send(Request::Open {
                prefix: prefix.clone(),
                least,
                effort: named_effort(policy, effort),
                reply,
            })?;
            openings.push((worker, events));
        }
        let mut failed = None;
        for (worker, events) in openings {
            let opened = loop {
                match events.recv() {
                    Ok(OpenEvent::Progress(tokens)) => progress(u64::try_from(tokens).unwrap_or(all), all),
                    Ok(OpenEvent::Done(opened)) => break opened,
                    Err(_) => break Err(EngineError::Stopped),
                }
            };
            match opened {
                Ok(prefix) => session.prefixes.push((worker, prefix)),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        // After a failure the session is dropped, which closes the prefixes on the other workers.
        failed.map_or(Ok(session), Err)
    }
}

impl Session<'_> {
    /// Judges one content.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the content does not fit or the backend fails. A content without a verdict is no error but
    /// [`crate::verdict::Outcome::Unresolved`].
    pub fn classify(&self, content: &Content) -> Result<Completion, EngineError> {
        self.submit(content)?.wait()
    }

    /// Judges many contents, side by side. Results come in the order of the contents, which are taken as there is room.
    pub fn classify_all<C: Borrow<Content>>(
        &self,
        contents: impl IntoIterator<Item = C>,
    ) -> impl Iterator<Item = Result<Completion, EngineError>> {
        // Fused: it is asked again after its end, while the last results are awaited.
        let mut contents = contents.into_iter().fuse();
        let mut window = VecDeque::with_capacity(self.engine.window());
        std::iter::from_fn(move || {
            while window.len() < self.engine.window()
                && let Some(content) = contents.next()
            {
                window.push_back(self.submit(content.borrow()));
            }
            window.pop_front().map(|pending| pending.and_then(Pending::wait))
        })
    }

    /// Sends a content to be judged. Waits for room in the engine's queue.
    ///
    /// # Errors
    ///
    /// [`EngineError::OverLimit`] if the content is longer than the options allow, [`EngineError::Stopped`] if the
    /// engine has ended.
    pub fn submit(&self, content: &Content) -> Result<Pending<'_>, EngineError> {
        if let Some(pending) = self.answered() {
            return Ok(pending);
        }
        let (worker, request, pending) = self.pending(content)?;
        worker.send(request)?;
        Ok(pending)
    }

    /// Sends a content to be judged, unless the engine's queue is full.
    ///
    /// # Errors
    ///
    /// [`EngineError::Overloaded`] if the queue is full, and the errors of [`Session::submit`].
    pub fn try_submit(&self, content: &Content) -> Result<Pending<'_>, EngineError> {
        if let Some(pending) = self.answered() {
            return Ok(pending);
        }
        let (worker, request, pending) = self.pending(content)?;
        match worker.requests.try_send(request) {
            Ok(()) => Ok(pending),
            Err(TrySendError::Full(_)) => Err(EngineError::Overloaded { queue: QUEUE }),
            Err(TrySendError::Disconnected(_)) => Err(EngineError::Stopped),
        }
    }

    /// Returns the way in which this session judges under other options. Their effort and date must be those of the
    /// session, which are part of its prefix.
    #[must_use]
    pub fn plan(&self, policy: &Policy, options: &SessionOptions) -> Plan {
        let decode = Arc::new(options.decode_plan(&self.engine.tokenizer, policy));
        Plan { decode, max_content: options.max_content }
    }

    /// Sends a content to be judged by a plan. Waits for room in the engine's queue.
    ///
    /// The result goes to `reply`, on a thread of the engine. `reply` is dropped uncalled if the content was abandoned
    /// or the engine has ended.
    ///
    /// # Errors
    ///
    /// The errors of [`Session::submit`].
    pub fn submit_with(
        &self,
        content: &Content,
        plan: &Plan,
        abandoned: &Abandoned,
        reply: impl FnOnce(Result<Completion, EngineError>) + Send + 'static,
    ) -> Result<(), EngineError> {
        if let Some(why) = &self.untrained {
            reply(Ok(Completion::without_work(why.clone())));
            return Ok(());
        }
        let (worker, request) = self.request(content, plan, abandoned, Reply::new(reply))?;
        worker.send(request)
    }

    /// Returns the answer to every content, if it is known without the model.
    fn answered(&self) -> Option<Pending<'_>> {
        let why = self.untrained.clone()?;
        let (reply, answer) = channel();
        reply.send(Ok(Completion::without_work(why))).ok()?;
        Some(Pending { answer, abandoned: Abandoned::default(), session: PhantomData })
    }

    /// Returns the plan of the options that the session was opened with.
    #[must_use]
    pub fn own_plan(&self) -> &Plan {
        &self.plan
    }

    /// Checks a content against the limit of a plan.
    ///
    /// # Errors
    ///
    /// [`EngineError::OverLimit`] if it is longer.
    pub fn allows(&self, content: &Content, plan: &Plan) -> Result<(), EngineError> {
        self.suffix(content, plan.max_content).map(|_| ())
    }

    /// Returns the tokens of the prompt behind the policy.
    fn suffix(&self, content: &Content, most: Option<usize>) -> Result<Vec<Token>, EngineError> {
        let suffix = self.prompt.suffix_tokens(&self.engine.tokenizer, content.text());
        match most {
            Some(most) if suffix.len() > most => Err(EngineError::OverLimit { tokens: suffix.len(), most }),
            _ => Ok(suffix),
        }
    }

    /// Makes the request to judge a content by the session's own plan.
    fn pending(&self, content: &Content) -> Result<(&WorkerHandle, Request, Pending<'_>), EngineError> {
        let (reply, answer) = channel();
        let abandoned = Abandoned::default();
        // A caller that has gone away needs no answer.
        let reply = Reply::new(move |result| drop(reply.send(result)));
        let (worker, request) = self.request(content, &self.plan, &abandoned, reply)?;
        Ok((worker, request, Pending { answer, abandoned, session: PhantomData }))
    }

    /// Makes the request to judge a content, for the worker with the fewest contents in flight.
    fn request(
        &self,
        content: &Content,
        plan: &Plan,
        abandoned: &Abandoned,
        reply: Reply,
    ) -> Result<(&WorkerHandle, Request), EngineError> {
        let suffix = self.suffix(content, plan.max_content)?;
        let idlest = self.prefixes.iter().min_by_key(|(worker, _)| worker.load.load(Ordering::Relaxed));
        let &(worker, prefix) = idlest.ok_or(EngineError::Stopped)?;
        let caller = Caller { reply, abandoned: Arc::clone(&abandoned.0), _in_flight: InFlight::count(&worker.load) };
        Ok((worker, Request::Judge { prefix, plan: Arc::clone(&plan.decode), suffix, caller }))
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        for (worker, prefix) in &self.prefixes {
            // A worker that has ended holds nothing.
            let _ = worker.send(Request::Close(*prefix));
        }
    }
}

impl Pending<'_> {
    /// Waits for the completion.
    ///
    /// # Errors
    ///
    /// The errors of [`Session::classify`].
    pub fn wait(self) -> Result<Completion, EngineError> {
        self.answer.recv().map_err(|_| EngineError::Stopped)?
    }

    /// Waits for the completion, at most for `time`. `None` if it has not come by then.
    #[must_use]
    pub fn wait_for(&self, time: Duration) -> Option<Result<Completion, EngineError>> {
        match self.answer.recv_timeout(time) {
            Ok(result) => Some(result),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err(EngineError::Stopped)),
        }
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.abandoned.set();
    }
}

impl Abandoned {
    /// Marks the contents: nobody waits for them any more.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Reports whether nobody waits any more.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Returns the reason why a model cannot judge by a policy: it was not trained for that shipped policy.
///
/// A policy of the user's own may be close to one that the model knows. There the mass of the allowed answers decides.
fn untrained(model: &ModelFile, policy: &Policy) -> Option<Unresolved> {
    let known = model.trained_for()?;
    let unknown = !known.contains(&policy.id.as_str()) && PolicyLibrary::shipped().has(policy);
    unknown.then_some(Unresolved::Untrained { known })
}
