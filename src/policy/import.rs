//! From a policy in prose or Markdown to one in parts.
//!
//! The one idea: only certain statements are taken over. Words that state a verdict are read with their denials, and
//! hold for the text below them. Everything else becomes a comment with its line. The contract is never guessed.

mod outline;

use std::collections::BTreeSet;

use super::draft::{Case, Draft, Rule};
use super::lint::codes::unknown_codes;
use super::plain;
use super::sense::{Sense, qualifies, sense};
use super::{Form, Label, Policy, Severity, Verdict};
use outline::{Block, Heading, Item, Line, Section, outline};

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

/// The role of a heading for the text below it.
#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Unknown,
    Instruction,
    Definitions,
    /// Rules, one for each item.
    Rules(Verdict),
    /// One rule made of everything below. Holds the code and the verdict, if the heading states them.
    Rule(Option<String>, Option<Verdict>),
    Format,
    Doubt,
    Examples,
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
    reader.settle(name)
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
        let words = heading.text.to_lowercase();
        let has = |list: &str| list.split(' ').any(|word| words.contains(word));
        let code = code_in(&heading.text);
        // A subheading of examples is an example, whatever its words.
        if matches!(parent, Kind::Examples | Kind::Format | Kind::Doubt | Kind::Definitions) {
            self.keep([&heading.line]);
            return parent.clone();
        }
        if is_blank(&without(&heading.text, code.as_deref())) {
            self.keep([&heading.line]);
            return Kind::Unknown;
        }
        let own = sense(&without(&heading.text, code.as_deref()));
        let is_format = ["label format", "output format", "answer format"].iter().any(|format| words.contains(format));
        let kind = if is_format {
            Kind::Format
        } else if code.is_none() && has("ambigu escalat doubt unsure unclear uncertain borderline precedence priorit")
            || words.contains("edge case")
        {
            Kind::Doubt
        } else if code.is_none() && has("definition terms glossary") && own == Sense::Silent {
            Kind::Definitions
        } else {
            match (own, code, parent) {
                (Sense::Means(verdict), _, Kind::Rules(above)) if verdict != *above => Kind::Unknown,
                (Sense::Means(verdict), Some(code), _) => Kind::Rule(Some(code), Some(verdict)),
                (Sense::Means(verdict), None, _) => Kind::Rules(verdict),
                (Sense::Silent, None, _) if has("example") => Kind::Examples,
                (Sense::Silent, Some(code), Kind::Rules(above))
                    if !belongs_before(&title_of(&heading.text, Some(&code))) =>
                {
                    Kind::Rule(Some(code), Some(*above))
                }
                (Sense::Silent, None, Kind::Rules(above)) if !qualifies(&heading.text) => {
                    Kind::Rule(None, Some(*above))
                }
                (Sense::Silent, Some(code), Kind::Unknown | Kind::Instruction) => Kind::Rule(Some(code), None),
                (Sense::Silent, None, _) if has("goal instruction overview scope purpose task") => Kind::Instruction,
                _ => Kind::Unknown,
            }
        };
        if kind == Kind::Unknown {
            self.keep([&heading.line]);
            if own != Sense::Silent {
                self.note(
                    heading.line.number,
                    "the heading can be read in two ways: what stands below is not taken over",
                );
            }
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

    /// Completes the draft: gives codes to rules, drops references to unknown codes, and fills required fields.
    fn settle(self, name: &str) -> Result<Imported, String> {
        let Imported { mut draft, unplaced, mut notes } = self.imported;
        if !draft.categories.iter().any(|rule| rule.verdict == Verdict::Violation) {
            return Err("no rule that forbids something was recognised: a heading such as `## Prohibited (AB1 - Ads)`, or a list under `## VIOLATES`, makes one\nhint: a .md or .txt file can be used as it is, too: -p FILE".to_owned());
        }
        number_rules(&mut draft.categories);
        settle_examples(&mut draft, &self.labels);
        let codes: Vec<String> = draft.categories.iter().map(|rule| rule.code.clone()).collect();
        let codes: BTreeSet<&str> = codes.iter().map(String::as_str).collect();
        for rules in [&mut draft.precedence, &mut draft.ambiguity, &mut draft.escalation] {
            let (known, lost): (Vec<String>, Vec<String>) =
                std::mem::take(rules).into_iter().partition(|rule| unknown_codes(rule, &codes).is_empty());
            *rules = known;
            draft.rest.extend(lost.into_iter().map(|rule| format!("it speaks of a code that there is not: {rule}")));
        }
        let doubts = draft.precedence.iter().chain(&draft.ambiguity).chain(&draft.escalation);
        if doubts
            .flat_map(|rule| rule.split_whitespace())
            .any(|word| ["VALID", "INVALID"].contains(&word.trim_end_matches(['.', ','])))
        {
            notes.push(
                "rules speak of VALID and INVALID, which no answer is any more: name the verdict or the code"
                    .to_owned(),
            );
        }
        if draft.title.is_empty() {
            draft.title.clone_from(&draft.id);
        }
        if draft.instruction.is_empty() {
            draft.instruction = format!("Decide whether the text violates the policy {}.", draft.title);
        }
        draft.summary = first_words(&draft.instruction);
        notes.push(
            "replies are asked for as JSON that names the rule; `contract:` says so and can say otherwise".to_owned(),
        );
        // A draft that does not load is an error, and is not returned.
        Policy::from_yaml(name, &draft.yaml())
            .map_err(|error| format!("it cannot be imported: {}", error.message()))?;
        Ok(Imported { draft, unplaced, notes })
    }
}

/// Gives each rule without a code the next number that is free.
fn number_rules(rules: &mut [Rule]) {
    let taken: BTreeSet<String> = rules.iter().map(|rule| rule.code.to_ascii_uppercase()).collect();
    let mut free = (1..).map(|number| format!("R{number}")).filter(|code| !taken.contains(code));
    for rule in rules.iter_mut().filter(|rule| rule.code.is_empty()) {
        rule.code = free.next().unwrap_or_default();
    }
}

/// Keeps examples that belong to a rule or are known to be safe, each text once.
fn settle_examples(draft: &mut Draft, labels: &[Label]) {
    let mut texts: Vec<(String, Option<String>)> = Vec::new();
    for case in std::mem::take(&mut draft.examples) {
        let label = case.category.clone().unwrap_or_default();
        let rule = draft.categories.iter().find(|rule| rule.code == label).map(|rule| rule.verdict);
        let stated = labels.iter().find(|other| other.text == label).map(|label| label.verdict);
        let category = match rule.or(stated).or_else(|| usual(&label)) {
            Some(Verdict::Safe) => None,
            Some(_) if rule.is_some() => Some(label.clone()),
            _ => {
                draft.rest.push(format!("an example whose label is no rule's code: {} -> {label}", case.text));
                continue;
            }
        };
        let same: String = case.text.to_lowercase().chars().filter(|char| char.is_alphanumeric()).collect();
        match texts.iter().find(|(other, _)| *other == same) {
            Some((_, other)) if *other == category => {}
            Some(_) => draft.rest.push(format!("an example that has another answer above: {} -> {label}", case.text)),
            None => {
                texts.push((same, category.clone()));
                draft.examples.push(Case { category, ..case });
            }
        }
    }
}

/// Returns the usual meaning of a label. A digit has none.
fn usual(word: &str) -> Option<Verdict> {
    if word.is_empty() || plain::is_digit(word) {
        None
    } else {
        plain::usual(word).filter(|verdict| *verdict != Verdict::Review)
    }
}

/// Reports whether a text limits the rule before it and is no rule of its own.
fn belongs_before(text: &str) -> bool {
    let lower = text.trim_start_matches(['*', '`', '(', '_']).to_lowercase();
    let first = lower.split(|char: char| !char.is_alphanumeric()).next().unwrap_or_default();
    let begins = ["does not apply", "do not apply", "this does not", "not covered", "not included", "does not include"];
    "except excepted exception exceptions unless but however excluding excludes excluded although"
        .split(' ')
        .any(|word| word == first)
        || begins.iter().any(|words| lower.starts_with(words))
}

/// Reports whether a text introduces a list of forbidden things and denies nothing else: `Do not post:`
fn is_order(text: &str) -> bool {
    let lower = text.to_lowercase().replace('’', "'");
    let starts = ["do not ", "don't ", "never ", "you must not ", "you may not ", "you cannot ", "users must not "];
    let rest = starts.iter().find_map(|start| lower.strip_prefix(start));
    rest.is_some_and(|rest| !qualifies(rest))
}

/// Recognises a line such as ``Output: `INVALID` ``.
fn is_output(lines: &[Line]) -> bool {
    lines.first().is_some_and(|line| {
        let lower = line.text.trim_start_matches(['*', '_']).to_lowercase();
        ["output:", "output**:", "output:**"].iter().any(|start| lower.starts_with(start))
    })
}

fn joined(lines: &[Line]) -> String {
    lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join(" ")
}

/// Returns the words of an item with those of the items below it.
fn whole(item: &Item) -> String {
    match item.belongings() {
        belongings if belongings.is_empty() => item.text.clone(),
        belongings => format!("{}: {belongings}", item.text.trim_end_matches([':', '.', ';'])),
    }
}

/// Recognises a code such as `GV1` or `SP2.a`: capitals, a number, perhaps a letter or another number.
fn is_code(word: &str) -> bool {
    let letters = word.chars().take_while(char::is_ascii_uppercase).count();
    let rest = &word[letters..];
    let digits = rest.chars().take_while(char::is_ascii_digit).count();
    let tail = &rest[digits..];
    let short = |tail: &str| (1..=2).contains(&tail.len()) && tail.chars().all(|char| char.is_ascii_alphanumeric());
    (1..=6).contains(&letters)
        && digits <= 2
        && ((digits > 0 && tail.is_empty())
            || tail.strip_prefix('.').is_some_and(|tail| {
                short(tail) && (digits > 0 || tail.starts_with(|char: char| char.is_ascii_digit()))
            }))
}

fn code_in(text: &str) -> Option<String> {
    text.split(|char: char| !(char.is_ascii_alphanumeric() || char == '.'))
        .map(|word| word.trim_end_matches('.'))
        .find(|word| is_code(word))
        .map(str::to_owned)
}

fn without(text: &str, code: Option<&str>) -> String {
    code.map_or_else(|| text.to_owned(), |code| text.replace(code, " "))
}

/// An item's code, if it begins with one, and its words.
fn split_code(item: &str) -> (Option<&str>, &str) {
    let bare = item.trim_start_matches(['`', '*', '(', '[']);
    match bare.split_once([' ', ':', '`', '*', ')', ']']) {
        Some((code, rest)) if is_code(code) => {
            (Some(code), rest.trim_start_matches([':', ' ', '-', '–', '—', '*', '`', ')', ']']))
        }
        _ => (None, item),
    }
}

/// Returns the words of a heading other than its code.
fn title_of(heading: &str, code: Option<&str>) -> String {
    let Some(code) = code else { return plainly(heading) };
    let before = heading.split(" (").next().unwrap_or(heading);
    let title = plainly(without(before, Some(code)).trim_matches([' ', '-', '–', '—', ':', '.', '[', ']']));
    if title.is_empty() { code.to_owned() } else { title }
}

/// Returns the severity that a heading names explicitly.
fn severity_in(heading: &str) -> Option<Severity> {
    let lower = heading.to_lowercase();
    [Severity::Low, Severity::Medium, Severity::High, Severity::Critical]
        .into_iter()
        .find(|severity| lower.contains(&format!("{severity} severity")))
}

/// Removes Markdown's marks, and quotation marks around the whole text.
fn plainly(text: &str) -> String {
    let text = text.replace("**", "").replace('`', "");
    let text = text.trim();
    let inside = [('"', '"'), ('“', '”'), ('„', '“')].iter().find_map(|(open, close)| {
        let inside = text.strip_prefix(*open)?.strip_suffix(*close)?;
        (!inside.contains([*open, *close])).then_some(inside)
    });
    inside.unwrap_or(text).trim().trim_end_matches(';').to_owned()
}

/// Reports whether a text has neither letters nor digits.
fn is_blank(text: &str) -> bool {
    !text.contains(char::is_alphanumeric)
}

fn sentence(text: &str) -> String {
    let text = plainly(text);
    let ends = text.trim_end_matches(['"', '”', ')']).ends_with(['.', '!', '?']) || text.ends_with(':');
    if ends { text } else { format!("{}.", text.trim_end_matches(',')) }
}

/// Returns a short text whole, and the first words of a longer one.
fn first_words(text: &str) -> String {
    const WORDS: usize = 12;
    let text = plainly(text);
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.len() <= WORDS {
        return words.join(" ").trim_end_matches(['.', ':']).to_owned();
    }
    format!("{} …", words[..WORDS].join(" ").trim_end_matches([',', ';', ':']))
}

fn slug(name: &str) -> String {
    let stem = std::path::Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or(name);
    let slug: String =
        stem.to_lowercase().chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '-' }).collect();
    let slug = slug.trim_matches('-').chars().take(64).collect::<String>();
    if slug.is_empty() { "imported".to_owned() } else { slug }
}
