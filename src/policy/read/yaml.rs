//! The parser of YAML files, with the place of each value.
//!
//! The one idea: every value keeps its place, so that a fault found long after parsing still points at its line. `check`
//! compares the values with one another. No other file of the package reads YAML.

use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_yaml::{Error, Location, MessageFormatter as _, Spanned};

use crate::policy::diagnostics::error::{PolicyError, PolicyErrorKind};
use crate::policy::diagnostics::quoting::{quoted, suggestion};
use crate::policy::diagnostics::report::Span;
use crate::policy::read::limit::{LARGEST, too_large};

/// A value and its place in the file.
pub(in crate::policy) struct Located<T> {
    pub value: T,
    pub span: Span,
}

/// A text and its place in the file.
pub(in crate::policy) type Text = Located<String>;

/// A mapping in the order of the file.
pub(in crate::policy) struct Mapping<T>(pub Vec<(Text, T)>);

/// Reads a document of YAML. Errors name the file `name`.
pub(in crate::policy) fn parse<D: serde::de::DeserializeOwned + JsonSchema>(
    name: &str,
    source: &str,
) -> Result<D, PolicyError> {
    if source.trim_matches(|char: char| char.is_whitespace() || char == '\u{feff}').is_empty() {
        return Err(PolicyError::new(PolicyErrorKind::Empty, "the policy is empty").named(name));
    }
    if source.len() > LARGEST {
        return Err(too_large(name));
    }
    // A policy has five levels and some hundred values. A file far beyond that is meant to exhaust the parser.
    let options = serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_depth: 16,
            flow_nesting_limit: 16,
            max_nodes: 20_000,
            max_events: 50_000,
            max_aliases: 100,
            max_anchors: 100,
            max_documents: 8,
            max_total_scalar_bytes: LARGEST,
        },
        merge_keys: serde_yaml::options::MergeKeyPolicy::Error,
        // A report has its own excerpt, with escapes for terminals.
        with_snippet: false,
    };
    serde_yaml::from_str_with_options(source, options.clone()).map_err(|error| {
        let error = translated(&error).named(name).finish(source);
        match serde_yaml::from_str_with_options::<serde_json::Value>(source, options) {
            Ok(value) if error.kind() == PolicyErrorKind::MissingKey => {
                all_missing(error, &missing(&value, schemars::schema_for!(D).as_value()))
            }
            _ if error.kind() == PolicyErrorKind::Syntax && error.message().contains("tab") => {
                tab(name, source, &error).unwrap_or(error)
            }
            _ => error,
        }
    })
}

/// Returns an error at the tab that the parser could not read. It reports the place where the text before it begins.
fn tab(name: &str, source: &str, error: &PolicyError) -> Option<PolicyError> {
    let from = error.line()?.saturating_sub(1);
    let mut lines = source.lines().enumerate().skip(from);
    let indent = |line: &str| line.len() - line.trim_start().len();
    let (index, line) = lines.find(|(_, line)| line[..indent(line)].contains('\t') && !line.trim().is_empty())?;
    let column = line.chars().take_while(|char| *char != '\t').count() + 1;
    let span = Span { line: index + 1, column, width: 1 };
    let error =
        PolicyError::new(PolicyErrorKind::Syntax, "a tab at the beginning of the line, where YAML needs spaces");
    Some(error.named(name).at(source, span).with_hint("replace each tab there by two spaces"))
}

/// Returns an error that names all missing keys, where the parser names only the first.
fn all_missing(error: PolicyError, keys: &[String]) -> PolicyError {
    /// The most keys that a message lists.
    const MOST: usize = 12;
    if keys.len() < 2 {
        return error;
    }
    let more = if keys.len() > MOST { format!(", and {} more", keys.len() - MOST) } else { String::new() };
    let message = format!("{} keys are missing: {}{more}", keys.len(), keys[..keys.len().min(MOST)].join(", "));
    error.with_message(message).with_hint("add them; the JSON Schema of policies describes each")
}

/// Lists the keys that the schema requires and the value lacks.
fn missing(value: &serde_json::Value, schema: &serde_json::Value) -> Vec<String> {
    fn walk(
        value: &serde_json::Value,
        schema: &serde_json::Value,
        root: &serde_json::Value,
        path: &str,
        keys: &mut Vec<String>,
    ) {
        let reference = schema["$ref"].as_str().and_then(|reference| root.pointer(reference.trim_start_matches('#')));
        let schema = reference.unwrap_or(schema);
        if let Some(object) = value.as_object() {
            let of = if path.is_empty() { String::new() } else { format!(" of {path}") };
            let required = schema["required"].as_array().into_iter().flatten().filter_map(|key| key.as_str());
            keys.extend(required.filter(|key| !object.contains_key(*key)).map(|key| format!("the key `{key}`{of}")));
            for (key, value) in object {
                let deeper = if path.is_empty() {
                    key.escape_debug().to_string()
                } else {
                    format!("{path}.{}", key.escape_debug())
                };
                walk(value, &schema["properties"][key], root, &deeper, keys);
            }
        }
        for (index, value) in value.as_array().into_iter().flatten().enumerate() {
            walk(value, &schema["items"], root, &format!("{path} {}", index + 1), keys);
        }
    }
    let mut keys = Vec::new();
    walk(value, schema, schema, "", &mut keys);
    keys
}

/// A parser's error in our words, before its source is known.
struct Translation {
    error: PolicyError,
    span: Span,
}

impl Translation {
    fn named(self, name: &str) -> Self {
        Self { error: self.error.named(name), ..self }
    }

    fn finish(self, source: &str) -> PolicyError {
        self.error.at(source, self.span)
    }
}

fn translated(error: &Error) -> Translation {
    use PolicyErrorKind as Kind;
    let span = error.location().map(span_of).unwrap_or_default();
    let choice = |word: &str, known: &[&str]| Some(suggestion(word, known, "known here:"));
    let found = |kind, message: String, hint: Option<String>| {
        let error = PolicyError::new(kind, message);
        Translation {
            error: match hint {
                Some(hint) => error.with_hint(hint),
                None => error,
            },
            span,
        }
    };
    match error {
        Error::WithSnippet { error, .. } => translated(error),
        Error::AliasError { error, .. } => Translation { span, ..translated(error) },
        Error::SerdeUnknownField { field, expected, .. } => {
            found(Kind::UnknownKey, format!("unknown key {}", quoted(field)), choice(field, expected))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            found(Kind::Value, format!("{} is not allowed here", quoted(variant)), choice(variant, expected))
        }
        Error::SerdeMissingField { field, .. } => {
            // The parser reports the last key of the mapping that lacks one.
            let hint = format!("add `{field}:` beside the key marked here");
            found(Kind::MissingKey, format!("the key `{field}` is missing"), Some(hint))
        }
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().map(quoted).unwrap_or_default();
            found(Kind::DuplicateKey, format!("the key {key} occurs twice"), None)
        }
        Error::MultipleDocuments { .. } => {
            let hint = "put each policy into a file of its own, without a `---` between".to_owned();
            found(Kind::Syntax, "more than one YAML document".to_owned(), Some(hint))
        }
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::RecursiveReferencesRequireWeakTypes { .. } => {
            found(Kind::Limit, "deeper or more entangled than a policy can be".to_owned(), None)
        }
        Error::SerdeInvalidType { .. }
        | Error::SerdeInvalidValue { .. }
        | Error::SerdeInvalidLength { .. }
        | Error::InvalidScalar { .. }
        | Error::Unexpected { .. }
        | Error::NullIntoString { .. }
        | Error::ExternallyTaggedEnumExpectedScalarOrMapping { .. }
        | Error::UnexpectedValueForUnitEnumVariant { .. } => found(Kind::Type, wanted(error), None),
        _ => {
            let message = words(error);
            let hint = message.starts_with("mapping values").then(|| "put a text with `: ` in it in quotes".to_owned());
            found(Kind::Syntax, message, hint)
        }
    }
}

/// Describes a wrong type in an author's terms, without YAML events and Rust.
fn wanted(error: &Error) -> String {
    let wanted = match error {
        Error::Unexpected { expected: "sequence start", .. } => "a list",
        Error::Unexpected { expected: "mapping start", .. } => "a mapping",
        Error::Unexpected { expected: "string scalar", .. } | Error::NullIntoString { .. } => "a text",
        Error::ExternallyTaggedEnumExpectedScalarOrMapping { .. } | Error::UnexpectedValueForUnitEnumVariant { .. } => {
            "one word"
        }
        _ => return words(error),
    };
    format!("{wanted} is required here")
}

/// Returns the parser's own message.
fn words(error: &Error) -> String {
    serde_yaml::UserMessageFormatter.format_message(error).escape_debug().to_string()
}

fn span_of(location: Location) -> Span {
    let number = |number: u64| usize::try_from(number).unwrap_or_default();
    Span { line: number(location.line()), column: number(location.column()), width: number(location.span().len()) }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, .. } = Spanned::deserialize(deserializer)?;
        Ok(Self { value, span: span_of(referenced) })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Mapping<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for InOrder<T> {
            type Value = Mapping<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a mapping")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Mapping<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Mapping(entries))
            }
        }

        deserializer.deserialize_map(InOrder(PhantomData))
    }
}

impl<T> Default for Mapping<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: JsonSchema> JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: JsonSchema> JsonSchema for Mapping<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("MappingOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        std::collections::BTreeMap::<String, T>::json_schema(generator)
    }
}
