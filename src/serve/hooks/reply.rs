//! The replies of a hook: templates of JSON, checked when they are read.
//!
//! The one idea: a template sees the verdict and never the text. Every value is written as JSON, so no value can break a
//! reply. A template is filled with samples before the server starts, so that a wrong one is no surprise in use.

use std::collections::BTreeMap;

use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use super::outcome::{ErrorValues, Finding, Outcome, TextFinding, Values};
use crate::policy::Severity;

/// The replies of a hook, by outcome.
#[derive(Debug)]
pub struct Replies {
    environment: Environment<'static>,
    statuses: BTreeMap<&'static str, u16>,
}

/// A reply as a hook file has it.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status. That of the error, if it is missing and there is one.
    pub status: Option<u16>,
    /// The template.
    pub body: String,
}

/// All outcomes, each with its name in a hook file.
pub const OUTCOMES: [(&str, Outcome); 5] = [
    ("violation", Outcome::Violation),
    ("review", Outcome::Review),
    ("safe", Outcome::Safe),
    ("unresolved", Outcome::Unresolved),
    ("error", Outcome::Error),
];

/// Functions that templates may call beside values.
const FUNCTIONS: [&str; 3] = ["range", "dict", "namespace"];

impl Replies {
    /// Compiles and checks replies. `flags` are the names of the hook's flags.
    ///
    /// # Errors
    ///
    /// A message that names the outcome: its reply is missing, is no template, names an unknown value, or is not JSON.
    pub fn new(replies: &BTreeMap<&'static str, Reply>, flags: &[&str]) -> Result<Self, String> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Json);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let mut statuses = BTreeMap::new();
        for (name, outcome) in OUTCOMES {
            // A text for review is refused like a violation, unless the file says otherwise.
            let reply = replies.get(name).or_else(|| replies.get("violation").filter(|_| outcome == Outcome::Review));
            let reply = reply.ok_or_else(|| format!("the reply `{name}` is missing"))?;
            if reply.status.is_some_and(|status| !(200..600).contains(&status)) {
                return Err(format!("the status of the reply `{name}` is not from 200 to 599"));
            }
            let compiled = environment.add_template_owned(name, reply.body.clone());
            compiled.map_err(|error| format!("the reply `{name}` is no template: {}", words(&error)))?;
            if let Some(status) = reply.status {
                statuses.insert(name, status);
            }
        }
        let replies = Self { environment, statuses };
        replies.check(flags)?;
        Ok(replies)
    }

    /// Returns the HTTP status and the body for an outcome.
    ///
    /// # Errors
    ///
    /// A message for developers, if the template cannot be filled.
    pub fn reply(&self, outcome: Outcome, values: &Values) -> Result<(u16, String), String> {
        let name = name(outcome);
        let template = self.environment.get_template(name).map_err(|error| words(&error))?;
        let text = template.render(Value::from(Serde(values))).map_err(|error| words(&error))?;
        let body: serde_json::Value = serde_json::from_str(&text).map_err(|error| format!("is not JSON: {error}"))?;
        let of_error = values.error.as_ref().map(|error| error.status);
        let status = self.statuses.get(name).copied().or(of_error).unwrap_or(200);
        Ok((status, body.to_string()))
    }

    /// Fills every template with samples.
    fn check(&self, flags: &[&str]) -> Result<(), String> {
        let known = serde_json::to_value(sample(Outcome::Safe, 0, flags)).unwrap_or_default();
        let is_known = |name: &String| known.get(name).is_some() || FUNCTIONS.contains(&name.as_str());
        for (name, outcome) in OUTCOMES {
            let template = self.environment.get_template(name).map_err(|error| words(&error))?;
            let mut unknown: Vec<_> = template.undeclared_variables(false).into_iter().collect();
            unknown.retain(|name| !is_known(name));
            unknown.sort();
            if let Some(unknown) = unknown.first() {
                return Err(format!("the reply `{name}` names `{unknown}`, which is no value"));
            }
            for variant in 0..VARIANTS {
                let filled = self.reply(outcome, &sample(outcome, variant, flags));
                let (status, body) = filled.map_err(|error| format!("the reply `{name}` cannot be filled: {error}"))?;
                let safe = self.reply(Outcome::Safe, &sample(Outcome::Safe, variant, flags));
                if outcome != Outcome::Safe && safe == Ok((status, body)) {
                    return Err(format!("the reply `{name}` is that of a safe text"));
                }
            }
        }
        Ok(())
    }
}

/// The number of samples of an outcome.
const VARIANTS: usize = 8;

/// Returns the values of a sample: with and without a category, with flags and without, for one text and for two.
fn sample(outcome: Outcome, variant: usize, flags: &[&str]) -> Values {
    let (has_category, has_flags, texts) = (variant & 1 == 0, variant & 2 == 0, 1 + variant / 4);
    let (verdict, probability) = match outcome {
        Outcome::Violation => (Some("violation"), Some(0.75)),
        Outcome::Review => (Some("review"), Some(0.5)),
        Outcome::Safe => (Some("safe"), Some(0.25)),
        Outcome::Unresolved | Outcome::Error => (None, None),
    };
    let finding = Finding {
        policy: Some("spam".to_owned()),
        verdict,
        category: has_category.then(|| "SP1.a".to_owned()),
        category_title: has_category.then(|| "A title with \"quotes\"".to_owned()),
        severity: has_category.then_some(Severity::Medium),
        severity_level: if has_category { 2 } else { 0 },
        probability,
        safe_probability: probability.map(|probability| 1.0 - probability),
    };
    let error = verdict.is_none().then(|| ErrorValues {
        code: "unresolved",
        message: "there is no verdict".to_owned(),
        status: 422,
    });
    let result = |index| TextFinding { index, length: 8, finding: finding.clone(), policies: vec![finding.clone()] };
    let results = if error.is_some() { Vec::new() } else { (0..texts).map(result).collect() };
    Values {
        request: "req-1".to_owned(),
        model: Some("model".to_owned()),
        created: 1_700_000_000,
        policies: if error.is_some() { Vec::new() } else { vec![finding.clone(); texts] },
        results,
        finding,
        flags: flags.iter().map(|name| ((*name).to_owned(), has_flags)).collect(),
        error,
    }
}

/// Returns the name of an outcome in a hook file.
#[must_use]
pub fn name(outcome: Outcome) -> &'static str {
    OUTCOMES.iter().find(|(_, other)| *other == outcome).map_or("error", |(name, _)| name)
}

/// Returns the words of an error, in one line.
fn words(error: &minijinja::Error) -> String {
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    let line = error.line().map(|line| format!(" in line {line}")).unwrap_or_default();
    format!("{}{detail}{line}", error.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replies(change: &[(&'static str, &str)]) -> Result<Replies, String> {
        let mut all: BTreeMap<_, _> = [
            ("violation", Reply { status: None, body: "{\"blocked\": true}".to_owned() }),
            ("safe", Reply { status: None, body: "{\"blocked\": false}".to_owned() }),
            ("unresolved", Reply { status: Some(503), body: "{}".to_owned() }),
            ("error", Reply { status: None, body: "{\"detail\": {{ error.message }}}".to_owned() }),
        ]
        .into();
        for (name, body) in change {
            all.insert(*name, Reply { status: None, body: (*body).to_owned() });
        }
        Replies::new(&all, &["batch"])
    }

    #[track_caller]
    fn refusal(name: &'static str, body: &str) -> String {
        replies(&[(name, body)]).expect_err("it is refused")
    }

    #[test]
    fn a_value_is_written_as_json_whatever_it_has_in_it() {
        let replies = replies(&[("violation", r#"{"why": {{ category_title }}, "p": {{ probability }}}"#)]).unwrap();
        let mut values = sample(Outcome::Violation, 0, &["batch"]);
        values.finding.category_title = Some("\"}, \"x\": [\n".to_owned());
        let (status, body) = replies.reply(Outcome::Violation, &values).unwrap();
        assert_eq!((status, body.as_str()), (200, r#"{"why":"\"}, \"x\": [\n","p":0.75}"#));
    }

    #[test]
    fn a_wrong_template_is_refused_when_it_is_read() {
        assert_eq!(refusal("violation", "{{ text }}"), "the reply `violation` names `text`, which is no value");
        for (name, body, message) in [
            ("safe", "{{ verdict", "no template"),
            ("violation", "{\"a\": }", "not JSON"),
            ("violation", "{\"a\": {{ results[0].text }}}", "undefined value"),
            ("violation", "[{% for result in results %}{{ result.index }}{% endfor %}]", "not JSON"),
            ("violation", "{% if flags.batch %}1{% else %}{{ flags.other }}{% endif %}", "undefined value"),
        ] {
            let refusal = refusal(name, body);
            assert!(refusal.contains(name) && refusal.contains(message), "{body}: {refusal}");
        }
    }

    #[test]
    fn no_other_outcome_has_the_reply_of_a_safe_text() {
        assert_eq!(refusal("violation", "{\"blocked\": false}"), "the reply `violation` is that of a safe text");
        let mut all = BTreeMap::new();
        for name in ["violation", "safe", "unresolved", "error"] {
            let body = if name == "violation" { "1" } else { "0" };
            all.insert(name, Reply { status: Some(200), body: body.to_owned() });
        }
        assert_eq!(Replies::new(&all, &[]).unwrap_err(), "the reply `unresolved` is that of a safe text");
    }

    #[test]
    fn a_text_for_review_is_refused_like_a_violation_unless_the_file_says_otherwise() {
        let status =
            |replies: Replies| replies.reply(Outcome::Review, &sample(Outcome::Review, 0, &["batch"])).unwrap().1;
        assert_eq!(status(replies(&[]).unwrap()), "{\"blocked\":true}");
        assert_eq!(status(replies(&[("review", "{\"look\": true}")]).unwrap()), "{\"look\":true}");
    }

    #[test]
    fn an_error_has_its_own_status_unless_the_file_names_one() {
        let replies = replies(&[]).unwrap();
        let mut values = sample(Outcome::Error, 0, &["batch"]);
        values.error = Some(ErrorValues { code: "too_long", message: "long".to_owned(), status: 422 });
        assert_eq!(replies.reply(Outcome::Error, &values).unwrap(), (422, "{\"detail\":\"long\"}".to_owned()));
        assert_eq!(replies.reply(Outcome::Unresolved, &values).unwrap().0, 503);
    }
}
