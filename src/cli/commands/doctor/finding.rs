//! The findings of `doctor`: a state, a description and a remedy.

use serde::Serialize;

use crate::cli::terminal::error;

/// The styles of a finding on a terminal.
pub const STYLES: [(&str, &str); 4] =
    [("ok      ", "32"), ("note    ", "1;33"), ("problem ", "1;31"), ("hint:", "1;36")];

/// The result of one check.
#[derive(Debug, Serialize)]
pub struct Finding {
    pub subject: &'static str,
    pub state: State,
    pub found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// No fault.
    Ok,
    /// Works, but could be better.
    Note,
    /// Does not work.
    Problem,
}

impl Finding {
    pub fn ok(subject: &'static str, found: impl Into<String>) -> Self {
        Self { subject, state: State::Ok, found: found.into(), remedy: None }
    }

    pub fn note(subject: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { subject, state: State::Note, found: found.into(), remedy: Some(remedy.into()) }
    }

    pub fn problem(subject: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { subject, state: State::Problem, found: found.into(), remedy: Some(remedy.into()) }
    }

    /// Returns an error as a finding. Its hints are the remedy, if it has any.
    pub fn of(subject: &'static str, problem: &anyhow::Error, otherwise: &str) -> Self {
        let remedies = error::hints(problem);
        let remedy = if remedies.is_empty() { otherwise.to_owned() } else { remedies.join("\n") };
        Self::problem(subject, error::message(problem), remedy)
    }
}

impl Finding {
    /// Returns the text of the finding.
    pub fn text(&self) -> String {
        let state = match self.state {
            State::Ok => "ok",
            State::Note => "note",
            State::Problem => "problem",
        };
        let indented = |text: &str| text.replace('\n', &format!("\n{:20}", ""));
        let mut text = format!("{state:<8}  {:<8}  {}\n", self.subject, indented(&self.found));
        if let Some(remedy) = &self.remedy {
            text.push_str(&format!("{:20}hint: {}\n", "", indented(remedy)));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_s_hint_is_the_remedy() {
        let finding = Finding::of("model", &error::hinted(anyhow::anyhow!("a.gguf: torn"), "fetch it again"), "");
        assert_eq!((finding.found.as_str(), finding.remedy.as_deref()), ("a.gguf: torn", Some("fetch it again")));
        assert_eq!(finding.text(), "problem   model     a.gguf: torn\n                    hint: fetch it again\n");
    }
}
