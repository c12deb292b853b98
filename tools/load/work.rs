//! The work of honest clients: one text a request, and the check of its reply.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use magistrate::PolicyLibrary;
use magistrate::prompt::{Templates, policy_text};
use serde_json::{Value, json};

use crate::flags::Flags;
use crate::http::{Reply, Target};
use crate::texts::Texts;

/// The form of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `/v1/check`.
    Check,
    /// `/v1/chat/completions` with a policy as its model.
    Chat,
    /// The same work for llama-server: the policy is the system message, and one token is written.
    LlamaChat,
}

/// Returns the name and the text of a policy: a shipped one, or a file, whose name without its ending is the policy's.
fn named(policy: String) -> Result<(String, String), String> {
    let path = Path::new(&policy);
    if path.exists() {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{policy}: {error}"))?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        return Ok((stem, text));
    }
    let found = PolicyLibrary::shipped().get(&policy).map_err(|error| error.to_string())?;
    let text = policy_text(&Templates::shipped(), found).map_err(|error| error.to_string())?;
    Ok((policy, text))
}

/// A server and the requests for it.
pub struct Work {
    pub target: Target,
    pub route: Route,
    pub policy: String,
    /// The policy as the model reads it.
    system: String,
    pub texts: Texts,
    next: AtomicU64,
}

impl Work {
    /// Takes the options that all commands share.
    pub fn new(flags: &mut Flags) -> Result<Self, String> {
        let url: String = flags.optional("url")?.ok_or("--url is missing")?;
        let timeout = Duration::from_secs(flags.value("timeout", 120)?);
        let target = Target::new(&url, flags.optional("key")?, timeout)?;
        let route = match flags.value("route", "check".to_owned())?.as_str() {
            "check" => Route::Check,
            "chat" => Route::Chat,
            "llama-chat" => Route::LlamaChat,
            other => return Err(format!("'{other}' is no route")),
        };
        let policy = flags.value("policy", "spam".to_owned())?;
        let (policy, system) = named(policy)?;
        let texts = Texts::new(flags.value("seed", 1)?, flags.value("words", 60)?, flags.optional("texts")?)?;
        Ok(Self { target, route, policy, system, texts, next: AtomicU64::new(0) })
    }

    /// Returns the number of the next text.
    pub fn next(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns the bytes of a request with a text of its own.
    pub fn request(&self) -> Vec<u8> {
        let text = self.texts.message(self.next());
        match self.route {
            Route::Check => self.target.post("/v1/check", self.check(&json!({ "text": text })).as_bytes()),
            Route::Chat => {
                let messages = json!([{ "role": "user", "content": text }]);
                let body = json!({ "model": self.policy, "messages": messages, "max_tokens": 1, "logprobs": true });
                self.target.post("/v1/chat/completions", body.to_string().as_bytes())
            }
            Route::LlamaChat => {
                let messages =
                    json!([{ "role": "system", "content": self.system }, { "role": "user", "content": text }]);
                let body = json!({
                    "messages": messages, "max_tokens": 1, "logprobs": true, "temperature": 0, "cache_prompt": true,
                });
                self.target.post("/v1/chat/completions", body.to_string().as_bytes())
            }
        }
    }

    /// Returns a body for `/v1/check` under the policy, without reasoning.
    pub fn check(&self, more: &Value) -> String {
        let mut body = json!({ "policy": self.policy, "effort": "none" });
        if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
            body.extend(more.clone());
        }
        body.to_string()
    }

    /// Reports a reply that is no answer to the request.
    pub fn judge(&self, reply: &Reply) -> Result<(), String> {
        if reply.status != 200 {
            let code = reply.json().ok().and_then(|body| body["error"]["code"].as_str().map(str::to_owned));
            return Err(format!("status {} {}", reply.status, code.unwrap_or_default()).trim_end().to_owned());
        }
        let body = reply.json()?;
        let is_answer = match self.route {
            // A model with random weights leaves most texts unresolved, which costs as much.
            Route::Check => body["probability"].is_number() || body["status"] == "unresolved",
            Route::Chat => body["choices"][0]["logprobs"]["content"][0]["logprob"].is_number(),
            // If the one token ends the reply, llama-server gives it no logarithm.
            Route::LlamaChat => body["usage"]["completion_tokens"] == 1 && body["choices"][0].is_object(),
        };
        if is_answer { Ok(()) } else { Err("status 200 without an answer".to_owned()) }
    }
}
