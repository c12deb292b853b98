//! The server: policies over HTTP, for programs that can be pointed at an address.
//!
//! Everything asynchronous is in this room. One thread serves connections; `judges` is the thread between requests and the
//! engine; the engine's own threads and bounded queues are those of every other verb. A result is the row of `check`
//! and `label`. Each route reshapes it for its callers.

pub mod api_error;
mod asked;
pub mod audit;
mod batch_run;
pub mod batches;
mod call;
mod chat;
mod connection;
mod criteria;
mod decisions;
mod event;
mod front;
pub mod hooks;
pub mod hosts;
mod ids;
mod judges;
mod judging;
pub mod keys;
mod lent_body;
pub mod listen;
mod metrics;
mod moderation;
mod openapi;
mod page;
mod parts;
mod pieces;
pub mod policies;
mod queue;
mod reload;
mod review_run;
pub mod reviewing;
mod route;
mod routes;
pub mod runs;
mod state;
pub mod workspace;

use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::thread::{self, Builder};

pub use event::Event;
pub use state::Limits;

use self::audit::Audit;
use self::batches::Batches;
use self::hooks::Hooks;
use self::hosts::Hosts;
use self::judges::Message;
use self::keys::Keys;
use self::listen::Bound;
use self::policies::{Origin, Policies};
use self::queue::Queue;
use self::reviewing::{ReviewConfig, Reviewing};
use self::runs::Runs;
use self::state::{Model, State};
use self::workspace::Workspace;
use crate::engine::Engine;
use crate::hint::{Hint, Setting};
use crate::label::config::RunConfig;

/// The time for batches to write what is done, once the server ends.
const LAST_WRITE: std::time::Duration = std::time::Duration::from_secs(5);

/// The settings of a server.
pub struct ServerConfig {
    /// The settings that requests begin with.
    pub config: RunConfig,
    /// The places of the policies.
    pub origins: Vec<Origin>,
    /// The policies of `/v1/moderations`. If empty, every policy that the model can judge by.
    pub moderation: Vec<String>,
    /// The ids of the policies that are decoded before the first request.
    pub first: Vec<String>,
    /// The limits.
    pub limits: Limits,
    /// The keys.
    pub keys: Keys,
    /// The hosts and sites that are answered.
    pub hosts: Hosts,
    /// The audit log.
    pub audit: Audit,
    /// The hooks.
    pub hooks: Hooks,
    /// The files and batches, if a folder is named for them.
    pub batches: Option<Batches>,
    /// The folder of policies that the page writes, if one is named.
    pub workspace: Option<Workspace>,
    /// The review queue, if a folder is named for it.
    pub review: Option<ReviewConfig>,
    /// The files that are labeled, if a folder is named for them.
    pub runs: Option<Runs>,
}

/// The error that ends a server.
#[derive(Debug, thiserror::Error)]
pub enum ServeError<E> {
    /// A thread cannot be started, or the socket cannot be listened on.
    #[error("the server cannot listen: {0}")]
    Listen(io::Error),
    /// The model cannot be loaded.
    #[error(transparent)]
    Load(E),
    /// The engine has ended.
    #[error("the engine has stopped: it failed, or llama.cpp did")]
    Stopped,
}

/// A server whose policies were read, and that does not listen yet.
pub struct Server {
    state: Arc<State>,
    origins: Vec<Origin>,
    first: Vec<String>,
    inbox: std::sync::mpsc::Receiver<Message>,
}

impl Server {
    /// Reads the policies.
    ///
    /// # Errors
    ///
    /// A message if a policy cannot be read.
    pub fn new(settings: ServerConfig) -> Result<Self, String> {
        let ServerConfig { mut config, mut origins, moderation, first, limits, keys, .. } = settings;
        let ServerConfig { hosts, audit, hooks, batches, workspace, runs, review, .. } = settings;
        config.hint = in_properties;
        routes::check(&hooks)?;
        origins.extend(workspace.as_ref().map(Workspace::origin));
        let policies = Policies::read(&origins, workspace.is_some())?;
        for name in &moderation {
            policies.now().find(name).map_err(|error| format!("of moderations: {}", error.message))?;
        }
        let reviewing = review.map(|review| Reviewing::new(review, &policies)).transpose()?;
        let (messages, inbox) = judges::messages();
        let state = State {
            queue: Queue::new(limits.queue),
            limits,
            config,
            policies,
            moderation,
            keys,
            hosts,
            metrics: metrics::Metrics::default(),
            audit,
            hooks,
            batches,
            workspace,
            reviewing,
            runs,
            messages,
            connections: 0.into(),
            document: OnceLock::new(),
            model: OnceLock::new(),
            ready: false.into(),
            draining: false.into(),
            refusing: false.into(),
            failed: false.into(),
        };
        Ok(Self { state: Arc::new(state), origins, first, inbox })
    }

    /// Serves requests until `stop` is set. `load` loads the model meanwhile.
    ///
    /// # Errors
    ///
    /// The model cannot be loaded, the socket cannot be listened on, or the engine has ended.
    pub fn run<E: Send>(
        self,
        bound: Bound,
        load: impl FnOnce() -> Result<Engine, E>,
        stop: &AtomicBool,
        report: &(dyn Fn(Event) + Sync),
    ) -> Result<(), ServeError<E>> {
        let Self { state, origins, first, inbox } = self;
        thread::scope(|scope| {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ServeError::Listen)?;
            let of_server = Arc::clone(&state);
            let serving = Builder::new().name("server".to_owned()).spawn_scoped(scope, move || {
                let state = of_server;
                let router = routes::router(&state);
                let done = runtime.block_on(async {
                    let judging = tokio::spawn(batch_run::run(Arc::clone(&state), routes::all()));
                    let reloading = reload::watch(&state, &origins, report);
                    let opening = open_first(&state, &first, report);
                    let mut reviewing = std::pin::pin!(review_run::run(&state, report));
                    let done = tokio::select! {
                        done = listen::serve(bound, router, Arc::clone(&state), stop) => done,
                        never = async { tokio::join!(reloading, opening, reviewing.as_mut()).0 } => match never {},
                    };
                    // A batch writes what is done before the server ends.
                    state.stop_batches();
                    let writing = async {
                        let _ = judging.await;
                        if let Some(queue) = &state.reviewing {
                            queue.stop();
                            reviewing.await;
                        }
                    };
                    let _ = tokio::time::timeout(LAST_WRITE, writing).await;
                    done
                });
                let _ = state.messages.send(Message::End);
                done.map(|left| report(Event::CutOff(left)))
            });
            let serving = serving.map_err(ServeError::Listen)?;
            let loaded = load();
            let engine = match loaded {
                Ok(engine) => engine,
                Err(error) => {
                    stop.store(true, std::sync::atomic::Ordering::Relaxed);
                    return Err(ServeError::Load(error));
                }
            };
            let _ = state.model.set(Model::of(&engine));
            // The first text of a request shares the engine with texts in the background, and must not take several times
            // as long.
            state.queue.limit_batches(engine.config().parallel / 4);
            judges::run(&engine, &state.config, &state.messages, &inbox);
            match serving.join() {
                Ok(Ok(())) if state.has_failed() => Err(ServeError::Stopped),
                Ok(done) => done.map_err(ServeError::Listen),
                Err(_) => Err(ServeError::Stopped),
            }
        })
    }
}

/// Returns a hint that names the properties of a request.
fn in_properties(hint: &Hint) -> String {
    hint.render(|setting, value| {
        let property = match setting {
            Setting::Budget => "budget",
            Setting::Chunk => "chunk",
            Setting::Effort => "effort",
            Setting::MaxContentTokens => "max_content_tokens",
            Setting::MinMass => "min_mass",
            Setting::Context => return "a larger context of the server".to_owned(),
            other => return other.to_string(),
        };
        value.map_or_else(|| format!("`{property}`"), |value| format!("`{property}`: {value}"))
    })
}

/// Waits for the model, and decodes the first policies.
async fn open_first(state: &Arc<State>, first: &[String], report: &(dyn Fn(Event) + Sync)) {
    while state.model().is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let options = Arc::new(state.defaults());
    for name in first {
        if let Ok(served) = state.policies.now().find(name) {
            let (done, opened) = tokio::sync::oneshot::channel();
            let _ = state.messages.send(Message::Open(served, Arc::clone(&options), done));
            let _ = opened.await;
        }
    }
    state.set_ready();
    report(Event::Ready);
    runs::work::resume(state);
}
