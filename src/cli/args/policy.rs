//! The flags that name policies.

use clap::Args;
use magistrate::files::{Files, Refused};
use magistrate::policy::{Contract, Label, Notation, Policy, PolicyError, PolicySource};

use crate::cli::terminal::error::{bail_hint, ensure_hint, hinted, message_with_hints};
use crate::cli::terminal::output;

/// The policies to judge by.
#[derive(Debug, Args)]
pub struct PolicyArgs {
    /// Policy: the id of a shipped policy, a YAML file, or a text file with the instructions. ID=FILE sets the id
    #[arg(short, long = "policy", value_name = "POLICY", required = true)]
    policies: Vec<String>,

    /// Meaning of the answers to a policy that is a text: INVALID=violation,VALID=safe. For one of several policies:
    /// ID:INVALID=violation,VALID=safe
    #[arg(long, value_name = "[ID:]WORD=VERDICT,...", value_parser = parse_labels)]
    labels: Vec<Labels>,
}

/// Labels, and the id of their policy. Without an id they hold for every policy that is a text.
#[derive(Clone, Debug)]
struct Labels {
    policy: Option<String>,
    labels: Vec<Label>,
}

/// Reads labels. The error is text with its hint, because clap prints no hints of ours.
fn parse_labels(text: &str) -> Result<Labels, String> {
    let named = text.split_once(':').filter(|(id, _)| !id.contains(['=', ',']));
    let (policy, labels) = named.map_or((None, text), |(id, labels)| (Some(id.trim().to_owned()), labels));
    let labels = Contract::parse_labels(labels).map_err(|error| message_with_hints(&error.into()))?;
    Ok(Labels { policy, labels })
}

impl PolicyArgs {
    /// Adds the policies' files to the files of a run.
    pub fn reads(&self, files: &mut Files) -> Result<(), Refused> {
        self.policies
            .iter()
            .filter_map(|spec| PolicySource::path(spec))
            .try_for_each(|path| files.read("a policy", path))
    }

    /// Reads the policies, in the order of the flags.
    pub fn load(&self) -> Result<Vec<Policy>, anyhow::Error> {
        let mut sources =
            self.policies.iter().map(|spec| PolicySource::open(spec)).collect::<Result<Vec<_>, PolicyError>>()?;
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
        let given = self.given(&sources, &ids)?;
        let policies = sources.iter().zip(given).map(|(source, labels)| source.parse(labels));
        Ok(policies.collect::<Result<_, _>>()?)
    }

    fn ids(sources: &[PolicySource]) -> Result<Vec<String>, PolicyError> {
        let id = |source: &PolicySource| match source.notation {
            Notation::Plain => Ok(source.plain_id().to_owned()),
            Notation::Yaml => source.parse(None).map(|policy| policy.id),
        };
        sources.iter().map(id).collect()
    }

    /// Returns the labels for each policy. Labels that name no policy must not contradict any of the policies.
    fn given(&self, sources: &[PolicySource], ids: &[String]) -> Result<Vec<Option<Vec<Label>>>, anyhow::Error> {
        let plain = |at: usize| sources[at].notation == Notation::Plain;
        let mut given: Vec<Option<Vec<Label>>> = vec![None; ids.len()];
        for Labels { policy, labels } in self.labels.iter().filter(|labels| labels.policy.is_some()) {
            let id = policy.as_deref().unwrap_or_default();
            let Some(at) = ids.iter().position(|other| other == id) else {
                anyhow::bail!("--labels is for the policy `{}`, and there are {}", id.escape_debug(), ids.join(", "));
            };
            anyhow::ensure!(plain(at), not_plain());
            anyhow::ensure!(given[at].is_none(), "--labels is given twice for the policy `{}`", ids[at]);
            // Labels for a named policy are believed, but the contradiction is printed.
            if let Err(error) = sources[at].check_labels(labels) {
                output::message(&format!("note: {} of {}", error.message(), sources[at].name));
            }
            given[at] = Some(labels.clone());
        }
        // Labels without a policy come second: they fill the places that are left.
        let mut for_all = self.labels.iter().filter(|labels| labels.policy.is_none());
        if let Some(Labels { labels, .. }) = for_all.next() {
            anyhow::ensure!((0..ids.len()).any(plain), not_plain());
            ensure_hint!(
                for_all.next().is_none(),
                "--labels is given twice",
                "say which policy each is for: --labels ID:WORD=VERDICT,..."
            );
            for at in (0..ids.len()).filter(|at| plain(*at)) {
                if given[at].is_none() {
                    sources[at].check_labels(labels)?;
                    given[at] = Some(labels.clone());
                }
            }
        }
        Ok(given)
    }
}

/// Refuses labels for a YAML policy.
fn not_plain() -> anyhow::Error {
    let error = anyhow::anyhow!("--labels is for policies that are a text (.md, .txt)");
    hinted(error, "a YAML policy has its labels under contract: labels:")
}
