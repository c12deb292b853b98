//! The engine's threads, and the sessions that send them work.
//!
//! The one idea: the model belongs to one thread, on whose stack it lies, and each worker's cache and sequences to that
//! worker's own. All others hold bounded queues to them, so an [`Engine`] can be shared freely, who sends too much waits or is
//! told so, and if a thread dies its users get an error rather than a crash.

use std::borrow::Borrow;
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::backend::Backend;
use super::desk::{Caller, Counted, Desk, Opening, Request};
use super::item::Completion;
use super::prefixes::PrefixId;
use super::schedule::Schedule;
use super::script::Script;
use super::store::Folder;
use super::{EngineConfig, EngineError, SessionOptions};
use crate::content::Content;
use crate::gguf::{ModelFile, Opened};
use crate::policy::{Effort, Policy, PolicyLibrary};
use crate::prompt::{Prompt, Templates};
use crate::tokenizer::{Token, Tokenizer};
use crate::verdict::Unresolved;

/// A model in memory.
#[derive(Debug)]
pub struct Engine {
    /// Empty once the engine is being dropped.
    workers: Vec<Worker>,
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    model: Arc<ModelFile>,
    tokenizer: Arc<Tokenizer>,
    templates: Templates,
    config: EngineConfig,
}

/// The way to a worker.
#[derive(Debug)]
struct Worker {
    requests: SyncSender<Request>,
    /// Contents that it was sent and has not answered.
    load: Arc<AtomicUsize>,
}

/// An engine with one policy and effort, decoded. Dropping it makes room for another.
///
/// A shipped policy that the model was not trained for is not decoded: all contents are unresolved.
#[derive(Debug)]
pub struct Session<'engine> {
    engine: &'engine Engine,
    prompt: Prompt,
    script: Arc<Script>,
    /// The policy's prefix, as each worker names it.
    prefixes: Vec<(&'engine Worker, PrefixId)>,
    max_content: Option<usize>,
    untrained: Option<Unresolved>,
}

/// A content on its way. Dropping it cancels the work.
#[derive(Debug)]
pub struct Pending<'session> {
    answer: Receiver<Result<Completion, EngineError>>,
    abandoned: Arc<AtomicBool>,
    session: PhantomData<&'session ()>,
}

/// How far something that takes long has come: done, of all.
pub type Progress<'call> = &'call mut (dyn FnMut(u64, u64) + Send);

/// Requests that wait to be looked at by a worker. Whoever sends more waits, or is told that the engine is overloaded.
const QUEUE: usize = 64;

impl Engine {
    /// Loads a model.
    ///
    /// # Errors
    ///
    /// When the file cannot be used or memory is short.
    #[cfg(feature = "llama")]
    pub fn load(config: &EngineConfig) -> Result<Self, EngineError> {
        Self::load_with(Opened::read(&config.model)?, config, Templates::shipped(), &mut |_, _| ())
    }

    /// Loads a model whose header was read, with other templates, and tells how far it is, in thousandths.
    ///
    /// # Errors
    ///
    /// As [`Engine::load`].
    #[cfg(feature = "llama")]
    pub fn load_with(
        model: Opened,
        config: &EngineConfig,
        templates: Templates,
        progress: Progress<'_>,
    ) -> Result<Self, EngineError> {
        let (file, settings) = (Arc::clone(&model.file), config.clone());
        Self::start(model, config, templates, progress, move |loading, work| {
            let mut last = 0;
            let progress = |fraction: f32| {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a fraction of 1000 fits")]
                let thousandths = (fraction.clamp(0.0, 1.0) * 1000.0) as u64;
                // Nobody listens any more: stop loading.
                thousandths == last || {
                    last = thousandths;
                    loading.news.send(Starting::Progress(thousandths)).is_ok()
                }
            };
            super::llama::with_backends(&file, &settings, progress, loading.stop, work).map(drop)
        })
    }

    /// An engine on another backend than llama.cpp, which is made on the engine's own thread. Of the model's file only the
    /// header is used.
    ///
    /// # Errors
    ///
    /// When the file cannot be used.
    pub fn on<B: Backend>(
        backend: impl FnOnce() -> B + Send + 'static,
        config: &EngineConfig,
        templates: Templates,
    ) -> Result<Self, EngineError> {
        let config = EngineConfig { workers: 1, ..config.clone() };
        Self::start(Opened::read(&config.model)?, &config, templates, &mut |_, _| (), move |_, work| {
            work(0, &mut backend());
            Ok(())
        })
    }

    fn start(
        Opened { file: model, tokenizer }: Opened,
        config: &EngineConfig,
        templates: Templates,
        progress: Progress<'_>,
        host: impl FnOnce(Loading<'_>, &(dyn Fn(usize, &mut dyn Backend) + Sync)) -> Result<(), EngineError>
        + Send
        + 'static,
    ) -> Result<Self, EngineError> {
        let stop = Arc::new(AtomicBool::new(false));
        let (news, started) = channel();
        let EngineConfig { workers, reproducible, saved, .. } = *config;
        let places = config.places();
        let (mut ways, mut desks) = (Vec::new(), Vec::new());
        for _ in 0..workers {
            let (requests, inbox) = sync_channel(QUEUE);
            let store = config.prefixes.clone().map(|folder| Folder::new(folder, &model, config));
            ways.push(Worker { requests, load: Arc::default() });
            desks.push(Mutex::new(Some((inbox, store))));
        }
        let most = model.shape.context_length as usize;
        let thread = std::thread::Builder::new()
            .name("engine".to_owned())
            .spawn({
                let stop = Arc::clone(&stop);
                move || {
                    let loading = Loading { news: &news, stop: &stop };
                    let loaded = host(loading, &|worker, backend| {
                        // All backends are there once one of them is.
                        let _ = news.send(Starting::Done(Ok(())));
                        let desk = desks[worker].lock().unwrap_or_else(PoisonError::into_inner).take();
                        let Some((inbox, store)) = desk else { return };
                        let mut schedule = Schedule::new(backend, places, saved / workers);
                        if reproducible {
                            schedule = schedule.one_by_one();
                        }
                        if let Some(store) = store {
                            schedule = schedule.with_store(Box::new(store));
                        }
                        Desk::new(schedule, most).serve(&inbox, &stop);
                    });
                    if let Err(error) = loaded {
                        let _ = news.send(Starting::Done(Err(error)));
                    }
                }
            })
            .map_err(|error| EngineError::Load(error.to_string()))?;
        let config = config.clone();
        let engine = Self { workers: ways, thread: Some(thread), stop, model, tokenizer, templates, config };
        loop {
            match started.recv().map_err(|_| EngineError::Stopped)? {
                Starting::Progress(thousandths) => progress(thousandths, 1000),
                Starting::Done(result) => return result.map(|()| engine),
            }
        }
    }

    /// What is known of the model's file.
    #[must_use]
    pub fn model(&self) -> &ModelFile {
        &self.model
    }

    /// Returns the settings that the model was loaded with.
    #[must_use]
    pub fn config(&self) -> &EngineConfig {
        &self.config
    }

    /// The tokenizer of the model.
    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The templates that prompts are made with.
    #[must_use]
    pub fn templates(&self) -> &Templates {
        &self.templates
    }

    /// How many contents should be on their way at once, so that none of the engine's places is idle while a long one
    /// holds up the order.
    #[must_use]
    pub fn window(&self) -> usize {
        4 * self.config.parallel
    }

    /// Decodes a policy, for any number of contents. An [`Effort`] alone will do for options.
    ///
    /// # Errors
    ///
    /// When a template fails, or the policy does not fit.
    pub fn session(&self, policy: &Policy, options: impl Into<SessionOptions>) -> Result<Session<'_>, EngineError> {
        self.session_with(policy, &options.into(), &mut |_, _| ())
    }

    /// Decodes a policy and tells how far it is, in tokens.
    ///
    /// # Errors
    ///
    /// As [`Engine::session`].
    pub fn session_with(
        &self,
        policy: &Policy,
        options: &SessionOptions,
        progress: Progress<'_>,
    ) -> Result<Session<'_>, EngineError> {
        let effort = options.effort.unwrap_or(policy.effort);
        let prompt = Prompt::new(&self.templates, policy, effort, options.date.as_deref())?;
        let prefix = prompt.prefix_tokens(&self.tokenizer);
        let script = options.script(&self.tokenizer, policy);
        let all = u64::try_from(prefix.len()).unwrap_or(u64::MAX);
        let least = script.cells(1, usize::MAX);
        let mut session = Session {
            engine: self,
            prompt,
            script: Arc::new(script),
            prefixes: Vec::new(),
            max_content: options.max_content,
            untrained: untrained(&self.model, policy),
        };
        if session.untrained.is_some() {
            return Ok(session);
        }
        let mut openings = Vec::new();
        for worker in &self.workers {
            let (reply, news) = channel();
            worker.send(Request::Open { prefix: prefix.clone(), least, reply })?;
            openings.push((worker, news));
        }
        let mut failed = None;
        for (worker, news) in openings {
            let opened = loop {
                match news.recv() {
                    Ok(Opening::Progress(tokens)) => progress(u64::try_from(tokens).unwrap_or(all), all),
                    Ok(Opening::Done(opened)) => break opened,
                    Err(_) => break Err(EngineError::Stopped),
                }
            };
            match opened {
                Ok(prefix) => session.prefixes.push((worker, prefix)),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        // What the others opened is closed with the session.
        failed.map_or(Ok(session), Err)
    }
}

impl Worker {
    fn send(&self, request: Request) -> Result<(), EngineError> {
        self.requests.send(request).map_err(|_| EngineError::Stopped)
    }
}

impl Drop for Engine {
    /// What is being decoded is given up.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.workers.clear();
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported to whoever waited for an answer.
            let _ = thread.join();
        }
    }
}

impl Session<'_> {
    /// Judges one content.
    ///
    /// # Errors
    ///
    /// When the content does not fit, or the backend fails. A content without a verdict is no error but
    /// [`crate::verdict::Outcome::Unresolved`].
    pub fn classify(&self, content: &Content) -> Result<Completion, EngineError> {
        self.submit(content)?.wait()
    }

    /// Judges many, side by side. The answers come in the order of the contents, which are taken as there is room.
    pub fn classify_all<C: Borrow<Content>>(
        &self,
        contents: impl IntoIterator<Item = C>,
    ) -> impl Iterator<Item = Result<Completion, EngineError>> {
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

    /// Sends a content to be judged, and waits for a place in the engine's queue if it has none.
    ///
    /// # Errors
    ///
    /// When the content is longer than the options allow, or the engine has stopped.
    pub fn submit(&self, content: &Content) -> Result<Pending<'_>, EngineError> {
        if let Some(pending) = self.answered() {
            return Ok(pending);
        }
        let (worker, request, pending) = self.request(content)?;
        worker.send(request)?;
        Ok(pending)
    }

    /// Sends a content to be judged, unless the engine's queue is full.
    ///
    /// # Errors
    ///
    /// [`EngineError::Overloaded`] if it is; else as [`Session::submit`].
    pub fn try_submit(&self, content: &Content) -> Result<Pending<'_>, EngineError> {
        if let Some(pending) = self.answered() {
            return Ok(pending);
        }
        let (worker, request, pending) = self.request(content)?;
        match worker.requests.try_send(request) {
            Ok(()) => Ok(pending),
            Err(TrySendError::Full(_)) => Err(EngineError::Overloaded { queue: QUEUE }),
            Err(TrySendError::Disconnected(_)) => Err(EngineError::Stopped),
        }
    }

    /// Returns the answer to any content, if it is known without the model.
    fn answered(&self) -> Option<Pending<'_>> {
        let why = self.untrained.clone()?;
        let (reply, answer) = channel();
        reply.send(Ok(Completion::without_work(why))).ok()?;
        Some(Pending { answer, abandoned: Arc::default(), session: PhantomData })
    }

    /// Whether the content is within the limit that the options set.
    ///
    /// # Errors
    ///
    /// [`EngineError::OverLimit`] if not.
    pub fn allows(&self, content: &Content) -> Result<(), EngineError> {
        self.suffix(content).map(|_| ())
    }

    fn suffix(&self, content: &Content) -> Result<Vec<Token>, EngineError> {
        let suffix = self.prompt.suffix_tokens(&self.engine.tokenizer, content.text());
        match self.max_content {
            Some(most) if suffix.len() > most => Err(EngineError::OverLimit { tokens: suffix.len(), most }),
            _ => Ok(suffix),
        }
    }

    /// A content for the worker that has the least to do.
    fn request(&self, content: &Content) -> Result<(&Worker, Request, Pending<'_>), EngineError> {
        let suffix = self.suffix(content)?;
        let idlest = self.prefixes.iter().min_by_key(|(worker, _)| worker.load.load(Ordering::Relaxed));
        let &(worker, prefix) = idlest.ok_or(EngineError::Stopped)?;
        let (reply, answer) = channel();
        let abandoned = Arc::new(AtomicBool::new(false));
        let caller = Caller { reply, abandoned: Arc::clone(&abandoned), _counted: Counted::of(&worker.load) };
        let request = Request::Judge { prefix, script: Arc::clone(&self.script), suffix, caller };
        Ok((worker, request, Pending { answer, abandoned, session: PhantomData }))
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        for (worker, prefix) in &self.prefixes {
            // If it has stopped there is nothing to give back.
            let _ = worker.send(Request::Close(*prefix));
        }
    }
}

impl Pending<'_> {
    /// Waits for what comes of it.
    ///
    /// # Errors
    ///
    /// As [`Session::classify`].
    pub fn wait(self) -> Result<Completion, EngineError> {
        self.answer.recv().map_err(|_| EngineError::Stopped)?
    }

    /// Waits for what comes of it, but only so long. `None` if it is not there yet.
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
        self.abandoned.store(true, Ordering::Relaxed);
    }
}

impl From<Effort> for SessionOptions {
    fn from(effort: Effort) -> Self {
        Self { effort: Some(effort), ..Self::default() }
    }
}

/// Returns the reason why a model cannot judge by a policy: it was not trained for that shipped policy. A policy of the
/// user's own may be close to one that it knows. There the mass decides.
fn untrained(model: &ModelFile, policy: &Policy) -> Option<Unresolved> {
    let known = model.trained_for()?;
    let unknown = !known.contains(&policy.id.as_str()) && PolicyLibrary::shipped().has(policy);
    unknown.then_some(Unresolved::Untrained { known })
}

enum Starting {
    #[cfg_attr(not(feature = "llama"), allow(dead_code, reason = "only llama.cpp takes long"))]
    Progress(u64),
    Done(Result<(), EngineError>),
}

/// What a backend that takes long to make is given: whom to tell how far it is, and when to give up.
struct Loading<'thread> {
    #[cfg_attr(not(feature = "llama"), allow(dead_code, reason = "only llama.cpp takes long"))]
    news: &'thread Sender<Starting>,
    #[cfg_attr(not(feature = "llama"), allow(dead_code, reason = "only llama.cpp takes long"))]
    stop: &'thread AtomicBool,
}
