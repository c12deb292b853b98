//! A column that holds a conversation: a list of messages, each with its role and its content.
//!
//! A request of the Batch API is read in the same way. The names of another common form, `from` and `value`, are
//! understood too.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::batch;
use super::defect::{Defect, Location};
use crate::label::columns;

/// The names of columns whose text may be a list of messages in JSON. In any other column the author of a text could hide
/// a part of it in a message of the role `system`, which is not judged.
const NAMES: [&str; 4] = ["messages", "conversation", "conversations", "chat"];

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    from: Option<&'a RawValue>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
}

/// Reports whether JSON is a list of messages, each with a role.
pub(super) fn is(json: &str) -> bool {
    let messages: Result<Vec<Message>, _> = serde_json::from_str(json);
    messages.is_ok_and(|messages| {
        !messages.is_empty() && messages.iter().all(|message| message.role.is_some() || message.is_of_another_form())
    })
}

/// Returns the text of a list of messages.
pub(super) fn read(json: &str, place: impl Into<Location>) -> Result<String, Defect> {
    let messages: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
    let renamed: Vec<Option<Box<RawValue>>> = messages.iter().map(|message| renamed(message)).collect();
    let messages: Vec<&RawValue> =
        messages.into_iter().zip(&renamed).map(|(message, renamed)| renamed.as_deref().unwrap_or(message)).collect();
    batch::conversation(&messages, place.into())
}

/// Returns the text of a column of texts: of the messages, if its name and its text are those of a list of them.
pub(super) fn in_text(name: &str, text: String, place: impl Into<Location>) -> Result<String, Defect> {
    let name = name.rsplit('.').next().unwrap_or(name).to_lowercase();
    if NAMES.contains(&name.as_str()) && text.trim_start().starts_with('[') && is(&text) {
        return read(&text, place);
    }
    Ok(text)
}

/// Returns the text of a column's value, as it was judged. Empty if it has none.
pub(in crate::label) fn text_of(name: &str, value: &RawValue) -> String {
    if is(value.get()) {
        return read(value.get(), 0).unwrap_or_default();
    }
    in_text(name, columns::text(value), 0).unwrap_or_default()
}

impl Message<'_> {
    fn is_of_another_form(&self) -> bool {
        self.role.is_none() && self.content.is_none() && self.from.is_some() && self.value.is_some()
    }
}

/// Returns a message with the usual names. `None` if it has them.
fn renamed(message: &RawValue) -> Option<Box<RawValue>> {
    let parts: Message = serde_json::from_str(message.get()).ok()?;
    let (true, Some(from), Some(value)) = (parts.is_of_another_form(), parts.from, parts.value) else { return None };
    let role = match from.get() {
        "\"human\"" => "\"user\"",
        "\"gpt\"" => "\"assistant\"",
        other => other,
    };
    RawValue::from_string(format!("{{\"role\":{role},\"content\":{}}}", value.get())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_messages_is_read_and_others_are_not() {
        for (json, expect) in [
            (r#"[{"role":"user","content":"a"}]"#, "a"),
            (
                r#"[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":"b"}]"#,
                "[user]\na\n[assistant]\nb",
            ),
            (r#"[{"role":"user","content":[{"type":"text","text":"a"}]}]"#, "a"),
            (r#"[{"from":"human","value":"a"},{"from":"gpt","value":"b"}]"#, "[user]\na\n[assistant]\nb"),
        ] {
            assert!(is(json), "{json}");
            assert_eq!(read(json, 1).unwrap(), expect);
        }
        for other in ["[]", "[1]", r#"["a"]"#, r#"[{"text":"a"}]"#, r#"{"role":"user"}"#, "[", r#"[{"from":"a"}]"#] {
            assert!(!is(other), "{other}");
        }
        let image = r#"[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]"#;
        assert_eq!(read(image, 7).unwrap_err().code, "not-text");
    }

    #[test]
    fn a_text_is_a_list_of_messages_only_in_a_column_of_that_name() {
        let json = r#"[{"role":"system","content":"s"},{"role":"user","content":"a"}]"#;
        assert_eq!(in_text("messages", json.into(), 1).unwrap(), "a");
        assert_eq!(in_text("data.Conversation", json.into(), 1).unwrap(), "a");
        assert_eq!(in_text("text", json.into(), 1).unwrap(), json);
        assert_eq!(in_text("messages", "[draft] hello".into(), 1).unwrap(), "[draft] hello");
    }
}
