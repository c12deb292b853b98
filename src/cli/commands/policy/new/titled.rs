//! The answers of `policy new`: an id, and rules with their titles.

use std::str::FromStr;

use magistrate::policy::is_id;

/// A rule and its title.
#[derive(Clone, Debug)]
pub struct Titled {
    pub title: String,
    pub rule: String,
}

impl FromStr for Titled {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once(':').map(|(title, rule)| (title.trim(), rule.trim()));
        match parts {
            Some((title, rule)) if !title.is_empty() && !rule.is_empty() => {
                Ok(Self { title: title.to_owned(), rule: rule.to_owned() })
            }
            _ => Err("not of the form \"Title: rule\"".to_owned()),
        }
    }
}

/// Reads an id.
pub fn id(text: &str) -> Result<String, String> {
    if is_id(text) { Ok(text.to_owned()) } else { Err("not lower-case letters, digits and hyphens".to_owned()) }
}
