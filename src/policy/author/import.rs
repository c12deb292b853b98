//! From a policy in prose or Markdown to one in parts.
//!
//! The one idea: only certain statements are taken over. Words that state a verdict are read with their denials, and
//! hold for the text below them. Everything else becomes a comment with its line. The contract is never guessed.

mod heading;
mod imported;
mod marks;
mod outline;
mod pasted;
mod reader;
mod rules;
mod settle;
mod wording;

use heading::{Role, is_title};
pub use imported::{ImportError, Imported};
use outline::outline;
use pasted::plain_text;
use reader::Reader;
use settle::settle;
use wording::slug;

use crate::policy::Form;
use crate::policy::author::draft::Draft;
use crate::policy::read::plain;

/// Makes a draft of a policy in prose or Markdown. The id comes from `name`, the name of its file.
///
/// # Errors
/// No rule that forbids something is recognized, or the draft is not a valid policy.
pub fn import(name: &str, text: &str) -> Result<Imported, ImportError> {
    let text = &*plain_text(text);
    let draft = Draft {
        id: slug(name),
        form: Some(Form::Category),
        head: vec![format!("Imported from {name}. Read it whole before you rely on it, and lint it.")],
        note: format!("Imported from {name}."),
        ..Draft::default()
    };
    let mut reader = Reader {
        imported: Imported { draft, unplaced: Vec::new(), notes: Vec::new() },
        labels: plain::stated_labels(text).unwrap_or_default(),
    };
    let sections = outline(text, &is_title);
    // The headings above a section, by level.
    let mut above: Vec<(usize, Role)> = Vec::new();
    for (index, section) in sections.iter().enumerate() {
        let Some(heading) = &section.heading else {
            reader.opening(section, sections.len() > 1);
            continue;
        };
        above.retain(|(level, _)| *level < heading.level);
        let parent = above.last().map_or(Role::Unknown, |(_, role)| role.clone());
        if reader.takes_as_title(heading, &sections[..index]) {
            reader.section(&Role::Instruction, section);
            continue;
        }
        let role = reader.role(heading, &parent);
        let deeper = sections.get(index + 1).and_then(|next| next.heading.as_ref());
        let has_inner = deeper.is_some_and(|deeper| deeper.level > heading.level);
        match &role {
            Role::Rule(code, verdict) => reader.one_rule(heading, code.as_deref(), *verdict, section, has_inner),
            role => reader.section(role, section),
        }
        // A heading also holds for the headings below it. The heading of one rule passes on its verdict alone.
        let below = match role {
            Role::Rule(_, Some(verdict)) => Role::Rules(verdict),
            Role::Rule(_, None) => Role::Unknown,
            role => role,
        };
        above.push((heading.level, below));
    }
    settle(reader.imported, &reader.labels, name)
}
