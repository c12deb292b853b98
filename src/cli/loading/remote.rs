//! The connection of a run to a server that computes instead of this machine.

use std::path::Path;
use std::sync::{Arc, Once};

use magistrate::engine::remote::{Connection, Level, RemoteError, RemoteOptions};
use magistrate::engine::{EngineError, SessionOptions};
use magistrate::gguf;
use magistrate::label::config::RunConfig;

use crate::cli::terminal::{output, progress};

/// Connects to a server, and refuses one whose level is too low for the settings of the run.
pub fn connect(config: &RunConfig, options: &RemoteOptions) -> Result<Connection, anyhow::Error> {
    let file = &config.load_options.base.model;
    let tokenizer = Arc::new(gguf::tokenizer(file)?);
    let connection = progress::waiting("asking the server", || Connection::open(options, tokenizer, &name(file)));
    let connection = connection.map_err(EngineError::Remote)?;
    allows(config, connection.server().level).map_err(EngineError::Remote)?;
    Ok(connection)
}

/// Says once that texts are sent to a server.
pub fn announce(connection: &Connection, options: &RemoteOptions) {
    static SAID: Once = Once::new();
    let server = connection.server();
    let (name, level, parallel) = (server.name(), server.level, server.parallel);
    let name = name.trim_start_matches("remote:");
    SAID.call_once(|| {
        output::note(&format!("texts are sent to {}: {name}, at the level {level}, {parallel} at once", options.url));
    });
}

/// Refuses settings that need more than a level gives.
fn allows(config: &RunConfig, level: Level) -> Result<(), RemoteError> {
    let SessionOptions { sure, cascade, trace, rule, .. } = &config.options;
    let inside =
        [("an early end of the reasoning", sure.is_some()), ("a ladder", *trace), ("a cascade", cascade.is_some())];
    let certified = config.certificate.is_some() || config.stop_certificate.is_some();
    let numbers = [("a threshold", rule.threshold.is_some()), ("a certificate", certified)];
    let inside = inside.into_iter().filter(|_| level < Level::Exact);
    let numbers = numbers.into_iter().filter(|_| level < Level::Logprobs);
    match inside.chain(numbers).find(|(_, given)| *given) {
        Some((what, _)) => Err(RemoteError::Unsupported { what, level }),
        None => Ok(()),
    }
}

/// Returns the name of a vocabulary's file for messages.
fn name(file: &Path) -> String {
    file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned()
}
