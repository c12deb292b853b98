//! Rules of an import: lists of rules below a heading, and headings that are one rule.

use super::heading::{severity_in, title_of};
use super::outline::{Block, Heading, Item, Line, Section};
use super::reader::Reader;
use super::wording::{
    belongs_before, first_words, is_blank, is_order, is_output, joined, numbered_code, plainly, sentence, split_code,
    split_title, stated_severity, usual, whole,
};
use crate::policy::author::draft::DraftCategory;
use crate::policy::read::polarity::{Polarity, polarity, qualifies};
use crate::policy::{Severity, Verdict};

impl Reader {
    /// Reads a list of rules that all have one verdict.
    pub(super) fn rules(&mut self, verdict: Verdict, section: &Section) {
        if self.verdict(Some(verdict), section).is_none() {
            return self.refuse(section);
        }
        // The text that introduces a list, and whether the list certainly holds rules.
        let (mut lead, mut certain, mut in_list) = (None::<String>, true, false);
        for block in &section.blocks {
            if self.takes_doubt(block) {
                continue;
            }
            match block {
                Block::Paragraph(lines) if is_output(lines) => {}
                // `**Bait**: promises of money.` is a rule without a bullet.
                Block::Paragraph(lines) if certain && lead.is_none() && is_titled(lines) => {
                    if !self.item(&Item::of(lines), verdict, None) {
                        self.keep_block(block);
                    }
                }
                Block::Paragraph(lines) => {
                    let text = joined(lines);
                    let leads = text.ends_with(':');
                    certain = match polarity(&text) {
                        Polarity::Means(found) => found == verdict,
                        Polarity::Silent if verdict == Verdict::Violation && leads && is_order(&text) => true,
                        Polarity::Silent => !(belongs_before(&text) || leads && qualifies(&text)),
                        Polarity::Unclear => false,
                    };
                    (lead, in_list) = ((leads && certain).then_some(text), false);
                    if lead.is_none() {
                        self.keep_block(block);
                    }
                }
                // It introduces a list with items that look like those of the outer list.
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
        let named = split_title(words);
        let short = words.split_whitespace().count() <= 4;
        let contradicts = |text: &str| match polarity(text) {
            Polarity::Means(found) => found != verdict,
            Polarity::Unclear => true,
            Polarity::Silent => false,
        };
        let name = named.map_or(words, |(name, _)| name);
        if is_blank(words) || belongs_before(words) || ((named.is_some() || short) && contradicts(name)) {
            return false;
        }
        let code = code.map(str::to_owned).or_else(|| item.number.as_deref().map(numbered_code));
        if code.as_deref().is_some_and(|code| self.is_taken(code)) {
            return false;
        }
        let belongings = item.belongings();
        let rest = named.map_or(words, |(_, rest)| rest);
        let mut criterion = if belongings.is_empty() {
            rest.to_owned()
        } else {
            format!("{}: {belongings}", rest.trim_end_matches('.'))
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
        self.imported.draft.categories.push(DraftCategory { code, title, verdict, severity, criteria });
    }

    /// Takes a heading and the text below it as one rule.
    pub(super) fn one_rule(
        &mut self,
        heading: &Heading,
        code: Option<&str>,
        own: Option<Verdict>,
        section: &Section,
        has_inner: bool,
    ) {
        let verdict = self.verdict(own, section);
        let (mut criteria, others) = criteria_of(section);
        let severity =
            severity_in(&heading.text).or_else(|| others.iter().find_map(|line| stated_severity(&line.text)));
        let title = title_of(&heading.text, code);
        let code = code.map(str::to_owned).or_else(|| heading.number.as_deref().map(numbered_code));
        if criteria.is_empty() && !has_inner {
            criteria.push(sentence(&title));
        }
        if criteria.is_empty() {
            return self.keep([&heading.line]);
        }
        match verdict {
            Some(verdict) if !code.as_deref().is_some_and(|code| self.is_taken(code)) => {
                self.keep(others);
                self.add(code, &title, verdict, severity, criteria);
            }
            Some(_) => {
                self.note(heading.line.number, "this code occurs twice: the second section is not taken over");
                self.refuse(section);
            }
            None => {
                self.note(
                    heading.line.number,
                    "the text does not state for certain that this is allowed or forbidden: the section is not taken over",
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
        let meaning = |word: &str| {
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
                Some(meaning(lines[0].text.split_once(':').map_or("", |(_, word)| word)))
            }
            _ => None,
        });
        let own = own.map(Some);
        outputs.chain(own).reduce(|one, other| if one == other { one } else { None }).flatten()
    }
}

/// Reports whether a paragraph begins with a title in bold, and does not introduce a list.
fn is_titled(lines: &[Line]) -> bool {
    let text = joined(lines);
    text.starts_with("**") && !text.ends_with(':') && split_title(&text).is_some()
}

/// Returns the criteria in the text below a heading, and the lines without a criterion.
fn criteria_of(section: &Section) -> (Vec<String>, Vec<&Line>) {
    let mut criteria: Vec<String> = Vec::new();
    let mut others = Vec::new();
    let mut leads = false;
    for block in &section.blocks {
        match block {
            Block::Paragraph(lines) if is_output(lines) => leads = false,
            Block::Paragraph(lines) if is_blank(&joined(lines)) || stated_severity(&lines[0].text).is_some() => {
                others.extend(lines);
            }
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
    (criteria, others)
}
