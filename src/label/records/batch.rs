//! A request of the OpenAI Batch API: `{"custom_id": …, "method": "POST", "url": …, "body": …}`.
//!
//! The text to judge is the part of the request that others wrote: of a chat all turns but those of system and developer,
//! of a moderation its input. Source: <https://platform.openai.com/docs/api-reference/batch/request-input>.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::defect::{Defect, Location, judged};
use super::json::{self, STRING, kind};
use super::text::{dialogue, set_off};
use crate::content::Content;
use crate::label::columns::Columns;

/// The endpoint of chat completions.
pub(crate) const CHAT: &str = "/v1/chat/completions";
/// The endpoint of moderations.
pub(crate) const MODERATIONS: &str = "/v1/moderations";

/// Returns the columns of a request, if it is a JSON object, and its text.
pub(super) fn read(line: &str, number: u64) -> (Columns, Result<Content, Defect>) {
    let columns = match json::object(line, number) {
        Ok(columns) => columns,
        Err(defect) => return (Columns::default(), Err(defect)),
    };
    let text = Reader { place: number.into() }.text(&columns);
    (columns, text)
}

/// Returns the text of the messages of a chat.
pub(super) fn conversation(messages: &[&RawValue], place: Location) -> Result<String, Defect> {
    Reader { place }.chat(messages)
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    messages: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

/// A turn: its heading, and its text.
type Turn = (String, String);

struct Reader {
    place: Location,
}

impl Reader {
    fn text(&self, columns: &Columns) -> Result<Content, Defect> {
        let one = |name: &str| columns.named(name).last();
        let url: Option<String> = one("url").and_then(json::string);
        let body = one("body").ok_or_else(|| {
            self.no_request("no `body`, where each line must be a request: {\"custom_id\": …, \"url\": …, \"body\": …}")
        })?;
        let Body { messages, input } = serde_json::from_str(body.get())
            .map_err(|_| self.no_request("`body` is not that of a chat completion or a moderation"))?;
        let text = match (url.as_deref(), messages, input) {
            (Some(CHAT), Some(messages), _) => self.chat(&messages)?,
            (Some(MODERATIONS), _, Some(input)) => self.content(input)?,
            (Some(CHAT), None, _) => return Err(self.no_request("`body` has no `messages`")),
            (Some(MODERATIONS), _, None) => return Err(self.no_request("`body` has no `input`")),
            _ => return Err(self.no_request("its `url` is neither /v1/chat/completions nor /v1/moderations")),
        };
        judged(text, self.place)
    }

    /// Returns the text of the messages. A single user message is the text; several messages become a conversation.
    fn chat(&self, messages: &[&RawValue]) -> Result<String, Defect> {
        let mut turns: Vec<Turn> = Vec::new();
        for message in messages {
            turns.extend(self.turns(message)?);
        }
        Ok(match turns.as_slice() {
            [(role, text)] if role == "user" => set_off(text),
            turns if turns.iter().all(|(role, text)| text.trim().is_empty() && !role.starts_with(CALL)) => {
                String::new()
            }
            turns => dialogue(turns.iter().map(|(role, text)| (role.as_str(), text.clone()))),
        })
    }

    /// Returns the turns of a message: its content, a refusal and its calls.
    fn turns(&self, message: &RawValue) -> Result<Vec<Turn>, Defect> {
        let message = self.object(message, "a message that is no object")?;
        let role = match message.get("role").and_then(json::string).as_deref() {
            None => return Err(self.no_request("a message without a `role`")),
            Some("system" | "developer") => return Ok(Vec::new()),
            Some("user") => "user",
            Some("assistant") => "assistant",
            Some(_) => "tool",
        };
        let (mut content, mut heading, mut others) = (None, role.to_owned(), Vec::new());
        for (name, value) in &message.fields {
            match name.as_str() {
                "role" | "tool_call_id" => {}
                "content" => content = Some(self.content(value)?),
                _ if is_blank(value) => {}
                "name" => heading = format!("{role} {}", self.name(value)?),
                "refusal" => others.push(("refusal".to_owned(), self.string(value)?)),
                "function_call" => others.push(self.call(value, "arguments")?),
                "tool_calls" => others.extend(self.tool_calls(value)?),
                _ => return Err(self.not_text("a part of a message that is no text, such as audio")),
            }
        }
        let text = content.filter(|text| others.is_empty() || !text.is_empty());
        let text = text.or_else(|| others.is_empty().then(String::new));
        Ok(text.map(|text| (heading, text)).into_iter().chain(others).collect())
    }

    fn tool_calls(&self, calls: &RawValue) -> Result<Vec<Turn>, Defect> {
        let calls: Vec<&RawValue> =
            serde_json::from_str(calls.get()).map_err(|_| self.not_text("tool calls that are no list"))?;
        let call = |call: &&RawValue| {
            let call = self.object(call, "a tool call that is no object")?;
            match (call.get("function"), call.get("custom")) {
                (Some(function), None) => self.call(function, "arguments"),
                (None, Some(custom)) => self.call(custom, "input"),
                _ => Err(self.not_text("a tool call that names neither a function nor a custom tool")),
            }
        };
        calls.iter().map(call).collect()
    }

    /// Returns the turn of a call: the function's name, and its arguments.
    fn call(&self, call: &RawValue, given: &str) -> Result<Turn, Defect> {
        let call = self.object(call, "a call that is no object")?;
        let name = call.get("name").ok_or_else(|| self.not_text("a call without a name"))?;
        let given = call.get(given).map_or(Ok(String::new()), |given| self.string(given))?;
        Ok((format!("{CALL}{}", self.name(name)?), given))
    }

    /// Returns the text of a string, or of parts that are all text.
    fn content(&self, value: &RawValue) -> Result<String, Defect> {
        let json = value.get();
        match kind(json) {
            STRING => self.string(value),
            "null" => Ok(String::new()),
            "an array" => {
                if let Ok(mut texts) = serde_json::from_str::<Vec<String>>(json) {
                    if texts.len() > 1 {
                        let what = format!("{} inputs in one request; write a request for each", texts.len());
                        return Err(Defect::new("several-inputs", self.place, what));
                    }
                    return Ok(texts.pop().unwrap_or_default());
                }
                let parts: Vec<&RawValue> = serde_json::from_str(json).map_err(|_| self.no_text_part())?;
                let parts: Vec<String> = parts.into_iter().map(|part| self.part(part)).collect::<Result<_, _>>()?;
                Ok(parts.join("\n"))
            }
            found => {
                let what = format_args!("a content that is {found} and not a string");
                Err(Defect::new("wrong-type", self.place, what))
            }
        }
    }

    /// Returns the text of a part: a text or a refusal. A part that says anything else is an error.
    fn part(&self, part: &RawValue) -> Result<String, Defect> {
        let part = self.object(part, "a part that is no object")?;
        let kind = part.get("type").and_then(json::string).unwrap_or_default();
        let key = match kind.as_str() {
            "text" | "input_text" | "output_text" => "text",
            "refusal" => "refusal",
            _ => return Err(self.no_text_part()),
        };
        let silent = |(name, value): &(String, Box<RawValue>)| name == "type" || name == key || is_blank(value);
        if !part.fields.iter().all(silent) {
            return Err(self.no_text_part());
        }
        part.get(key).map_or_else(|| Err(self.no_text_part()), |text| self.string(text))
    }

    /// Returns a name that fits into a heading: without brackets, and on one line.
    fn name(&self, value: &RawValue) -> Result<String, Defect> {
        let name = self.string(value)?;
        let fits =
            |character: char| !character.is_control() && !matches!(character, '[' | ']' | '\u{2028}' | '\u{2029}');
        if name.chars().count() <= 64 && name.chars().all(fits) {
            return Ok(name);
        }
        Err(self.not_text("a name of more than 64 characters, or with brackets or control characters in it"))
    }

    fn string(&self, value: &RawValue) -> Result<String, Defect> {
        match kind(value.get()) {
            STRING => json::string(value).ok_or_else(|| json::half("the request", self.place)),
            "null" => Ok(String::new()),
            found => Err(self.not_text(&format!("{found}, where a message must have text"))),
        }
    }

    fn object(&self, value: &RawValue, otherwise: &str) -> Result<Object, Defect> {
        let Columns(fields) = serde_json::from_str(value.get()).map_err(|_| self.no_request(otherwise))?;
        let mut seen = HashSet::new();
        let each_once = fields.iter().all(|(name, _)| seen.insert(name));
        // Programs differ in the one that they use.
        if each_once { Ok(Object { fields }) } else { Err(self.no_request("a key that occurs twice in a message")) }
    }

    fn no_request(&self, what: &str) -> Defect {
        Defect::new("not-a-request", self.place, what)
    }

    fn no_text_part(&self) -> Defect {
        self.not_text("a part that is no text")
    }

    fn not_text(&self, what: &str) -> Defect {
        Defect::new("not-text", self.place, format_args!("{what}, which cannot be judged"))
    }
}

/// The beginning of a call's heading. A call counts even if it has no arguments.
const CALL: &str = "call ";

/// A JSON object without duplicate names.
struct Object {
    fields: Vec<(String, Box<RawValue>)>,
}

impl Object {
    /// Returns the value of a name, unless it is null.
    fn get(&self, name: &str) -> Option<&RawValue> {
        let value = self.fields.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_ref());
        value.filter(|value| value.get() != "null")
    }
}

/// Reports whether a value is empty: null, or an empty string, list or object.
fn is_blank(value: &RawValue) -> bool {
    let dense: String = value.get().chars().filter(|character| !character.is_whitespace()).collect();
    matches!(dense.as_str(), "null" | "\"\"" | "[]" | "{}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge_line(url: &str, body: &str) -> Result<String, &'static str> {
        let line = format!(r#"{{"custom_id":"a","method":"POST","url":"{url}","body":{body}}}"#);
        let (columns, text) = read(&line, 1);
        assert_eq!(columns.names().count(), 4);
        text.map(|content| content.text().to_owned()).map_err(|defect| defect.code)
    }

    #[test]
    fn what_others_say_is_judged() {
        let chat = |messages: &str| judge_line(CHAT, &format!(r#"{{"model":"m","messages":{messages}}}"#));
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
        assert_eq!(chat(r#"[{"role":"user","content":"[user]\na"}]"#), ok(" [user]\na"), "by itself, too");
        for (messages, code) in [
            ("[]", "empty"),
            (r#"[{"role":"user","content":" "},{"role":"assistant","content":""}]"#, "empty"),
            (r#"[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]"#, "not-text"),
            (r#"[{"role":"user","content":7}]"#, "wrong-type"),
            (r#"[{"content":"x"}]"#, "not-a-request"),
            (r#"["x"]"#, "not-a-request"),
            (r#"[{"role":"user","content":"a","content":"b"}]"#, "not-a-request"),
        ] {
            assert_eq!(chat(messages), Err(code), "{messages}");
        }
    }

    #[test]
    fn a_moderation_has_one_input() {
        let input = |input: &str| judge_line(MODERATIONS, &format!(r#"{{"input":{input}}}"#));
        assert_eq!(input(r#""a""#), Ok("a".into()));
        assert_eq!(input(r#"["a"]"#), Ok("a".into()));
        assert_eq!(input(r#"[{"type":"text","text":"a"}]"#), Ok("a".into()));
        assert_eq!(input(r#"["a","b"]"#), Err("several-inputs"));
        assert_eq!(input(r#""\ud800""#), Err("not-utf8"));
        assert_eq!(judge_line(MODERATIONS, "{}"), Err("not-a-request"));
        assert_eq!(judge_line("/v1/embeddings", r#"{"input":"a"}"#), Err("not-a-request"));
        assert_eq!(read(r#"{"custom_id":"a"}"#, 3).1.unwrap_err().code, "not-a-request");
    }

    #[test]
    fn all_that_a_turn_says_is_judged_or_it_is_a_defect() {
        let turn = |turn: &str| judge_line(CHAT, &format!(r#"{{"messages":[{{"role":"assistant",{turn}}}]}}"#));
        let ok = |text: &str| Ok(text.to_owned());
        for (message, text) in [
            (
                r#""content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"mail","arguments":"{\"a\":1}"}}]"#,
                "[call mail]\n{\"a\":1}",
            ),
            (r#""content":"x","function_call":{"name":"f","arguments":"[y"}"#, "[assistant]\nx\n[call f]\n [y"),
            (r#""content":"","tool_calls":[{"type":"custom","custom":{"name":"g","input":"z"}}]"#, "[call g]\nz"),
            (r#""tool_calls":[{"function":{"name":"stop"}}]"#, "[call stop]\n"),
            (r#""content":null,"refusal":"No.""#, "[refusal]\nNo."),
            (r#""content":[{"type":"refusal","refusal":"No."}]"#, "[assistant]\nNo."),
            (r#""content":"x","name":"Ann""#, "[assistant Ann]\nx"),
            (r#""content":"x","refusal":null,"tool_calls":[],"audio":null,"annotations":[ ]"#, "[assistant]\nx"),
        ] {
            assert_eq!(turn(message), ok(text), "{message}");
        }
        for message in [
            r#""content":"x","audio":{"id":"a"}"#,
            r#""content":"x","reasoning_content":"y""#,
            r#""content":"x","name":"a]\n[user""#,
            r#""content":"x","name":7"#,
            r#""content":"x","tool_calls":"y""#,
            r#""content":"x","tool_calls":[{"type":"function"}]"#,
            r#""content":"x","tool_calls":[{"function":{"arguments":"y"}}]"#,
            r#""content":"x","refusal":{"a":"b"}"#,
            r#""content":[{"type":"text","text":"x","annotations":[{"title":"y"}]}]"#,
            r#""content":[{"type":"image_url","image_url":{}}]"#,
            r#""content":[{"type":"text"}]"#,
        ] {
            assert_eq!(turn(message), Err("not-text"), "{message}");
        }
    }
}
