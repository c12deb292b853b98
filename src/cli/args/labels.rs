//! The flag that gives a meaning to the answers of a policy that is a text.

use clap::Args;
use magistrate::policy::{Contract, Label, Notation, PolicySource};

use crate::cli::terminal::error::{ensure_hint, hinted, message_with_hints};
use crate::cli::terminal::output;

/// The labels of policies that are a text.
#[derive(Debug, Args)]
pub struct LabelsArgs {
    /// Meaning of the answers to a policy that is a text: INVALID=violation,VALID=safe. For one of several policies:
    /// ID:INVALID=violation,VALID=safe
    #[arg(long, value_name = "[ID:]WORD=VERDICT,...", value_parser = parse_labels, help_heading = "Policy")]
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

impl LabelsArgs {
    /// Returns the labels for each policy. Labels that name no policy must not contradict any of the policies.
    pub fn checked(&self, sources: &[&PolicySource], ids: &[String]) -> Result<Vec<Option<Vec<Label>>>, anyhow::Error> {
        let given = self.given(sources, ids)?;
        for (at, labels) in given.iter().enumerate() {
            let Some(labels) = labels else { continue };
            match sources[at].check_labels(labels) {
                // Labels for a named policy are believed, but the contradiction is printed.
                Err(error) if self.names(&ids[at]) => {
                    output::note(&format!("{} of {}", error.message(), sources[at].name));
                }
                checked => checked?,
            }
        }
        Ok(given)
    }

    /// Returns the labels for each policy, without a look at its text.
    pub fn given(&self, sources: &[&PolicySource], ids: &[String]) -> Result<Vec<Option<Vec<Label>>>, anyhow::Error> {
        let plain = |at: usize| sources[at].notation == Notation::Plain;
        let mut given: Vec<Option<Vec<Label>>> = vec![None; ids.len()];
        for Labels { policy, labels } in self.labels.iter().filter(|labels| labels.policy.is_some()) {
            let id = policy.as_deref().unwrap_or_default();
            let Some(at) = ids.iter().position(|other| other == id) else {
                anyhow::bail!("--labels is for the policy `{}`, and there are {}", id.escape_debug(), ids.join(", "));
            };
            anyhow::ensure!(plain(at), not_plain());
            anyhow::ensure!(given[at].is_none(), "--labels is given twice for the policy `{}`", ids[at]);
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
                given[at].get_or_insert_with(|| labels.clone());
            }
        }
        Ok(given)
    }

    /// Reports whether labels name this policy.
    fn names(&self, id: &str) -> bool {
        self.labels.iter().any(|labels| labels.policy.as_deref() == Some(id))
    }
}

/// Returns the id by which labels name a policy that is not parsed yet. YAML has labels of its own, so its file's name
/// is enough.
pub fn id_for_labels(source: &PolicySource) -> String {
    match source.notation {
        Notation::Plain => source.plain_id().to_owned(),
        Notation::Yaml => source.name.clone(),
    }
}

/// Refuses labels for a YAML policy.
fn not_plain() -> anyhow::Error {
    let error = anyhow::anyhow!("--labels is for policies that are a text (.md, .txt)");
    hinted(error, "a YAML policy has its labels under contract: labels:")
}
