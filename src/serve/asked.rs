//! The settings and the policies that a request asks for, as JSON has them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::api_error::ApiError;
use super::judges::JudgeOptions;
use super::judging::{Question, Text};
use super::policies::Served;
use super::state::State;
use crate::content::Content;
use crate::engine::Band;
use crate::label::judge::Chunking;
use crate::label::records::dialogue;
use crate::label::row::RowFields;
use crate::policy::{Effort, Notation, Policy, PolicySource, Verdict};
use crate::verdict::ladder::DEFAULT_SURE;

/// The settings that a request may set. Each replaces the server's own.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AskedOptions {
    /// How much the model reasons before it answers. With `auto` it reasons as the policy asks, until the verdict is sure.
    pub effort: Option<AskedEffort>,
    /// The probability of a verdict from which on the reasoning ends. With `auto` 0.98.
    #[schemars(range(min = 0.5, max = 1.0))]
    pub sure: Option<f64>,
    /// The most tokens of reasoning.
    pub budget: Option<usize>,
    /// The lowest probability that counts as a violation.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub threshold: Option<f64>,
    /// The lowest probability of all allowed answers together.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_mass: Option<f64>,
    /// The band of probabilities, low and high, that leads to reasoning after an answer without it.
    pub cascade: Option<[f64; 2]>,
    /// Texts longer than this many tokens are judged in overlapping pieces.
    pub chunk: Option<usize>,
    /// The most tokens of a text.
    pub max_content_tokens: Option<usize>,
    /// The temperature of reasoning and rationale.
    pub temperature: Option<f32>,
    /// The seed of a temperature.
    pub seed: Option<u64>,
    /// The date in the prompt.
    pub date: Option<String>,
    /// `phased` scores the answers; `free` lets the model write everything, for comparison.
    pub decode: Option<Decode>,
    /// Returns the model's raw reasoning. For developers: it may be wrong, or as harmful as the text.
    pub reasoning: bool,
    /// The fields of a row to return, such as `verdict` and `probability`. All if absent.
    pub fields: Option<Vec<String>>,
    /// False leaves out the certificate that the server was started with.
    pub certificate: Option<bool>,
    /// The longest time for the request, in milliseconds.
    pub deadline_ms: Option<u64>,
}

/// An effort in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AskedEffort {
    /// The policy's effort, until the verdict is sure.
    Auto,
    /// This effort.
    #[serde(untagged)]
    Of(Effort),
}

impl From<Effort> for AskedEffort {
    fn from(effort: Effort) -> Self {
        Self::Of(effort)
    }
}

/// A way of decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Decode {
    /// Headers are fixed and answers are scored.
    Phased,
    /// The model writes everything.
    Free,
}

/// The policies of a request.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AskedPolicy {
    /// The name of a policy: `ID`, `ID@VERSION` or `ID@sha256:DIGITS`.
    Name(String),
    /// The names of several.
    Names(Vec<String>),
    /// The YAML of a policy.
    Yaml {
        /// The YAML.
        yaml: String,
    },
    /// The instructions of a policy as a text.
    Markdown {
        /// The text.
        markdown: String,
        /// The verdict that each of its answers means, if the text does not say so clearly.
        labels: Option<BTreeMap<String, Verdict>>,
    },
}

/// A turn of a conversation before the text.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct Turn {
    /// Who speaks, such as `user` or `assistant`.
    pub role: String,
    /// The words.
    pub text: String,
}

/// A text, with what it belongs to.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct Parts {
    /// An id that the row repeats: a string or a number.
    #[serde(default)]
    pub id: Value,
    /// The text.
    pub text: String,
    /// The turns before it, the oldest first.
    #[serde(default)]
    pub context: Vec<Turn>,
    /// The answer of a model to the text, judged together with it.
    #[serde(default)]
    pub answer: Option<String>,
}

impl Parts {
    /// Returns the text to judge. Turns stand under their roles, as in a conversation that `label` reads.
    ///
    /// # Errors
    ///
    /// Status 400 for a role that is no word.
    pub fn text(self) -> Result<Text, ApiError> {
        let Self { text, context, answer, .. } = self;
        if context.is_empty() && answer.is_none() {
            return Ok(Content::of(text).map_err(Into::into));
        }
        context.iter().try_for_each(|turn| check_role(&turn.role)).map_err(|error| error.of("context"))?;
        let is_empty = text.trim().is_empty() && answer.as_ref().is_none_or(|answer| answer.trim().is_empty());
        if is_empty {
            return Ok(Content::of(text).map_err(Into::into));
        }
        let mut turns: Vec<(&str, String)> =
            context.iter().map(|turn| (turn.role.as_str(), turn.text.clone())).collect();
        turns.push(("user", text));
        turns.extend(answer.map(|answer| ("assistant", answer)));
        Ok(Content::of(dialogue(turns)).map_err(Into::into))
    }
}

/// Checks that the role of a turn is a word.
///
/// # Errors
///
/// Status 400.
pub fn check_role(role: &str) -> Result<(), ApiError> {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if (1..=32).contains(&role.len()) && role.bytes().all(is_letter) {
        return Ok(());
    }
    let message = "a role is a word of letters, digits, hyphens and underscores, 32 at most";
    Err(ApiError::invalid("invalid_value", message))
}

impl AskedPolicy {
    /// Returns the policies.
    ///
    /// # Errors
    ///
    /// Status 404 for an unknown name, 400 for a policy that cannot be read.
    pub fn find(self, state: &State) -> Result<Vec<Arc<Served>>, ApiError> {
        let set = state.policies.now();
        match self {
            Self::Name(name) => Ok(vec![set.find(&name).map_err(|error| error.of("policy"))?]),
            Self::Names(names) if names.is_empty() => {
                Err(ApiError::invalid("missing", "no policy is named").of("policy"))
            }
            Self::Names(names) => {
                let mut found: Vec<Arc<Served>> = Vec::with_capacity(names.len());
                for name in names {
                    let served = set.find(&name).map_err(|error| error.of("policy"))?;
                    if found.iter().any(|other| other.policy.id == served.policy.id) {
                        let message = format!("the policy `{}` is named twice", served.policy.id);
                        return Err(ApiError::invalid("invalid_value", message).of("policy"));
                    }
                    found.push(served);
                }
                Ok(found)
            }
            Self::Yaml { yaml } => ad_hoc(&yaml, Notation::Yaml, None),
            Self::Markdown { markdown, labels } => ad_hoc(&markdown, Notation::Plain, labels),
        }
    }
}

/// Reads a policy of a request.
fn ad_hoc(
    text: &str,
    notation: Notation,
    labels: Option<BTreeMap<String, Verdict>>,
) -> Result<Vec<Arc<Served>>, ApiError> {
    let policy = read(text, notation, labels)?;
    Ok(vec![Arc::new(Served::ad_hoc(policy))])
}

/// Reads the text of a policy.
///
/// # Errors
///
/// Status 400, with the lines that are wrong.
pub fn read(text: &str, notation: Notation, labels: Option<BTreeMap<String, Verdict>>) -> Result<Policy, ApiError> {
    let labels =
        labels.map(|labels| labels.into_iter().map(|(text, verdict)| crate::policy::Label { text, verdict }).collect());
    let source = PolicySource::of_text("policy", text, notation);
    source.parse(labels).map_err(|error| {
        let hints = crate::hint::Hints::hints(&error).iter().map(|hint| format!("; {hint}")).collect::<String>();
        ApiError::invalid("invalid_policy", format!("{error}{hints}")).of("policy")
    })
}

impl AskedOptions {
    /// Returns the question about the texts of a request.
    ///
    /// # Errors
    ///
    /// Status 400 for a value that is out of range, or that another excludes.
    pub fn question(&self, state: &State, policies: Vec<Arc<Served>>) -> Result<Question, ApiError> {
        let mut options = state.defaults();
        self.session(&mut options)?;
        if self.certificate == Some(false) {
            options.certificate = None;
        }
        let fields = match &self.fields {
            None => state.config.fields.clone(),
            Some(names) => {
                let fields = RowFields::parse(&names.join(","));
                Some(Arc::new(fields.map_err(|error| ApiError::invalid("invalid_value", error).of("fields"))?))
            }
        };
        options.session.no_rationale |= fields.as_ref().is_some_and(|fields| !fields.has("rationale"));
        let none = |served: &Arc<Served>| options.session.effort.unwrap_or(served.policy.effort) == Effort::None;
        if self.cascade.is_some()
            && (options.session.free || options.session.budget == Some(0) || policies.iter().any(none))
        {
            let message =
                "a cascade needs reasoning to go on to: an effort above none, a budget above 0, and decode phased";
            return Err(ApiError::invalid("invalid_value", message).of("cascade"));
        }
        if (self.sure.is_some() || self.effort == Some(AskedEffort::Auto))
            && (options.session.free
                || options.session.cascade.is_some()
                || options.session.budget == Some(0)
                || policies.iter().any(none))
        {
            let message =
                "an early end needs reasoning: an effort above none, a budget above 0, decode phased and no cascade";
            return Err(ApiError::invalid("invalid_value", message).of("sure"));
        }
        Ok(Question {
            policies,
            options: Arc::new(options),
            reasoning: self.reasoning || state.config.reasoning,
            fields,
            deadline: self.deadline_ms.map(Duration::from_millis),
        })
    }

    /// Puts the values into the settings of a session.
    fn session(&self, options: &mut JudgeOptions) -> Result<(), ApiError> {
        let session = &mut options.session;
        match self.effort {
            Some(AskedEffort::Of(effort)) => session.effort = Some(effort),
            Some(AskedEffort::Auto) => session.sure = session.sure.or(Some(DEFAULT_SURE)),
            None => {}
        }
        if let Some(sure) = self.sure {
            if !(0.5..=1.0).contains(&sure) {
                let message = "it is a number from 0.5 to 1";
                return Err(ApiError::invalid("invalid_value", message).of("sure"));
            }
            session.sure = Some(sure);
        }
        session.budget = self.budget.or(session.budget);
        session.max_content = self.max_content_tokens.or(session.max_content);
        session.date = self.date.clone().or_else(|| session.date.take());
        if let Some(threshold) = self.threshold {
            session.rule = session.rule.with_threshold(Some(share(threshold, "threshold")?));
        }
        if let Some(mass) = self.min_mass {
            session.rule = session.rule.with_min_mass(share(mass, "min_mass")?);
        }
        if let Some([low, high]) = self.cascade {
            let (low, high) = (share(low, "cascade")?, share(high, "cascade")?);
            if low > high {
                return Err(ApiError::invalid("invalid_value", "the low end is above the high end").of("cascade"));
            }
            session.cascade = Some(Band { low, high });
        } else if session.effort == Some(Effort::None) || session.budget == Some(0) {
            // The server's own cascade has nothing to go on to.
            session.cascade = None;
        }
        if let Some(size) = self.chunk {
            if size == 0 {
                return Err(ApiError::invalid("invalid_value", "a piece has at least 1 token").of("chunk"));
            }
            options.chunking = Some(Chunking::of(size));
        }
        let session = &mut options.session;
        if let Some(temperature) = self.temperature {
            if !(temperature.is_finite() && temperature >= 0.0) {
                return Err(ApiError::invalid("invalid_value", "a temperature is a number from 0 up").of("temperature"));
            }
            session.sampling.temperature = temperature;
        }
        session.sampling.seed = self.seed.unwrap_or(session.sampling.seed);
        if let Some(decode) = self.decode {
            session.free = decode == Decode::Free;
        }
        if session.free && (self.threshold.is_some() || self.min_mass.is_some()) {
            let message = "a threshold and a least mass need a probability, and decode free gives none";
            return Err(ApiError::invalid("invalid_value", message).of("decode"));
        }
        Ok(())
    }
}

/// Checks that a number is from 0 to 1.
fn share(number: f64, param: &str) -> Result<f64, ApiError> {
    if (0.0..=1.0).contains(&number) {
        return Ok(number);
    }
    Err(ApiError::invalid("invalid_value", "the number must be from 0 to 1").of(param))
}
