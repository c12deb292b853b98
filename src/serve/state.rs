//! The state that all requests share.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::api_error::ApiError;
use super::audit::Audit;
use super::batches::Batches;
use super::hooks::Hooks;
use super::hosts::Hosts;
use super::judges::{JudgeOptions, Message};
use super::keys::Keys;
use super::metrics::{Gauges, Metrics};
use super::policies::{Policies, Served};
use super::queue::Queue;
use super::reviewing::Reviewing;
use super::runs::Runs;
use super::workspace::Workspace;
use crate::engine::Engine;
use crate::label::config::RunConfig;
use crate::policy::{Policy, PolicyLibrary};

/// The limits of a server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a body.
    pub max_body: usize,
    /// Texts of a request.
    pub max_texts: usize,
    /// Texts that wait or are being judged.
    pub queue: usize,
    /// Open connections.
    pub connections: usize,
    /// Bytes of a file to label.
    pub max_upload: u64,
    /// The time for a request's verdicts.
    pub request_timeout: Duration,
    /// The time for a body to arrive.
    pub body_timeout: Duration,
    /// The time for requests to end after a signal.
    pub drain: Duration,
    /// The time between a signal and the end of listening, in which `/ready` says no.
    pub drain_delay: Duration,
}

/// The state of a server.
#[derive(Debug)]
pub struct State {
    /// The limits.
    pub limits: Limits,
    /// The settings that requests begin with.
    pub config: RunConfig,
    /// The policies.
    pub policies: Policies,
    /// The policies of `/v1/moderations`. If empty, every policy that the model can judge by.
    pub moderation: Vec<String>,
    /// The keys.
    pub keys: Keys,
    /// The hosts and origins that are answered.
    pub hosts: Hosts,
    /// The queue.
    pub queue: Queue,
    /// The metrics.
    pub metrics: Metrics,
    /// The audit log.
    pub audit: Audit,
    /// The hooks.
    pub hooks: Hooks,
    /// The files and batches, if a folder is named for them.
    pub batches: Option<Batches>,
    /// The folder of policies that the page writes, if one is named.
    pub workspace: Option<Workspace>,
    /// The review queue, if a folder is named for it.
    pub reviewing: Option<Reviewing>,
    /// The files that are labeled, if a folder is named for them.
    pub runs: Option<Runs>,
    /// The way to the engine.
    pub messages: Sender<Message>,
    /// Open connections.
    pub connections: AtomicUsize,
    /// The OpenAPI document.
    pub document: OnceLock<serde_json::Value>,
    pub(super) model: OnceLock<Model>,
    pub(super) ready: AtomicBool,
    pub(super) draining: AtomicBool,
    pub(super) refusing: AtomicBool,
    pub(super) failed: AtomicBool,
}

/// Names under which clients know the model, besides the name of its file.
const NAMES: [&str; 2] = ["magistrate", "gpt-oss-safeguard-20b"];

/// The model, once it is loaded.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its name, such as `gpt-oss-safeguard-20b`.
    pub name: String,
    /// The digest of its file.
    pub digest: String,
    /// Texts that the engine judges at once.
    pub parallel: usize,
    /// Texts in flight that keep it busy.
    pub window: usize,
    /// Seconds since 1970 when it was loaded.
    pub created: u64,
    /// The only shipped policies that it can judge by. `None` for all.
    pub trained_for: Option<&'static [&'static str]>,
    /// True for a model that shows how magistrate works, and whose verdicts are not meant for use.
    pub is_demonstration: bool,
}

impl Model {
    pub(super) fn of(engine: &Engine) -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self {
            name: engine.model().name.clone(),
            digest: engine.model().digest.clone(),
            parallel: engine.config().parallel,
            window: engine.window(),
            created: now.map_or(0, |time| time.as_secs()),
            trained_for: engine.model().trained_for(),
            is_demonstration: engine.model().demonstration.is_some(),
        }
    }

    /// Reports whether the model can judge by a policy. The built-in model can't judge by a shipped policy that was
    /// not in its training.
    #[must_use]
    pub fn can_judge(&self, policy: &Policy) -> bool {
        self.trained_for
            .is_none_or(|known| known.contains(&policy.id.as_str()) || !PolicyLibrary::shipped().has(policy))
    }

    /// Reports whether a request names the model itself and no policy.
    fn has_name(&self, name: &str) -> bool {
        let bare = ["magistrate/", "openai/"].iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
        let bare = bare.replace(':', "-");
        bare == self.name || NAMES.contains(&bare.as_str())
    }
}

impl State {
    /// Returns the model.
    ///
    /// # Errors
    ///
    /// Status 503 while it is loaded.
    pub fn model(&self) -> Result<&Model, ApiError> {
        self.model.get().ok_or_else(|| ApiError::unavailable("loading", "the model is being loaded", 5))
    }

    /// Reports whether a name in a request is that of the model.
    ///
    /// # Errors
    ///
    /// Status 503 while the model is loaded.
    pub fn is_model(&self, name: &str) -> Result<bool, ApiError> {
        Ok(self.model()?.has_name(name))
    }

    /// Returns the settings that requests begin with.
    #[must_use]
    pub fn defaults(&self) -> JudgeOptions {
        let RunConfig { options, chunking, certificate, .. } = &self.config;
        JudgeOptions { session: options.clone(), chunking: *chunking, certificate: certificate.clone() }
    }

    /// Checks that texts are taken.
    ///
    /// # Errors
    ///
    /// Status 503 while the model is loaded, and once the server drains.
    pub fn takes_requests(&self) -> Result<(), ApiError> {
        self.model()?;
        if self.refusing.load(Ordering::Relaxed) {
            return Err(ApiError::unavailable("draining", "the server is about to end", 1));
        }
        Ok(())
    }

    /// Returns the policy of a server that has one.
    ///
    /// # Errors
    ///
    /// Status 400 if it has several.
    pub fn only_policy(&self) -> Result<Arc<Served>, ApiError> {
        let set = self.policies.now();
        let mut policies = set.iter();
        match (policies.next(), policies.next()) {
            (Some(served), None) => Ok(Arc::clone(served)),
            _ => {
                let message = "the property `policy` is missing; GET /v1/policies lists the names";
                Err(ApiError::invalid("missing", message).of("policy"))
            }
        }
    }

    /// Reports whether the server is about to end.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Reports whether the model is loaded, the first policies are decoded, and the server is not about to end.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.ready.load(Ordering::Relaxed) && !self.is_draining()
    }

    /// Notes that the first policies are decoded.
    pub(super) fn set_ready(&self) {
        self.ready.store(true, Ordering::Relaxed);
    }

    /// Notes that the engine has ended, so that the server ends, too.
    pub(super) fn engine_has_ended(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }

    /// Reports whether the engine has ended.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Begins to drain: `/ready` says no.
    pub(super) fn draining_begins(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Refuses further texts, and stops batches.
    pub(super) fn refuse_texts(&self) {
        self.refusing.store(true, Ordering::Relaxed);
        self.stop_batches();
    }

    /// Stops batches and runs, which go on at the next start.
    pub(super) fn stop_batches(&self) {
        if let Some(batches) = &self.batches {
            batches.stop();
        }
        if let Some(runs) = &self.runs {
            runs.end();
        }
    }

    /// Returns the most texts of one request that are in flight at once.
    #[must_use]
    pub fn window(&self) -> usize {
        self.model.get().map_or(1, |model| model.window).min(self.queue.limit().div_ceil(2)).max(1)
    }

    /// Returns the values of the metrics that are not counted.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        let items = self.queue.items();
        let model = self.model.get();
        let running = items.min(model.map_or(0, |model| model.parallel));
        let llama = crate::engine::llama_version().to_owned();
        let mut info = vec![(
            "magistrate_build_info",
            vec![("version", env!("CARGO_PKG_VERSION").to_owned()), ("llama_cpp", llama)],
        )];
        if let Some(model) = model {
            info.push(("magistrate_model_info", vec![("id", model.name.clone()), ("digest", model.digest.clone())]));
        }
        for served in self.policies.now().iter() {
            let policy = &served.policy;
            let labels = vec![
                ("policy", policy.id.clone()),
                ("version", policy.version.clone()),
                ("digest", served.digest.clone()),
            ];
            info.push(("magistrate_policy_info", labels));
        }
        Gauges {
            queue_items: items - running,
            queue_limit: self.queue.limit(),
            running_items: running,
            info,
            memory: memory(),
            connections: self.connections.load(Ordering::Relaxed),
        }
    }
}

/// Counts a connection for as long as it lives.
pub(super) struct CountedConnection(Arc<State>);

impl CountedConnection {
    pub fn of(state: &Arc<State>) -> Self {
        state.connections.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(state))
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Returns the memory of this process in bytes, on Linux.
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}
