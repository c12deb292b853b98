//! A hook: a route in the form of another system's webhook, as a hook file describes it.

use std::collections::BTreeMap;

use super::json_path::JsonPath;
use super::outcome::Answers;
use super::reply::Replies;

/// A hook.
#[derive(Debug)]
pub struct Hook {
    /// The name of its file.
    pub name: String,
    /// The path of the route, which lives as long as the program.
    pub route: &'static str,
    /// The text after the last place of the path, such as `:predict`. Empty for most.
    pub suffix: String,
    /// A sentence for the document.
    pub summary: &'static str,
    /// The texts in a request.
    pub texts: Texts,
    /// The places of the policies' names. The first with a name counts.
    pub policy: Vec<Source>,
    /// True if a request without a name is judged by all policies of the server.
    pub all_policies: bool,
    /// The places of the threshold.
    pub threshold: Vec<Source>,
    /// The places of the effort.
    pub effort: Vec<Source>,
    /// Paths that a template can ask about: whether they find a text.
    pub flags: BTreeMap<String, JsonPath>,
    /// Paths at which a request must have no text.
    pub refuse: Vec<JsonPath>,
    /// The path of a list that has one element for each text.
    pub count: Option<JsonPath>,
    /// The answers of one reply.
    pub answers: Answers,
    /// True if a request without a text gets the reply of a safe one.
    pub is_safe_without_text: bool,
    /// The replies.
    pub replies: Replies,
}

/// The texts in a request.
#[derive(Debug)]
pub enum Texts {
    /// Each text by itself.
    Each(Vec<JsonPath>),
    /// A text and a model's answer to it, judged together.
    Pair(JsonPath, JsonPath),
    /// The turns of one conversation, judged together.
    Conversation {
        /// The turns.
        turns: JsonPath,
        /// The speaker of a turn.
        role: JsonPath,
        /// The words of a turn.
        text: JsonPath,
    },
}

/// A place of a value in a request.
#[derive(Debug)]
pub struct Source {
    /// The place.
    pub from: Origin,
    /// Values that count as no value.
    pub except: Vec<String>,
}

/// The part of a request that a value is in.
#[derive(Debug)]
pub enum Origin {
    /// The body.
    Body(JsonPath),
    /// A header.
    Header(String),
    /// A place in the path.
    Place(String),
}
