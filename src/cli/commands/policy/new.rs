//! `policy new`: writes a policy from a few answers, as YAML that loads. Lint names the work that is left.

mod dialogue;
mod outline;
mod titled;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Args;
use magistrate::policy::Policy;

use self::dialogue::{ALLOWED, Dialogue, VIOLATIONS};
use self::outline::draft;
use self::titled::{Titled, id};
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
        let id = self.id.take().unwrap_or_default();
        self.name_file(&id)?;
        let yaml = draft(id, self.title, self.violation, self.allowed).yaml();
        // A draft that is no policy is refused with its line, as in use.
        Policy::from_yaml("the new policy", &yaml)?;
        if let Some(path) = self.output.write(&yaml)? {
            let path = path.display();
            output::summary(&format!(
                "{path} is written. Next: read it, replace the examples in brackets, then magistrate policy lint {path}"
            ));
        }
        Ok(ExitCode::from(exit::DONE))
    }

    /// Asks for the values that no flag sets. A file that exists is refused once the id is known.
    fn ask(&mut self) -> Result<(), anyhow::Error> {
        let (stdin, stderr) = (std::io::stdin(), std::io::stderr());
        let mut dialogue = Dialogue { input: &mut stdin.lock(), output: &mut stderr.lock() };
        let id = match self.id.take() {
            Some(id) => id,
            None => dialogue.id()?,
        };
        self.name_file(&id)?;
        self.id = Some(id);
        dialogue.rules(&VIOLATIONS, &mut self.violation)?;
        dialogue.rules(&ALLOWED, &mut self.allowed)
    }

    /// Names a file if the YAML would only scroll past on a terminal. Refuses a file that exists.
    fn name_file(&mut self, id: &str) -> Result<(), anyhow::Error> {
        if std::io::stdout().is_terminal() {
            self.output.or(format!("{id}.yaml"));
        }
        self.output.path().map(|_| ())
    }
}
