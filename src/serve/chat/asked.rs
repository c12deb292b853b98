//! A chat that was understood: its policy, its settings, and the form of the reply.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::form::{Form, Shown, Sides};
use super::messages::{self, Conversation};
use super::request::{AskedJson, ChatRequest};
use super::schema::{AskedAnswers, Plan};
use super::words;
use crate::engine::Mode;
use crate::engine::decode_plan::RATIONALE_BUDGET;
use crate::label::row::Row;
use crate::policy::{Form as ContractForm, Notation, Policy, Verdict};
use crate::serve::api_error::ApiError;
use crate::serve::asked::{AskedEffort, AskedOptions, AskedPolicy, read};
use crate::serve::judging::{Question, Text};
use crate::serve::policies::Served;
use crate::serve::state::State;

/// A chat that was understood.
#[derive(Debug)]
pub struct Asked {
    /// The question about the text.
    pub question: Arc<Question>,
    /// The text.
    pub text: Text,
    /// True if an answer of a model is judged.
    pub has_answer: bool,
    /// The names of the properties that are not used.
    pub ignored: Vec<String>,
    /// The number of possible answers to return beside the given one, if logarithms are asked for.
    pub logprobs: Option<usize>,
    /// True if the reply is sent in events.
    pub is_stream: bool,
    /// True if an event with the tokens used is asked for.
    pub wants_usage: bool,
    reply: Reply,
}

/// The form of a reply.
#[derive(Debug)]
enum Reply {
    Form(Form),
    Object,
    Schema(Plan),
}

/// A policy, and the parts of the request that it leaves unused.
struct Found {
    served: Arc<Served>,
    uses_instructions: bool,
}

impl Asked {
    /// Finds the policy and the settings of a request.
    ///
    /// # Errors
    ///
    /// Status 400 for a property that cannot be obeyed, and 404 for an unknown name.
    pub fn new(state: &State, mut request: ChatRequest) -> Result<Self, ApiError> {
        request.check()?;
        let settings = request.magistrate.take().unwrap_or_default();
        let (name, form) = named_form(&request.model)?;
        let json = request.json()?;
        let Conversation { instructions, text, has_answer } = messages::read(std::mem::take(&mut request.messages))?;
        let schema = match &json {
            Some(AskedJson::Schema(schema)) => Some(schema),
            _ => None,
        };
        let of_instructions = || ad_hoc(instructions.as_deref(), settings.labels.clone(), schema);
        let Found { served, uses_instructions } = found(state, name, settings.policy, of_instructions)?;
        let policy = &served.policy;
        let reply = match &json {
            None => Reply::Form(settings.form.unwrap_or(form)),
            Some(AskedJson::Object) => Reply::Object,
            Some(AskedJson::Schema(schema)) => Reply::Schema(Plan::new(schema, policy, settings.labels.as_ref())?),
        };
        let effort = request.effort()?;
        let is_changed = effort.is_some() || !served.is_named;
        let options = AskedOptions {
            effort: effort.map(AskedEffort::from),
            budget: request.thinking_token_budget,
            threshold: settings.threshold,
            min_mass: settings.min_mass,
            temperature: request.used_temperature(),
            seed: request.seed.map(i64::cast_unsigned),
            decode: settings.decode,
            reasoning: request.wants_reasoning(),
            fields: settings.fields,
            // It holds for one policy and one effort.
            certificate: settings.certificate.or(is_changed.then_some(false)),
            ..AskedOptions::default()
        };
        let mut question = options.question(state, vec![Arc::clone(&served)])?;
        question.reasoning &= request.wants_reasoning();
        bound(&mut question, &request, reply.has_rationale(policy));
        if question.options.session.free && reply.needs_probability() {
            let message = "this form has a probability, and decode free gives none";
            return Err(ApiError::invalid("invalid_value", message).of("magistrate.decode"));
        }
        let unused = [
            ("system", instructions.is_some() && !uses_instructions),
            ("magistrate.labels", settings.labels.is_some() && !uses_instructions && schema.is_none()),
        ];
        let unused = unused.into_iter().filter(|(_, is_unused)| *is_unused).map(|(name, _)| name);
        Ok(Self {
            ignored: unused.chain(request.ignored()).map(str::to_owned).collect(),
            question: Arc::new(question),
            text,
            has_answer,
            logprobs: request
                .logprobs
                .unwrap_or(false)
                .then(|| usize::try_from(request.top_logprobs.unwrap_or_default()).unwrap_or_default()),
            is_stream: request.stream.unwrap_or(false),
            wants_usage: request.stream_options.is_some_and(|options| options.include_usage == Some(true)),
            reply,
        })
    }

    /// Returns the policy.
    #[must_use]
    pub fn policy(&self) -> &Arc<Served> {
        &self.question.policies[0]
    }

    /// Returns the reply for a row with a verdict.
    #[must_use]
    pub fn show(&self, row: &Row) -> Shown {
        let policy = &self.policy().policy;
        let of_json = |value: Value| {
            let content = value.to_string();
            Shown { answers: Sides::of(row).answers(content.clone(), None), content }
        };
        match &self.reply {
            Reply::Form(form) => form.show(policy, row, self.has_answer),
            Reply::Schema(plan) => of_json(plan.answer(row)),
            Reply::Object if policy.contract.form != ContractForm::Label => Form::Label.show(policy, row, false),
            Reply::Object => of_json(json!({
                "violation": Sides::of(row).is_flagged,
                "category": row.category,
                "probability": row.probability,
            })),
        }
    }
}

impl Reply {
    fn has_rationale(&self, policy: &Policy) -> bool {
        policy.contract.form == ContractForm::Rationale
            && match self {
                Self::Form(form) => form.has_rationale(),
                Self::Object => true,
                Self::Schema(plan) => plan.has_rationale(),
            }
    }

    fn needs_probability(&self) -> bool {
        match self {
            Self::Form(form) => *form == Form::Score,
            Self::Object => false,
            Self::Schema(plan) => plan.has_number(),
        }
    }
}

/// Splits a name and the form behind it: `spam+score`.
fn named_form(model: &str) -> Result<(&str, Form), ApiError> {
    let Some((name, form)) = model.split_once('+') else { return Ok((model, Form::default())) };
    let form = form.parse().map_err(|()| {
        let message = "behind the plus sign is label, score, binary, yesno, guard, nemoguard or json";
        ApiError::invalid("invalid_value", message).of("model")
    });
    Ok((name, form?))
}

/// Finds the policy: that of the settings, the one that `model` names, or the instructions.
fn found(
    state: &State,
    name: &str,
    asked: Option<AskedPolicy>,
    of_instructions: impl FnOnce() -> Result<Policy, ApiError>,
) -> Result<Found, ApiError> {
    if let Some(asked) = asked {
        let policies = asked.find(state)?;
        return match <[Arc<Served>; 1]>::try_from(policies) {
            Ok([served]) => Ok(Found { served, uses_instructions: false }),
            Err(_) => Err(ApiError::invalid("invalid_value", "a chat has one policy").of("magistrate.policy")),
        };
    }
    match state.policies.now().find(name) {
        Ok(served) => Ok(Found { served, uses_instructions: false }),
        Err(_) if state.is_model(name)? => {
            Ok(Found { served: Arc::new(Served::ad_hoc(of_instructions()?)), uses_instructions: true })
        }
        Err(error) => Err(error.of("model")),
    }
}

/// Reads the policy in the instructions. Its answers are those of `labels`, those that the schema asks for, or those
/// that the text states.
fn ad_hoc(
    instructions: Option<&str>,
    labels: Option<BTreeMap<String, Verdict>>,
    schema: Option<&Value>,
) -> Result<Policy, ApiError> {
    let Some(text) = instructions else {
        let message = "no policy is given: name one as `model`, or write it into the system message";
        return Err(ApiError::invalid("missing", message).of("messages"));
    };
    let read = |text: &str, labels| {
        read(text, Notation::Plain, labels).map_err(|error| {
            let more = r#"; `magistrate.labels` in the request gives the answers, such as {"INVALID": "violation", "VALID": "safe"}"#;
            ApiError { message: format!("{}{more}", error.message), ..error }.of("messages")
        })
    };
    if labels.is_some() {
        return read(text, labels);
    }
    let stated = read(text, None);
    match schema.and_then(AskedAnswers::of) {
        None => stated,
        // Any answers give a boolean, so those of the text are better than new ones.
        Some(AskedAnswers::Boolean { is_inverted }) => stated.or_else(|_| {
            let (yes, no) =
                if is_inverted { (Verdict::Safe, Verdict::Violation) } else { (Verdict::Violation, Verdict::Safe) };
            let means = if is_inverted { "safe content" } else { "a violation" };
            let labels = BTreeMap::from([("true".to_owned(), yes), ("false".to_owned(), no)]);
            read(&format!("{text}\n\nReturn exactly one word: true or false. Here true means {means}.\n"), Some(labels))
        }),
        Some(AskedAnswers::Words { property, words }) => {
            let labels_of = |policy: &Policy| policy.contract.labels.iter().map(|label| label.text.clone()).collect();
            let wanted: BTreeSet<String> = words.iter().cloned().collect();
            if let Ok(policy) = stated
                && wanted == labels_of(&policy)
            {
                return Ok(policy);
            }
            let labels = words.iter().map(|word| Some((word.clone(), words::verdict(word, &property, None)?)));
            let Some(labels) = labels.collect::<Option<BTreeMap<_, _>>>() else {
                let message = "which word of the enum is the violation? say it in the property `magistrate.labels`";
                return Err(ApiError::invalid("invalid_policy", message).of("response_format"));
            };
            read(&format!("{text}\n\nReturn exactly one word: {}.\n", words.join(" or ")), Some(labels))
        }
    }
}

/// Keeps reasoning and rationale within the request's tokens. The verdict is not bounded.
fn bound(question: &mut Question, request: &ChatRequest, has_rationale: bool) {
    let effort = question.policies[0].policy.effort;
    let session = &mut Arc::make_mut(&mut question.options).session;
    let most = request.most_tokens().unwrap_or(usize::MAX);
    session.no_rationale |= !has_rationale || request.is_answer_alone() || most < RATIONALE_BUDGET;
    let left = if session.no_rationale { most } else { most - RATIONALE_BUDGET };
    match session.mode(effort) {
        Mode::Reason { budget } | Mode::Cascade { budget, .. } | Mode::Free { budget } if budget > left => {
            session.budget = Some(left);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::needless_pass_by_value, reason = "values of `json!` are written in place")]

    use super::*;

    fn labels(policy: &Policy) -> Vec<(&str, Verdict)> {
        policy.contract.labels.iter().map(|label| (label.text.as_str(), label.verdict)).collect()
    }

    fn schema(name: &str, property: Value) -> Value {
        json!({ "type": "object", "properties": { name: property }, "required": [name] })
    }

    const STATED: &str = "Advertising is INVALID. Return exactly one word: VALID or INVALID.";
    const SILENT: &str = "Find advertising.";

    #[test]
    fn the_answers_are_those_of_the_request_then_of_the_schema_then_of_the_text() {
        let given = BTreeMap::from([("ad".to_owned(), Verdict::Violation), ("ok".to_owned(), Verdict::Safe)]);
        let policy = ad_hoc(Some(SILENT), Some(given), None).unwrap();
        assert_eq!(labels(&policy), [("ad", Verdict::Violation), ("ok", Verdict::Safe)]);
        let boolean = schema("flagged", json!({ "type": "boolean" }));
        let policy = ad_hoc(Some(SILENT), None, Some(&boolean)).unwrap();
        assert_eq!(labels(&policy), [("false", Verdict::Safe), ("true", Verdict::Violation)]);
        let inverted = ad_hoc(Some(SILENT), None, Some(&schema("is_safe", json!({ "type": "boolean" })))).unwrap();
        assert_eq!(labels(&inverted), [("false", Verdict::Violation), ("true", Verdict::Safe)]);
        let of_text = ad_hoc(Some(STATED), None, Some(&boolean)).unwrap();
        assert_eq!(labels(&of_text), labels(&ad_hoc(Some(STATED), None, None).unwrap()));
        let words = schema("label", json!({ "enum": ["spam", "not spam"] }));
        let policy = ad_hoc(Some(SILENT), None, Some(&words)).unwrap();
        assert_eq!(labels(&policy), [("not spam", Verdict::Safe), ("spam", Verdict::Violation)]);
    }

    #[test]
    fn a_policy_without_clear_answers_is_refused_with_a_way_to_give_them() {
        let refused = ad_hoc(Some(SILENT), None, None).unwrap_err();
        assert_eq!((refused.status.as_u16(), refused.param.as_deref()), (400, Some("messages")));
        assert!(refused.message.contains("magistrate.labels"), "{}", refused.message);
        let unclear = ad_hoc(Some(SILENT), None, Some(&schema("label", json!({ "enum": ["red", "green"] }))));
        assert!(unclear.unwrap_err().message.contains("magistrate.labels"));
        assert_eq!(ad_hoc(None, None, None).unwrap_err().code, "missing");
    }

    #[test]
    fn a_name_may_end_in_a_form() {
        assert_eq!(named_form("spam@1.0+score"), Ok(("spam@1.0", Form::Score)));
        assert_eq!(named_form("spam"), Ok(("spam", Form::Label)));
        assert_eq!(named_form("spam+poem").unwrap_err().param.as_deref(), Some("model"));
    }
}
