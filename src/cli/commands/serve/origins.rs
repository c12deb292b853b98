//! The places of a server's policies: those that the flags name, and the files of folders.

use std::fs;
use std::path::{Path, PathBuf};

use magistrate::policy::lint::{Level, lint};
use magistrate::policy::{Label, Notation, Policy, PolicyLibrary, PolicySource, unlike_a_policy};
use magistrate::serve::policies::Origin;

use crate::cli::args::policy::{NamedPolicy, PolicyArgs};
use crate::cli::terminal::error::message_with_hints;
use crate::cli::terminal::output;

/// Endings of the files in a folder that are policies.
const ENDINGS: [&str; 5] = ["yaml", "yml", "md", "markdown", "txt"];

/// Returns the places of the policies that the flags name, and the policies. Without a name, those are the shipped ones.
pub fn read(args: &mut PolicyArgs) -> anyhow::Result<(Vec<Origin>, Vec<Policy>)> {
    if args.is_empty() {
        return Ok((PolicyLibrary::shipped().ids().map(Origin::shipped).collect(), Vec::new()));
    }
    let folders = args.take_folders();
    let named = if args.is_empty() { Vec::new() } else { args.open()? };
    let (mut origins, mut policies) = (Vec::new(), Vec::new());
    for NamedPolicy { spec, labels, policy } in named {
        policies.push(policy.clone());
        origins.push(of_file(spec, labels, policy.id));
    }
    for folder in folders {
        policies.extend(in_folder(&folder).map_err(|error| anyhow::anyhow!("{}: {error}", folder.display()))?);
        origins.push(of_folder(folder));
    }
    Ok((origins, policies))
}

/// Returns the place of a file, or of a shipped policy.
fn of_file(spec: String, labels: Option<Vec<Label>>, id: String) -> Origin {
    let path = PolicySource::path(&spec).map(Path::to_owned);
    let name = spec.clone();
    let read = move || {
        let source = PolicySource::open(&spec).map_err(|error| message_with_hints(&error.into()))?;
        let mut policy = checked(&source, labels.as_deref())?;
        if source.notation == Notation::Plain {
            // It may have been named after its folder.
            policy.id.clone_from(&id);
        }
        Ok(vec![policy])
    };
    Origin { name, path, read: Box::new(read) }
}

fn of_folder(folder: PathBuf) -> Origin {
    let (name, path) = (folder.display().to_string(), Some(folder.clone()));
    Origin { name, path, read: Box::new(move || in_folder(&folder)) }
}

/// Reads the policies in a folder, in the order of their names.
fn in_folder(folder: &Path) -> Result<Vec<Policy>, String> {
    let entries = fs::read_dir(folder).map_err(|error| error.to_string())?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let has_ending = |path: &PathBuf| {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        ENDINGS.contains(&ending.as_str()) && path.is_file()
    };
    let mut policies = Vec::new();
    for path in paths.into_iter().filter(has_ending) {
        let name = path.display().to_string();
        let source = PolicySource::open_file(&path, &name).map_err(|error| message_with_hints(&error.into()))?;
        match unlike_a_policy(&name, &source.text) {
            Some(reason) => output::detail(&format!("{name} is no policy: {reason}")),
            None => policies.push(checked(&source, None)?),
        }
    }
    if policies.is_empty() { Err("there is no policy in it".to_owned()) } else { Ok(policies) }
}

/// Parses a policy, and refuses one in which the linter finds an error.
fn checked(source: &PolicySource, labels: Option<&[Label]>) -> Result<Policy, String> {
    let policy = source.parse(labels.map(<[Label]>::to_vec)).map_err(|error| message_with_hints(&error.into()))?;
    let findings = lint(&source.name, &source.text, labels, |_| None);
    match findings.iter().find(|finding| finding.level() == Level::Error) {
        Some(finding) => Err(format!("{}: {}", source.name, finding.message())),
        None => Ok(policy),
    }
}
