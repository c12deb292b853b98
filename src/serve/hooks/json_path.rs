//! Paths into a request's JSON, such as `messages[role!=system].content[*].text`.
//!
//! The one idea: a path finds any number of values and never fails. So one path reads requests of several shapes, and a
//! value of another type than the path's end has is not found.

use serde_json::Value;

/// A path into JSON, with alternatives: the first that finds a text counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPath(Vec<Vec<Step>>);

/// A step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// The value of a name.
    Name(String),
    /// All values of a list or an object.
    All,
    /// The element at a place. A negative one counts from the end.
    At(i64),
    /// The elements of a list, or the object itself, in which a name has this text.
    Where(String, String),
    /// The elements of a list, or the object itself, in which it has another text.
    WhereNot(String, String),
}

impl JsonPath {
    /// Reads a path.
    ///
    /// # Errors
    ///
    /// A message that names the wrong part.
    pub fn read(text: &str) -> Result<Self, String> {
        let alternatives = text.split('|').map(|path| steps(path.trim())).collect::<Result<_, _>>();
        alternatives.map(Self).map_err(|error| format!("the path `{text}` {error}"))
    }

    /// Returns the texts at the path, in the order of the JSON.
    #[must_use]
    pub fn texts<'json>(&self, value: &'json Value) -> Vec<&'json str> {
        let found = |steps: &Vec<Step>| walk(value, steps).into_iter().filter_map(Value::as_str).collect::<Vec<_>>();
        let has_words = |texts: &Vec<&str>| texts.iter().any(|text| !text.trim().is_empty());
        let last = self.0.last().map(found).unwrap_or_default();
        self.0.iter().map(found).find(has_words).unwrap_or(last)
    }

    /// Returns all values at the path.
    #[must_use]
    pub fn values<'json>(&self, value: &'json Value) -> Vec<&'json Value> {
        self.0.iter().map(|steps| walk(value, steps)).find(|values| !values.is_empty()).unwrap_or_default()
    }
}

/// Returns the values that a path leads to.
fn walk<'json>(value: &'json Value, steps: &[Step]) -> Vec<&'json Value> {
    steps.iter().fold(vec![value], |values, step| values.into_iter().flat_map(|value| step.of(value)).collect())
}

impl Step {
    fn of<'json>(&self, value: &'json Value) -> Vec<&'json Value> {
        match (self, value) {
            (Self::Name(name), Value::Object(object)) => object.get(name).into_iter().collect(),
            (Self::All, Value::Array(list)) => list.iter().collect(),
            (Self::All, Value::Object(object)) => object.values().collect(),
            (Self::At(place), Value::Array(list)) => {
                let length = i64::try_from(list.len()).unwrap_or(i64::MAX);
                let place = if *place < 0 { place.saturating_add(length) } else { *place };
                usize::try_from(place).ok().and_then(|place| list.get(place)).into_iter().collect()
            }
            (Self::Where(..) | Self::WhereNot(..), Value::Array(list)) => {
                list.iter().filter(|element| self.holds(element)).collect()
            }
            (Self::Where(..) | Self::WhereNot(..), Value::Object(_)) if self.holds(value) => vec![value],
            _ => Vec::new(),
        }
    }

    fn holds(&self, value: &Value) -> bool {
        match self {
            Self::Where(name, text) => value.get(name).and_then(Value::as_str) == Some(text),
            Self::WhereNot(name, text) => value.is_object() && value.get(name).and_then(Value::as_str) != Some(text),
            _ => true,
        }
    }
}

/// Reads the steps of one path.
fn steps(path: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (inner, after) = inner.split_once(']').ok_or("has a bracket that is not closed")?;
            steps.push(in_brackets(inner.trim())?);
            rest = after;
            continue;
        }
        rest = match rest.strip_prefix('.') {
            Some(_) if steps.is_empty() => return Err("begins with a dot".to_owned()),
            Some(after) => after,
            None if steps.is_empty() => rest,
            None => return Err("has a name without a dot before it".to_owned()),
        };
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let name = &rest[..end];
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-/".contains(&byte));
        if name.is_empty() || !(is_name || name == "*") {
            return Err("has a name that is not of letters, digits, `_`, `-` and `/`".to_owned());
        }
        steps.push(if name == "*" { Step::All } else { Step::Name(name.to_owned()) });
        rest = &rest[end..];
    }
    if steps.is_empty() { Err("is empty".to_owned()) } else { Ok(steps) }
}

/// Reads a step in brackets.
fn in_brackets(inner: &str) -> Result<Step, String> {
    let pair = |(name, text): (&str, &str)| (name.trim().to_owned(), text.trim().to_owned());
    if inner == "*" {
        return Ok(Step::All);
    }
    if let Some((name, text)) = inner.split_once("!=").map(pair) {
        return Ok(Step::WhereNot(name, text));
    }
    if let Some((name, text)) = inner.split_once('=').map(pair) {
        return Ok(Step::Where(name, text));
    }
    inner.parse().map(Step::At).map_err(|_| "has brackets without `*`, a number or NAME=TEXT".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn texts(path: &str, value: &Value) -> Vec<String> {
        JsonPath::read(path).unwrap().texts(value).into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn a_path_finds_texts_in_the_order_of_the_json() {
        let chat = json!({ "messages": [
            { "role": "system", "content": "Be kind" },
            { "role": "user", "content": "Hello" },
            { "role": "user", "content": [{ "type": "text", "text": "Look" }, { "type": "image_url" }] },
        ] });
        assert_eq!(texts("messages[*].content", &chat), ["Be kind", "Hello"]);
        assert_eq!(texts("messages[role!=system].content", &chat), ["Hello"]);
        assert_eq!(texts("messages[role=user].content[*].text", &chat), ["Look"]);
        assert_eq!(texts("messages[-1].content[0].text", &chat), ["Look"]);
        assert_eq!(texts("messages[9].content", &chat), Vec::<String>::new());
        assert_eq!(texts("inputs.*", &json!({ "inputs": { "a": "1", "b": 2, "c": "3" } })), ["1", "3"]);
    }

    #[test]
    fn a_filter_at_the_root_takes_the_whole_request_or_nothing() {
        let event = json!({ "event": "after", "request": "a", "response": "b" });
        assert_eq!(texts("[event=after].response", &event), ["b"]);
        assert_eq!(texts("[event=before].request", &event), Vec::<String>::new());
    }

    #[test]
    fn the_first_alternative_with_words_counts() {
        assert_eq!(
            texts("response.text | request.text", &json!({ "response": { "text": " " }, "request": { "text": "a" } })),
            ["a"]
        );
        assert_eq!(texts("a | b", &json!({ "a": "x", "b": "y" })), ["x"]);
    }

    #[test]
    fn a_wrong_path_is_refused() {
        for path in ["", "a..b", ".a", "a[", "a[x]", "a b", "a[*]b", "a |"] {
            assert!(JsonPath::read(path).is_err(), "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_path_panics_and_what_is_found_is_in_the_json(path in "[a-c.*|\\[\\]0-9=!-]{0,16}", text in "[a-z]{1,8}") {
            let value = json!({ "a": [{ "b": text, "c": [text] }], "b": { "c": text } });
            if let Ok(path) = JsonPath::read(&path) {
                prop_assert!(path.texts(&value).into_iter().all(|found| found == text));
            }
        }
    }
}
