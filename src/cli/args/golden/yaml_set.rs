//! Golden sets in YAML: a policy's own, that of another policy, or a file of one.

use std::io::Cursor;
use std::path::Path;

use anyhow::Context;
use magistrate::eval::golden::lines;
use magistrate::files::Files;
use magistrate::label::records::{InputFormat, RecordFields};
use magistrate::label::source::Source;
use magistrate::policy::{GoldenCase, Policy, PolicyLibrary, PolicySource, golden_yaml};

use crate::cli::args::input::InputArgs;
use crate::cli::terminal::error::{bail_hint, ensure_hint};

/// Opens a golden set in YAML, if the flags name one or no input. Every policy must have the codes in it.
pub fn open(
    input: &InputArgs,
    golden_of: Option<&str>,
    policies: &[Policy],
    files: &mut Files,
) -> Result<Option<Source>, anyhow::Error> {
    let (name, cases) = match (golden_of, input.yaml()) {
        (Some(spec), _) => of_another(spec, policies)?,
        (None, Some(path)) => of_file(path, policies, files)?,
        (None, None) if input.is_empty() => own(policies, files)?,
        (None, None) => return Ok(None),
    };
    Ok(Some(Source::of_stream(&name, Cursor::new(lines(&cases)), InputFormat::Jsonl, RecordFields::default())?))
}

/// Reads the golden set of another policy.
fn of_another(spec: &str, policies: &[Policy]) -> Result<(String, Vec<GoldenCase>), anyhow::Error> {
    let policy = PolicySource::open(spec)?.parse(None)?;
    let id = policy.id.clone();
    let Some(yaml) = golden_text(policy, spec)? else {
        bail_hint!("the policy {id} has no golden set", "name one that has a set");
    };
    let name = format!("the golden set of {id}");
    let cases = cases(&name, &yaml, policies)?;
    Ok((name, cases))
}

/// Returns the golden set of a policy as YAML. `spec` names the policy. Returns `None` if it has no set.
pub fn golden_text(policy: Policy, spec: &str) -> Result<Option<String>, anyhow::Error> {
    let policy = with_golden(policy)?;
    Ok(match PolicySource::path(spec) {
        _ if policy.golden.is_empty() => None,
        // With the comments and the order of its file.
        None => Some(PolicyLibrary::shipped().golden_source(&policy.id)?.to_owned()),
        Some(_) => Some(golden_yaml(&policy.id, &policy.golden)),
    })
}

fn of_file(path: &Path, policies: &[Policy], files: &mut Files) -> Result<(String, Vec<GoldenCase>), anyhow::Error> {
    files.read("the golden set", path)?;
    let name = path.display().to_string();
    let yaml = std::fs::read_to_string(path).with_context(|| format!("{name} cannot be read"))?;
    let cases = cases(&name, &yaml, policies)?;
    Ok((name, cases))
}

/// Reads the cases for each policy, so that a code that one of them lacks is found.
fn cases(name: &str, yaml: &str, policies: &[Policy]) -> Result<Vec<GoldenCase>, anyhow::Error> {
    let mut cases = None;
    for policy in policies {
        let read = policy.golden_cases(name, yaml)?;
        cases.get_or_insert(read);
    }
    cases.context("a golden set in YAML needs its policy: name it with -p")
}

/// Returns the policy's own golden set: from its file, or the one that is shipped with it.
fn own(policies: &[Policy], files: &mut Files) -> Result<(String, Vec<GoldenCase>), anyhow::Error> {
    let [policy] = policies else {
        bail_hint!(
            "each policy has a golden set of its own",
            "name a file that all are evaluated on, or the policy whose set is used: --golden-of ID"
        );
    };
    if let Some(path) = &policy.golden_file {
        files.read("the golden set", path)?;
    }
    let mut cases = with_golden(policy.clone())?.golden;
    if cases.is_empty() {
        cases = PolicyLibrary::shipped().golden(&policy.id).to_vec();
    }
    ensure_hint!(
        !cases.is_empty(),
        ("the policy {} has no golden set", policy.id),
        "name a file of texts whose answer is known, add `golden:` to the policy, or use that of another: --golden-of ID"
    );
    Ok((format!("the golden set of {}", policy.id), cases))
}

/// Reads the golden set that a policy names by its file.
fn with_golden(policy: Policy) -> Result<Policy, anyhow::Error> {
    match policy.golden_file.clone() {
        Some(path) => Ok(policy.with_golden_file(&path)?),
        None => Ok(policy),
    }
}
