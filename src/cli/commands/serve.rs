//! `serve`: policies over HTTP, for programs that can be pointed at an address.

mod flags;
mod health;
mod origins;
mod review;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use magistrate::policy::Policy;
use magistrate::serve::audit::Audit;
use magistrate::serve::batches::Batches;
use magistrate::serve::hooks::Hooks;
use magistrate::serve::hosts::{Hosts, LOOPBACK};
use magistrate::serve::keys::Keys;
use magistrate::serve::listen::Address;
use magistrate::serve::runs::Runs;
use magistrate::serve::workspace::Workspace;
use magistrate::serve::{Event, Limits, ServeError, Server, ServerConfig};

use self::flags::ServeArgs;
use crate::cli::args::judging::JudgingArgs;
use crate::cli::args::policy::PolicyArgs;
use crate::cli::terminal::error::{bail_hint, ensure_hint, hinted, in_file};
use crate::cli::terminal::{exit, output, stop};
use crate::cli::{devices, fitting, loading};

#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    policy: PolicyArgs,

    #[command(flatten)]
    listening: ServeArgs,

    #[command(flatten)]
    judging: JudgingArgs,
}

/// The variable with a key.
const KEY: &str = "MAGISTRATE_API_KEY";

/// The most policies that a model's memory is planned for. Others make room for one another.
const MOST_PLANNED: usize = 8;

impl Serve {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let Self { mut policy, listening: serve, judging } = self;
        if let Some(name) = &serve.new_key {
            return flags::new_key(name);
        }
        if serve.health {
            return Ok(health::ask(&serve.listen, &serve.listen_shown()));
        }
        if judging.lists_devices() {
            return devices::list();
        }
        let keys = keys(serve.keys.as_deref())?;
        let hosts = hosts(&serve, &keys)?;
        let is_named = !policy.is_empty();
        let (origins, named) = origins::read(&mut policy)?;
        let review = serve.review.read()?;
        let planned = planned(&named, &review.shadows);
        let config = judging.resolve(&planned)?;
        let audit = serve.audit.as_deref().map_or_else(|| Ok(Audit::default()), audit)?;
        let batches = serve.batches.as_deref().map(batches).transpose()?;
        let workspace = serve.workspace.as_deref().map(workspace).transpose()?;
        let runs = serve.workspace.as_deref().map(runs).transpose()?;
        let server = Server::new(ServerConfig {
            config: config.clone(),
            moderation: serve.moderation.clone(),
            first: if is_named { named.iter().map(|policy| policy.id.clone()).collect() } else { Vec::new() },
            limits: serve.limits(),
            origins,
            keys,
            hosts,
            audit,
            hooks: hooks(&serve.hooks)?,
            batches,
            workspace,
            review: review.open()?,
            runs,
        })
        .map_err(anyhow::Error::msg)?;
        let plan = loading::plan_for(&config, &planned, fitting::SEVERAL)?;
        let bound = serve.listen.bind().with_context(|| format!("{} cannot be listened on", serve.listen_shown()));
        let bound = bound.map_err(|error| hinted(error, "--listen names another address, such as 127.0.0.1:8788"))?;
        // The first signal ends the server in order, the second at once.
        let stop = stop::quietly()?;
        output::message(&format!("listening on {}", bound.shown()));
        let ended = server.run(bound, || loading::load_planned(&config, plan), &stop, &report);
        match ended {
            Ok(()) => Ok(ExitCode::from(exit::DONE)),
            Err(ServeError::Load(error)) => Err(error),
            Err(error) => Err(anyhow::Error::msg(error.to_string())),
        }
    }
}

/// Prints an event on stderr.
fn report(event: Event) {
    match event {
        Event::Ready => output::message("ready"),
        Event::Reloaded(place) => output::message(&format!("{place}: read again")),
        Event::NotReloaded(place, error) => {
            output::message(&format!("warning: {place}: {error}\nthe old policies stay in place"));
        }
        Event::NotReviewed(error) => {
            output::message(&format!("warning: texts are missing in the review queue: {error}"));
        }
        Event::CutOff(0) => {}
        Event::CutOff(count) => output::message(&format!("{count} connections were cut off")),
    }
}

/// Returns the policies that the model's memory is planned for.
fn planned(named: &[Policy], shadows: &[Policy]) -> Vec<Policy> {
    let shadows = shadows.iter().filter(|_| !named.is_empty());
    named.iter().take(MOST_PLANNED).chain(shadows).take(MOST_PLANNED + 1).cloned().collect()
}

/// Returns the keys of a file and of the variable.
fn keys(file: Option<&Path>) -> anyhow::Result<Keys> {
    let mut keys = match file {
        None => Keys::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
            let keys = Keys::read(&text).map_err(|error| {
                hinted(in_file(path.display(), error), "magistrate serve --new-key NAME prints a key and its line")
            })?;
            ensure_hint!(
                !keys.is_empty(),
                ("{} has no key", path.display()),
                "magistrate serve --new-key NAME prints a key and its line"
            );
            keys
        }
    };
    if let Some(key) = std::env::var(KEY).ok().filter(|key| !key.is_empty()) {
        ensure_hint!(
            key.len() >= 16,
            ("the key in {} is too short: at least 16 characters", KEY),
            "magistrate serve --new-key NAME prints one"
        );
        keys.add("default", &key);
    }
    Ok(keys)
}

/// Returns the hosts and sites that are answered. Refuses an address that others reach without a key.
fn hosts(serve: &ServeArgs, keys: &Keys) -> anyhow::Result<Hosts> {
    let is_local = serve.listen.is_local();
    if !is_local && keys.is_empty() && !serve.insecure {
        bail_hint!(
            ("{} can be reached by other machines, and no key is set", serve.listen_shown()),
            "--keys FILE or the variable MAGISTRATE_API_KEY sets keys; --insecure serves without one"
        );
    }
    let any = matches!(serve.listen, Address::Unix(_)) || (!is_local && !keys.is_empty() && serve.hosts.is_empty());
    let own = LOOPBACK.iter().map(|name| (*name).to_owned());
    let bound = match &serve.listen {
        Address::Tcp(address) => Some(address.ip().to_string()),
        Address::Unix(_) => None,
    };
    let names = own.chain(bound).chain(serve.hosts.iter().cloned()).collect();
    Ok(Hosts { names: (!any).then_some(names), origins: serve.cors.clone() })
}

fn audit(path: &Path) -> anyhow::Result<Audit> {
    Audit::open(path).with_context(|| format!("{} cannot be written", path.display()))
}

/// Reads the hooks that the flag names.
fn hooks(names: &[String]) -> anyhow::Result<Hooks> {
    let names_of_all = Hooks::presets().collect::<Vec<_>>().join(", ");
    Hooks::read(names).map_err(|error| {
        hinted(
            anyhow::Error::msg(error),
            format!("the shipped hooks are {names_of_all}; any other is a file, such as ./desk.yaml"),
        )
    })
}

fn batches(folder: &Path) -> anyhow::Result<Batches> {
    Batches::open(folder).with_context(|| format!("{} cannot keep batches", folder.display()))
}

fn workspace(folder: &Path) -> anyhow::Result<Workspace> {
    Workspace::open(folder).with_context(|| format!("{} cannot be the workspace", folder.display()))
}

/// Opens the runs in a workspace.
fn runs(workspace: &Path) -> anyhow::Result<Runs> {
    let folder = workspace.join("runs");
    Runs::open(&folder).with_context(|| format!("{} cannot keep runs", folder.display()))
}

impl ServeArgs {
    fn limits(&self) -> Limits {
        Limits {
            max_body: self.max_body,
            max_upload: self.max_upload,
            max_texts: self.max_texts,
            queue: self.queue,
            connections: self.max_connections,
            request_timeout: Duration::from_secs(self.request_timeout),
            body_timeout: Duration::from_secs(30),
            drain: Duration::from_secs(self.drain),
            drain_delay: Duration::from_secs(self.drain_delay),
        }
    }
}
