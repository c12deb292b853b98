//! The engine: loads a model on a thread of its own, and is the handle to its workers.
//!
//! The model lies on the stack of one thread. Each worker has a thread of its own with its KV cache and its sequences.
//! The other threads only hold bounded queues to the workers. So an [`Engine`] can be shared freely, a sender that is
//! too fast has to wait, and if a thread dies its callers get an error.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::backend::Backend;
use super::config::EngineConfig;
use super::error::EngineError;
use super::queue::{Request, WorkerHandle};
#[cfg(feature = "remote")]
use super::remote::Connection;
use super::schedule::Schedule;
use super::store::Folder;
use super::worker::Worker;
use crate::gguf::{ModelFile, Opened};
use crate::prompt::Templates;
use crate::tokenizer::Tokenizer;

/// A model in memory.
#[derive(Debug)]
pub struct Engine {
    /// Empty once the engine is being dropped.
    pub(super) workers: Vec<WorkerHandle>,
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    pub(super) model: Arc<ModelFile>,
    pub(super) tokenizer: Arc<Tokenizer>,
    pub(super) templates: Templates,
    config: EngineConfig,
}

/// A callback that gets the amount of work done, and the amount of all work.
pub type Progress<'call> = &'call mut (dyn FnMut(u64, u64) + Send);

impl Engine {
    /// Loads a model with the shipped templates. Needs the feature `llama`.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the file cannot be used, a setting is out of range, or memory is short.
    #[cfg(any(feature = "llama", docsrs))]
    pub fn load(config: &EngineConfig) -> Result<Self, EngineError> {
        #[cfg(feature = "llama")]
        return Self::load_with(Opened::read(&config.model)?, config, Templates::shipped(), &mut |_, _| ());
        // docs.rs documents the library without compiling llama.cpp.
        #[cfg(not(feature = "llama"))]
        unreachable!("{config:?}")
    }

    /// Loads a model whose header was read, with other templates. Reports the progress in thousandths.
    ///
    /// # Errors
    ///
    /// The errors of [`Engine::load`].
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
                // False stops the loading: nobody listens any more.
                thousandths == last || {
                    last = thousandths;
                    loading.events.send(LoadEvent::Progress(thousandths)).is_ok()
                }
            };
            super::llama::with_backends(&file, &settings, progress, loading.stop, work).map(drop)
        })
    }

    /// Makes an engine with one worker on a backend other than llama.cpp. The backend is made on the engine's own
    /// thread. Only the header of the model file is used.
    ///
    /// # Errors
    ///
    /// [`EngineError::Model`] if the file cannot be used.
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

    /// Makes an engine on a server that computes instead of this machine.
    ///
    /// # Errors
    ///
    /// [`EngineError::Load`] if no thread can be started.
    #[cfg(feature = "remote")]
    pub fn remote(connection: Connection, templates: Templates) -> Result<Self, EngineError> {
        let Opened { file: model, tokenizer } = connection.model();
        let config = connection.config();
        let (worker, inbox) = WorkerHandle::new();
        let connection = Arc::new(connection);
        // Nobody waits for its end: it may have to wait for the server.
        std::thread::Builder::new()
            .name("engine".to_owned())
            .spawn(move || super::remote::serve(&connection, &inbox))
            .map_err(|error| EngineError::Load(error.to_string()))?;
        let stop = Arc::new(AtomicBool::new(false));
        Ok(Self { workers: vec![worker], thread: None, stop, model, tokenizer, templates, config })
    }

    /// Starts the engine's thread, on which `host` makes the backends and runs the function that it is given on each.
    fn start(
        Opened { file: model, tokenizer }: Opened,
        config: &EngineConfig,
        templates: Templates,
        progress: Progress<'_>,
        host: impl FnOnce(LoadControl<'_>, &(dyn Fn(usize, &mut dyn Backend) + Sync)) -> Result<(), EngineError>
        + Send
        + 'static,
    ) -> Result<Self, EngineError> {
        let stop = Arc::new(AtomicBool::new(false));
        let (events, started) = channel();
        let (mut workers, mut inboxes) = (Vec::new(), Vec::new());
        for _ in 0..config.workers {
            let (worker, inbox) = WorkerHandle::new();
            // Opened before the thread starts, so that the first policy is read while the model loads.
            let store = config.prefixes.clone().map(|folder| Folder::new(folder, &model, config));
            workers.push(worker);
            inboxes.push(Mutex::new(Some((inbox, store))));
        }
        let max_context = model.shape.context_length as usize;
        let thread = std::thread::Builder::new()
            .name("engine".to_owned())
            .spawn({
                let (stop, config) = (Arc::clone(&stop), config.clone());
                move || {
                    let loading = LoadControl { events: &events, stop: &stop };
                    let loaded = host(loading, &|worker, backend| {
                        // All backends exist once one of them runs.
                        let _ = events.send(LoadEvent::Done(Ok(())));
                        // All workers run this function, and a receiver has one owner. So each takes its own.
                        let inbox = inboxes[worker].lock().unwrap_or_else(PoisonError::into_inner).take();
                        if let Some((inbox, store)) = inbox {
                            work(backend, &config, max_context, store, &inbox, &stop);
                        }
                    });
                    if let Err(error) = loaded {
                        let _ = events.send(LoadEvent::Done(Err(error)));
                    }
                }
            })
            .map_err(|error| EngineError::Load(error.to_string()))?;
        let config = config.clone();
        let engine = Self { workers, thread: Some(thread), stop, model, tokenizer, templates, config };
        loop {
            match started.recv().map_err(|_| EngineError::Stopped)? {
                LoadEvent::Progress(thousandths) => progress(thousandths, 1000),
                LoadEvent::Done(result) => return result.map(|()| engine),
            }
        }
    }

    /// Returns the header of the model file.
    #[must_use]
    pub fn model(&self) -> &ModelFile {
        &self.model
    }

    /// Returns the settings that the model was loaded with.
    #[must_use]
    pub fn config(&self) -> &EngineConfig {
        &self.config
    }

    /// Returns the tokenizer of the model.
    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Returns the templates of the prompts.
    #[must_use]
    pub fn templates(&self) -> &Templates {
        &self.templates
    }

    /// Returns the number of contents that should be in flight at once, which is [`EngineConfig::window`].
    #[must_use]
    pub fn window(&self) -> usize {
        self.config.window()
    }
}

impl Drop for Engine {
    /// Gives up the contents in flight and ends the threads.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // An idle worker sleeps in `recv`, which ends when the last sender is dropped.
        self.workers.clear();
        if let Some(thread) = self.thread.take() {
            // A panic of that thread has reached each waiting caller as an error.
            let _ = thread.join();
        }
    }
}

/// Runs a worker on a backend until the engine is dropped.
fn work(
    backend: &mut dyn Backend,
    config: &EngineConfig,
    max_context: usize,
    store: Option<Folder>,
    inbox: &Receiver<Request>,
    stop: &AtomicBool,
) {
    let mut schedule = Schedule::new(backend, config.places(), config.saved / config.workers);
    if config.reproducible {
        schedule = schedule.one_by_one();
    }
    if let Some(store) = store {
        schedule = schedule.with_store(Box::new(store));
    }
    Worker::new(schedule, max_context).serve(inbox, stop);
}

/// The progress or the result of loading a model.
enum LoadEvent {
    #[cfg_attr(not(feature = "llama"), allow(dead_code, reason = "only llama.cpp takes long"))]
    Progress(u64),
    Done(Result<(), EngineError>),
}

/// The connection of a backend that takes long to make: where it reports its progress, and when it must give up.
struct LoadControl<'thread> {
    #[cfg_attr(not(feature = "llama"), allow(dead_code, reason = "only llama.cpp takes long"))]
    events: &'thread Sender<LoadEvent>,
    #[cfg_attr(not(feature = "llama"), allow(dead_code, reason = "only llama.cpp takes long"))]
    stop: &'thread AtomicBool,
}
