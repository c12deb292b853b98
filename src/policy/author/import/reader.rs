//! The reader of an import: collects the draft, section by section.
//!
//! The one idea: each line ends up in the draft or as a comment with its number. No line is lost.

use super::heading::{Role, polarity_of};
use super::imported::Imported;
use super::outline::{Block, Heading, Line, Section};
use super::wording::{
    begins_in_doubt, forbids_explanations, is_blank, is_dated, joined, plainly, sentence, usual, whole,
};
use crate::policy::Label;
use crate::policy::author::draft::DraftExample;
use crate::policy::read::plain;
use crate::policy::read::polarity::Polarity;

/// The draft so far, and the labels of the text.
pub(super) struct Reader {
    pub imported: Imported,
    /// The labels with a meaning that the text itself states.
    pub labels: Vec<Label>,
}

impl Reader {
    /// Keeps lines as comments.
    pub(super) fn keep<'a>(&mut self, lines: impl IntoIterator<Item = &'a Line>) {
        for line in lines {
            self.imported.unplaced.push(line.number);
            self.imported.draft.unplaced.push(format!("line {}: {}", line.number, line.text));
        }
    }

    pub(super) fn keep_block(&mut self, block: &Block) {
        match block {
            Block::Paragraph(lines) => self.keep(lines),
            Block::Item(item) => self.keep(&item.all_lines()),
            Block::Other(line) => self.keep([line]),
        }
    }

    /// Reads the text before the first heading. A short first line on its own is the title.
    pub(super) fn opening(&mut self, section: &Section, has_headings: bool) {
        let mut blocks = section.blocks.iter();
        if let Some(Block::Paragraph(lines)) = section.blocks.first()
            && let [line, rest @ ..] = lines.as_slice()
            && !is_blank(&line.text)
            && line.text.split_whitespace().count() <= 12
            && !line.text.ends_with(['.', ':', ',', ';', '!', '?'])
            && (has_headings || section.blocks.len() > 1)
            && rest.first().is_none_or(|next| next.text.starts_with(char::is_uppercase))
        {
            self.imported.draft.title = plainly(&line.text);
            blocks.next();
            for line in rest {
                self.instruction(&Block::Paragraph(vec![line.clone()]));
            }
        }
        blocks.for_each(|block| self.instruction(block));
    }

    /// Takes a heading as the title: one of the highest level, or the first line of the text. Words such as `Criteria`
    /// are no title.
    pub(super) fn takes_as_title(&mut self, heading: &Heading, before: &[Section]) -> bool {
        let text = heading.text.split(" (#").next().unwrap_or(&heading.text);
        let is_general = ["criteria", "policy", "content policy", "instructions"].contains(&&*text.to_lowercase());
        let first = before.iter().all(|section| section.heading.is_none() && section.blocks.is_empty());
        let is_bare = Role::new(&heading.text, &Role::Unknown, &self.labels) == Role::Unknown;
        let takes = (heading.level == 1 || first && is_bare) && self.imported.draft.title.is_empty() && !is_blank(text);
        if takes && !is_general {
            self.imported.draft.title = plainly(text);
        }
        takes
    }

    pub(super) fn role(&mut self, heading: &Heading, parent: &Role) -> Role {
        let role = Role::new(&heading.text, parent, &self.labels);
        if role == Role::Label {
            self.keep([&heading.line]);
            if self.imported.draft.title.is_empty()
                && let Some((_, title)) = heading.text.split_once(") ")
            {
                self.imported.draft.title = plainly(title);
            }
        }
        if role == Role::Unknown || parent.is_inherited() {
            self.keep([&heading.line]);
        }
        if role == Role::Unknown && polarity_of(&heading.text) != Polarity::Silent {
            self.note(heading.line.number, "the heading can be read in two ways: the text below is not taken over");
        }
        role
    }

    pub(super) fn note(&mut self, line: usize, text: &str) {
        self.imported.notes.push(format!("line {line}: {text}"));
    }

    pub(super) fn section(&mut self, role: &Role, section: &Section) {
        if let Role::Rules(verdict) = role {
            return self.rules(*verdict, section);
        }
        for block in &section.blocks {
            if *role != Role::Instruction && self.takes_doubt(block) {
                continue;
            }
            match (role, block) {
                (Role::Unknown | Role::Label | Role::Rules(_) | Role::Rule(..), _) | (_, Block::Other(_)) => {
                    self.keep_block(block);
                }
                (Role::Instruction, block) => self.instruction(block),
                (_, Block::Item(item)) => {
                    let text = whole(item);
                    let placed = match role {
                        Role::Definitions => self.definition(&text),
                        Role::Doubt => self.doubt(&text),
                        _ => item.children.is_empty() && self.case(&item.text),
                    };
                    if !placed {
                        self.keep_block(block);
                    }
                }
                (Role::Doubt, Block::Paragraph(lines)) => {
                    if !self.doubt(&joined(lines)) {
                        self.keep(lines);
                    }
                }
                (_, Block::Paragraph(lines)) => {
                    for line in lines {
                        let placed = if *role == Role::Definitions {
                            self.definition(&line.text)
                        } else {
                            self.case(&line.text)
                        };
                        if !placed {
                            self.keep([line]);
                        }
                    }
                }
            }
        }
    }

    /// Takes guidance for doubt, such as `If in doubt, keep the post.`, at any place of a text.
    pub(super) fn takes_doubt(&mut self, block: &Block) -> bool {
        let text = match block {
            Block::Paragraph(lines) => joined(lines),
            Block::Item(item) => whole(item),
            Block::Other(_) => return false,
        };
        begins_in_doubt(&text) && self.doubt(&text)
    }

    /// Takes sentences as the instruction, except requests for an answer: the contract writes its own.
    pub(super) fn instruction(&mut self, block: &Block) {
        let (text, lines) = match block {
            Block::Paragraph(lines) => (joined(lines), lines.clone()),
            Block::Item(item) => (whole(item), item.all_lines()),
            Block::Other(line) => return self.keep([line]),
        };
        if is_dated(&text) {
            return self.keep(&lines);
        }
        if self.takes_doubt(block) {
            return;
        }
        let asks = |sentence: &str| {
            plain::asks_for_an_answer(sentence)
                || forbids_explanations(sentence)
                || sentence.split_whitespace().any(|word| {
                    let word = word.trim_matches(|char: char| !char.is_alphanumeric());
                    !word.is_empty() && !word.chars().any(char::is_lowercase) && usual(word).is_some()
                })
        };
        let (requests, rest): (Vec<&str>, Vec<&str>) = text.split_inclusive(". ").partition(|sentence| asks(sentence));
        let instruction = &mut self.imported.draft.instruction;
        for sentence in rest.into_iter().filter(|sentence| !is_blank(sentence)) {
            let space = if instruction.is_empty() { "" } else { " " };
            instruction.push_str(&format!("{space}{}", plainly(sentence)));
        }
        if !requests.is_empty() {
            self.keep(&lines);
        }
    }

    pub(super) fn definition(&mut self, text: &str) -> bool {
        // `**Term:** meaning`, as well as `**Term**: meaning`
        let text = text.replace(":** ", "**: ");
        let Some((term, meaning)) = text.split_once(": ") else { return false };
        let term = plainly(term);
        let definitions = &mut self.imported.draft.definitions;
        let new = definitions.iter().all(|(other, _)| *other != term);
        let placed = new && !is_blank(&term) && term.split_whitespace().count() <= 8 && !is_blank(meaning);
        if placed {
            definitions.push((term, plainly(meaning)));
        }
        placed
    }

    /// Takes a line such as `"a text" -> LABEL` as an example.
    pub(super) fn case(&mut self, text: &str) -> bool {
        let arrow = ["->", "→", "=>"].iter().find_map(|arrow| text.rsplit_once(arrow));
        let Some((quoted, label)) = arrow else { return false };
        let (text, label) = (plainly(quoted), plainly(label));
        if is_blank(&text) || label.is_empty() || label.split_whitespace().count() > 1 {
            return false;
        }
        self.imported.draft.examples.push(DraftExample { text, category: Some(label), why: None });
        true
    }

    pub(super) fn doubt(&mut self, text: &str) -> bool {
        if is_blank(text) {
            return false;
        }
        let lower = text.to_lowercase();
        let draft = &mut self.imported.draft;
        let place = if lower.contains("escalat") || lower.contains("human review") {
            &mut draft.escalation
        } else if ["highest", "priority", "several", "overlap", "precedence"].iter().any(|word| lower.contains(word)) {
            &mut draft.precedence
        } else {
            &mut draft.ambiguity
        };
        place.push(sentence(text));
        true
    }
}
