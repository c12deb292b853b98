//! The published schema of each server. Sources: the references in `src/engine/remote/`.

use magistrate::tokenizer::Token;
use serde_json::{Map, Value, json};

use super::{Program, Shared};

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

/// Returns one prompt or several.
fn prompts(value: &Value) -> Vec<Vec<Token>> {
    match value.as_array().and_then(|values| values.first()) {
        Some(Value::Array(_)) => value.as_array().unwrap().iter().map(tokens).collect(),
        _ => vec![tokens(value)],
    }
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
    let prompts = prompts(&body["prompt"]);
    let choice = |(index, prompt): (usize, &Vec<Token>)| {
        let written = shared.write(prompt, number(&body["max_tokens"]), &stops, &banned(&body["logit_bias"]));
        let logprobs = body["logprobs"].is_number().then(|| {
            let logs = shared.logs(prompt);
            let named = ids(&body["logprob_token_ids"]).into_iter().chain([written[0]]);
            let top: Map<String, Value> = named.map(|id| (format!("token_id:{id}"), log(logs[id as usize]))).collect();
            json!({ "top_logprobs": [top] })
        });
        json!({ "index": index, "token_ids": written, "logprobs": logprobs, "finish_reason": "stop" })
    };
    let choices: Vec<Value> = prompts.iter().enumerate().map(choice).collect();
    let sent: usize = prompts.iter().map(Vec::len).sum();
    json!({ "model": body["model"], "choices": choices, "usage": { "prompt_tokens": sent } })
}

fn sglang(shared: &Shared, body: &Value) -> Value {
    let sampling = &body["sampling_params"];
    let reply = |prompt: &Vec<Token>| {
        let stops = ids(&sampling["stop_token_ids"]);
        let most = number(&sampling["max_new_tokens"]);
        let written = shared.write(prompt, most, &stops, &banned(&sampling["logit_bias"]));
        let mut meta = json!({ "prompt_tokens": prompt.len(), "finish_reason": { "type": "stop" } });
        if body["return_logprob"] == true {
            let logs = shared.logs(prompt);
            let named = ids(&body["token_ids_logprob"]).into_iter();
            let named: Vec<Value> = named.map(|id| json!([log(logs[id as usize]), id, null])).collect();
            meta["output_token_ids_logprobs"] = json!([named]);
        }
        json!({ "text": "", "output_ids": written, "meta_info": meta })
    };
    let prompts = prompts(&body["input_ids"]);
    let replies: Vec<Value> = prompts.iter().map(reply).collect();
    let several = body["input_ids"][0].is_array();
    if several { json!(replies) } else { replies[0].clone() }
}

fn llama_server(shared: &Shared, body: &Value) -> Value {
    let prompts = prompts(&body["prompt"]);
    let most = number(&body["n_predict"]);
    let biases = body["logit_bias"].as_array().cloned().unwrap_or_default();
    let banned: Vec<u32> =
        biases.iter().filter(|bias| bias[1] == false).map(|bias| u32::try_from(number(&bias[0])).unwrap()).collect();
    // Its own ends of a turn, and the end of a message where that is asked for as a text.
    let mut stops = shared.tokens("<|return|><|call|><|endoftext|>");
    if !body["stop"].is_null() {
        stops.extend(shared.tokens("<|end|>"));
    }
    let reply = |(index, prompt): (usize, &Vec<Token>)| {
        let written = shared.write(prompt, most, &stops, &banned);
        let mut reply =
            json!({ "index": index, "tokens": written, "tokens_evaluated": prompt.len(), "truncated": false });
        let likely = number(&body["n_probs"]);
        if likely > 0 {
            let mut logs: Vec<(usize, f64)> = shared.logs(prompt).into_iter().enumerate().collect();
            logs.sort_by(|one, two| two.1.total_cmp(&one.1));
            let top: Vec<Value> =
                logs.iter().take(likely).map(|(id, value)| json!({ "id": id, "logprob": log(*value) })).collect();
            reply["completion_probabilities"] = json!([{ "top_logprobs": top }]);
        }
        reply
    };
    let replies: Vec<Value> = prompts.iter().enumerate().map(reply).collect();
    if replies.len() == 1 { replies[0].clone() } else { json!(replies) }
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
