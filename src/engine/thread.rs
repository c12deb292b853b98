//! The engine's thread, and the sessions that send it work.
//!
//! The one idea: model, cache and sequences belong to one thread, on whose stack they lie. All others hold a bounded
//! queue to it, so an [`Engine`] can be shared freely, who sends too much waits or is told so, and if the thread dies
//! its users get an error rather than a crash.

use std::borrow::Borrow;
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::backend::Backend;
use super::desk::{Caller, Desk, Opening, Request};
use super::item::Completion;
use super::prefixes::PrefixId;
use super::schedule::Schedule;
use super::script::Script;
use super::store::Folder;
use super::{EngineConfig, EngineError, SessionOptions};
use crate::content::Content;
use crate::model::{ModelFile, Opened};
use crate::policy::{Effort, Policy};
use crate::prompt::{Prompt, Templates};
use crate::tokenizer::{Token, Tokenizer};

/// A model in memory.
#[derive(Debug)]
pub struct Engine {
    requests: Option<SyncSender<Request>>,
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    model: Arc<ModelFile>,
    tokenizer: Arc<Tokenizer>,
    templates: Templates,
    parallel: usize,
}

/// An engine with one policy and effort, decoded. Dropping it makes room for another.
#[derive(Debug)]
pub struct Session<'engine> {
    engine: &'engine Engine,
    prompt: Prompt,
    script: Arc<Script>,
    prefix: PrefixId,
    max_content: Option<usize>,
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

/// Requests that wait to be looked at. Whoever sends more waits, or is told that the engine is overloaded.
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
            super::llama::with_backend(&file, &settings, progress, loading.stop, work)
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
        Self::start(Opened::read(&config.model)?, config, templates, &mut |_, _| (), move |_, work| {
            work(&mut backend());
            Ok(())
        })
    }

    fn start(
        Opened { file: model, tokenizer }: Opened,
        config: &EngineConfig,
        templates: Templates,
        progress: Progress<'_>,
        host: impl FnOnce(Loading<'_>, &mut dyn FnMut(&mut dyn Backend)) -> Result<(), EngineError> + Send + 'static,
    ) -> Result<Self, EngineError> {
        let stop = Arc::new(AtomicBool::new(false));
        let (requests, inbox) = sync_channel(QUEUE);
        let (news, started) = channel();
        let EngineConfig { parallel, reproducible, .. } = *config;
        let store = config.prefixes.clone().map(|folder| Folder::new(folder, &model, config));
        let thread = std::thread::Builder::new()
            .name("engine".to_owned())
            .spawn({
                let mut store = store;
                let (stop, saved, most) = (Arc::clone(&stop), config.saved, model.shape.context_length as usize);
                move || {
                    let loading = Loading { news: &news, stop: &stop };
                    let loaded = host(loading, &mut |backend| {
                        let _ = news.send(Starting::Done(Ok(())));
                        let mut schedule = Schedule::new(backend, parallel, saved);
                        if reproducible {
                            schedule = schedule.one_by_one();
                        }
                        if let Some(store) = store.take() {
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
        let thread = Some(thread);
        let engine = Self { requests: Some(requests), thread, stop, model, tokenizer, templates, parallel };
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
        4 * self.parallel
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
        let (reply, news) = channel();
        self.send(Request::Open { prefix, least: script.cells(1, usize::MAX), reply })?;
        let prefix = loop {
            match news.recv().map_err(|_| EngineError::Stopped)? {
                Opening::Progress(tokens) => progress(u64::try_from(tokens).unwrap_or(all), all),
                Opening::Done(prefix) => break prefix?,
            }
        };
        Ok(Session { engine: self, prompt, script: Arc::new(script), prefix, max_content: options.max_content })
    }

    fn queue(&self) -> Result<&SyncSender<Request>, EngineError> {
        self.requests.as_ref().ok_or(EngineError::Stopped)
    }

    fn send(&self, request: Request) -> Result<(), EngineError> {
        self.queue()?.send(request).map_err(|_| EngineError::Stopped)
    }
}

impl Drop for Engine {
    /// What is being decoded is given up.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.requests = None;
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
        let (request, pending) = self.request(content)?;
        self.engine.send(request)?;
        Ok(pending)
    }

    /// Sends a content to be judged, unless the engine's queue is full.
    ///
    /// # Errors
    ///
    /// [`EngineError::Overloaded`] if it is; else as [`Session::submit`].
    pub fn try_submit(&self, content: &Content) -> Result<Pending<'_>, EngineError> {
        let (request, pending) = self.request(content)?;
        match self.engine.queue()?.try_send(request) {
            Ok(()) => Ok(pending),
            Err(TrySendError::Full(_)) => Err(EngineError::Overloaded { queue: QUEUE }),
            Err(TrySendError::Disconnected(_)) => Err(EngineError::Stopped),
        }
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

    fn request(&self, content: &Content) -> Result<(Request, Pending<'_>), EngineError> {
        let suffix = self.suffix(content)?;
        let (reply, answer) = channel();
        let abandoned = Arc::new(AtomicBool::new(false));
        let caller = Caller { reply, abandoned: Arc::clone(&abandoned) };
        let request = Request::Judge { prefix: self.prefix, script: Arc::clone(&self.script), suffix, caller };
        Ok((request, Pending { answer, abandoned, session: PhantomData }))
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        // If the engine has stopped there is nothing to give back.
        let _ = self.engine.send(Request::Close(self.prefix));
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
