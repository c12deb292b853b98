//! A settings file: TOML, with the place of each value.

use std::path::Path;

use magistrate::policy::PolicySource;
use toml_span::Span;
use toml_span::value::{Table, ValueInner};

use super::keys::{KEYS, Key, Kind, Place, named};
use crate::cli::suggestions::nearest;
use crate::cli::terminal::error::hinted;

/// A value of a file, and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub key: &'static Key,
    /// The verb whose table has the value. `None` for all verbs.
    pub verb: Option<String>,
    /// The values that the flag gets.
    pub values: Vec<String>,
    pub line: usize,
    pub column: usize,
}

/// The text of a file and the rules for it.
struct Reader<'file> {
    path: &'file Path,
    text: &'file str,
    /// The file is a project's.
    is_project: bool,
    verbs: &'file [String],
}

/// Reads a file. `verbs` are the names of tables that it may have.
pub fn read(path: &Path, text: &str, is_project: bool, verbs: &[String]) -> Result<Vec<Entry>, anyhow::Error> {
    let reader = Reader { path, text, is_project, verbs };
    let mut value = toml_span::parse(text).map_err(|error| reader.fault(error.span, &error.to_string()))?;
    let ValueInner::Table(table) = value.take() else { return Ok(Vec::new()) };
    let mut entries = reader.entries(table, None)?;
    // A later entry wins, so a verb's own values come last. `label.parallel = 4` may stand before `parallel = 8`.
    entries.sort_by_key(|entry| (entry.verb.is_some(), entry.line, entry.column));
    Ok(entries)
}

impl Reader<'_> {
    fn entries(&self, table: Table<'_>, verb: Option<&str>) -> Result<Vec<Entry>, anyhow::Error> {
        let mut entries = Vec::new();
        for (name, mut value) in table {
            let span = name.span;
            let inner = value.take();
            let is_verb = verb.is_none() && self.verbs.iter().any(|verb| *verb == name.name);
            match inner {
                ValueInner::Table(table) if is_verb => entries.extend(self.entries(table, Some(&name.name))?),
                inner => {
                    let key = self.key(&name.name, span)?;
                    let values = self.values(key, &inner, value.span)?;
                    let (line, column) = place(self.text, span.start);
                    entries.push(Entry { key, verb: verb.map(str::to_owned), values, line, column });
                }
            }
        }
        Ok(entries)
    }

    /// Returns the key of a name that this file may have.
    fn key(&self, name: &str, span: Span) -> Result<&'static Key, anyhow::Error> {
        let Some(key) = named(name) else {
            let known = KEYS.iter().map(|key| key.name).chain(self.verbs.iter().map(String::as_str));
            let hint = match nearest(&name.to_lowercase().replace('_', "-"), known) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => {
                    "magistrate config --help lists the keys; output files are named on the command line".to_owned()
                }
            };
            return Err(hinted(self.fault(span, &format!("unknown key `{name}`")), hint));
        };
        if self.is_project && key.place == Place::User {
            let hint = "a project's file may come from another person: it starts no process and names no server. Put the \
                 key into the file of `magistrate config path`, or give the flag";
            return Err(hinted(self.fault(span, &format!("`{name}` has no effect in a project's file")), hint));
        }
        Ok(key)
    }

    /// Returns the values for a flag.
    fn values(&self, key: &Key, value: &ValueInner<'_>, span: Span) -> Result<Vec<String>, anyhow::Error> {
        let wanted = match key.kind {
            Kind::Text | Kind::Path | Kind::Model => "a string",
            Kind::Size => "a string such as \"16GB\"",
            Kind::Number => "a number",
            Kind::Count => "a whole number",
            Kind::Switch => "true or false",
            Kind::List | Kind::Policies => "a string, or a list of strings",
        };
        let wrong = |found: &ValueInner<'_>| {
            self.fault(span, &format!("`{}` must be {wanted}, and is {}", key.name, described(found)))
        };
        let text = |value: &ValueInner<'_>| match (key.kind, value) {
            (Kind::Text | Kind::List | Kind::Size, ValueInner::String(text)) => Ok(text.to_string()),
            (Kind::Size | Kind::Count | Kind::Number, ValueInner::Integer(number)) => Ok(number.to_string()),
            (Kind::Number, ValueInner::Float(number)) => Ok(number.to_string()),
            (Kind::Switch, ValueInner::Boolean(on)) => Ok(on.to_string()),
            (Kind::Path, ValueInner::String(text)) => Ok(self.beside(text)),
            (Kind::Model, ValueInner::String(text)) => Ok(self.model(text)),
            (Kind::Policies, ValueInner::String(text)) => Ok(self.policy(text)),
            (_, other) => Err(wrong(other)),
        };
        match (key.kind, value) {
            (Kind::List | Kind::Policies, ValueInner::Array(all)) => {
                all.iter().map(|value| text(value.as_ref())).collect()
            }
            (_, value) => Ok(vec![text(value)?]),
        }
    }

    /// Returns a path that is relative to the file's folder.
    fn beside(&self, path: &str) -> String {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        folder.join(path).to_string_lossy().into_owned()
    }

    /// Returns a model as a path or a name. A name may contain slashes after a colon: `hf:ORG/REPO`.
    fn model(&self, text: &str) -> String {
        let is_path = text.starts_with('.')
            || Path::new(text).extension().is_some_and(|ending| ending == "gguf")
            || Path::new(&self.beside(text)).is_file();
        if is_path && !text.contains(':') { self.beside(text) } else { text.to_owned() }
    }

    /// Returns a policy as a path or an id, with the optional id before it.
    fn policy(&self, text: &str) -> String {
        let (id, spec) = match text.split_once('=') {
            Some((id, spec)) => (format!("{id}="), spec),
            None => (String::new(), text),
        };
        let looks_so = || spec.contains(['/', '.']) || Path::new(&self.beside(spec)).exists();
        let is_path = PolicySource::path(spec).is_some() && looks_so();
        if is_path { format!("{id}{}", self.beside(spec)) } else { text.to_owned() }
    }

    /// Returns an error with the place in the file.
    fn fault(&self, span: Span, message: &str) -> anyhow::Error {
        let (line, column) = place(self.text, span.start);
        anyhow::anyhow!("{}:{line}:{column}: {message}", self.path.display())
    }
}

/// Returns the line and the column of a byte, from 1.
fn place(text: &str, byte: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(byte)];
    // A string begins behind its quote, which may be three characters.
    let before = before.trim_end_matches(['"', '\'']);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

/// Describes a value of a wrong kind.
fn described(value: &ValueInner<'_>) -> &'static str {
    match value {
        ValueInner::String(_) => "a string",
        ValueInner::Integer(_) => "a whole number",
        ValueInner::Float(_) => "a number",
        ValueInner::Boolean(_) => "true or false",
        ValueInner::Array(_) => "a list",
        ValueInner::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::error::message_with_hints;

    fn entries(text: &str, is_project: bool) -> Result<Vec<Entry>, String> {
        let verbs = ["label".to_owned(), "check".to_owned()];
        read(Path::new("/home/ana/magistrate.toml"), text, is_project, &verbs)
            .map_err(|error| message_with_hints(&error))
    }

    #[test]
    fn values_have_their_places_and_paths_are_relative_to_the_file() {
        let text =
            "threshold = 0.8\npolicy = [\"spam\", \"x=rules/a.md\"]\nmodel = \"./m.gguf\"\n\n[label]\nparallel = 4\n";
        let entries = entries(text, true).unwrap();
        let shown: Vec<String> = entries
            .iter()
            .map(|entry| {
                let verb = entry.verb.as_deref().unwrap_or("-");
                format!("{verb} {} {} {}:{}", entry.key.name, entry.values.join(" "), entry.line, entry.column)
            })
            .collect();
        assert_eq!(
            shown,
            [
                "- threshold 0.8 1:1",
                "- policy spam x=/home/ana/rules/a.md 2:1",
                "- model /home/ana/./m.gguf 3:1",
                "label parallel 4 6:1"
            ]
        );
    }

    #[test]
    fn a_verb_s_own_value_comes_after_that_for_all_verbs() {
        let entries = entries("label.parallel = 4\nparallel = 8", true).unwrap();
        let values: Vec<_> = entries.iter().map(|entry| (entry.verb.as_deref(), entry.values.join(" "))).collect();
        assert_eq!(values, [(None, "8".to_owned()), (Some("label"), "4".to_owned())]);
    }

    #[test]
    fn a_name_of_a_model_is_no_path() {
        for name in ["20b", "hf:org/repo:file.gguf", "docker:ai/gpt-oss:latest", "magistrate-nano"] {
            assert_eq!(entries(&format!("model = \"{name}\""), true).unwrap()[0].values, [name]);
        }
    }

    #[test]
    fn a_wrong_key_and_a_wrong_type_are_refused_with_their_place() {
        for (text, message) in [
            (
                "\n  treshold = 1",
                "/home/ana/magistrate.toml:2:3: unknown key `treshold`\nhint: did you mean `threshold`?",
            ),
            ("min_mass = 1", "/home/ana/magistrate.toml:1:1: unknown key `min_mass`\nhint: did you mean `min-mass`?"),
            ("[labl]\nparallel = 1", "/home/ana/magistrate.toml:1:2: unknown key `labl`\nhint: did you mean `label`?"),
            ("threshold = \"high\"", "/home/ana/magistrate.toml:1:13: `threshold` must be a number, and is a string"),
            ("parallel = 1.5", "/home/ana/magistrate.toml:1:12: `parallel` must be a whole number, and is a number"),
            (
                "policy = [1]",
                "/home/ana/magistrate.toml:1:10: `policy` must be a string, or a list of strings, and is a whole number",
            ),
        ] {
            assert_eq!(entries(text, false).unwrap_err(), message, "{text}");
        }
        let error = entries("output = \"x.csv\"", true).unwrap_err();
        assert!(error.contains("output files are named on the command line"), "{error}");
        let error = entries("a = ", false).unwrap_err();
        assert!(error.starts_with("/home/ana/magistrate.toml:1:"), "{error}");
    }

    #[test]
    fn a_project_can_start_no_daemon() {
        let error = entries("[check]\ndaemon = 60", true).unwrap_err();
        assert!(
            error.starts_with("/home/ana/magistrate.toml:2:1: `daemon` has no effect in a project's file"),
            "{error}"
        );
        assert_eq!(entries("daemon = 60", false).unwrap()[0].values, ["60"]);
    }
}
