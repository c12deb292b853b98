//! `policy new`: a policy from a few answers, in YAML that lints clean and says what to do next.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use magistrate::policy::draft::{Case, Draft, Rule};
use magistrate::policy::{Policy, Severity, Verdict};

use super::policy::put;
use super::{exit, output};

#[derive(Debug, Args)]
pub struct New {
    /// The id by which it is asked for: lower-case letters, digits and hyphens
    #[arg(value_name = "ID")]
    id: Option<String>,

    /// The name that people read [default: from the id]
    #[arg(long, value_name = "TITLE")]
    title: Option<String>,

    /// What a text must not do, the mildest first: "Begging: Asks readers for money." Several times
    #[arg(long, value_name = "TITLE: RULE")]
    violation: Vec<String>,

    /// What looks like that and is allowed: "Charity: Names a registered charity." Several times
    #[arg(long, value_name = "TITLE: RULE")]
    allowed: Vec<String>,

    /// Where it goes; stdout without it
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl New {
    pub fn run(mut self) -> Result<ExitCode, anyhow::Error> {
        if self.id.is_none() || self.violation.is_empty() {
            anyhow::ensure!(
                std::io::stdin().is_terminal() && std::io::stderr().is_terminal(),
                "a new policy needs an id and at least one --violation\n\
                 hint: magistrate policy new begging --violation \"Begging: Asks readers for money.\" -o begging.yaml"
            );
            self.ask()?;
        }
        let draft = self.draft()?;
        let yaml = draft.yaml();
        // What cannot be a policy is told with its line, as it would be when it is used.
        Policy::from_yaml("the new policy", &yaml)?;
        put(&yaml, self.output.as_deref())?;
        if let Some(path) = &self.output {
            let path = path.display();
            output::say(&format!(
                "{path} is written. Next: read it, replace the examples in brackets, then magistrate policy lint {path}"
            ));
        }
        Ok(ExitCode::from(exit::DONE))
    }

    /// Asks for what the flags do not say.
    fn ask(&mut self) -> Result<(), anyhow::Error> {
        let question = |text: &str| -> Result<String, anyhow::Error> {
            let mut stderr = std::io::stderr().lock();
            write!(stderr, "{text} ")?;
            stderr.flush()?;
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line)?;
            Ok(line.trim().to_owned())
        };
        while self.id.as_ref().is_none_or(String::is_empty) {
            self.id = Some(question("Id of the policy (lower-case letters, digits, hyphens):")?);
        }
        let several = |what: &str, list: &mut Vec<String>, least: usize| -> Result<(), anyhow::Error> {
            loop {
                let more = if list.len() < least { "" } else { " (empty: that is all)" };
                let answer = question(&format!("{what}, as \"Title: rule\"{more}:"))?;
                match answer.as_str() {
                    "" if list.len() >= least => return Ok(()),
                    "" => {}
                    _ => list.push(answer),
                }
            }
        };
        several("What a text must not do, the mildest first", &mut self.violation, 1)?;
        several("What looks like that and is allowed", &mut self.allowed, 0)
    }

    fn draft(&self) -> Result<Draft, anyhow::Error> {
        let id = self.id.clone().unwrap_or_default();
        let title = self.title.clone().unwrap_or_else(|| {
            let words = id.replace('-', " ");
            words[..1.min(words.len())].to_uppercase() + words.get(1..).unwrap_or_default()
        });
        let letters: String = id.split('-').filter_map(|word| word.chars().next()).collect::<String>().to_uppercase();
        let letters = if letters.len() > 1 { letters } else { id.chars().take(2).collect::<String>().to_uppercase() };
        let topic = title.to_lowercase();
        let split = |text: &String| -> Result<(String, String), anyhow::Error> {
            let (title, rule) =
                text.split_once(':').ok_or_else(|| anyhow::anyhow!("`{text}` is not of the form \"Title: rule\""))?;
            Ok((title.trim().to_owned(), rule.trim().to_owned()))
        };
        let severities = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
        let mut categories = Vec::new();
        for (number, text) in self.violation.iter().enumerate() {
            let (title, rule) = split(text)?;
            let level = number.min(severities.len() - 1);
            let letter = char::from(b'a' + u8::try_from(number - level).unwrap_or(25).min(25));
            categories.push(Rule {
                code: format!("{letters}{}.{letter}", level + 1),
                title,
                verdict: Verdict::Violation,
                severity: Some(severities[level]),
                criteria: vec![rule],
            });
        }
        let own = self.allowed.iter().map(split).collect::<Result<Vec<_>, _>>()?;
        let talk = ("Talk about it".to_owned(), format!("Quotes, reports or explains {topic}, or asks about it."));
        for (number, (title, rule)) in own.into_iter().chain([talk]).enumerate() {
            let letter = char::from(b'a' + u8::try_from(number).unwrap_or(25).min(25));
            let code = format!("{letters}0.{letter}");
            categories.push(Rule { code, title, verdict: Verdict::Safe, severity: None, criteria: vec![rule] });
        }
        let examples = examples(&categories, &topic);
        let worst = categories.iter().rfind(|rule| rule.verdict == Verdict::Violation).map(|rule| rule.code.clone());
        let worst = worst.unwrap_or_default();
        Ok(Draft {
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
        })
    }
}

/// Cases of both sides, in brackets: what they describe is for the author to write.
fn examples(categories: &[Rule], topic: &str) -> Vec<Case> {
    let of = |verdict| categories.iter().filter(move |rule| rule.verdict == verdict);
    let described = |rule: &Rule, lead: &str| format!("[{lead}: {}]", rule.criteria.join(" ").trim_end_matches('.'));
    let mut cases = Vec::new();
    let violations: Vec<&Rule> = of(Verdict::Violation).collect();
    for (number, rule) in violations.iter().cycle().take(violations.len().clamp(2, 3)).enumerate() {
        let lead = if number < violations.len() { "A post that does this" } else { "Another post that does this" };
        let why = Some(format!("Meets {}.", rule.code));
        cases.push(Case { text: described(rule, lead), category: Some(rule.code.clone()), why });
    }
    for lead in ["A post that reports this and warns of it", "A question about a post that does this"] {
        let rule = violations.first().map_or(topic.to_owned(), |rule| rule.criteria.join(" "));
        let why = Some(format!("Speaks of {topic} and is none."));
        cases.push(Case { text: format!("[{lead}: {}]", rule.trim_end_matches('.')), category: None, why });
    }
    cases
}
