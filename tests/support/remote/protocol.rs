//! The published schema of each server. Sources: the references in `src/engine/remote/`.

use magistrate::tokenizer::Token;
use serde_json::{Map, Value, json};

use super::{Choice, Program, Shared};

/// The name of the model.
const MODEL: &str = "gpt-oss-safeguard-20b";

/// Returns the answer to a request. `None` for a route that the program does not have.
pub fn answer(shared: &Shared, path: &str, body: &Value) -> Option<Value> {
    match (shared.program, path) {
        (_, "/v1/models") => Some(json!({ "object": "list", "data": [{ "id": MODEL, "max_model_len": 8192 }] })),
        (Program::Vllm, "/version") => Some(json!({ "version": "0.33.0" })),
        (Program::Vllm | Program::Sglang, "/tokenize") => {
            Some(json!({ "tokens": shared.tokens(text(&body["prompt"])) }))
        }
        (Program::Vllm, "/v1/completions") => Some(vllm(shared, body)),
        (Program::Sglang, "/server_info") => {
            Some(json!({ "model_path": MODEL, "version": "0.5.23", "context_length": 8192 }))
        }
        (Program::Sglang, "/generate") => Some(sglang(shared, body)),
        (Program::LlamaServer, "/props") => Some(json!({
            "total_slots": 4, "build_info": "b9000", "default_generation_settings": { "n_ctx": 8192 },
        })),
        (Program::LlamaServer, "/tokenize") => Some(json!({ "tokens": shared.tokens(text(&body["content"])) })),
        (Program::LlamaServer, "/completion") => Some(llama_server(shared, body)),
        (Program::Chat { logprobs }, "/v1/chat/completions") => Some(chat(shared, body, logprobs)),
        _ => None,
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap_or_default()
}

fn tokens(value: &Value) -> Vec<Token> {
    ids(value).into_iter().map(Token).collect()
}

fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap_or_default()).unwrap()
}

/// The ids that a bias of OpenAI's form forbids.
fn banned(value: &Value) -> Vec<u32> {
    value.as_object().map(|bias| bias.keys().filter_map(|id| id.parse().ok()).collect()).unwrap_or_default()
}

/// A log-probability as JSON, which has no infinity.
fn log(log: f64) -> Value {
    if log.is_finite() { json!(log) } else { Value::Null }
}

fn vllm(shared: &Shared, body: &Value) -> Value {
    let stops = [ids(&body["stop_token_ids"])].concat();
    let prompt = tokens(&body["prompt"]);
    let choice = Choice { banned: banned(&body["logit_bias"]), only: ids(&body["allowed_token_ids"]) };
    let written = shared.write(&prompt, number(&body["max_tokens"]), &stops, &choice);
    let logprobs = body["logprobs"].is_number().then(|| {
        let place = |(id, logs): &(u32, Vec<f64>)| {
            let named = ids(&body["logprob_token_ids"]).into_iter().chain([*id]);
            let top: Map<String, Value> = named.map(|id| (format!("token_id:{id}"), log(logs[id as usize]))).collect();
            json!(top)
        };
        json!({ "top_logprobs": written.iter().map(place).collect::<Vec<_>>() })
    });
    let choice = json!({ "index": 0, "token_ids": tokens_of(&written), "logprobs": logprobs, "finish_reason": "stop" });
    json!({ "model": body["model"], "choices": [choice], "usage": { "prompt_tokens": prompt.len() } })
}

fn tokens_of(written: &[(u32, Vec<f64>)]) -> Vec<u32> {
    written.iter().map(|(id, _)| *id).collect()
}

fn sglang(shared: &Shared, body: &Value) -> Value {
    let sampling = &body["sampling_params"];
    let prompt = tokens(&body["input_ids"]);
    let stops = ids(&sampling["stop_token_ids"]);
    let choice = Choice { banned: banned(&sampling["logit_bias"]), only: Vec::new() };
    let written = shared.write(&prompt, number(&sampling["max_new_tokens"]), &stops, &choice);
    let mut meta = json!({ "prompt_tokens": prompt.len(), "finish_reason": { "type": "stop" } });
    if body["return_logprob"] == true {
        let place = |(_, logs): &(u32, Vec<f64>)| {
            let named = ids(&body["token_ids_logprob"]).into_iter();
            named.map(|id| json!([log(logs[id as usize]), id, null])).collect::<Vec<Value>>()
        };
        meta["output_token_ids_logprobs"] = written.iter().map(place).collect();
    }
    json!({ "text": "", "output_ids": tokens_of(&written), "meta_info": meta })
}

fn llama_server(shared: &Shared, body: &Value) -> Value {
    let prompt = tokens(&body["prompt"]);
    let biases = body["logit_bias"].as_array().cloned().unwrap_or_default();
    let chosen = |is_one: fn(&Value) -> bool| -> Vec<u32> {
        let ids = biases.iter().filter(|bias| is_one(&bias[1]));
        ids.map(|bias| u32::try_from(number(&bias[0])).unwrap()).collect()
    };
    let choice = Choice { banned: chosen(|bias| *bias == false), only: chosen(Value::is_number) };
    // Its own ends of a turn, and the end of a message where that is asked for as a text.
    let mut stops = shared.tokens("<|return|><|call|><|endoftext|>");
    if !body["stop"].is_null() {
        stops.extend(shared.tokens("<|end|>"));
    }
    let written = shared.write(&prompt, number(&body["n_predict"]), &stops, &choice);
    let mut reply = json!({ "tokens": tokens_of(&written), "tokens_evaluated": prompt.len(), "truncated": false });
    let likely = number(&body["n_probs"]);
    if likely > 0 {
        let place = |(id, logs): &(u32, Vec<f64>)| {
            let mut logs: Vec<(usize, f64)> = logs.iter().copied().enumerate().collect();
            logs.sort_by(|one, two| two.1.total_cmp(&one.1));
            let top = logs.iter().take(likely).map(|(id, value)| json!({ "id": id, "logprob": log(*value) }));
            json!({ "id": id, "top_logprobs": top.collect::<Vec<Value>>() })
        };
        reply["completion_probabilities"] = written.iter().map(place).collect();
    }
    reply
}

/// A chat that finds a violation in a text with an exclamation mark, and is 80 % sure of it.
fn chat(shared: &Shared, body: &Value, logprobs: bool) -> Value {
    let messages = body["messages"].as_array().cloned().unwrap_or_default();
    let content = messages.iter().find(|message| message["role"] == "user").map(|message| text(&message["content"]));
    let (label, other) = if content.unwrap_or_default().contains('!') { ("1", "0") } else { ("0", "1") };
    let sent: usize = messages.iter().map(|message| shared.tokens(text(&message["content"])).len()).sum();
    let logs = logprobs.then(|| {
        let likely = json!([{ "token": label, "logprob": 0.8_f64.ln() }, { "token": other, "logprob": 0.2_f64.ln() }]);
        json!({ "content": [{ "token": label, "logprob": 0.8_f64.ln(), "top_logprobs": likely }] })
    });
    let message = json!({ "role": "assistant", "content": label, "reasoning_content": "Hm." });
    json!({
        "model": body["model"],
        "choices": [{ "index": 0, "message": message, "finish_reason": "stop", "logprobs": logs }],
        "usage": { "prompt_tokens": sent, "completion_tokens": 2 },
    })
}
