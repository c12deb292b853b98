//! `doctor --remote`: the program and the level of a server, and its verdicts beside those of this machine.

use magistrate::engine::remote::{Level, RemoteOptions, RemoteServer};
use magistrate::label::config::RunConfig;

use super::canary;
use super::finding::Finding;
use crate::cli::loading;

const REMEDY: &str = "check the address, and that the server has loaded its model";

/// Asks a server, and judges the canary set there.
pub fn look(there: &RunConfig, options: &RemoteOptions, canary: Canary<'_>) -> Vec<Finding> {
    let server = match loading::connect(there, options) {
        Ok(connection) => connection.server().clone(),
        Err(error) => return vec![Finding::of("server", &error, REMEDY)],
    };
    let mut findings = vec![described(&server)];
    let look =
        |looked: Result<Finding, anyhow::Error>| looked.unwrap_or_else(|error| Finding::of("canary", &error, REMEDY));
    if let Canary::Compare { record, .. } = canary {
        findings.push(look(canary::look(there, record)));
    }
    if let Canary::Compare { here: Some(here), .. } = canary {
        findings.push(look(canary::beside(there, here)));
    }
    findings
}

/// The use of the canary set.
#[derive(Clone, Copy)]
pub enum Canary<'run> {
    Skip,
    /// Compares with the record, which is made anew with `record`, and with the model of this machine, if one is named.
    Compare {
        record: bool,
        here: Option<&'run RunConfig>,
    },
}

fn described(server: &RemoteServer) -> Finding {
    let RemoteServer { level, context, parallel, .. } = server;
    let name = server.name();
    let found =
        format!("{}: level {level}, {context} tokens of context, {parallel} texts at once", &name["remote:".len()..]);
    match level {
        Level::Exact => Finding::ok("server", found),
        Level::Logprobs => Finding::note(
            "server",
            found,
            "probabilities are approximate; vLLM, SGLang and llama-server give exact ones",
        ),
        Level::Chat => {
            Finding::note("server", found, "verdicts have no probability; vLLM, SGLang and llama-server give one")
        }
    }
}
