//! The settings of a request in a batch: everything in its body but the text. All requests of a batch share them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::label::records::{CHAT, CHECK, MODERATIONS};
use crate::policy::{Effort, Verdict};
use crate::serve::api_error::ApiError;
use crate::serve::asked::{AskedOptions, AskedPolicy};
use crate::serve::judging::Question;
use crate::serve::policies::Served;
use crate::serve::routes::moderations::{self, Settings};
use crate::serve::state::State;

/// The endpoints whose requests can be in a batch.
pub const ENDPOINTS: [&str; 3] = [CHAT, MODERATIONS, CHECK];

/// Properties that contain the text.
const TEXTS: [&str; 6] = ["messages", "input", "text", "context", "answer", "id"];
/// Properties that no verdict depends on.
const NEUTRAL: [&str; 8] =
    ["user", "safety_identifier", "metadata", "store", "prompt_cache_key", "service_tier", "stream", "stream_options"];

/// Returns the settings in the body of a request. `None` if it is no object.
#[must_use]
pub fn of_body(body: &str) -> Option<Map<String, Value>> {
    let mut body: Map<String, Value> = serde_json::from_str(body).ok()?;
    body.retain(|name, _| !TEXTS.contains(&name.as_str()) && !NEUTRAL.contains(&name.as_str()));
    Some(body)
}

/// The settings of a moderation.
#[derive(Deserialize)]
struct AskedModeration {
    model: Option<String>,
    #[serde(default)]
    magistrate: Settings,
}

/// The settings of a chat.
#[derive(Deserialize)]
struct AskedChat {
    model: Option<String>,
    reasoning_effort: Option<Effort>,
    #[serde(default)]
    magistrate: Extras,
}

/// Our own settings of a chat.
#[derive(Default, Deserialize)]
struct Extras {
    policy: Option<AskedPolicy>,
    labels: Option<BTreeMap<String, Verdict>>,
    #[serde(flatten)]
    options: AskedOptions,
}

/// The settings of a check.
#[derive(Deserialize)]
struct AskedCheck {
    policy: Option<AskedPolicy>,
    #[serde(flatten)]
    options: AskedOptions,
}

/// Returns the question that a batch asks about each text. `named` are the full names of its policies, once they are known:
/// the same policies are then found again, although their files may have changed.
///
/// # Errors
///
/// Status 400 or 404 for settings that cannot be used.
pub fn question(
    state: &State,
    endpoint: &str,
    head: &Map<String, Value>,
    metadata: Option<&BTreeMap<String, String>>,
    named: &[String],
) -> Result<Question, ApiError> {
    let wrong = |_| ApiError::invalid("invalid_value", "a setting of the first request has the wrong type").of("body");
    let of_batch = metadata.and_then(|metadata| metadata.get("policy"));
    let of_batch = of_batch.map(|names| AskedPolicy::Names(names.split(',').map(|name| name.trim().into()).collect()));
    let value = Value::Object(head.clone());
    if endpoint == MODERATIONS {
        let AskedModeration { model, magistrate } = serde_json::from_value(value).map_err(wrong)?;
        let model = metadata.and_then(|metadata| metadata.get("policy")).cloned().or(model);
        let effort = effort(metadata)?.or(magistrate.effort);
        let question = moderations::question(state, model.as_deref(), Settings { effort, ..magistrate })?;
        return Ok(Question { policies: same(state, question.policies, named)?, ..question });
    }
    let (policies, mut options) = if endpoint == CHECK {
        let AskedCheck { policy, options } = serde_json::from_value(value).map_err(wrong)?;
        let policies = match of_batch.or(policy) {
            Some(policy) => policy.find(state)?,
            None => vec![state.only_policy()?],
        };
        (policies, options)
    } else {
        let AskedChat { model, reasoning_effort, magistrate } = serde_json::from_value(value).map_err(wrong)?;
        let Extras { policy, labels, mut options } = magistrate;
        if labels.is_some() {
            let message = "a batch has a policy of the server; labels belong to a policy of one request";
            return Err(ApiError::invalid("unsupported_parameter", message).of("magistrate.labels"));
        }
        options.effort = options.effort.or(reasoning_effort);
        let policies = match (of_batch.or(policy), model) {
            (Some(policy), _) => policy.find(state)?,
            (None, Some(model)) => vec![state.policies.now().find(&model).map_err(|error| error.of("model"))?],
            (None, None) => vec![state.only_policy()?],
        };
        (policies, options)
    };
    options.effort = effort(metadata)?.or(options.effort);
    options.question(state, same(state, policies, named)?)
}

/// Returns the effort that the notes of a batch name.
fn effort(metadata: Option<&BTreeMap<String, String>>) -> Result<Option<Effort>, ApiError> {
    let effort = metadata.and_then(|metadata| metadata.get("effort")).map(|effort| effort.parse());
    effort.transpose().map_err(|_| ApiError::invalid("invalid_value", "no such effort").of("metadata.effort"))
}

/// Returns the policies of these full names in place of those of now, where they are known.
fn same(state: &State, now: Vec<Arc<Served>>, named: &[String]) -> Result<Vec<Arc<Served>>, ApiError> {
    if named.is_empty() {
        return Ok(now);
    }
    let set = state.policies.now();
    let found = named.iter().map(|name| set.find(name)).collect::<Result<_, _>>();
    found.map_err(|_| ApiError::invalid("policy_changed", "a policy of the batch has changed since it was made"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_all_but_the_text_and_what_no_verdict_depends_on() {
        let head = |body: &str| of_body(body).map(|head| Value::Object(head).to_string());
        let one = head(r#"{"model":"spam","messages":[{"role":"user","content":"a"}],"user":"u1"}"#);
        assert_eq!(one.as_deref(), Some(r#"{"model":"spam"}"#));
        assert_eq!(head(r#"{"messages":[],"store":true,"model":"spam"}"#), one);
        assert_ne!(head(r#"{"messages":[],"model":"spam","reasoning_effort":"low"}"#), one);
        assert_eq!(head("7"), None);
    }
}
