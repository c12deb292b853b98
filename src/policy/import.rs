//! From a policy in prose or Markdown to one in parts.
//!
//! The one idea: only certain statements are taken over. Words that state a verdict are read with their denials, and
//! hold for the text below them. Everything else becomes a comment with its line. The contract is never guessed.

mod heading;
mod outline;
mod settle;
mod wording;

use super::draft::{Case, Draft, Rule};
use super::plain;
use super::sense::{Sense, qualifies, sense};
use super::{Form, Label, Severity, Verdict};
use heading::{Kind, sense_of, severity_in, title_of};
use outline::{Block, Heading, Item, Line, Section, outline};
use settle::settle;
use wording::{
    belongs_before, first_words, is_blank, is_order, is_output, joined, plainly, sentence, slug, split_code, usual,
    whole,
};

/// A text that became a draft.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The draft. Its comments keep each line that found no place.
    pub draft: Draft,
    /// Lines that have found no place, from 1.
    pub unplaced: Vec<usize>,
    /// What its owner should know.
    pub notes: Vec<String>,
}

/// Reads a policy. `name` is its id.
///
/// # Errors
/// When no rule can be recognised; the message says what one looks like.
pub fn import(name: &str, text: &str) -> Result<Imported, String> {
    let draft = Draft {
        id: slug(name),
        form: Some(Form::Category),
        head: vec![format!(
            "Imported from {name}. Read it whole before you rely on it, then run `magistrate policy lint` on it."
        )],
        note: format!("Imported from {name}."),
        ..Draft::default()
    };
    let mut reader = Reader {
        imported: Imported { draft, unplaced: Vec::new(), notes: Vec::new() },
        labels: plain::stated(text).unwrap_or_default(),
    };
    let sections = outline(text);
    // The headings above a section, by level.
    let mut above: Vec<(usize, Kind)> = Vec::new();
    for (index, section) in sections.iter().enumerate() {
        let Some(heading) = &section.heading else {
            reader.opening(section, sections.len() > 1);
            continue;
        };
        above.retain(|(level, _)| *level < heading.level);
        let parent = above.last().map_or(Kind::Unknown, |(_, kind)| kind.clone());
        if heading.level == 1 && reader.imported.draft.title.is_empty() && !is_blank(&heading.text) {
            reader.imported.draft.title = plainly(heading.text.split(" (#").next().unwrap_or(&heading.text));
            reader.section(&Kind::Instruction, section);
            continue;
        }
        let kind = reader.kind(heading, &parent);
        let deeper = sections.get(index + 1).and_then(|next| next.heading.as_ref());
        let has_inner = deeper.is_some_and(|deeper| deeper.level > heading.level);
        match &kind {
            Kind::Rule(code, verdict) => reader.one_rule(heading, code.as_deref(), *verdict, section, has_inner),
            kind => reader.section(kind, section),
        }
        // A heading also holds for the headings below it. The heading of one rule passes on its verdict alone.
        let below = match kind {
            Kind::Rule(_, Some(verdict)) => Kind::Rules(verdict),
            Kind::Rule(_, None) => Kind::Unknown,
            kind => kind,
        };
        above.push((heading.level, below));
    }
    settle(reader.imported, &reader.labels, name)
}

struct Reader {
    imported: Imported,
    /// The labels whose meaning the text itself states.
    labels: Vec<Label>,
}

impl Reader {
    /// Keeps lines as comments.
    fn keep<'a>(&mut self, lines: impl IntoIterator<Item = &'a Line>) {
        for line in lines {
            self.imported.unplaced.push(line.number);
            self.imported.draft.rest.push(format!("line {}: {}", line.number, line.text));
        }
    }

    fn keep_block(&mut self, block: &Block) {
        match block {
            Block::Paragraph(lines) => self.keep(lines),
            Block::Item(item) => self.keep(&item.all_lines()),
            Block::Other(line) => self.keep([line]),
        }
    }

    /// Reads the text before the first heading. A short first line on its own is the title.
    fn opening(&mut self, section: &Section, has_headings: bool) {
        let mut blocks = section.blocks.iter();
        if let Some(Block::Paragraph(lines)) = section.blocks.first()
            && let [line] = lines.as_slice()
            && !is_blank(&line.text)
            && line.text.split_whitespace().count() <= 12
            && !line.text.ends_with(['.', ':', ',', ';', '!', '?'])
            && (has_headings || section.blocks.len() > 1)
        {
            self.imported.draft.title = plainly(&line.text);
            blocks.next();
        }
        blocks.for_each(|block| self.instruction(block));
    }

    fn kind(&mut self, heading: &Heading, parent: &Kind) -> Kind {
        let kind = Kind::of(&heading.text, parent);
        if kind == Kind::Unknown || parent.is_inherited() {
            self.keep([&heading.line]);
        }
        if kind == Kind::Unknown && sense_of(&heading.text) != Sense::Silent {
            self.note(heading.line.number, "the heading can be read in two ways: what stands below is not taken over");
        }
        kind
    }

    fn note(&mut self, line: usize, text: &str) {
        self.imported.notes.push(format!("line {line}: {text}"));
    }

    fn section(&mut self, kind: &Kind, section: &Section) {
        if let Kind::Rules(verdict) = kind {
            return self.rules(*verdict, section);
        }
        for block in &section.blocks {
            match (kind, block) {
                (Kind::Unknown | Kind::Rules(_) | Kind::Rule(..), _) | (_, Block::Other(_)) => self.keep_block(block),
                (Kind::Instruction, block) => self.instruction(block),
                (_, Block::Item(item)) => {
                    let text = whole(item);
                    let placed = match kind {
                        Kind::Definitions => self.definition(&text),
                        Kind::Doubt => self.doubt(&text),
                        _ => item.children.is_empty() && self.case(&item.text),
                    };
                    if !placed {
                        self.keep_block(block);
                    }
                }
                (Kind::Doubt, Block::Paragraph(lines)) => {
                    if !self.doubt(&joined(lines)) {
                        self.keep(lines);
                    }
                }
                (_, Block::Paragraph(lines)) => {
                    for line in lines {
                        let placed = if *kind == Kind::Definitions {
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

    /// All but sentences that ask for an answer: how one is given is the contract's to say.
    fn instruction(&mut self, block: &Block) {
        let (text, lines) = match block {
            Block::Paragraph(lines) => (joined(lines), lines.clone()),
            Block::Item(item) => (whole(item), item.all_lines()),
            Block::Other(line) => return self.keep([line]),
        };
        let asks = |sentence: &str| {
            sentence.split_whitespace().any(|word| {
                let word = word.trim_matches(|char: char| !char.is_alphanumeric());
                !word.is_empty() && !word.chars().any(char::is_lowercase) && usual(word).is_some()
            })
        };
        let (asking, telling): (Vec<&str>, Vec<&str>) = text.split_inclusive(". ").partition(|sentence| asks(sentence));
        let instruction = &mut self.imported.draft.instruction;
        for sentence in telling.into_iter().filter(|sentence| !is_blank(sentence)) {
            let space = if instruction.is_empty() { "" } else { " " };
            instruction.push_str(&format!("{space}{}", plainly(sentence)));
        }
        if !asking.is_empty() {
            self.keep(&lines);
        }
    }

    fn definition(&mut self, text: &str) -> bool {
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

    /// Reads a list of rules that all have one verdict.
    fn rules(&mut self, verdict: Verdict, section: &Section) {
        if self.verdict(Some(verdict), section).is_none() {
            return self.refuse(section);
        }
        // The text that introduces a list, and whether the list certainly holds rules.
        let (mut lead, mut certain, mut in_list) = (None::<String>, true, false);
        for block in &section.blocks {
            match block {
                Block::Paragraph(lines) if is_output(lines) => {}
                Block::Paragraph(lines) => {
                    let text = joined(lines);
                    let leads = text.ends_with(':');
                    certain = match sense(&text) {
                        Sense::Means(said) => said == verdict,
                        Sense::Silent if verdict == Verdict::Violation && leads && is_order(&text) => true,
                        Sense::Silent => !(belongs_before(&text) || leads && qualifies(&text)),
                        Sense::Unclear => false,
                    };
                    (lead, in_list) = ((leads && certain).then_some(text), false);
                    if lead.is_none() {
                        self.keep_block(block);
                    }
                }
                // It introduces a list whose items cannot be told from those of the outer list.
                Block::Item(item) if item.children.is_empty() && item.text.ends_with(':') => {
                    (lead, certain) = (None, false);
                    self.keep_block(block);
                }
                Block::Item(item) => {
                    if !certain || !self.item(item, verdict, lead.as_deref()) {
                        self.keep_block(block);
                    }
                    in_list = true;
                }
                Block::Other(_) => self.keep_block(block),
            }
        }
        // Nothing followed the introduction, so it is kept.
        if let Some(Block::Paragraph(lines)) = section.blocks.last().filter(|_| lead.is_some() && !in_list) {
            self.keep(lines);
        }
    }

    /// Takes an item as a rule, unless it limits another rule or contradicts its heading.
    fn item(&mut self, item: &Item, verdict: Verdict, lead: Option<&str>) -> bool {
        let (code, words) = split_code(&item.text);
        let words = words.trim_end_matches([':', ';', ',']).trim();
        let named = words
            .split_once(": ")
            .filter(|(name, rest)| name.split_whitespace().count() <= 8 && !is_blank(name) && !is_blank(rest));
        let short = words.split_whitespace().count() <= 4;
        let says_other = |text: &str| match sense(text) {
            Sense::Means(said) => said != verdict,
            Sense::Unclear => true,
            Sense::Silent => false,
        };
        let name = named.map_or(words, |(name, _)| name);
        if is_blank(words) || belongs_before(words) || ((named.is_some() || short) && says_other(name)) {
            return false;
        }
        let code = code.map(str::to_owned);
        if code.as_deref().is_some_and(|code| self.is_taken(code)) {
            return false;
        }
        let belongings = item.belongings();
        let rest = named.map_or(words, |(_, rest)| rest);
        let mut criterion = match (belongings.is_empty(), named) {
            (true, _) => rest.to_owned(),
            (false, _) => format!("{}: {belongings}", rest.trim_end_matches('.')),
        };
        if let Some(lead) = lead {
            criterion = format!("{lead} {criterion}");
        }
        let title = if named.is_some() { plainly(name) } else { first_words(name) };
        self.add(code, &title, verdict, None, vec![sentence(&criterion)]);
        true
    }

    fn is_taken(&self, code: &str) -> bool {
        self.imported.draft.categories.iter().any(|rule| rule.code.eq_ignore_ascii_case(code))
    }

    fn add(
        &mut self,
        code: Option<String>,
        title: &str,
        verdict: Verdict,
        severity: Option<Severity>,
        criteria: Vec<String>,
    ) {
        let title = if title.is_empty() {
            criteria.first().map_or(String::new(), |first| first_words(first))
        } else {
            title.to_owned()
        };
        let severity = severity.filter(|_| verdict == Verdict::Violation);
        // A rule without a code gets one at the end, once all codes are known.
        let code = code.unwrap_or_default();
        self.imported.draft.categories.push(Rule { code, title, verdict, severity, criteria });
    }

    /// Takes a heading and the text below it as one rule.
    fn one_rule(
        &mut self,
        heading: &Heading,
        code: Option<&str>,
        own: Option<Verdict>,
        section: &Section,
        has_inner: bool,
    ) {
        let verdict = self.verdict(own, section);
        let mut criteria: Vec<String> = Vec::new();
        let mut others = Vec::new();
        let mut leads = false;
        for block in &section.blocks {
            match block {
                Block::Paragraph(lines) if is_output(lines) => leads = false,
                Block::Paragraph(lines) if is_blank(&joined(lines)) => others.extend(lines),
                Block::Item(item) if is_blank(&whole(item)) => others.extend(&item.lines),
                Block::Paragraph(lines) => {
                    let text = joined(lines);
                    leads = text.ends_with(':');
                    match criteria.last_mut().filter(|_| belongs_before(&text)) {
                        Some(last) => *last = format!("{last} {}", sentence(&text)),
                        None => criteria.push(sentence(&text)),
                    }
                }
                Block::Item(item) => {
                    let text = whole(item);
                    match criteria.last_mut().filter(|_| leads || belongs_before(&text)) {
                        // An introduction holds for the whole list.
                        Some(last) if leads => {
                            let joint = if last.ends_with(':') { "" } else { ";" };
                            *last = sentence(&format!("{}{joint} {}", last.trim_end_matches('.'), plainly(&text)));
                        }
                        Some(last) => *last = format!("{last} {}", sentence(&text)),
                        None => criteria.push(sentence(&text)),
                    }
                }
                Block::Other(line) => others.push(line),
            }
        }
        let title = title_of(&heading.text, code);
        if criteria.is_empty() && !has_inner {
            criteria.push(sentence(&title));
        }
        if criteria.is_empty() {
            return self.keep([&heading.line]);
        }
        match verdict {
            Some(verdict) if !code.is_some_and(|code| self.is_taken(code)) => {
                self.keep(others);
                let code = code.map(str::to_owned);
                self.add(code, &title, verdict, severity_in(&heading.text), criteria);
            }
            Some(_) => {
                self.note(heading.line.number, "this code stands there already: the second is not taken over");
                self.refuse(section);
            }
            None => {
                self.note(
                    heading.line.number,
                    "nothing says for certain whether this is allowed: it is not taken over",
                );
                self.refuse(section);
            }
        }
    }

    fn refuse(&mut self, section: &Section) {
        self.keep(section.heading.iter().map(|heading| &heading.line));
        section.blocks.iter().for_each(|block| self.keep_block(block));
    }

    /// Returns the verdict of a section, from its heading and from lines such as ``Output: `INVALID` ``. Returns `None`
    /// if they disagree.
    fn verdict(&self, own: Option<Verdict>, section: &Section) -> Option<Verdict> {
        let said = |word: &str| {
            let word: String = word
                .trim_start_matches(|char: char| !char.is_alphanumeric())
                .chars()
                .take_while(|char| char.is_alphanumeric() || *char == '_')
                .collect();
            let known = self.labels.iter().find(|label| label.text == word).map(|label| label.verdict);
            known.or_else(|| usual(&word))
        };
        let outputs = section.blocks.iter().filter_map(|block| match block {
            Block::Paragraph(lines) if is_output(lines) => {
                Some(said(lines[0].text.split_once(':').map_or("", |(_, word)| word)))
            }
            _ => None,
        });
        let own = own.map(Some);
        outputs.chain(own).reduce(|one, other| if one == other { one } else { None }).flatten()
    }

    /// `"a text" -> LABEL`
    fn case(&mut self, text: &str) -> bool {
        let arrow = ["->", "→", "=>"].iter().find_map(|arrow| text.rsplit_once(arrow));
        let Some((quoted, label)) = arrow else { return false };
        let (text, label) = (plainly(quoted), plainly(label));
        if is_blank(&text) || label.is_empty() || label.split_whitespace().count() > 1 {
            return false;
        }
        self.imported.draft.examples.push(Case { text, category: Some(label), why: None });
        true
    }

    fn doubt(&mut self, text: &str) -> bool {
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
