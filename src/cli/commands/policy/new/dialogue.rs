//! The questions of `policy new` on a terminal.

use std::io::{BufRead, Write};

use super::titled::{Titled, id};
use crate::cli::terminal::output::harmless;

/// The questions, and the answers to them.
pub struct Dialogue<'a> {
    pub input: &'a mut dyn BufRead,
    pub output: &'a mut dyn Write,
}

/// A list of rules to ask for.
pub struct Kind {
    introduction: &'static str,
    /// The name of one rule.
    name: &'static str,
    /// An example of a title, and of a rule.
    example: (&'static str, &'static str),
    /// The least rules.
    least: usize,
}

pub const VIOLATIONS: Kind = Kind {
    introduction: "Rules that a text must not break, the mildest first.",
    name: "Rule",
    example: ("Begging", "Asks readers for money."),
    least: 1,
};

pub const ALLOWED: Kind = Kind {
    introduction: "Content that looks like a violation and is allowed.",
    name: "Allowed content",
    example: ("Charity", "Names a registered charity."),
    least: 0,
};

impl Dialogue<'_> {
    /// Asks for the id.
    pub fn id(&mut self) -> Result<String, anyhow::Error> {
        loop {
            let answer = self.question("Id of the policy, such as begging:")?;
            match id(&answer) {
                Ok(id) => return Ok(id),
                Err(why) => self.print(&format!("`{answer}`: {why}\n"))?,
            }
        }
    }

    /// Asks for rules, title and sentence in turn, until a title is empty. Rules that flags gave stay.
    pub fn rules(&mut self, kind: &Kind, rules: &mut Vec<Titled>) -> Result<(), anyhow::Error> {
        let Kind { introduction, name, example, least } = kind;
        if !rules.is_empty() {
            return Ok(());
        }
        self.print(&format!("\n{introduction}\n"))?;
        loop {
            let number = rules.len() + 1;
            let hint = match rules.len() {
                0 if *least == 0 => format!(", such as {} (empty: no rule)", example.0),
                0 => format!(", such as {}", example.0),
                _ => " (empty: no more)".to_owned(),
            };
            let title = self.question(&format!("{name} {number}, title{hint}:"))?;
            if title.is_empty() && rules.len() >= *least {
                return Ok(());
            }
            // Both in one line are fine, too.
            if let Ok(titled) = title.parse() {
                rules.push(titled);
                continue;
            }
            if title.is_empty() {
                self.print("at least one rule is needed\n")?;
                continue;
            }
            let mut rule = String::new();
            while rule.is_empty() {
                let hint = if rules.is_empty() { format!(" (such as {})", example.1) } else { String::new() };
                rule = self.question(&format!("{name} {number}, in a sentence{hint}:"))?;
            }
            rules.push(Titled { title: title.trim_end_matches(':').to_owned(), rule });
        }
    }

    /// Asks one question.
    fn question(&mut self, text: &str) -> Result<String, anyhow::Error> {
        self.print(&format!("{text} "))?;
        let mut line = String::new();
        anyhow::ensure!(self.input.read_line(&mut line)? > 0, "no answer: nothing is written");
        Ok(line.trim().to_owned())
    }

    fn print(&mut self, text: &str) -> Result<(), anyhow::Error> {
        self.output.write_all(harmless(text).as_bytes())?;
        Ok(self.output.flush()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers the questions, and returns the rules and everything that was printed.
    fn asked(kind: &Kind, answers: &str) -> (Vec<(String, String)>, String) {
        let (mut rules, mut output) = (Vec::new(), Vec::new());
        let mut dialogue = Dialogue { input: &mut answers.as_bytes(), output: &mut output };
        dialogue.rules(kind, &mut rules).unwrap();
        let rules = rules.into_iter().map(|Titled { title, rule }| (title, rule)).collect();
        (rules, String::from_utf8(output).unwrap())
    }

    #[test]
    fn title_and_rule_are_asked_for_apart_and_numbered_with_an_example() {
        let (rules, printed) = asked(&VIOLATIONS, "Begging\n\nAsks for money.\nBait: Promises a prize.\n\n");
        let pair = |title: &str, rule: &str| (title.to_owned(), rule.to_owned());
        assert_eq!(rules, [pair("Begging", "Asks for money."), pair("Bait", "Promises a prize.")]);
        for part in ["Rule 1, title, such as Begging:", "Rule 1, in a sentence (such as Asks readers", "Rule 3, title"]
        {
            assert!(printed.contains(part), "{printed}");
        }
    }

    #[test]
    fn one_rule_is_needed_and_allowed_content_is_not() {
        let (rules, printed) = asked(&VIOLATIONS, "\nBegging\nAsks for money.\n\n");
        assert!(rules.len() == 1 && printed.contains("at least one rule is needed"), "{printed}");
        assert_eq!(asked(&ALLOWED, "\n").0, []);
    }

    #[test]
    fn an_id_is_asked_for_until_it_is_one_and_the_end_of_input_ends_the_questions() {
        let mut output = Vec::new();
        let mut dialogue = Dialogue { input: &mut "No Id\nbegging\n".as_bytes(), output: &mut output };
        assert_eq!(dialogue.id().unwrap(), "begging");
        assert!(dialogue.id().unwrap_err().to_string().contains("nothing is written"));
        assert!(String::from_utf8(output).unwrap().contains("`No Id`: not lower-case letters"));
    }
}
