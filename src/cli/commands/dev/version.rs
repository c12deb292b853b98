//! A version of a policy and of its golden set, as their files are at one moment.

use std::path::{Path, PathBuf};

use clap::Args;
use magistrate::eval::golden::Golden;
use magistrate::files::Files;
use magistrate::policy::lint::{Finding, lint};
use magistrate::policy::{Policy, PolicySource};

use crate::cli::args::golden::{Decisions, SetArgs, print_legend, print_warnings};
use crate::cli::args::labels::{LabelsArgs, id_for_labels};
use crate::cli::length::{CONTEXT, length};
use crate::cli::terminal::error::{bail_hint, ensure_hint};

/// The policy and the golden set.
#[derive(Debug, Args)]
#[command(mut_arg("inputs", |inputs| inputs.value_name("GOLDEN").help(GOLDEN)))]
pub struct VersionArgs {
    /// Policy that is being written: a YAML file, or a text file with the instructions
    #[arg(value_name = "POLICY")]
    policy: String,

    #[command(flatten)]
    set: SetArgs,

    #[command(flatten)]
    labels: LabelsArgs,
}

const GOLDEN: &str = "Golden set: texts with their correct answers [default: the policy's own set, or the shipped one of \
    the same id]";

/// A version that was read.
pub struct Version {
    pub policy: Policy,
    pub golden: Golden,
    /// The name of the golden set.
    pub name: String,
    /// The findings of the linter.
    pub findings: Vec<Finding>,
}

impl VersionArgs {
    /// Returns the files to watch. Refuses a policy and a set of which neither can change, unless they are read once.
    pub fn files(&self, once: bool) -> Result<Vec<PathBuf>, anyhow::Error> {
        // A word that names nothing is refused here, and not waited for.
        PolicySource::open(&self.policy)?;
        let policy = PolicySource::path(&self.policy).map(Path::to_path_buf);
        let golden = self.set.files();
        for path in &golden {
            ensure_hint!(
                path.as_os_str() != "-",
                "stdin cannot be watched",
                "name a file of texts whose answer is known"
            );
            ensure_hint!(path.exists(), ("{}: there is no such file", path.display()), "check the path");
        }
        if policy.is_none() && golden.is_empty() && !once {
            let id = &self.policy;
            bail_hint!(
                "{id} is a shipped policy, which does not change",
                "`magistrate policy show {id} > my-{id}.yaml` makes a file of it to edit"
            );
        }
        Ok(policy.into_iter().chain(golden).collect())
    }

    /// Names the composition of a text from a record's columns.
    pub fn composition(&self) -> String {
        self.set.composition()
    }

    /// Reads the files as they are now. Prints the reading of the labels if it differs from `legend`, the last one.
    pub fn read(&self, legend: &mut Vec<String>) -> Result<Version, anyhow::Error> {
        let source = PolicySource::open(&self.policy)?;
        let labels = self.labels.checked(&[&source], &[id_for_labels(&source)])?.pop().flatten();
        let policy = source.parse(labels.clone())?;
        let policies = std::slice::from_ref(&policy);
        let set = self.set.records(policies, Decisions::All, &mut Files::new())?;
        let name = set.name.clone();
        let golden = self.set.golden(set, None, policies)?;
        if golden.legend != *legend {
            print_legend(&golden);
            legend.clone_from(&golden.legend);
        }
        print_warnings(&golden, &name, policies);
        let findings = lint(&source.name, &source.text, labels.as_deref(), |policy| length(policy, None, CONTEXT));
        Ok(Version { policy, golden, name, findings })
    }
}
