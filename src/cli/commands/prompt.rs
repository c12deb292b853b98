//! `prompt`: prints the exact prompt of a text and a policy. Needs the model's header only.

use std::process::ExitCode;

use clap::Args;
use magistrate::gguf;
use magistrate::harmony::{Control, Segment};
use magistrate::prompt;

use crate::cli::args::model::ModelArgs;
use crate::cli::args::policy::PolicyArgs;
use crate::cli::args::prompt::PromptArgs;
use crate::cli::args::text::TextArgs;
use crate::cli::terminal::error::bail_hint;
use crate::cli::terminal::output::{self, Text};

#[derive(Debug, Args)]
pub struct Prompt {
    #[command(flatten)]
    policy: PolicyArgs,

    #[command(flatten)]
    how: PromptArgs,

    /// Print token ids as one JSON array
    #[arg(long)]
    tokens: bool,

    /// Print JSON: the prompt, and with --tokens the token ids
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    text: TextArgs,
}

impl Prompt {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        let policies = self.policy.load()?;
        let [policy] = policies.as_slice() else { bail_hint!("a prompt has one policy", "pass -p once") };
        let templates = self.how.templates()?;
        let effort = self.how.effort().unwrap_or(policy.effort);
        let prompt = prompt::Prompt::new(&templates, policy, effort, self.how.date.as_deref())?;
        let segments = prompt.segments(self.text.read()?.text());
        let ids: Option<Vec<u32>> = if self.tokens {
            let tokenizer = gguf::tokenizer(&self.model.path()?)?;
            Some(tokenizer.encode_segments(&segments).into_iter().map(|token| token.0).collect())
        } else {
            None
        };
        if self.json {
            let mut shown = serde_json::json!({ "prompt": plain(&segments) });
            if let Some(ids) = ids {
                shown["tokens"] = ids.into();
            }
            output::data(&format!("{shown}\n"))?;
        } else if let Some(ids) = ids {
            output::data(&format!("{}\n", serde_json::to_string(&ids)?))?;
        } else {
            if output::coloured() {
                output::print_text(&marked(&segments))?;
            } else {
                output::data(&plain(&segments))?;
            }
            warn_of_lookalikes(&segments);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Returns the prompt for a terminal, with marked control tokens.
fn marked(segments: &[Segment]) -> Text {
    let mut text = Text::default();
    for segment in segments {
        match segment {
            Segment::Control(control) => text.push_styled(control.name(), "1;36"),
            Segment::Text(words) => text.push(words),
        }
    }
    text.push("\n");
    text
}

/// Returns the prompt's own bytes.
fn plain(segments: &[Segment]) -> String {
    let part = |segment: &Segment| match segment {
        Segment::Control(control) => control.name().to_owned(),
        Segment::Text(text) => text.clone(),
    };
    segments.iter().map(part).collect()
}

/// Prints a note for each control token whose name the text spells: in plain output it looks like one.
fn warn_of_lookalikes(segments: &[Segment]) {
    for control in Control::ALL {
        let times: usize = segments
            .iter()
            .map(|segment| match segment {
                Segment::Text(text) => text.matches(control.name()).count(),
                Segment::Control(_) => 0,
            })
            .sum();
        let often = match times {
            0 => continue,
            1 => "once".to_owned(),
            times => format!("{times} times"),
        };
        output::note(&format!("the policy or the text spells {control} {often}: that is text, not a token"));
    }
}
