//! The options of a command, as text.

use std::collections::BTreeMap;
use std::str::FromStr;

/// Options that take no value.
const SWITCHES: &[&str] = &["fresh"];

/// Options that were not asked for yet.
pub struct Flags(BTreeMap<String, String>);

impl Flags {
    /// Parses `--name value`, `--name=value` and switches.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut flags = BTreeMap::new();
        while let Some(argument) = arguments.next() {
            let flag = argument.strip_prefix("--").ok_or_else(|| format!("'{argument}' is no option"))?;
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, value.to_owned()),
                None if SWITCHES.contains(&flag) => (flag, "true".to_owned()),
                None => (flag, arguments.next().ok_or_else(|| format!("--{flag} needs a value"))?),
            };
            if flags.insert(name.to_owned(), value).is_some() {
                return Err(format!("--{name} is given twice"));
            }
        }
        Ok(Self(flags))
    }

    /// Returns the value of an option, or nothing if absent.
    pub fn optional<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, String> {
        let parse = |value: String| value.parse().map_err(|_| format!("--{name} does not take '{value}'"));
        self.0.remove(name).map(parse).transpose()
    }

    /// Returns the value of an option, or its default.
    pub fn value<T: FromStr>(&mut self, name: &str, default: T) -> Result<T, String> {
        Ok(self.optional(name)?.unwrap_or(default))
    }

    /// Returns the values of an option, which are separated by commas.
    pub fn list<T: FromStr>(&mut self, name: &str, default: &str) -> Result<Vec<T>, String> {
        let values = self.value(name, default.to_owned())?;
        let parse = |value: &str| value.parse().map_err(|_| format!("--{name} does not take '{value}'"));
        values.split(',').filter(|value| !value.is_empty()).map(parse).collect()
    }

    /// Refuses options that nothing asked for.
    pub fn end(self) -> Result<(), String> {
        self.0.keys().next().map_or(Ok(()), |name| Err(format!("--{name} is unknown to this command")))
    }
}
