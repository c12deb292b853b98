//! The checks between a parsed file and a policy: its values must agree with one another.
//!
//! The one idea: the first fault is reported, at its own line. The linter judges the wording of the rules.

use std::collections::HashSet;
use std::path::PathBuf;

use crate::policy::compatibility::{Incompatibility, PolicyPart};
use crate::policy::diagnostics::error::{PolicyError, PolicyErrorKind};
use crate::policy::diagnostics::quoting::{listed, nearest, quoted, suggestion};
use crate::policy::diagnostics::report::Span;
use crate::policy::read::document::{CasePart, CategoryPart, Document, ExamplePart, GoldenDocument, GoldenPart};
use crate::policy::read::yaml::{self, Text};
use crate::policy::{
    Body, Category, Contract, Definition, Example, GoldenCase, Label, Policy, Source, Structured, Verdict,
};

impl Policy {
    /// Reads a policy from YAML. Errors call the source `name`.
    ///
    /// # Errors
    /// The schema or the policy's own logic forbids a value. The error names its line.
    pub fn from_yaml(name: &str, source: &str) -> Result<Self, PolicyError> {
        Self::from_document(name, source, &yaml::parse(name, source)?)
    }

    /// Makes a policy of a parsed file.
    pub(in crate::policy) fn from_document(name: &str, source: &str, file: &Document) -> Result<Self, PolicyError> {
        Check { name, source }.policy(file)
    }

    /// Adds the golden set of a file of its own, in YAML. Errors call the source `name`.
    ///
    /// # Errors
    /// The file is not a golden set of this policy. The error names the line.
    pub fn with_golden(mut self, name: &str, source: &str) -> Result<Self, PolicyError> {
        let file: GoldenDocument = yaml::parse(name, source)?;
        let check = Check { name, source };
        let id = check.line(&file.policy)?;
        if id != self.id {
            let message = format!("a golden set of the policy {}, and not of {}", quoted(&id), quoted(&self.id));
            return Err(check.wrong(file.policy.span, message));
        }
        self.golden = check.golden(&file.cases, Some(&self))?;
        Ok(self)
    }

    /// Reads the cases of a golden set in YAML that may have been written for an earlier version of the policy, with
    /// another id. Errors call the source `name`.
    ///
    /// # Errors
    /// The file is not a golden set, or a case does not fit the policy. The error names the line.
    pub fn golden_cases(&self, name: &str, source: &str) -> Result<Vec<GoldenCase>, PolicyError> {
        let file: GoldenDocument = yaml::parse(name, source)?;
        Check { name, source }.golden(&file.cases, Some(self))
    }
}

impl GoldenCase {
    /// Reads the cases of a golden set in YAML whether or not they fit a policy. Errors call the source `name`.
    ///
    /// # Errors
    /// The file is not a golden set. The error names the line.
    pub fn read(name: &str, source: &str) -> Result<Vec<Self>, PolicyError> {
        let file: GoldenDocument = yaml::parse(name, source)?;
        Check { name, source }.golden(&file.cases, None)
    }
}

/// The source of a policy, for errors about it.
struct Check<'a> {
    name: &'a str,
    source: &'a str,
}

impl Check<'_> {
    fn policy(&self, file: &Document) -> Result<Policy, PolicyError> {
        let id = self.id(&file.id)?;
        let title = self.line(&file.title)?;
        let version = self.line(&file.version)?;
        let rules = Structured {
            summary: self.line(&file.summary)?,
            instruction: self.block(&file.instruction)?,
            definitions: self.definitions(file)?,
            categories: self.categories(file)?,
            examples: self.examples(file)?,
            precedence: self.lines(&file.precedence)?,
            ambiguity: self.lines(&file.ambiguity)?,
            escalation: self.lines(&file.escalation)?,
            taxonomy: self.taxonomy(file)?,
            source: match &file.source {
                Some(part) => Some(Source {
                    url: part.url.as_ref().map(|url| self.line(url)).transpose()?,
                    licence: part.licence.as_ref().map(|licence| self.line(licence)).transpose()?,
                    note: part.note.as_ref().map(|note| self.line(note)).transpose()?,
                }),
                None => None,
            },
        };
        let contract = self.contract(file, &rules)?;
        let effort = file.effort.unwrap_or_default();
        let body = Body::Structured(Box::new(rules));
        let mut policy = Policy { id, title, version, effort, contract, body, golden: Vec::new(), golden_file: None };
        match &file.golden {
            Some(GoldenPart::Cases(cases)) => policy.golden = self.golden(cases, Some(&policy))?,
            Some(GoldenPart::File(path)) => policy.golden_file = Some(PathBuf::from(path)),
            None => {}
        }
        Ok(policy)
    }

    /// Reads the cases of a golden set. With a policy, their categories must be in it.
    fn golden(&self, cases: &[CasePart], policy: Option<&Policy>) -> Result<Vec<GoldenCase>, PolicyError> {
        let examples = match policy.map(|policy| &policy.body) {
            Some(Body::Structured(rules)) => rules.examples.as_slice(),
            _ => &[],
        };
        let mut texts = HashSet::new();
        let case = |part: &CasePart| {
            let text = self.block(&part.text)?;
            if !texts.insert(text.clone()) {
                return Err(self.wrong(part.text.span, "the same case occurs twice".to_owned()));
            }
            if examples.iter().any(|example| example.text == text) {
                return Err(self
                    .wrong(part.text.span, "the case is an example of the policy".to_owned())
                    .with_hint("the model reads its answer in the policy: write another"));
            }
            let code = |code| policy.map_or_else(|| self.line(code), |policy| self.code(code, policy));
            let category = part.category.as_ref().map(code).transpose()?;
            if let (Some(code), Some(_)) = (&part.category, part.verdict) {
                return Err(self
                    .wrong(code.span, "the case has a category and a verdict".to_owned())
                    .with_hint("leave out `verdict`: the category has one"));
            }
            let why = part.why.as_ref().map(|why| self.line(why)).transpose()?;
            Ok(GoldenCase { text, category, verdict: part.verdict, near_miss: part.near_miss, why })
        };
        cases.iter().map(case).collect()
    }

    /// Returns the code of a category that is not safe.
    fn code(&self, code: &Text, policy: &Policy) -> Result<String, PolicyError> {
        let word = self.line(code)?;
        let category = policy.categories().iter().find(|category| category.code == word);
        match category.map(|category| category.verdict) {
            Some(Verdict::Safe) => Err(self
                .wrong(code.span, format!("the category {} is safe", quoted(&word)))
                .with_hint("an answer then names no category: write `category: null`")),
            Some(_) => Ok(word),
            None => {
                let codes: Vec<&str> = policy.categories().iter().map(|category| category.code.as_str()).collect();
                let wrong = self.wrong(code.span, format!("no category has the code {}", quoted(&word)));
                Err(if codes.is_empty() {
                    wrong.with_hint("the policy has no categories: a case is a `violation`, or `safe`")
                } else {
                    wrong.with_hint(suggestion(&word, &codes, "declared are"))
                })
            }
        }
    }

    fn id(&self, id: &Text) -> Result<String, PolicyError> {
        let text = self.line(id)?;
        if !is_id(&text) {
            return Err(self
                .wrong(id.span, format!("{} cannot be an id", quoted(&text)))
                .with_hint("use lower-case letters, digits and hyphens, 64 at most, as in `prompt-injection`"));
        }
        Ok(text)
    }

    fn definitions(&self, file: &Document) -> Result<Vec<Definition>, PolicyError> {
        file.definitions
            .0
            .iter()
            .map(|(term, meaning)| Ok(Definition { term: self.line(term)?, meaning: self.line(meaning)? }))
            .collect()
    }

    fn categories(&self, file: &Document) -> Result<Vec<Category>, PolicyError> {
        let parts = &file.categories.value;
        let mut codes = HashSet::new();
        let mut categories = Vec::new();
        for part in parts {
            let category = self.category(part)?;
            if !codes.insert(category.code.to_ascii_lowercase()) {
                return Err(self
                    .wrong(part.code.span, format!("the code {} occurs twice", quoted(&category.code)))
                    .with_hint("an answer names a category by its code alone, and upper and lower case are the same"));
            }
            categories.push(category);
        }
        if !categories.iter().any(|category| category.verdict == Verdict::Violation) {
            return Err(self
                .wrong(file.categories.span, "no category is a violation".to_owned())
                .with_hint("give one the line `verdict: violation`"));
        }
        Ok(categories)
    }

    fn category(&self, part: &CategoryPart) -> Result<Category, PolicyError> {
        let code = self.line(&part.code)?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if code.len() > 32 || !code.bytes().all(allowed) {
            return Err(self
                .wrong(part.code.span, format!("{} cannot be a code", quoted(&code)))
                .with_hint("use letters, digits, `.`, `_` and `-`, 32 at most, as in `SP2.a`"));
        }
        if part.criteria.is_empty() {
            return Err(self
                .wrong(part.code.span, format!("the category {} has no criteria", quoted(&code)))
                .with_hint("state when it applies"));
        }
        Ok(Category {
            code,
            title: self.line(&part.title)?,
            verdict: part.verdict,
            severity: part.severity,
            action: part.action,
            criteria: self.lines(&part.criteria)?,
        })
    }

    fn examples(&self, file: &Document) -> Result<Vec<Example>, PolicyError> {
        let codes: Vec<&str> = file.categories.value.iter().map(|part| part.code.value.trim()).collect();
        let mut texts = HashSet::new();
        let mut examples = Vec::new();
        for ExamplePart { text: located, category: part, why } in &file.examples {
            let text = self.block(located)?;
            if !texts.insert(text.clone()) {
                return Err(self.wrong(located.span, "the same example occurs twice".to_owned()));
            }
            let category = part.as_ref().map(|code| self.line(code)).transpose()?;
            if let (Some(part), Some(code)) = (part, &category)
                && !codes.contains(&code.as_str())
            {
                let hint = match nearest(code, codes.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("declared are {}; null is safe", listed(&codes)),
                };
                let message = format!("no category has the code {}", quoted(code));
                return Err(self.wrong(part.span, message).with_hint(hint));
            }
            examples.push(Example { text, category, why: why.as_ref().map(|why| self.line(why)).transpose()? });
        }
        Ok(examples)
    }

    fn taxonomy(&self, file: &Document) -> Result<Vec<(String, Vec<String>)>, PolicyError> {
        let mut taxonomy = Vec::new();
        for (name, keys) in &file.taxonomy.0 {
            let name = self.line(name)?;
            // The keys of other taxonomies are not known here, and are taken as they are.
            for key in keys.iter().filter(|_| name == "openai") {
                if !OPENAI.contains(&key.value.trim()) {
                    let hint = suggestion(key.value.trim(), &OPENAI, "they are");
                    let message = format!("{} is no category of OpenAI's moderation", quoted(&key.value));
                    return Err(self.wrong(key.span, message).with_hint(hint));
                }
            }
            taxonomy.push((name, self.lines(keys)?));
        }
        Ok(taxonomy)
    }

    fn contract(&self, file: &Document, rules: &Structured) -> Result<Contract, PolicyError> {
        let part = &file.contract;
        let stated = part.labels.as_ref();
        let labels = match stated {
            Some(entries) => entries
                .value
                .0
                .iter()
                .map(|(text, verdict)| Label { text: text.value.clone(), verdict: *verdict })
                .collect(),
            None => {
                Contract::standard_labels(rules.categories.iter().any(|category| category.verdict == Verdict::Review))
            }
        };
        let labels_span = stated.map_or(part.form.span, |labels| labels.span);
        let located = |Incompatibility { part, message, hint }: Incompatibility| {
            let span = match part {
                PolicyPart::Labels => labels_span,
                PolicyPart::Label(index) => stated.map_or(labels_span, |labels| labels.value.0[index].0.span),
                PolicyPart::Category(index) => file.categories.value[index].code.span,
                PolicyPart::Example(index) => file.examples[index].text.span,
            };
            self.error(PolicyErrorKind::Labels, span, message).with_hint(hint)
        };
        let contract = Contract::checked(part.form.value, labels).map_err(located)?;
        contract.check_rules(rules).map_err(located)?;
        Ok(contract)
    }

    /// Returns a text on one line: an author's line breaks are not part of a policy.
    fn line(&self, text: &Text) -> Result<String, PolicyError> {
        let line = text.value.split_whitespace().collect::<Vec<_>>().join(" ");
        self.filled(line, text.span)
    }

    fn lines(&self, texts: &[Text]) -> Result<Vec<String>, PolicyError> {
        texts.iter().map(|text| self.line(text)).collect()
    }

    /// Returns a text with its line breaks, which have a meaning.
    fn block(&self, text: &Text) -> Result<String, PolicyError> {
        self.filled(text.value.trim().to_owned(), text.span)
    }

    fn filled(&self, text: String, span: Span) -> Result<String, PolicyError> {
        if text.is_empty() { Err(self.wrong(span, "there is no text here".to_owned())) } else { Ok(text) }
    }

    fn wrong(&self, span: Span, message: String) -> PolicyError {
        self.error(PolicyErrorKind::Value, span, message)
    }

    fn error(&self, kind: PolicyErrorKind, span: Span, message: String) -> PolicyError {
        PolicyError::new(kind, message).named(self.name).at(self.source, span)
    }
}

/// The categories of `/v1/moderations`. Any other key would be dropped silently.
const OPENAI: [&str; 13] = [
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/intent",
    "self-harm/instructions",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
];

/// Reports whether a text is a valid id of a policy: lower-case letters, digits and hyphens, at most 64.
#[must_use]
pub fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=64).contains(&text.len()) && !text.starts_with('-') && text.bytes().all(allowed)
}
