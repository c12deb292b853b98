//! Reading a request by a hook: its texts, the names of policies, and settings.

use std::collections::BTreeMap;

use serde_json::Value;

use super::hook::{Hook, Origin, Source, Texts};
use super::json_path::JsonPath;
use super::outcome::Answers;
use crate::content::Content;
use crate::label::records::{Defect, dialogue};
use crate::serve::api_error::ApiError;
use crate::serve::asked::check_role;

/// The parts of a request beside its body.
pub trait Around {
    /// Returns a header.
    fn header(&self, name: &str) -> Option<&str>;
    /// Returns the value of a place in the path.
    fn place(&self, name: &str) -> &str;
    /// Returns a value of the address.
    fn query(&self, name: &str) -> Option<String>;
}

/// A text or its defect, with its length in characters.
pub type Measured = (usize, Result<Content, Defect>);

/// A request that was read.
#[derive(Debug)]
pub struct Asked {
    /// The texts, each with its length in characters.
    pub texts: Vec<Measured>,
    /// The names of the policies. Empty if the request has none.
    pub policies: Vec<String>,
    /// The threshold.
    pub threshold: Option<f64>,
    /// The effort.
    pub effort: Option<String>,
    /// The flags, by name.
    pub flags: BTreeMap<String, bool>,
}

impl Hook {
    /// Reads a request.
    ///
    /// # Errors
    ///
    /// Status 422 for a request without a text or of a form that the hook refuses, 400 for a wrong setting.
    pub fn read(&self, body: &Value, around: &dyn Around) -> Result<Asked, ApiError> {
        if self.refuse.iter().any(|path| !path.texts(body).is_empty()) {
            let message = format!("a request of this form is not read by the hook {}", self.name);
            return Err(ApiError::unprocessable("unsupported_parameter", message));
        }
        let texts = self.texts(body)?;
        let lists = self.count.iter().flat_map(|path| path.values(body)).filter_map(Value::as_array);
        if lists.map(Vec::len).any(|length| length != texts.len()) {
            return Err(ApiError::unprocessable("no_text", "an element of the list is not a text"));
        }
        let find = |name: &str, sources: &[Source]| {
            let asked = around.query(name).map(|value| vec![value]);
            asked.or_else(|| sources.iter().find_map(|source| self.value(source, body, around))).unwrap_or_default()
        };
        let threshold =
            match find("threshold", &self.threshold).first() {
                None => None,
                Some(number) => Some(number.trim().parse().map_err(|_| {
                    ApiError::invalid("invalid_value", "the threshold is not a number").of("threshold")
                })?),
            };
        let names = find("policy", &self.policy);
        let names = names.iter().flat_map(|names| names.split(',')).map(str::trim).filter(|name| !name.is_empty());
        Ok(Asked {
            policies: names.map(str::to_owned).collect(),
            threshold,
            effort: find("effort", &self.effort).into_iter().next(),
            flags: self.flags.iter().map(|(name, path)| (name.clone(), !path.texts(body).is_empty())).collect(),
            texts,
        })
    }

    /// Returns the texts of a request.
    fn texts(&self, body: &Value) -> Result<Vec<Measured>, ApiError> {
        let content = |text: String| (text.chars().count(), Content::of(text).map_err(Defect::from));
        let first = |path: &JsonPath, value: &Value| path.texts(value).first().map(|text| (*text).to_owned());
        let texts = match &self.texts {
            Texts::Each(paths) => {
                let texts = paths.iter().flat_map(|path| path.texts(body));
                let counts = |text: &&str| self.answers == Answers::Each || !text.trim().is_empty();
                texts.filter(counts).map(|text| content(text.to_owned())).collect()
            }
            Texts::Pair(text, answer) => {
                let turns = [("user", first(text, body)), ("assistant", first(answer, body))];
                let turns = turns.map(|(role, text)| (role.to_owned(), text.unwrap_or_default()));
                conversation(&turns).map(content).into_iter().collect()
            }
            Texts::Conversation { turns, role, text } => {
                let turn = |turn: &Value| {
                    let words = text.texts(turn).join("\n");
                    (first(role, turn).unwrap_or_else(|| "user".to_owned()), words)
                };
                let turns: Vec<_> = turns.values(body).into_iter().map(turn).collect();
                turns.iter().try_for_each(|(role, _)| check_role(role))?;
                conversation(&turns).map(content).into_iter().collect()
            }
        };
        if Vec::is_empty(&texts) && !self.is_safe_without_text {
            let message = format!("the request has no text where the hook {} expects one", self.name);
            return Err(ApiError::unprocessable("no_text", message));
        }
        Ok(texts)
    }

    /// Returns the values at a place.
    fn value(&self, source: &Source, body: &Value, around: &dyn Around) -> Option<Vec<String>> {
        let values: Vec<String> = match &source.from {
            Origin::Body(path) => path.values(body).into_iter().filter_map(plain).collect(),
            Origin::Header(name) => around.header(name).map(str::to_owned).into_iter().collect(),
            Origin::Place(name) => {
                let value = around.place(name);
                vec![value.strip_suffix(&self.suffix).unwrap_or(value).to_owned()]
            }
        };
        let counts = |value: &String| !value.trim().is_empty() && !source.except.contains(value);
        Some(values.into_iter().filter(counts).collect::<Vec<_>>()).filter(|values| !values.is_empty())
    }
}

/// Renders a conversation. `None` if nobody says anything.
fn conversation(turns: &[(String, String)]) -> Option<String> {
    let is_silent = turns.iter().all(|(_, text)| text.trim().is_empty());
    (!is_silent).then(|| dialogue(turns.iter().map(|(role, text)| (role.as_str(), text.clone()))))
}

/// Returns a setting as text. A list of texts is a list of names.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(list) => {
            Some(list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")).filter(|names| !names.is_empty())
        }
        _ => None,
    }
}
