//! A connection: the program, the model and the level of a server are found out before anything is judged.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::chat::dialect::Dialect;
use super::client::Client;
use super::error::RemoteError;
use super::exact::Exact;
use super::exact::llama_server::LlamaServer;
use super::exact::sglang::Sglang;
use super::exact::vllm::Vllm;
use super::guard::{self, Guard};
use super::server::{Kind, Level, RemoteOptions, RemoteServer};
use crate::engine::config::EngineConfig;
use crate::gguf::{ModelFile, Opened};
use crate::harmony::Control;
use crate::text::hex;
use crate::tokenizer::Tokenizer;

/// The context of gpt-oss in tokens, for a server that does not report its own.
const CONTEXT: usize = 131_072;

/// Contents in flight by default, for a server that forms its own batches.
const MANY: usize = 64;

/// Contents in flight by default, for an unknown server.
const FEW: usize = 8;

/// The text by which vocabularies are compared.
const SAMPLE: &str = "The quick brown fox, 1234 times: déjà vu? größer & 日本語 — don't {\"violation\":1}\n\tstop.";

/// A server whose program, model and level are known.
#[derive(Debug)]
pub struct Connection {
    pub(super) client: Client,
    pub(super) server: RemoteServer,
    pub(super) tokenizer: Arc<Tokenizer>,
    pub(super) guard: Guard,
    /// The parts of a chat request that the server takes.
    pub(super) chat: Dialect,
}

#[derive(Deserialize)]
struct Models {
    data: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
    max_model_len: Option<usize>,
}

/// The description that a program gives of itself.
struct Program {
    kind: Kind,
    version: String,
    context: Option<usize>,
    parallel: usize,
}

impl Connection {
    /// Connects to a server, and checks that it can be used. `vocabulary` names the origin of the tokenizer in an error.
    ///
    /// # Errors
    ///
    /// A [`RemoteError`].
    pub fn open(options: &RemoteOptions, tokenizer: Arc<Tokenizer>, vocabulary: &str) -> Result<Self, RemoteError> {
        let client = Client::new(options)?;
        let program = program(&client)?;
        let model = model(&client, options, program.kind)?;
        let best = if program.kind == Kind::Openai { Level::Logprobs } else { Level::Exact };
        let level = options.level.unwrap_or(best);
        if level > best {
            return Err(RemoteError::Level { kind: program.kind, level });
        }
        let server = RemoteServer {
            kind: program.kind,
            version: program.version,
            context: model.max_model_len.or(program.context).unwrap_or(CONTEXT),
            model: model.id,
            level,
            canary: Vec::new(),
            parallel: options.parallel.unwrap_or(program.parallel).max(1),
        };
        let guard = Guard::new(Vec::new(), 0);
        let mut connection = Self { client, server, tokenizer, guard, chat: Dialect::default() };
        match level {
            Level::Exact => connection.check_exact(vocabulary)?,
            Level::Logprobs | Level::Chat => connection.check_chat(options.level)?,
        }
        Ok(connection)
    }

    /// Returns the description of the server.
    #[must_use]
    pub fn server(&self) -> &RemoteServer {
        &self.server
    }

    /// Returns the server's model as rows and journals list it, with the tokenizer for it.
    #[must_use]
    pub fn model(&self) -> Opened {
        let RemoteServer { kind, version, model, level, context, .. } = &self.server;
        // The weights are unknown, so this identifies only the server's own description of them.
        let identity = format!("{kind}\n{version}\n{model}\n{level}\n{}", self.tokenizer.len());
        let digest = format!("remote-{level}:{}", hex(&Sha256::digest(identity)[..16]));
        let context = u32::try_from(*context).unwrap_or(u32::MAX);
        let file = ModelFile::elsewhere(self.server.name(), digest, context);
        Opened { file: Arc::new(file), tokenizer: Arc::clone(&self.tokenizer) }
    }

    /// Returns the settings of an engine on this server.
    #[must_use]
    pub fn config(&self) -> EngineConfig {
        EngineConfig::new("").with_parallel(self.server.parallel).with_remote(Some(self.server.clone()))
    }

    /// Returns the server at the level exact. `None` at another level.
    pub(super) fn exact(&self) -> Option<Box<dyn Exact + '_>> {
        let client = &self.client;
        if self.server.level != Level::Exact {
            return None;
        }
        Some(match self.server.kind {
            Kind::Vllm => Box::new(Vllm { client, model: self.server.model.clone() }),
            Kind::Sglang => Box::new(Sglang { client }),
            Kind::LlamaServer => Box::new(LlamaServer { client, end: self.tokenizer.control(Control::End) }),
            Kind::Openai => return None,
        })
    }

    /// Checks that the server has our vocabulary and gives raw log-probabilities, and asks for its canary.
    fn check_exact(&mut self, vocabulary: &str) -> Result<(), RemoteError> {
        let canary = {
            let Some(server) = self.exact() else { return Ok(()) };
            let other = || RemoteError::Vocabulary { at_hand: vocabulary.to_owned() };
            let controls: String =
                [Control::Start, Control::Channel, Control::Message, Control::End].map(Control::name).concat();
            let ours = self.tokenizer.encode(SAMPLE).into_iter().chain(
                [Control::Start, Control::Channel, Control::Message, Control::End]
                    .map(|control| self.tokenizer.control(control)),
            );
            let theirs = server.tokenize(&format!("{SAMPLE}{controls}"))?;
            if theirs.is_some_and(|theirs| !ours.map(|token| token.0).eq(theirs)) {
                return Err(other());
            }
            server.check(&self.tokenizer)?;
            guard::canary(&*server, &self.tokenizer)?
        };
        self.guard = Guard::new(canary.clone(), self.client.failures());
        self.server.canary = canary;
        Ok(())
    }

    /// Checks that the chat template keeps the policy, and finds out whether log-probabilities are given.
    fn check_chat(&mut self, asked: Option<Level>) -> Result<(), RemoteError> {
        self.chat = Dialect::find(&self.client, &self.server.model, self.server.level)?;
        if !self.chat.logprobs {
            if asked == Some(Level::Logprobs) {
                return Err(RemoteError::Level { kind: self.server.kind, level: Level::Logprobs });
            }
            self.server.level = Level::Chat;
        }
        Ok(())
    }
}

/// Finds out which program answers.
fn program(client: &Client) -> Result<Program, RemoteError> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let number = |value: &Value| value.as_u64().and_then(|number| usize::try_from(number).ok());
    if let Some(props) = client.get::<Value>("/props")?
        && props.get("total_slots").is_some()
    {
        let version = text(&props["build_info"]);
        let context = number(&props["default_generation_settings"]["n_ctx"]);
        let parallel = number(&props["total_slots"]).unwrap_or(1);
        return Ok(Program { kind: Kind::LlamaServer, version, context, parallel });
    }
    // `SGLang` has a route `/version`, too, in some versions.
    for path in ["/server_info", "/get_server_info"] {
        if let Some(info) = client.get::<Value>(path)?
            && info.get("model_path").is_some()
        {
            let context = number(&info["context_length"]).or_else(|| number(&info["max_total_num_tokens"]));
            return Ok(Program { kind: Kind::Sglang, version: text(&info["version"]), context, parallel: MANY });
        }
    }
    match client.get::<Value>("/version")? {
        Some(version) if version["version"].is_string() => {
            Ok(Program { kind: Kind::Vllm, version: text(&version["version"]), context: None, parallel: MANY })
        }
        _ => Ok(Program { kind: Kind::Openai, version: String::new(), context: None, parallel: FEW }),
    }
}

/// Chooses the model: the named one, or the only one.
fn model(client: &Client, options: &RemoteOptions, kind: Kind) -> Result<Model, RemoteError> {
    let listed = client.get::<Models>("/v1/models")?;
    let mut models = listed.map_or_else(Vec::new, |listed| listed.data);
    let names: Vec<String> = models.iter().map(|model| model.id.clone()).collect();
    match &options.model {
        Some(name) => match models.iter().position(|model| model.id == *name) {
            Some(place) => Ok(models.swap_remove(place)),
            // A server that lists nothing may have it.
            None if models.is_empty() => Ok(Model { id: name.clone(), max_model_len: None }),
            None => Err(RemoteError::NoModel { name: name.clone(), models: names }),
        },
        None if models.len() == 1 => Ok(models.swap_remove(0)),
        None if models.is_empty() && kind == Kind::Sglang => {
            Ok(Model { id: "default".to_owned(), max_model_len: None })
        }
        None => Err(RemoteError::Models { models: names }),
    }
}
