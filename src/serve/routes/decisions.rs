//! `POST /v1/decisions`: a text and questions in, the probabilities of each question's answers out.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, Method, Response};
use schemars::SchemaGenerator;

use super::check::error_of;
use super::{Route, handler};
use crate::label::row::Row;
use crate::policy::Effort;
use crate::serve::api_error::ApiError;
use crate::serve::asked::{AskedEffort, AskedOptions, Decode};
use crate::serve::call::{Call, json};
use crate::serve::decisions::{Asked, Decision, DecisionsRequest, answered};
use crate::serve::judging::{Judging, Question, Text};

pub(super) fn routes() -> Vec<Route> {
    let summary = "Answers questions about a text with probabilities, as OpenAI's decisions do";
    vec![Route {
        request: Some(SchemaGenerator::subschema_for::<DecisionsRequest>),
        response: Some(SchemaGenerator::subschema_for::<Decision<'static>>),
        ..Route::new(Method::POST, "/v1/decisions", summary, handler!(decide))
    }]
}

async fn decide(call: Call, body: Body) -> Result<Response<Body>, ApiError> {
    let request: DecisionsRequest = call.json(body).await?;
    call.state.takes_requests()?;
    request.check()?;
    let effort = request.effort()?;
    let text = request.input.text()?;
    let set = call.state.policies.now();
    let asked = request.questions.into_iter().enumerate();
    let asked = asked.map(|(number, question)| Asked::new(&set, question, number)).collect::<Result<Vec<_>, _>>()?;
    let options = AskedOptions {
        effort: effort.or(call.state.config.options.effort).or(Some(Effort::None)).map(AskedEffort::from),
        // An answer is a probability, and has no place for a rationale.
        decode: Some(Decode::Phased),
        fields: Some(vec!["verdict".to_owned()]),
        // It holds for one policy and one effort.
        certificate: Some(false),
        ..AskedOptions::default()
    };
    let question = options.question(&call.state, asked.iter().map(|asked| Arc::clone(&asked.served)).collect())?;
    let rows = judged(&call, &question, &text).await?;
    let model = &call.state.model()?.name;
    let decision = answered(model, &asked, &rows).map_err(|row| error_of(row).of("input"))?;
    let mut response = json(&decision);
    let mut names: Vec<String> = Vec::new();
    for served in question.policies.iter().filter(|served| served.is_named) {
        let name = served.full_name();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if let Some(names) = HeaderValue::try_from(names.join(",")).ok().filter(|names| !names.is_empty()) {
        response.headers_mut().insert("x-magistrate-policy", names);
    }
    Ok(response)
}

/// Judges the text by each policy. Only as many are in flight as keep the engine busy.
async fn judged(call: &Call, question: &Question, text: &Text) -> Result<Vec<Row>, ApiError> {
    let mut judging = Judging::new(call, question.deadline);
    let mut rows = Vec::with_capacity(question.policies.len());
    for served in &question.policies {
        if judging.is_full() {
            rows.extend(judging.next().await?.into_iter().flatten());
        }
        let one = Question { policies: vec![Arc::clone(served)], ..question.clone() };
        judging.push(&Arc::new(one), text.clone()).await?;
    }
    while let Some(next) = judging.next().await? {
        rows.extend(next);
    }
    Ok(rows)
}
