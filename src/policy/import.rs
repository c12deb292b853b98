//! From a policy in prose or Markdown to one in parts.
//!
//! The one idea: only what is certain is taken over. Headings, list items with codes and quoted examples with an arrow are;
//! all else is kept as comments, with its line, and the contract is never guessed.

use super::draft::{Case, Draft, Rule};
use super::sense::{Sense, sense};
use super::{Form, Severity, Verdict};

/// A text that became a draft.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The draft. What has found no place is in its comments.
    pub draft: Draft,
    /// Lines that have found no place, from 1.
    pub unplaced: Vec<usize>,
    /// What its owner should know.
    pub notes: Vec<String>,
}

/// What a heading is the heading of.
#[derive(Clone, PartialEq)]
enum Section {
    /// What stands before the first heading.
    Nothing,
    Unknown,
    Instruction,
    Definitions,
    /// Rules, each an item; the code if the heading has one.
    Rules {
        code: Option<String>,
        title: String,
        verdict: Option<Verdict>,
    },
    Format,
    Doubt,
    Examples,
}

/// Reads a policy. `name` is its id.
///
/// # Errors
///
/// When no rule can be recognised; the message says what one looks like.
pub fn import(name: &str, text: &str) -> Result<Imported, String> {
    let mut reader = Reader {
        imported: Imported { draft: Draft::default(), unplaced: Vec::new(), notes: Vec::new() },
        section: Section::Nothing,
        paragraph: Vec::new(),
    };
    let draft = &mut reader.imported.draft;
    draft.id = slug(name);
    draft.form = Some(Form::Category);
    draft.head = vec![format!(
        "Imported from {name}. Read it whole before you rely on it, then run `magistrate policy lint` on it."
    )];
    draft.note = format!("Imported from {name}.");
    for (index, line) in text.lines().enumerate() {
        reader.line(index + 1, line);
    }
    reader.finish();
    reader.settle()
}

struct Reader {
    imported: Imported,
    section: Section,
    /// Rules of the section that is open: the paragraph's sentences.
    paragraph: Vec<String>,
}

impl Reader {
    fn line(&mut self, number: usize, line: &str) {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            return;
        }
        if let Some(heading) = heading(trimmed) {
            self.finish();
            self.heading(number, trimmed, heading);
            return;
        }
        let item = item(trimmed);
        let placed = match self.section.clone() {
            Section::Unknown => false,
            Section::Nothing | Section::Instruction => self.instruction(item.unwrap_or(trimmed)),
            Section::Definitions => self.definition(item.unwrap_or(trimmed)),
            Section::Rules { code, verdict, .. } => self.rule(trimmed, item, code.is_some(), verdict),
            Section::Format | Section::Examples => self.case(item.unwrap_or(trimmed)),
            Section::Doubt => self.doubt(item.unwrap_or(trimmed)),
        };
        if !placed {
            self.imported.unplaced.push(number);
            self.imported.draft.rest.push(format!("line {number}: {trimmed}"));
        }
    }

    fn heading(&mut self, number: usize, line: &str, text: &str) {
        let draft = &mut self.imported.draft;
        let words = text.to_lowercase();
        let has = |list: &[&str]| list.iter().any(|word| words.contains(word));
        if line.starts_with("# ") && draft.title.is_empty() {
            let title = text.split(" (#").next().unwrap_or(text);
            draft.title = plain(title);
            return;
        }
        let code = code_in(text);
        let title = title_of(text, code.as_deref());
        self.section = if has(&["label format", "output format", "answer format"]) {
            Section::Format
        } else if has(&["ambiguity", "escalation", "edge case"]) && code.is_none() {
            Section::Doubt
        } else if has(&["definition", "terms"]) && code.is_none() {
            Section::Definitions
        } else if code.is_some() || verdict_of(&words).is_some() {
            Section::Rules { verdict: verdict_of(&words), code, title }
        } else if has(&["example"]) {
            Section::Examples
        } else if has(&["goal", "instruction", "overview", "scope", "purpose", "task"]) {
            Section::Instruction
        } else {
            self.imported.unplaced.push(number);
            self.imported.draft.rest.push(format!("line {number}: {line}"));
            Section::Unknown
        };
    }

    /// All but sentences that ask for an answer: how one is given is the contract's to say.
    fn instruction(&mut self, text: &str) -> bool {
        let (asking, telling): (Vec<&str>, Vec<&str>) = text.split_inclusive(". ").partition(|sentence| {
            let answers = |word: &str| word.trim_matches(|char: char| !char.is_alphanumeric()).to_owned();
            sentence
                .split_whitespace()
                .map(answers)
                .any(|word| label_of(&word).is_some() && !word.is_empty() && !word.chars().any(char::is_lowercase))
        });
        let draft = &mut self.imported.draft;
        for sentence in telling {
            let space = if draft.instruction.is_empty() { "" } else { " " };
            draft.instruction.push_str(&format!("{space}{}", plain(sentence)));
        }
        asking.is_empty()
    }

    fn definition(&mut self, text: &str) -> bool {
        let Some((term, meaning)) = text.split_once(": ") else { return false };
        let short = term.split_whitespace().count() <= 8;
        if short {
            self.imported.draft.definitions.push((plain(term), plain(meaning)));
        }
        short
    }

    /// `coded`: the heading has a code, and what stands under it is one rule.
    fn rule(&mut self, line: &str, item: Option<&str>, coded: bool, verdict: Option<Verdict>) -> bool {
        if let Some(output) = line.to_lowercase().strip_prefix("output:") {
            if let Section::Rules { verdict, .. } = &mut self.section {
                *verdict = label_of(output).or(*verdict);
            }
            return label_of(output).is_some();
        }
        let bare = line.trim_end_matches(':').to_lowercase();
        if ["examples", "includes", "such as"].contains(&bare.as_str()) {
            return true;
        }
        match (item, coded) {
            // A list under a heading with a code: what the rule means, one by one.
            (Some(item), true) => {
                let (_, words) = split_code(item);
                let (name, quotes) = words.split_once(": \"").map_or((words, None), |(name, rest)| (name, Some(rest)));
                self.paragraph.push(sentence(name));
                quotes.is_none()
            }
            // A list of rules, each with a code of its own or none.
            (Some(item), false) => {
                let (code, words) = split_code(item);
                let (name, rest) = words.split_once(": ").unwrap_or((words, words));
                let count = self.imported.draft.categories.len() + 1;
                let code = code.map_or_else(|| format!("R{count}"), str::to_owned);
                let titled = name.split_whitespace().count() <= 8;
                let title = if titled { plain(name) } else { first_words(name) };
                self.add(code, title, verdict, vec![sentence(rest)]);
                true
            }
            (None, true) => {
                self.paragraph.push(sentence(line));
                true
            }
            (None, false) => false,
        }
    }

    fn add(&mut self, code: String, title: String, verdict: Option<Verdict>, criteria: Vec<String>) {
        let verdict = verdict.unwrap_or_else(|| {
            self.imported.notes.push(format!("nothing says whether {code} is allowed: it is taken for a violation"));
            Verdict::Violation
        });
        let severity = (verdict == Verdict::Violation).then(|| severity_of(&code)).flatten();
        self.imported.draft.categories.push(Rule { code, title, verdict, severity, criteria });
    }

    /// The rule of a heading with a code is complete.
    fn finish(&mut self) {
        let criteria = std::mem::take(&mut self.paragraph);
        if let Section::Rules { code: Some(code), title, verdict } = self.section.clone()
            && !criteria.is_empty()
        {
            self.add(code, title, verdict, criteria);
        }
        self.section = Section::Nothing;
    }

    /// `"a text" -> LABEL`
    fn case(&mut self, text: &str) -> bool {
        let arrow = ["->", "→", "=>"].iter().find_map(|arrow| text.rsplit_once(arrow));
        let Some((quoted, label)) = arrow else { return false };
        let (text, label) = (plain(quoted), plain(label));
        if text.is_empty() || label.is_empty() || label.split_whitespace().count() > 1 {
            return false;
        }
        self.imported.draft.examples.push(Case { text, category: Some(label), why: None });
        true
    }

    fn doubt(&mut self, text: &str) -> bool {
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

    /// Makes a whole of it: examples get codes that there are, and what must be there is.
    fn settle(self) -> Result<Imported, String> {
        let Imported { mut draft, unplaced, mut notes } = self.imported;
        if !draft.categories.iter().any(|rule| rule.verdict == Verdict::Violation) {
            return Err("no rule that forbids something was recognised: a heading such as `## Name (AB1 - what it is)`, or a list under `## VIOLATES`, makes one\nhint: a .md or .txt file can be used as it is, too: -p FILE".to_owned());
        }
        let rules = &draft.categories;
        let (known, lost): (Vec<Case>, Vec<Case>) = std::mem::take(&mut draft.examples).into_iter().partition(|case| {
            let label = case.category.as_deref().unwrap_or_default();
            rules.iter().any(|rule| rule.code == label)
                || label_of(label).is_some_and(|verdict| verdict == Verdict::Safe)
        });
        let mut texts: Vec<String> = Vec::new();
        for mut case in known {
            let safe = |label: &String| rules.iter().all(|rule| rule.code != *label || rule.verdict == Verdict::Safe);
            case.category = case.category.filter(|label| !safe(label));
            if !texts.contains(&case.text) {
                texts.push(case.text.clone());
                draft.examples.push(case);
            }
        }
        draft.rest.extend(lost.into_iter().map(|case| {
            format!("an example whose label is no rule's code: {} -> {}", case.text, case.category.unwrap_or_default())
        }));
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
        Ok(Imported { draft, unplaced, notes })
    }
}

/// The words of a heading: Markdown's, or a line in capitals.
fn heading(line: &str) -> Option<&str> {
    if line.starts_with('#') {
        return Some(line.trim_start_matches('#').trim());
    }
    let bold = line.strip_prefix("**").and_then(|line| line.strip_suffix("**"));
    let capitals = line.chars().filter(|char| char.is_alphabetic()).count() > 3
        && !line.chars().any(char::is_lowercase)
        && line.len() < 60;
    bold.or(capitals.then_some(line))
}

/// The words of a list's item.
fn item(line: &str) -> Option<&str> {
    let bullet = line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")).or_else(|| line.strip_prefix("• "));
    bullet.or_else(|| {
        let (number, rest) = line.split_once(". ")?;
        number.bytes().all(|byte| byte.is_ascii_digit()).then_some(rest)
    })
}

/// A code such as `GV1` or `SP2.a`: capitals, a number, perhaps a letter.
fn is_code(word: &str) -> bool {
    let letters = word.chars().take_while(char::is_ascii_uppercase).count();
    let rest = &word[letters..];
    let digits = rest.chars().take_while(char::is_ascii_digit).count();
    let tail = &rest[digits..];
    (1..=6).contains(&letters)
        && (1..=2).contains(&digits)
        && (tail.is_empty()
            || tail.strip_prefix('.').is_some_and(|tail| {
                (1..=2).contains(&tail.len()) && tail.chars().all(|char| char.is_ascii_alphanumeric())
            }))
}

fn code_in(text: &str) -> Option<String> {
    text.split(|char: char| !(char.is_ascii_alphanumeric() || char == '.'))
        .find(|word| is_code(word))
        .map(str::to_owned)
}

/// An item's code, if it begins with one, and its words.
fn split_code(item: &str) -> (Option<&str>, &str) {
    let bare = item.trim_start_matches(['`', '*']);
    match bare.split_once([' ', ':', '`', '*']) {
        Some((code, rest)) if is_code(code) => (Some(code), rest.trim_start_matches([':', ' ', '-', '–', '*', '`'])),
        _ => (None, item),
    }
}

/// What a heading says beside its code: what stands behind it in brackets, or before them.
fn title_of(heading: &str, code: Option<&str>) -> String {
    let Some(code) = code else { return plain(heading) };
    let before = heading.split(" (").next().unwrap_or(heading);
    let title = before.replace(code, "");
    let title = plain(title.trim_matches([' ', '-', '–', ':']));
    if title.is_empty() { code.to_owned() } else { title }
}

fn verdict_of(heading: &str) -> Option<Verdict> {
    match sense(heading) {
        Sense::Means(verdict) => Some(verdict),
        Sense::Silent | Sense::Unclear => None,
    }
}

/// The verdict that a known label stands for.
fn label_of(text: &str) -> Option<Verdict> {
    let word = text.trim().trim_start_matches(['`', '"', '*', ' ']);
    let word: String = word.chars().take_while(|char| char.is_alphanumeric()).collect();
    match word.to_lowercase().as_str() {
        "invalid" | "violation" | "violating" | "unsafe" | "1" => Some(Verdict::Violation),
        "valid" | "safe" | "allowed" | "0" => Some(Verdict::Safe),
        _ => None,
    }
}

/// By a code's number: 1 is the mildest.
fn severity_of(code: &str) -> Option<Severity> {
    let digits: String = code.chars().skip_while(char::is_ascii_uppercase).take_while(char::is_ascii_digit).collect();
    match digits.parse().ok()? {
        1 => Some(Severity::Low),
        2 => Some(Severity::Medium),
        3 => Some(Severity::High),
        4 => Some(Severity::Critical),
        _ => None,
    }
}

/// Without Markdown's marks and the quotes around.
fn plain(text: &str) -> String {
    let text = text.replace("**", "").replace('`', "");
    text.trim().trim_matches(['"', '“', '”', ' ']).trim_end_matches(';').to_owned()
}

fn sentence(text: &str) -> String {
    let text = plain(text);
    if text.ends_with(['.', '!', '?', ':']) { text } else { format!("{text}.") }
}

fn first_words(text: &str) -> String {
    const WORDS: usize = 12;
    let first = text.split_inclusive(['.', '!', '?']).next().unwrap_or(text);
    let words: Vec<&str> = first.split_whitespace().take(WORDS).collect();
    words.join(" ")
}

fn slug(name: &str) -> String {
    let stem = std::path::Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or(name);
    let slug: String =
        stem.to_lowercase().chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '-' }).collect();
    let slug = slug.trim_matches('-').chars().take(64).collect::<String>();
    if slug.is_empty() { "imported".to_owned() } else { slug }
}
