//! The engine's thread, and the sessions that send it work.
//!
//! The one idea: model, cache and sequences belong to one thread, on whose stack they lie. All others hold a channel to
//! it, so an [`Engine`] can be shared freely, and if the thread dies its users get an error rather than a crash.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use super::backend::Seq;
use super::item::Completion;
use super::llama;
use super::run::{Pinned, Runner};
use super::script::Script;
use super::{EngineConfig, EngineError, SessionOptions};
use crate::content::Content;
use crate::model::{self, ModelFile};
use crate::policy::{Effort, Policy};
use crate::prompt::{Prompt, Templates};
use crate::tokenizer::{Token, Tokenizer};

/// A model in memory.
#[derive(Debug)]
pub struct Engine {
    requests: Option<Sender<Request>>,
    thread: Option<JoinHandle<()>>,
    model: Arc<ModelFile>,
    tokenizer: Arc<Tokenizer>,
    templates: Templates,
}

/// An engine with one policy and effort pinned. Dropping it makes room for another.
#[derive(Debug)]
pub struct Session<'engine> {
    engine: &'engine Engine,
    prompt: Prompt,
    script: Arc<Script>,
    pin: Seq,
}

/// How far something that takes long has come: done, of all.
pub type Progress<'call> = &'call mut (dyn FnMut(u64, u64) + Send);

enum Request {
    /// `least` is what the shortest content will take beside the prefix, in cells.
    Pin {
        prefix: Vec<Token>,
        least: usize,
        reply: Sender<Pinning>,
    },
    Unpin(Seq),
    Run {
        pin: Seq,
        script: Arc<Script>,
        suffix: Vec<Token>,
        reply: Sender<Result<Completion, EngineError>>,
    },
}

enum Pinning {
    Progress(usize),
    Done(Result<Seq, EngineError>),
}

impl Engine {
    /// Loads a model.
    ///
    /// # Errors
    ///
    /// When the file cannot be used or memory is short.
    pub fn load(config: &EngineConfig) -> Result<Self, EngineError> {
        Self::load_with(config, Templates::shipped(), &mut |_, _| ())
    }

    /// Loads a model, with other templates, and tells how far it is, in thousandths.
    ///
    /// # Errors
    ///
    /// As [`Engine::load`].
    pub fn load_with(config: &EngineConfig, templates: Templates, progress: Progress<'_>) -> Result<Self, EngineError> {
        let model = Arc::new(model::inspect(&config.model)?);
        let tokenizer = Arc::new(model.tokenizer()?);
        let (requests, inbox) = channel();
        let (started, news) = channel();
        let (file, config) = (Arc::clone(&model), config.clone());
        let thread = std::thread::Builder::new()
            .name("engine".to_owned())
            .spawn(move || serve(&file, &config, &started, &inbox))
            .map_err(|error| EngineError::Load(error.to_string()))?;
        let engine = Self { requests: Some(requests), thread: Some(thread), model, tokenizer, templates };
        loop {
            match news.recv().map_err(|_| EngineError::Stopped)? {
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

    /// The templates that prompts are made with.
    #[must_use]
    pub fn templates(&self) -> &Templates {
        &self.templates
    }

    /// Decodes a policy, for any number of contents. An [`Effort`] alone will do for options.
    ///
    /// # Errors
    ///
    /// When a template fails, or the policy does not fit beside those already pinned.
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
        let script = Script::new(
            Arc::clone(&self.tokenizer),
            policy.contract.form,
            policy.answers(),
            options.mode(policy.effort),
            options.rule,
            options.sampling,
        );
        let all = u64::try_from(prefix.len()).unwrap_or(u64::MAX);
        let (reply, news) = channel();
        self.send(Request::Pin { prefix, least: script.cells(1, usize::MAX), reply })?;
        let pin = loop {
            match news.recv().map_err(|_| EngineError::Stopped)? {
                Pinning::Progress(tokens) => progress(u64::try_from(tokens).unwrap_or(all), all),
                Pinning::Done(pin) => break pin?,
            }
        };
        Ok(Session { engine: self, prompt, script: Arc::new(script), pin })
    }

    fn send(&self, request: Request) -> Result<(), EngineError> {
        let requests = self.requests.as_ref().ok_or(EngineError::Stopped)?;
        requests.send(request).map_err(|_| EngineError::Stopped)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
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
        let suffix = self.prompt.suffix_tokens(&self.engine.tokenizer, content.text());
        let (reply, answer) = channel();
        let script = Arc::clone(&self.script);
        self.engine.send(Request::Run { pin: self.pin, script, suffix, reply })?;
        answer.recv().map_err(|_| EngineError::Stopped)?
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        // If the engine has stopped there is nothing to give back.
        let _ = self.engine.send(Request::Unpin(self.pin));
    }
}

impl From<Effort> for SessionOptions {
    fn from(effort: Effort) -> Self {
        Self { effort: Some(effort), ..Self::default() }
    }
}

enum Starting {
    Progress(u64),
    Done(Result<(), EngineError>),
}

/// The thread's life: load, then answer requests until nobody can send any.
fn serve(file: &ModelFile, config: &EngineConfig, started: &Sender<Starting>, inbox: &Receiver<Request>) {
    let mut last = 0;
    let progress = |fraction: f32| {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a fraction of 1000 fits")]
        let thousandths = (fraction.clamp(0.0, 1.0) * 1000.0) as u64;
        // Nobody listens any more: stop loading.
        thousandths == last || {
            last = thousandths;
            started.send(Starting::Progress(thousandths)).is_ok()
        }
    };
    let loaded = llama::with_backend(file, config, progress, |backend| {
        let _ = started.send(Starting::Done(Ok(())));
        let most = file.shape.context_length as usize;
        let mut desk = Desk { runner: Runner::new(backend), pins: HashMap::new(), most };
        for request in inbox {
            desk.answer(request);
        }
    });
    if let Err(error) = loaded {
        let _ = started.send(Starting::Done(Err(error)));
    }
}

/// What the thread works with.
struct Desk<'backend> {
    runner: Runner<'backend>,
    pins: HashMap<Seq, Pinned>,
    /// The largest context of the model, for hints.
    most: usize,
}

impl Desk<'_> {
    /// A reply that nobody waits for any more is not missed.
    fn answer(&mut self, request: Request) {
        match request {
            Request::Pin { prefix, least, reply } => {
                let pinned = self.pin(&prefix, least, |tokens| {
                    let _ = reply.send(Pinning::Progress(tokens));
                });
                let _ = reply.send(Pinning::Done(pinned));
            }
            Request::Unpin(seq) => {
                if let Some(pinned) = self.pins.remove(&seq) {
                    self.runner.unpin(&pinned);
                }
            }
            Request::Run { pin, script, suffix, reply } => {
                let _ = reply.send(self.run(pin, &script, &suffix));
            }
        }
    }

    fn pin(&mut self, prefix: &[Token], least: usize, progress: impl FnMut(usize)) -> Result<Seq, EngineError> {
        let (tokens, room) = (prefix.len(), self.runner.room());
        if tokens > room {
            let needed = least.saturating_add(self.runner.limits().cells + tokens - room);
            return Err(EngineError::TooLong { what: "the policy", tokens, room, needed, most: self.most });
        }
        let pinned = self.runner.pin(prefix, progress)?;
        let seq = pinned.seq();
        self.pins.insert(seq, pinned);
        Ok(seq)
    }

    fn run(&mut self, pin: Seq, script: &Arc<Script>, suffix: &[Token]) -> Result<Completion, EngineError> {
        let pinned = self.pins.get(&pin).ok_or(EngineError::Stopped)?;
        let (tokens, free) = (suffix.len(), self.runner.room());
        let cells = script.cells(tokens, self.runner.free().saturating_sub(1));
        if cells > free {
            return Err(EngineError::TooLong {
                what: "the content",
                tokens,
                // Reasoning and answers need their share of the room as well.
                room: free.saturating_sub(cells - tokens),
                needed: (cells - free).saturating_add(self.runner.limits().cells),
                most: self.most,
            });
        }
        Ok(self.runner.run(pinned, script, suffix)?)
    }
}
