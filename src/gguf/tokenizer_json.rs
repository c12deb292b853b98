//! The vocabulary in a `tokenizer.json`, the file that models of Hugging Face have beside their weights.
//!
//! It has what a GGUF header has, which converters make of it. So it passes the same checks.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::error::{GgufError, ModelError, Problem};
use crate::tokenizer::{Strings, Tokenizer, Vocabulary};

/// Most bytes of the file. That of gpt-oss has 28 MB.
const LARGEST: u64 = 128 << 20;

/// A part of the pattern by which gpt-oss cuts texts, in the syntax of the file.
const PATTERN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+";

#[derive(Deserialize)]
struct TokenizerJson {
    #[serde(default)]
    added_tokens: Vec<Added>,
    #[serde(default)]
    pre_tokenizer: Value,
    model: Model,
}

#[derive(Deserialize)]
struct Added {
    id: usize,
    content: String,
}

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "type", default)]
    kind: String,
    vocab: std::collections::HashMap<String, usize>,
    merges: Vec<Merge>,
}

/// A merge: a pair, or in older files both parts with a space between them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Pair([String; 2]),
    Text(String),
}

/// Returns the tokenizer in a file.
pub(super) fn read(path: &Path) -> Result<Tokenizer, ModelError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Problem::NotFound,
        _ => GgufError::Io(error).into(),
    });
    file.and_then(|file| file.take(LARGEST).read_to_end(&mut bytes).map_err(|error| GgufError::Io(error).into()))
        .and_then(|_| vocabulary(&bytes))
        .and_then(|vocabulary| Tokenizer::new(&vocabulary).map_err(Problem::Vocabulary))
        .map_err(|problem| problem.at(path))
}

fn vocabulary(bytes: &[u8]) -> Result<Vocabulary, Problem> {
    let json: TokenizerJson =
        serde_json::from_slice(bytes).map_err(|error| Problem::TokenizerJson(error.to_string()))?;
    let length = json.model.vocab.values().chain(json.added_tokens.iter().map(|added| &added.id)).max();
    let length = length.map_or(0, |last| last + 1);
    if length > 2 * (json.model.vocab.len() + json.added_tokens.len()) {
        return Err(Problem::TokenizerJson(format!("its ids go up to {}", length - 1)));
    }
    let (mut tokens, mut types) = (vec![String::new(); length], vec![UNUSED; length]);
    for (text, id) in json.model.vocab {
        (tokens[id], types[id]) = (text, NORMAL);
    }
    for Added { id, content } in json.added_tokens {
        (tokens[id], types[id]) = (content, CONTROL);
    }
    for (id, token) in tokens.iter_mut().enumerate().filter(|(_, token)| token.is_empty()) {
        // Ids that the file leaves out are reserved.
        *token = format!("<|reserved_{id}|>");
    }
    let merge = |merge: Merge| match merge {
        Merge::Pair(pair) => pair.join(" "),
        Merge::Text(text) => text,
    };
    let has_pattern = texts(&json.pre_tokenizer).any(|text| text.contains(PATTERN));
    Ok(Vocabulary {
        tokens: tokens.into_iter().collect(),
        types,
        merges: json.model.merges.into_iter().map(merge).collect::<Strings>(),
        pre: if has_pattern { "gpt-4o" } else { "another" }.to_owned(),
        model: if json.model.kind == "BPE" { "gpt2".to_owned() } else { json.model.kind },
    })
}

// Types of tokens, by GGUF's numbers.
const NORMAL: i32 = 1;
const CONTROL: i32 = 3;
const UNUSED: i32 = 5;

/// Iterates over all texts in a value.
fn texts(value: &Value) -> Box<dyn Iterator<Item = &str> + '_> {
    match value {
        Value::String(text) => Box::new(std::iter::once(text.as_str())),
        Value::Array(values) => Box::new(values.iter().flat_map(texts)),
        Value::Object(map) => Box::new(map.values().flat_map(texts)),
        _ => Box::new(std::iter::empty()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::gguf::inspect;
    use crate::harmony::{Control, Segment};

    /// The tokenizer of the built-in model in the form of a `tokenizer.json`.
    fn file(vocabulary: &Vocabulary, pattern: &str) -> Vec<u8> {
        let is = |kind| move |(id, _): &(usize, &str)| vocabulary.types[*id] == kind;
        let tokens = || vocabulary.tokens.iter().enumerate();
        let vocab: serde_json::Map<String, Value> =
            tokens().filter(is(NORMAL)).map(|(id, text)| (text.to_owned(), id.into())).collect();
        let added: Vec<Value> =
            tokens().filter(is(CONTROL)).map(|(id, content)| json!({ "id": id, "content": content })).collect();
        let merges: Vec<[&str; 2]> =
            vocabulary.merges.iter().map(|merge| merge.split_once(' ').unwrap().into()).collect();
        json!({
            "added_tokens": added,
            "pre_tokenizer": { "type": "Sequence", "pretokenizers": [{ "pattern": { "Regex": pattern } }] },
            "model": { "type": "BPE", "vocab": vocab, "merges": merges },
        })
        .to_string()
        .into_bytes()
    }

    #[test]
    fn the_same_vocabulary_makes_the_same_tokens_from_either_file() {
        let model = inspect(Path::new("models/magistrate-nano.gguf")).unwrap();
        let (folder, ours) = (tempfile::tempdir().unwrap(), model.tokenizer().unwrap());
        let path = folder.path().join("tokenizer.json");
        std::fs::write(&path, file(&model.vocabulary, &format!("{PATTERN}|\\p{{N}}{{1,3}}"))).unwrap();
        let theirs = read(&path).unwrap();
        let segments = [Segment::Control(Control::Start), Segment::Text("Größer, 12345 <|end|> times".to_owned())];
        assert_eq!(theirs.encode_segments(&segments), ours.encode_segments(&segments));
    }

    #[test]
    fn a_file_of_another_model_is_refused_with_its_reason() {
        let model = inspect(Path::new("models/magistrate-nano.gguf")).unwrap();
        let (folder, path) = (tempfile::tempdir().unwrap(), "tokenizer.json");
        let refused = |bytes: &[u8]| {
            let path = folder.path().join(path);
            std::fs::write(&path, bytes).unwrap();
            read(&path).unwrap_err().to_string()
        };
        assert!(refused(&file(&model.vocabulary, "\\w+")).contains("pre-tokenizer is `another`"));
        assert!(refused(b"{}").contains("is no tokenizer.json"));
        assert!(refused(br#"{"model":{"type":"BPE","vocab":{"a":99999999},"merges":[]}}"#).contains("99999999"));
        assert!(refused(br#"{"model":{"type":"Unigram","vocab":{"a":0},"merges":[]}}"#).contains("Unigram"));
    }
}
