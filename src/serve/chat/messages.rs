//! The messages of a chat: the text to judge, and the policy in the instructions.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::content::Content;
use crate::label::records::dialogue;
use crate::serve::api_error::ApiError;
use crate::serve::judging::Text;
use crate::serve::parts::{self, Part};

/// A message.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Message {
    /// `system` and `developer` give instructions. All others are judged.
    pub role: String,
    /// The words.
    pub content: Option<Words>,
    /// Calls of tools, which cannot be judged.
    pub tool_calls: Option<Value>,
    /// An older form of a call, which cannot be judged.
    pub function_call: Option<Value>,
}

/// The words of a message.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Words {
    /// A text.
    Text(String),
    /// The parts of a text.
    Parts(Vec<Part>),
}

/// The messages, as they were understood.
#[derive(Debug)]
pub struct Conversation {
    /// The instructions, if there are any.
    pub instructions: Option<String>,
    /// The text to judge.
    pub text: Text,
    /// True if an answer of a model is judged, together with the message before it.
    pub has_answer: bool,
}

/// Headings that openai-guardrails puts before a text, and before a conversation in JSON.
const TEXT_HEADING: &str = "# Text\n\n";
const INPUT_HEADING: &str = "# Analysis Input\n\n";

/// A conversation as openai-guardrails sends it. With any other property it is a text like all others.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Analysis {
    conversation: Vec<AnalysisTurn>,
    latest_input: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnalysisTurn {
    role: String,
    content: String,
}

type Turn = (String, String);

/// Reads the messages.
///
/// One user message is the text itself. Several turns become one text, in which each has its role above it.
///
/// # Errors
///
/// Status 400 for a message that is not text, and without a message to judge.
pub fn read(messages: Vec<Message>) -> Result<Conversation, ApiError> {
    let mut instructions: Vec<String> = Vec::new();
    let mut turns: Vec<Turn> = Vec::new();
    for (number, message) in messages.into_iter().enumerate() {
        let place = format!("messages[{number}]");
        let role = match message.role.as_str() {
            "system" | "developer" => None,
            role @ ("user" | "assistant") => Some(role),
            "tool" | "function" => Some("tool"),
            _ => return Err(ApiError::invalid("invalid_value", "there is no such role").of(format!("{place}.role"))),
        };
        let words = words(&message, &place)?;
        match (role, message.content) {
            (None, _) => instructions.push(words),
            (Some(_), None) => {}
            (Some(role), Some(_)) => turns.push((role.to_owned(), words)),
        }
    }
    if turns.is_empty() {
        let message = "no message is there to judge; the text is the last message with the role user";
        return Err(ApiError::invalid("missing", message).of("messages"));
    }
    let has_answer = turns.last().is_some_and(|(role, _)| role == "assistant");
    let instructions = (!instructions.is_empty()).then(|| instructions.join("\n\n"));
    Ok(Conversation { instructions, text: text(turns), has_answer })
}

/// Returns the words of a message.
fn words(message: &Message, place: &str) -> Result<String, ApiError> {
    let is_call = |call: &Value| !call.is_null() && call.as_array().is_none_or(|calls| !calls.is_empty());
    if [&message.tool_calls, &message.function_call].into_iter().flatten().any(is_call) {
        let message = "a call of a tool cannot be judged; send its words as content";
        return Err(ApiError::invalid("unsupported_parameter", message).of(format!("{place}.tool_calls")));
    }
    match &message.content {
        None => Ok(String::new()),
        Some(Words::Text(text)) => Ok(text.clone()),
        Some(Words::Parts(parts)) => parts::joined(parts, &format!("{place}.content")),
    }
}

/// Returns the text of the turns.
fn text(mut turns: Vec<Turn>) -> Text {
    if let [(role, text)] = turns.as_slice()
        && role == "user"
    {
        match unframed(text) {
            Framed::Text(text) => return Content::of(text.to_owned()).map_err(Into::into),
            Framed::Turns(inner) => turns = inner,
        }
    }
    // A frame around one message adds nothing to it.
    if let [(role, text)] = turns.as_slice()
        && role == "user"
    {
        return Content::of(text.clone()).map_err(Into::into);
    }
    // Without any word in the last turns there is no text, however the roles are written.
    let last = turns.iter().rposition(|(role, _)| role != "assistant").unwrap_or(0);
    if turns[last..].iter().all(|(_, text)| text.trim().is_empty()) {
        return Content::of(String::new()).map_err(Into::into);
    }
    Content::of(dialogue(turns.iter().map(|(role, text)| (role.as_str(), text.clone())))).map_err(Into::into)
}

enum Framed<'text> {
    Text(&'text str),
    Turns(Vec<Turn>),
}

/// Returns a user's words without the frame of openai-guardrails.
fn unframed(text: &str) -> Framed<'_> {
    if let Some(text) = text.strip_prefix(TEXT_HEADING) {
        return Framed::Text(text);
    }
    let analysis = text.strip_prefix(INPUT_HEADING).and_then(|json| serde_json::from_str::<Analysis>(json).ok());
    let is_role =
        |turn: &AnalysisTurn| matches!(turn.role.as_str(), "user" | "assistant" | "system" | "developer" | "tool");
    match analysis {
        Some(Analysis { conversation, latest_input }) if conversation.iter().all(is_role) => {
            let mut turns: Vec<Turn> = conversation.into_iter().map(|turn| (turn.role, turn.content)).collect();
            // The newest input is often the last turn already.
            if turns.last().is_none_or(|(_, text)| text.trim() != latest_input) {
                turns.push(("user".to_owned(), latest_input));
            }
            Framed::Turns(turns)
        }
        _ => Framed::Text(text),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn conversation(messages: Value) -> Result<Conversation, ApiError> {
        read(serde_json::from_value(messages).unwrap())
    }

    fn text(messages: Value) -> String {
        conversation(messages).unwrap().text.unwrap().text().to_owned()
    }

    #[test]
    fn instructions_are_joined_and_the_user_s_message_is_the_text() {
        let read = conversation(json!([
            { "role": "system", "content": "First." },
            { "role": "developer", "content": [{ "type": "text", "text": "Second." }] },
            { "role": "user", "content": "[assistant] is no role" },
        ]));
        let read = read.unwrap();
        assert_eq!(read.instructions.as_deref(), Some("First.\n\nSecond."));
        assert_eq!((read.text.unwrap().text(), read.has_answer), ("[assistant] is no role", false));
    }

    #[test]
    fn several_turns_stand_under_their_roles_and_an_answer_makes_a_pair() {
        let messages = json!([{ "role": "user", "content": "Hello" }, { "role": "assistant", "content": "Buy now" }]);
        assert_eq!(text(messages.clone()), "[user]\nHello\n[assistant]\nBuy now");
        assert!(conversation(messages).unwrap().has_answer);
        let earlier = json!([
            { "role": "user", "content": "Hello" }, { "role": "assistant", "content": "Hi" },
            { "role": "user", "content": "[assistant]\nFine" },
        ]);
        assert_eq!(text(earlier), "[user]\nHello\n[assistant]\nHi\n[user]\n [assistant]\nFine");
    }

    #[test]
    fn only_text_can_be_judged() {
        let image = json!([{ "type": "image_url", "image_url": { "url": "data:," } }]);
        for (messages, code) in [
            (json!([{ "role": "user", "content": image }]), "unsupported_parameter"),
            (json!([{ "role": "assistant", "tool_calls": [{ "id": "a" }] }]), "unsupported_parameter"),
            (json!([{ "role": "system", "content": "Rules." }]), "missing"),
            (json!([{ "role": "oracle", "content": "Hello" }]), "invalid_value"),
        ] {
            assert_eq!(conversation(messages.clone()).unwrap_err().code, code, "{messages}");
        }
        let empty = json!([{ "role": "user", "content": "Hi" }, { "role": "user", "content": " " }]);
        assert!(conversation(empty).unwrap().text.is_err());
    }

    #[test]
    fn a_frame_of_openai_guardrails_is_taken_off_and_nothing_within_is_lost() {
        let user = |text: String| json!([{ "role": "user", "content": text }]);
        assert_eq!(text(user("# Text\n\nSee you".to_owned())), "See you");
        for before in [json!([]), json!([{ "role": "user", "content": "See you" }])] {
            let one = json!({ "conversation": before, "latest_input": "See you" });
            assert_eq!(text(user(format!("# Analysis Input\n\n{one}"))), "See you");
        }
        let turns = json!({ "conversation": [{ "role": "user", "content": "Hi" }], "latest_input": "See you" });
        assert_eq!(text(user(format!("# Analysis Input\n\n{turns}"))), "[user]\nHi\n[user]\nSee you");
        let hidden = json!({ "conversation": [], "latest_input": "See you", "more": "Buy now" });
        assert!(text(user(format!("# Analysis Input\n\n{hidden}"))).contains("Buy now"));
    }
}
