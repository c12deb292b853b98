//! `model pull`: fetches a model from the net.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;
use magistrate::gguf::{self, Problem};
use magistrate::models::fetch::Client;
use magistrate::models::pull::{Hosts, Origin, Puller, check};
use magistrate::models::stores::{Places, named, spelled_out};

use crate::cli::models::places;
use crate::cli::terminal::error::bail_hint;
use crate::cli::terminal::{exit, output, progress};

#[derive(Debug, Args)]
pub struct Pull {
    /// Source: 20b, 120b, hf:ORG/REPO[:FILE or quantization], docker:ai/NAME[:TAG], ollama:NAME[:TAG] or https://...
    #[arg(value_name = "SOURCE")]
    source: String,

    /// Expected sha256 of the file, also of one that is on this machine already. Registries provide their own
    #[arg(long, value_name = "DIGEST", value_parser = digest)]
    sha256: Option<String>,

    /// Use no network: an error, unless the model is on this machine already
    #[arg(long)]
    offline: bool,

    /// Server of Hugging Face, such as a mirror [default: huggingface.co]
    #[arg(long, value_name = "URL")]
    hf_endpoint: Option<String>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Parses a sha256, and returns it in lower case.
fn digest(text: &str) -> Result<String, String> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    if digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(digits.to_ascii_lowercase())
    } else {
        Err("not 64 hexadecimal digits".to_owned())
    }
}

/// The longest that a stalled server is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

impl Pull {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        let origin = Origin::parse(&self.source)?;
        let places = places();
        if self.offline {
            let (found, name) = (places.find(), spelled_out(&self.source));
            let Some(model) = named(&found, name).ok().flatten() else {
                bail_hint!(
                    "--offline: {name} is not here, and nothing is fetched",
                    "`magistrate model list` lists the models of this machine"
                );
            };
            if let Some(wanted) = &self.sha256 {
                check(&model.path, wanted, &mut |_, _, _| ())?;
            }
            output::path(&model.path, self.json)?;
            return Ok(ExitCode::from(exit::DONE));
        }
        let hosts = hosts(&places, self.hf_endpoint.as_deref());
        let template = "{msg} {wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
        let bar = progress::styled(ProgressBar::no_length(), template);
        let puller = Puller { client: Client::new(PATIENCE)?, hosts };
        let path = puller.pull(&origin, self.sha256.as_deref(), &mut |what, done, all| {
            let what = output::harmless(what);
            // Each file of a model has its own rate.
            if bar.message() != what {
                bar.set_message(what);
                bar.reset_eta();
            }
            bar.set_length(all.unwrap_or(done));
            bar.set_position(done);
        });
        // The bar is cleared before an error is printed.
        bar.finish_and_clear();
        let path = path?;
        match gguf::inspect(&path) {
            Err(error) if matches!(*error.problem, Problem::Ollama) => {
                output::message("note: it was made for Ollama's own engine");
                output::hint(&format!("magistrate model convert {} -o safeguard.gguf", path.display()));
            }
            Err(error) => output::message(&format!("note: {error}")),
            Ok(_) => output::summary(&format!(
                "magistrate warm -p POLICY -m {} reads a policy ahead, so that its first check begins at once",
                path.display()
            )),
        }
        output::path(&path, self.json)?;
        Ok(ExitCode::from(exit::DONE))
    }
}

/// Returns the value of a variable that is set.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns the servers and folders, as flags and variables set them.
fn hosts(places: &Places, hub: Option<&str>) -> Hosts {
    let hub = hub.unwrap_or("https://huggingface.co");
    Hosts {
        hub: hub.trim_end_matches('/').to_owned(),
        docker_tokens: "https://auth.docker.io".to_owned(),
        docker: "https://registry-1.docker.io".to_owned(),
        ollama: "https://registry.ollama.ai".to_owned(),
        hub_cache: places.hub(),
        folder: places.own(),
        token: variable("HF_TOKEN").or_else(|| {
            let file = places.hub().parent()?.join("token");
            std::fs::read_to_string(file).ok().map(|token| token.trim().to_owned()).filter(|token| !token.is_empty())
        }),
    }
}
