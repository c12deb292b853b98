//! A save: a policy and its golden set become files of the workspace, if they are right and nobody else was faster.
//!
//! The history is written first, and has also the version that is replaced, so no version is ever lost.

use std::fs;
use std::io;
use std::path::PathBuf;

use axum::http::StatusCode;

use super::golden::{Case, checked};
use super::source::Source;
use super::{Workspace, file_name, files_of, first_error, put, read, with_hints};
use crate::files;
use crate::policy::{GoldenCase, Notation, Policy, PolicySource, is_id};
use crate::serve::api_error::ApiError;
use crate::serve::policies::Policies;

/// A policy to save.
#[derive(Debug)]
pub struct Draft {
    /// Its id.
    pub id: String,
    /// The notation of its text.
    pub notation: Notation,
    /// The text.
    pub text: String,
    /// The golden set. If absent, the old one stays.
    pub golden: Option<Vec<Case>>,
    /// The name of the key that saves it.
    pub by: Option<String>,
    /// The version that it replaces.
    pub replaces: Replaced,
    /// Seconds since 1970.
    pub time: u64,
}

/// The version that a save replaces.
#[derive(Debug)]
pub enum Replaced {
    /// The policy is new.
    New,
    /// The version with one of these tags or digests. `*` is any version.
    Known(String),
}

/// A policy that was saved.
#[derive(Debug)]
pub struct Saved {
    /// The source in the workspace.
    pub source: Source,
    /// The policy.
    pub policy: Policy,
    /// The number of its version in the history.
    pub number: u64,
    /// True if no policy had this id.
    pub is_new: bool,
}

impl Workspace {
    /// Saves a policy, and serves it at once.
    ///
    /// # Errors
    ///
    /// Status 412 if another version is there, 422 for a policy or a golden set that is wrong, 500 if the folder cannot be
    /// written.
    pub fn save(&self, policies: &Policies, draft: &Draft) -> Result<Saved, ApiError> {
        let policy = parsed(draft)?;
        let golden = draft.golden.as_ref().map(|cases| cases_of(cases, &policy)).transpose()?;
        policies.save(|| {
            let before = Source::open(Some(self), policies, &draft.id).map_err(|error| unread(&error))?;
            draft.replaces.check(before.as_ref())?;
            let golden = match &golden {
                None => before.as_ref().filter(|before| before.is_own).and_then(|before| before.golden.clone()),
                Some((cases, yaml)) => golden_text(&policy, cases, yaml, before.as_ref()),
            };
            let (notation, text) = (draft.notation, draft.text.clone());
            let source = Source { notation, text, golden, policy: Some(policy.clone()), is_own: true };
            let is_new = before.is_none();
            let saved = self.write(&draft.id, before.as_ref(), &source, draft.time, draft.by.as_deref());
            let (policy, number) = saved.map_err(|error| unwritten(&error))?;
            Ok((Some(policy.clone()), Saved { source, policy, number, is_new }))
        })
    }

    /// Writes a version: the history, then the golden set, then the policy. Returns the policy, read again.
    fn write(
        &self,
        id: &str,
        before: Option<&Source>,
        source: &Source,
        time: u64,
        by: Option<&str>,
    ) -> io::Result<(Policy, u64)> {
        if let Some(before) = before {
            self.keep(id, before, time, None)?;
        }
        let number = self.keep(id, source, time, by)?;
        let golden = self.golden(id);
        match &source.golden {
            Some(text) if fs::read_to_string(&golden).is_ok_and(|there| there == *text) => {}
            Some(text) => put(&golden, text.as_bytes())?,
            None if golden.exists() => fs::remove_file(&golden)?,
            None => {}
        }
        let path = self.place(id, source.notation);
        files::write(&path, source.text.as_bytes())?;
        for other in files_of(self.folder(), id).filter(|other| *other != path && other.is_file()) {
            fs::remove_file(other)?;
        }
        let name = path.display().to_string();
        let again = PolicySource::open_file(&path, &name).map_err(|error| with_hints(&error));
        let policy = again.and_then(|source| read(&source, id)).map_err(io::Error::other)?;
        Ok((policy, number))
    }

    /// Returns the file of a policy in this notation: the one that is there, or a new one.
    fn place(&self, id: &str, notation: Notation) -> PathBuf {
        let is_same = |path: &PathBuf| Notation::detect(&path.display().to_string(), "") == notation;
        self.file(id).filter(is_same).unwrap_or_else(|| self.folder().join(file_name(id, notation)))
    }
}

impl Replaced {
    /// Checks that the version that is there is the one to replace.
    fn check(&self, before: Option<&Source>) -> Result<(), ApiError> {
        match (self, before) {
            (Self::New, None) => Ok(()),
            (Self::Known(names), Some(before)) => {
                let is_named = |name: &str| {
                    let name = name.trim().trim_start_matches("W/").trim_matches('"');
                    name == "*" || name == before.tag() || name == before.digest()
                };
                if names.split(',').any(is_named) { Ok(()) } else { Err(conflict(Some(before))) }
            }
            (_, before) => Err(conflict(before)),
        }
    }
}

/// Returns the error for another version than the expected one, with the digest of the version that is there.
fn conflict(before: Option<&Source>) -> ApiError {
    let message = match before {
        None => "no policy has this id; save it as a new one, with the header if-none-match: *".to_owned(),
        Some(before) => format!(
            "another version was saved meanwhile, with the digest {}; open it, and make your change again",
            before.digest()
        ),
    };
    ApiError::new(StatusCode::PRECONDITION_FAILED, "conflict", message)
}

/// Reads the policy of a draft, and refuses one in which the linter finds an error.
fn parsed(draft: &Draft) -> Result<Policy, ApiError> {
    let Draft { id, notation, text, .. } = draft;
    let (name, property) = (file_name(id, *notation), if *notation == Notation::Yaml { "yaml" } else { "markdown" });
    let wrong = |message: String| ApiError::unprocessable("invalid_policy", message).of(property);
    if !is_id(id) {
        return Err(wrong("an id has lower-case letters, digits and hyphens, 64 at most".to_owned()));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some(finding) = first_error(&name, text) {
        let line = finding.line().map(|line| format!("line {line}: ")).unwrap_or_default();
        let hint = finding.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
        return Err(wrong(format!("{line}{}{hint}", finding.message())));
    }
    let policy = PolicySource::of_text(&name, text, *notation).parse(None).map_err(|error| wrong(error.to_string()))?;
    if policy.id != *id && *notation == Notation::Yaml {
        return Err(wrong(format!("the text has the id `{}`, and the address `{id}`: they must be equal", policy.id)));
    }
    let usual = PathBuf::from(format!("golden/{id}.yaml"));
    let is_elsewhere = |file: &PathBuf| *file != usual;
    if policy.golden_file.as_ref().is_some_and(is_elsewhere) {
        let message = format!("the golden set of a policy in the workspace is golden/{id}.yaml; leave out `golden`");
        return Err(wrong(message));
    }
    Ok(Policy { id: id.clone(), ..policy })
}

/// Reads the golden set of a draft, and returns it with its file.
fn cases_of(cases: &[Case], policy: &Policy) -> Result<(Vec<GoldenCase>, String), ApiError> {
    let wrong = |message: String| ApiError::unprocessable("invalid_golden", message).of("golden");
    let (cases, yaml) = checked(cases, policy).map_err(wrong)?;
    if !policy.golden.is_empty() && policy.golden != cases {
        let message =
            "the text of the policy contains other cases; leave out `golden` there, and the cases become a file";
        return Err(wrong(message.to_owned()));
    }
    Ok((cases, yaml))
}

/// Returns the file of a golden set. A file with the same cases stays as its author wrote it.
fn golden_text(policy: &Policy, cases: &[GoldenCase], yaml: &str, before: Option<&Source>) -> Option<String> {
    let before = before.and_then(|before| before.golden.as_ref());
    let is_same = |text: &&String| GoldenCase::read("golden", text).is_ok_and(|read| read == cases);
    match before.filter(is_same) {
        _ if cases.is_empty() || !policy.golden.is_empty() => None,
        Some(same) => Some(same.clone()),
        None => Some(yaml.to_owned()),
    }
}

/// Returns the error for a folder that cannot be read.
pub fn unread(error: &io::Error) -> ApiError {
    let message = format!("the workspace cannot be read: {error}; look at the folder on the server");
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "workspace", message)
}

fn unwritten(error: &io::Error) -> ApiError {
    let message = format!("the policy was not saved: {error}; look at the folder on the server");
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "workspace", message)
}
