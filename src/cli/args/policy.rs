//! The flags that name policies.

use std::path::Path;
#[cfg(feature = "serve")]
use std::path::PathBuf;

use clap::Args;
use magistrate::files::{Files, Refused};
use magistrate::policy::{Label, Notation, Policy, PolicyError, PolicySource};

use super::labels::LabelsArgs;
use crate::cli::terminal::error::{bail_hint, ensure_hint};

/// The policies to judge by.
#[derive(Debug, Args)]
pub struct PolicyArgs {
    /// Policy: a shipped id, a YAML file, or a text with the instructions. ID=FILE sets the id. Several: -p A -p B or
    /// -p A,B
    #[arg(short, long = "policy", value_name = "POLICY", help_heading = "Policy")]
    policies: Vec<String>,

    #[command(flatten)]
    labels: LabelsArgs,
}

/// A policy that was read, with its word on the command line and its labels.
#[cfg_attr(not(feature = "serve"), allow(dead_code, reason = "only a server reads a policy again"))]
pub struct NamedPolicy {
    pub spec: String,
    pub labels: Option<Vec<Label>>,
    pub policy: Policy,
}

impl PolicyArgs {
    /// Adds the policies' files to the files of a run.
    pub fn reads(&self, files: &mut Files) -> Result<(), Refused> {
        self.specs()
            .iter()
            .filter_map(|spec| PolicySource::path(spec))
            .try_for_each(|path| files.read("a policy", path))
    }

    /// Takes the folders out of the flags.
    #[cfg(feature = "serve")]
    pub fn take_folders(&mut self) -> Vec<PathBuf> {
        let is_folder = |spec: &&str| PolicySource::path(spec).is_some_and(Path::is_dir);
        let (folders, others): (Vec<&str>, Vec<&str>) = self.specs().into_iter().partition(is_folder);
        let (folders, others) =
            (folders.into_iter().map(PathBuf::from).collect(), others.into_iter().map(str::to_owned).collect());
        self.policies = others;
        folders
    }

    /// Reports whether no policy is named.
    #[cfg(feature = "serve")]
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }

    /// Reads the policies, in the order of the flags.
    pub fn load(&self) -> Result<Vec<Policy>, anyhow::Error> {
        Ok(self.open()?.into_iter().map(|named| named.policy).collect())
    }

    /// Reads the policies, each with its word on the command line and its labels.
    pub fn open(&self) -> Result<Vec<NamedPolicy>, anyhow::Error> {
        ensure_hint!(
            !self.policies.is_empty(),
            "no policy is named",
            "-p POLICY names a file or a shipped policy: magistrate policy list"
        );
        let specs = self.specs();
        let mut sources = specs.iter().map(|spec| PolicySource::open(spec)).collect::<Result<Vec<_>, PolicyError>>()?;
        let mut ids = Self::ids(&sources)?;
        // Packs have a folder for each policy: `spam/policy.md`.
        let twice: Vec<bool> = ids.iter().map(|id| ids.iter().filter(|other| *other == id).count() > 1).collect();
        if twice.contains(&true) {
            for (source, _) in sources.iter_mut().zip(twice).filter(|(_, twice)| *twice) {
                source.use_folder_name();
            }
            ids = Self::ids(&sources)?;
        }
        if let Some(id) = ids.iter().enumerate().find_map(|(at, id)| ids[..at].contains(id).then_some(id)) {
            bail_hint!("two policies have the id `{id}`", "give one of them another: -p other-id=FILE");
        }
        let given = self.labels.checked(&sources.iter().collect::<Vec<_>>(), &ids)?;
        let mut policies = Vec::with_capacity(sources.len());
        for ((source, labels), spec) in sources.iter().zip(given).zip(specs) {
            let policy = source.parse(labels.clone())?;
            policies.push(NamedPolicy { spec: spec.to_owned(), labels, policy });
        }
        Ok(policies)
    }

    /// Reads the policies, for a verb that also knows them without the flag.
    pub fn named(&self) -> Result<Vec<Policy>, anyhow::Error> {
        if self.policies.is_empty() { Ok(Vec::new()) } else { self.load() }
    }

    /// Returns the names of the policies. `a,b` names two, unless a file has that name.
    fn specs(&self) -> Vec<&str> {
        let is_one = |spec: &str| PolicySource::path(spec).is_some_and(Path::exists);
        let specs = self.policies.iter().map(String::as_str);
        specs.flat_map(|spec| if is_one(spec) { vec![spec] } else { parts(spec) }).collect()
    }

    fn ids(sources: &[PolicySource]) -> Result<Vec<String>, PolicyError> {
        let id = |source: &PolicySource| match source.notation {
            Notation::Plain => Ok(source.plain_id().to_owned()),
            Notation::Yaml => source.parse(None).map(|policy| policy.id),
        };
        sources.iter().map(id).collect()
    }
}

/// Splits a list of names. An empty list stays, so that its error names it.
fn parts(spec: &str) -> Vec<&str> {
    let parts: Vec<&str> = spec.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { vec![spec] } else { parts }
}
