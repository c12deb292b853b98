//! A request of the OpenAI Batch API: `{"custom_id": …, "method": "POST", "url": …, "body": …}`.
//!
//! The one idea: what is judged is what the request would have a model read from others: of a chat all turns but those of
//! system and developer, of a moderation its input. Source: <https://platform.openai.com/docs/api-reference/batch/request-input>.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::defect::{Defect, judged};
use super::jsonl::{self, STRING, kind};
use super::text::dialogue;
use crate::content::Content;
use crate::label::columns::Columns;

/// What a chat completion is asked for at.
pub(crate) const CHAT: &str = "/v1/chat/completions";
/// What a moderation is asked for at.
pub(crate) const MODERATIONS: &str = "/v1/moderations";

/// The columns of a request, as far as it is a JSON object, and its text.
pub(super) fn read(line: &str, number: u64) -> (Columns, Result<Content, Defect>) {
    let columns = match jsonl::object(line, number) {
        Ok(columns) => columns,
        Err(defect) => return (Columns::default(), Err(defect)),
    };
    let text = text(&columns, number);
    (columns, text)
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    messages: Option<Vec<Message<'a>>>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message<'a> {
    role: String,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
}

fn text(columns: &Columns, number: u64) -> Result<Content, Defect> {
    let one = |name: &str| columns.named(name).last();
    let url: Option<String> = one("url").and_then(jsonl::string);
    let request = |what: &str| Defect::new("not-a-request", number, what);
    let body = one("body").ok_or_else(|| {
        request("no `body`, where each line must be a request: {\"custom_id\": …, \"url\": …, \"body\": …}")
    })?;
    let Body { messages, input } = serde_json::from_str(body.get())
        .map_err(|_| request("`body` is not that of a chat completion or a moderation"))?;
    let text = match (url.as_deref(), messages, input) {
        (Some(CHAT), Some(messages), _) => chat(messages, number)?,
        (Some(MODERATIONS), _, Some(input)) => content(input, number)?,
        (Some(CHAT), None, _) => return Err(request("`body` has no `messages`")),
        (Some(MODERATIONS), _, None) => return Err(request("`body` has no `input`")),
        _ => return Err(request("its `url` is neither /v1/chat/completions nor /v1/moderations")),
    };
    judged(text, number)
}

/// What others say: one user message by itself, more as a conversation.
fn chat(messages: Vec<Message<'_>>, number: u64) -> Result<String, Defect> {
    let mut turns = Vec::new();
    for Message { role, content: said } in messages {
        let role = match role.as_str() {
            "system" | "developer" => continue,
            "user" => "user",
            "assistant" => "assistant",
            _ => "tool",
        };
        turns.push((role, said.map_or(Ok(String::new()), |said| content(said, number))?));
    }
    Ok(match turns.as_mut_slice() {
        [("user", text)] => std::mem::take(text),
        [] => String::new(),
        turns if turns.iter().all(|(_, text)| text.trim().is_empty()) => String::new(),
        _ => dialogue(turns),
    })
}

/// A string, or parts of which all are text.
fn content(value: &RawValue, number: u64) -> Result<String, Defect> {
    let json = value.get();
    match kind(json) {
        STRING => jsonl::string(value).ok_or_else(|| jsonl::half("the request", number)),
        "null" => Ok(String::new()),
        "an array" => {
            if let Ok(mut texts) = serde_json::from_str::<Vec<String>>(json) {
                if texts.len() > 1 {
                    let what = format!("{} inputs in one request; write a request for each", texts.len());
                    return Err(Defect::new("several-inputs", number, what));
                }
                return Ok(texts.pop().unwrap_or_default());
            }
            let not_text = || Defect::new("not-text", number, "a part that is no text, which cannot be judged");
            let parts: Vec<Part> = serde_json::from_str(json).map_err(|_| not_text())?;
            let texts: Option<Vec<String>> =
                parts.into_iter().map(|part| part.text.filter(|_| part.kind.ends_with("text"))).collect();
            texts.map(|texts| texts.join("\n")).ok_or_else(not_text)
        }
        found => Err(Defect::new("wrong-type", number, format_args!("a content that is {found} and not a string"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(url: &str, body: &str) -> Result<String, &'static str> {
        let line = format!(r#"{{"custom_id":"a","method":"POST","url":"{url}","body":{body}}}"#);
        let (columns, text) = read(&line, 1);
        assert_eq!(columns.names().count(), 4);
        text.map(|content| content.text().to_owned()).map_err(|defect| defect.code)
    }

    #[test]
    fn what_others_say_is_judged() {
        let chat = |messages: &str| told(CHAT, &format!(r#"{{"model":"m","messages":{messages}}}"#));
        let ok = |text: &str| Ok(text.to_owned());
        assert_eq!(chat(r#"[{"role":"system","content":"s"},{"role":"user","content":"Hi"}]"#), ok("Hi"));
        assert_eq!(
            chat(r#"[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]"#),
            ok("a\nb")
        );
        assert_eq!(
            chat(
                r#"[{"role":"user","content":"[x"},{"role":"assistant","content":null},{"role":"user","content":"b"}]"#
            ),
            ok("[user]\n [x\n[assistant]\n\n[user]\nb")
        );
        for (messages, code) in [
            ("[]", "empty"),
            (r#"[{"role":"user","content":" "},{"role":"assistant","content":""}]"#, "empty"),
            (r#"[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]"#, "not-text"),
            (r#"[{"role":"user","content":7}]"#, "wrong-type"),
            (r#"[{"content":"x"}]"#, "not-a-request"),
        ] {
            assert_eq!(chat(messages), Err(code), "{messages}");
        }
    }

    #[test]
    fn a_moderation_has_one_input() {
        let input = |input: &str| told(MODERATIONS, &format!(r#"{{"input":{input}}}"#));
        assert_eq!(input(r#""a""#), Ok("a".into()));
        assert_eq!(input(r#"["a"]"#), Ok("a".into()));
        assert_eq!(input(r#"[{"type":"text","text":"a"}]"#), Ok("a".into()));
        assert_eq!(input(r#"["a","b"]"#), Err("several-inputs"));
        assert_eq!(input(r#""\ud800""#), Err("not-utf8"));
        assert_eq!(told(MODERATIONS, "{}"), Err("not-a-request"));
        assert_eq!(told("/v1/embeddings", r#"{"input":"a"}"#), Err("not-a-request"));
        assert_eq!(read(r#"{"custom_id":"a"}"#, 3).1.unwrap_err().code, "not-a-request");
    }
}
