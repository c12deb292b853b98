//! `/v1/policies`: the policies of the server, one of them, and the linter for a draft.

use axum::body::Body;
use axum::http::{Method, Response};
use schemars::{JsonSchema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Route, handler};
use crate::policy::Body as Rules;
use crate::policy::lint::{Level, lint};
use crate::prompt::policy_text;
use crate::serve::api_error::ApiError;
use crate::serve::call::{Call, json as reply, typed};
use crate::serve::policies::Served;

/// The policies of the server.
#[derive(Serialize, JsonSchema)]
struct List {
    /// The policies.
    policies: Vec<Listed>,
}

/// A policy of the server.
#[derive(Serialize, JsonSchema)]
struct Listed {
    /// The name for requests.
    id: String,
    /// The author's version of the wording.
    version: String,
    /// The digest of the content.
    digest: String,
    /// The name for people, where Pigeon's clients expect it.
    display: String,
    /// The name for people.
    title: String,
    /// One sentence about it.
    summary: Option<String>,
    /// The model, where Pigeon's clients expect it.
    base: String,
    /// The codes of its categories, with their titles.
    categories: Vec<Category>,
}

/// A category of a policy.
#[derive(Serialize, JsonSchema)]
struct Category {
    code: String,
    title: String,
}

/// A draft of a policy.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Draft {
    /// The YAML of a policy.
    yaml: Option<String>,
    /// The text of a policy.
    markdown: Option<String>,
}

/// The findings about a draft.
#[derive(Serialize, JsonSchema)]
struct Findings {
    /// True if no finding is an error.
    loads: bool,
    /// The findings, by line.
    findings: Vec<Finding>,
}

/// A finding about a draft.
#[derive(Serialize, JsonSchema)]
struct Finding {
    /// The rule's name.
    rule: &'static str,
    /// `error`, `warning` or `note`.
    level: Level,
    message: String,
    hint: Option<String>,
    line: Option<usize>,
    column: Option<usize>,
}

pub(super) fn routes() -> Vec<Route> {
    let list = Route::new(Method::GET, "/v1/policies", "Lists the policies", handler!(list));
    let one = Route::new(
        Method::GET,
        "/v1/policies/{policy}",
        "Returns a policy as JSON; with rendered=1 the text that the model reads",
        handler!(one),
    );
    let linter = Route::new(Method::POST, "/v1/policies/lint", "Lints a draft of a policy", handler!(findings));
    vec![
        Route { response: Some(SchemaGenerator::subschema_for::<List>), ..list },
        one,
        Route {
            request: Some(SchemaGenerator::subschema_for::<Draft>),
            response: Some(SchemaGenerator::subschema_for::<Findings>),
            ..linter
        },
    ]
}

async fn list(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    let base = call.state.model()?.name.clone();
    let set = call.state.policies.now();
    Ok(reply(&List { policies: set.iter().map(|served| listed(served, &base)).collect() }))
}

fn listed(served: &Served, base: &str) -> Listed {
    let policy = &served.policy;
    let categories = policy.categories().iter();
    Listed {
        id: policy.id.clone(),
        version: policy.version.clone(),
        digest: served.digest.clone(),
        display: policy.title.clone(),
        title: policy.title.clone(),
        summary: match &policy.body {
            Rules::Structured(rules) => Some(rules.summary.clone()),
            Rules::Verbatim(_) => None,
        },
        base: base.to_owned(),
        categories: categories
            .map(|category| Category { code: category.code.clone(), title: category.title.clone() })
            .collect(),
    }
}

async fn one(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    let served = call.state.policies.now().find(call.param("policy"))?;
    if call.query("rendered").as_deref() == Some("1") {
        let text = policy_text(&call.state.config.templates, &served.policy);
        let text = text.map_err(|error| ApiError::invalid("invalid_policy", error.to_string()))?;
        return Ok(typed("text/plain; charset=utf-8", text));
    }
    let mut object = serde_json::to_value(listed(&served, &call.state.model()?.name)).unwrap_or_default();
    let labels = served.policy.contract.labels.iter();
    object["effort"] = json!(served.policy.effort);
    object["labels"] = labels.map(|label| json!({ "label": label.text, "verdict": label.verdict })).collect::<Value>();
    object["taxonomy"] =
        served.policy.taxonomy().iter().map(|(name, keys)| (name.clone(), json!(keys))).collect::<Value>();
    Ok(reply(&object))
}

async fn findings(call: Call, body: Body) -> Result<Response<Body>, ApiError> {
    let draft: Draft = call.json(body).await?;
    let (name, text) = match (draft.yaml, draft.markdown) {
        (Some(yaml), None) => ("policy.yaml", yaml),
        (None, Some(markdown)) => ("policy.md", markdown),
        _ => return Err(ApiError::invalid("missing", "give yaml or markdown").of("yaml")),
    };
    let findings = lint(name, &text, None, |_| None);
    let loads = findings.iter().all(|finding| finding.level() != Level::Error);
    let findings = findings.iter().map(|finding| Finding {
        rule: finding.rule(),
        level: finding.level(),
        message: finding.message().to_owned(),
        hint: finding.hint().map(ToString::to_string),
        line: finding.line(),
        column: finding.column(),
    });
    Ok(reply(&Findings { loads, findings: findings.collect() }))
}
