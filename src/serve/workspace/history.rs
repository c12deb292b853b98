//! The history of a policy: every version that was saved, and every one that was found on the disk before it was replaced.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::source::Source;
use super::{Workspace, put};
use crate::policy::Notation;

/// A version of a policy and of its golden set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Its number, counted from 1.
    pub number: u64,
    /// Seconds since 1970 when it was saved or found.
    pub time: u64,
    /// The name of the key that saved it. `None` for one that was found.
    pub by: Option<String>,
    /// The digest of the policy.
    pub digest: String,
    /// The policy's title.
    pub title: String,
    /// The author's version of the wording.
    pub wording: String,
    /// True if the text is YAML.
    pub is_yaml: bool,
    /// The text.
    pub text: String,
    /// The file of the golden set.
    pub golden: Option<String>,
}

impl Version {
    /// Returns a version with this source.
    fn of(source: &Source, number: u64, time: u64, by: Option<&str>) -> Self {
        let named = |name: fn(&crate::policy::Policy) -> &String| source.policy.as_ref().map(name).cloned();
        Self {
            number,
            time,
            by: by.map(str::to_owned),
            digest: source.digest(),
            title: named(|policy| &policy.title).unwrap_or_default(),
            wording: named(|policy| &policy.version).unwrap_or_default(),
            is_yaml: source.notation == Notation::Yaml,
            text: source.text.clone(),
            golden: source.golden.clone(),
        }
    }
}

impl Workspace {
    /// Reads the versions of a policy, the newest first.
    ///
    /// # Errors
    ///
    /// An I/O error if a version cannot be read.
    pub fn versions(&self, id: &str) -> io::Result<Vec<Version>> {
        let folder = self.history(id);
        let numbers = numbers(&folder)?.into_iter().rev();
        numbers.map(|number| read(&folder, number)).collect()
    }

    /// Reads a version of a policy. `None` if no version has this number.
    ///
    /// # Errors
    ///
    /// An I/O error if it cannot be read.
    pub fn version(&self, id: &str, number: u64) -> io::Result<Option<Version>> {
        let folder = self.history(id);
        numbers(&folder)?.contains(&number).then(|| read(&folder, number)).transpose()
    }

    /// Adds a version, unless the last one has the same text and golden set. Returns the number of the last.
    pub(super) fn keep(&self, id: &str, source: &Source, time: u64, by: Option<&str>) -> io::Result<u64> {
        let folder = self.history(id);
        let last = numbers(&folder)?.last().copied().unwrap_or(0);
        // A version that cannot be read is no reason to lose the next one.
        let is_kept = |last: &Version| last.text == source.text && last.golden == source.golden;
        if last > 0 && read(&folder, last).as_ref().is_ok_and(is_kept) {
            return Ok(last);
        }
        let version = Version::of(source, last + 1, time, by);
        put(&folder.join(file_name(version.number)), &serde_json::to_vec(&version)?)?;
        Ok(version.number)
    }
}

/// Returns the numbers of the versions in a folder, in order.
fn numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let number = |name: &str| name.strip_suffix(".json")?.parse().ok();
    let mut numbers: Vec<u64> = entries
        .flatten()
        .filter_map(|entry| number(entry.file_name().to_str()?))
        .filter(|number| *number > 0)
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn read(folder: &Path, number: u64) -> io::Result<Version> {
    Ok(serde_json::from_slice(&fs::read(folder.join(file_name(number)))?)?)
}

fn file_name(number: u64) -> String {
    format!("{number:06}.json")
}
