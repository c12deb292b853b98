//! Results as the OpenAI Batch API gives them, a line for each request.
//!
//! A reader of such results finds the verdict in the place of the endpoint's answer. A chat has it in the message's
//! content, and a moderation in `flagged`. The complete rows are in `magistrate`. A moderation has no word for
//! a text that a person must look at, so every verdict but safe is flagged. Without a verdict there is an error and no
//! response. Source: <https://platform.openai.com/docs/api-reference/batch/request-output>.

use std::io;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::pack::Finish;
use super::row_writer::RowWriter;
use crate::calibration::certificate::Decision;
use crate::label::entry::{Entry, OutputForm};
use crate::label::records::MODERATIONS;
use crate::label::row::{Row, RowUsage};
use crate::policy::Verdict;

pub(super) struct Results {
    pub file: Box<dyn Finish>,
    pub form: OutputForm,
}

impl RowWriter for Results {
    fn put(&mut self, entry: &Entry) -> io::Result<()> {
        let rows: Vec<Row> = serde_json::from_str(entry.verdicts.get())?;
        let all: Value = serde_json::from_str(&entry.object(&self.form))?;
        let url = entry.columns.named("url").last().map(RawValue::get).unwrap_or_default();
        let body = if url.trim_matches('"') == MODERATIONS { moderation(&rows) } else { chat(&rows, entry.number) };
        let failed = rows.iter().find_map(|row| row.error.as_ref());
        let response = body.filter(|_| failed.is_none()).map(|mut body| {
            body["magistrate"] = all;
            json!({ "status_code": 200, "request_id": format!("req_{}", entry.number), "body": body })
        });
        let line = json!({
            "id": format!("batch_req_{}", entry.number),
            "custom_id": entry.id,
            "response": response,
            "error": failed,
        });
        serde_json::to_writer(&mut self.file, &line)?;
        self.file.write_all(b"\n")
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.file.finish()
    }
}

/// Returns a chat completion. Its message has the verdict; of several policies, each verdict by the policy's id.
fn chat(rows: &[Row], number: u64) -> Option<Value> {
    let verdict = |row: &Row| {
        json!({
            "verdict": row.verdict,
            "label": row.label,
            "category": row.category,
            "probability": row.probability,
            "decision": row.decision,
            "rationale": row.rationale,
        })
    };
    let content = match rows {
        [row] => verdict(row),
        rows => rows.iter().map(|row| (row.policy.id.clone(), verdict(row))).collect::<serde_json::Map<_, _>>().into(),
    };
    let sum =
        |tokens: fn(&RowUsage) -> usize| rows.iter().filter_map(|row| row.usage.as_ref()).map(tokens).sum::<usize>();
    let prompt = sum(|usage| usage.prefix_tokens + usage.content_tokens);
    let completion = sum(|usage| usage.reasoning_tokens + usage.answer_tokens + usage.rationale_tokens);
    Some(json!({
        "id": format!("chatcmpl-{number}"),
        "object": "chat.completion",
        // No time: the same run gives the same bytes.
        "created": 0,
        "model": rows.first()?.model.id,
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": content.to_string() },
            "finish_reason": "stop",
        }],
        "usage": { "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion },
    }))
}

/// Returns a moderation, whose categories are the policies.
fn moderation(rows: &[Row]) -> Option<Value> {
    let flagged = |row: &Row| row.verdict != Some(Verdict::Safe) || row.decision == Some(Decision::Review);
    let by_policy = |value: &dyn Fn(&Row) -> Value| {
        rows.iter().map(|row| (row.policy.id.clone(), value(row))).collect::<serde_json::Map<_, _>>()
    };
    Some(json!({
        "id": "modr-magistrate",
        "model": rows.first()?.model.id,
        "results": [{
            "flagged": rows.iter().any(flagged),
            "categories": by_policy(&|row| flagged(row).into()),
            "category_scores": by_policy(&|row| row.probability.into()),
        }],
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_safe_looks_safe() {
        let flagged = |verdict: &str, decision: Option<&str>| {
            let row = json!({
                "status": "ok", "verdict": verdict, "decision": decision, "policy": { "id": "p" }, "model": { "id": "m" }, "probability": 0.4,
            });
            let body = moderation(&[serde_json::from_value(row).unwrap()]).unwrap();
            let result = &body["results"][0];
            assert_eq!(result["flagged"], result["categories"]["p"]);
            result["flagged"].as_bool().unwrap()
        };
        assert!(!flagged("safe", None) && !flagged("safe", Some("auto")));
        for (verdict, decision) in [
            ("violation", None),
            ("violation", Some("auto")),
            ("violation", Some("review")),
            ("review", None),
            ("review", Some("review")),
            ("safe", Some("review")),
        ] {
            assert!(flagged(verdict, decision), "{verdict}, {decision:?}");
        }
    }
}
