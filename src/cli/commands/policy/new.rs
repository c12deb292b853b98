//! `policy new`: writes a policy from a few answers, as YAML that loads. Lint names the work that is left.

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;
use std::str::FromStr;

use clap::Args;
use magistrate::policy::draft::{Draft, DraftCategory, DraftExample};
use magistrate::policy::{Policy, Severity, Verdict, is_id};

use crate::cli::args::new_file::NewFile;
use crate::cli::terminal::error::ensure_hint;
use crate::cli::terminal::{exit, output};

#[derive(Debug, Args)]
pub struct New {
    /// Id of the policy: lower-case letters, digits and hyphens
    #[arg(value_name = "ID", value_parser = id)]
    id: Option<String>,

    /// Title for people [default: from the id]
    #[arg(long, value_name = "TITLE")]
    title: Option<String>,

    /// Rule that a text must not break, mildest first: "Begging: Asks readers for money." Can be repeated
    #[arg(long, value_name = "TITLE: RULE")]
    violation: Vec<Titled>,

    /// Similar content that is allowed: "Charity: Names a registered charity." Can be repeated
    #[arg(long, value_name = "TITLE: RULE")]
    allowed: Vec<Titled>,

    #[command(flatten)]
    output: NewFile,
}

/// A rule and its title.
#[derive(Clone, Debug)]
struct Titled {
    title: String,
    rule: String,
}

impl FromStr for Titled {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once(':').map(|(title, rule)| (title.trim(), rule.trim()));
        match parts {
            Some((title, rule)) if !title.is_empty() && !rule.is_empty() => {
                Ok(Self { title: title.to_owned(), rule: rule.to_owned() })
            }
            _ => Err("not of the form \"Title: rule\"".to_owned()),
        }
    }
}

fn id(text: &str) -> Result<String, String> {
    if is_id(text) { Ok(text.to_owned()) } else { Err("not lower-case letters, digits and hyphens".to_owned()) }
}

impl New {
    pub fn run(mut self) -> Result<ExitCode, anyhow::Error> {
        // A file that exists is refused before the author answers questions.
        self.output.path()?;
        if self.id.is_none() || self.violation.is_empty() {
            ensure_hint!(
                std::io::stdin().is_terminal() && std::io::stderr().is_terminal(),
                "a new policy needs an id and at least one --violation",
                "magistrate policy new begging --violation \"Begging: Asks readers for money.\" -o begging.yaml"
            );
            self.ask()?;
        }
        let (id, output) = (self.id.take().unwrap_or_default(), std::mem::take(&mut self.output));
        let yaml = self.draft(id).yaml();
        // A draft that is no policy is refused with its line, as in use.
        Policy::from_yaml("the new policy", &yaml)?;
        if let Some(path) = output.write(&yaml)? {
            let path = path.display();
            output::summary(&format!(
                "{path} is written. Next: read it, replace the examples in brackets, then magistrate policy lint {path}"
            ));
        }
        Ok(ExitCode::from(exit::DONE))
    }

    /// Asks for the values that no flag sets.
    fn ask(&mut self) -> Result<(), anyhow::Error> {
        while self.id.is_none() {
            self.id = understood(&question("Id of the policy (lower-case letters, digits, hyphens):")?, id);
        }
        let several = |what: &str, list: &mut Vec<Titled>, least: usize| -> Result<(), anyhow::Error> {
            loop {
                let more = if list.len() < least { "" } else { " (empty: that is all)" };
                let answer = question(&format!("{what}, as \"Title: rule\"{more}:"))?;
                if answer.is_empty() && list.len() >= least {
                    return Ok(());
                }
                list.extend(understood(&answer, str::parse));
            }
        };
        several("What a text must not do, the mildest first", &mut self.violation, 1)?;
        several("What looks like that and is allowed", &mut self.allowed, 0)
    }

    fn draft(self, id: String) -> Draft {
        let title = self.title.unwrap_or_else(|| {
            let words = id.replace('-', " ");
            let (first, rest) = words.split_at(1); // an id is ASCII, and not empty
            first.to_uppercase() + rest
        });
        let letters: String = id.split('-').filter_map(|word| word.chars().next()).collect::<String>().to_uppercase();
        let letters = if letters.len() > 1 { letters } else { id.chars().take(2).collect::<String>().to_uppercase() };
        let topic = title.to_lowercase();
        let severities = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
        let mut categories = Vec::new();
        for (number, Titled { title, rule }) in self.violation.into_iter().enumerate() {
            // There are four severities. Later rules share the highest, and get the next letter there.
            let level = number.min(severities.len() - 1);
            let letter = char::from(b'a' + u8::try_from(number - level).unwrap_or(25).min(25));
            categories.push(DraftCategory {
                code: format!("{letters}{}.{letter}", level + 1),
                title,
                verdict: Verdict::Violation,
                severity: Some(severities[level]),
                criteria: vec![rule],
            });
        }
        let rule = format!("Quotes, reports or explains {topic}, or asks about it.");
        let talk = Titled { title: "Talk about it".to_owned(), rule };
        for (number, Titled { title, rule }) in self.allowed.into_iter().chain([talk]).enumerate() {
            let letter = char::from(b'a' + u8::try_from(number).unwrap_or(25).min(25));
            let code = format!("{letters}0.{letter}");
            categories.push(DraftCategory {
                code,
                title,
                verdict: Verdict::Safe,
                severity: None,
                criteria: vec![rule],
            });
        }
        let examples = examples(&categories, &topic);
        let worst = categories.iter().rfind(|rule| rule.verdict == Verdict::Violation).map(|rule| rule.code.clone());
        let worst = worst.unwrap_or_default();
        Draft {
            head: vec![
                format!(
                    "What {topic} is, and what is not. Rules are read by a model: say what a text does, in short sentences."
                ),
                format!("Try it: magistrate check -p {id}.yaml \"a text\""),
            ],
            summary: format!("{title}, and what only looks like it."),
            instruction: format!("Decide whether the text itself is {topic}, by the rules below."),
            precedence: vec!["If several rules apply, the highest number decides, then the first letter.".to_owned()],
            ambiguity: vec!["If no rule is met in full, the text is safe.".to_owned()],
            escalation: vec![format!("{worst} goes to a moderator; never choose a lower rule to be lenient.")],
            note: "Written with magistrate policy new.".to_owned(),
            id,
            title,
            categories,
            examples,
            ..Draft::default()
        }
    }
}

/// Asks on the terminal.
fn question(text: &str) -> Result<String, anyhow::Error> {
    let mut stderr = std::io::stderr().lock();
    write!(stderr, "{text} ")?;
    stderr.flush()?;
    let mut line = String::new();
    anyhow::ensure!(std::io::stdin().lock().read_line(&mut line)? > 0, "no answer: nothing is written");
    Ok(line.trim().to_owned())
}

/// Returns an answer that can be parsed. Otherwise prints why not, and the question comes again.
fn understood<T>(answer: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
    parse(answer).map_err(|why| output::message(&format!("`{answer}`: {why}"))).ok()
}

/// Returns examples of both sides, in brackets: the author replaces their descriptions.
fn examples(categories: &[DraftCategory], topic: &str) -> Vec<DraftExample> {
    let of = |verdict| categories.iter().filter(move |rule| rule.verdict == verdict);
    let described =
        |rule: &DraftCategory, lead: &str| format!("[{lead}: {}]", rule.criteria.join(" ").trim_end_matches('.'));
    let mut cases = Vec::new();
    let violations: Vec<&DraftCategory> = of(Verdict::Violation).collect();
    for (number, rule) in violations.iter().cycle().take(violations.len().clamp(2, 3)).enumerate() {
        let lead = if number < violations.len() { "A post that does this" } else { "Another post that does this" };
        let why = Some(format!("Meets {}.", rule.code));
        cases.push(DraftExample { text: described(rule, lead), category: Some(rule.code.clone()), why });
    }
    for lead in ["A post that reports this and warns of it", "A question about a post that does this"] {
        let rule = violations.first().map_or(topic.to_owned(), |rule| rule.criteria.join(" "));
        let why = Some(format!("Mentions {topic} without doing it."));
        cases.push(DraftExample { text: format!("[{lead}: {}]", rule.trim_end_matches('.')), category: None, why });
    }
    cases
}
