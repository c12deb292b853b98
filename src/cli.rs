//! The command line: one file a verb. Flags are validated and resolved into the library's values here.

mod bench;
mod busy;
mod cache;
mod calibrate;
mod check;
#[cfg(unix)]
mod daemon;
mod doctor;
pub mod ending;
mod engine;
mod eval;
mod exit;
mod fit;
mod input;
mod judging;
mod label;
mod lint;
mod merge;
mod model;
mod new;
mod output;
mod plan;
mod policy;
mod progress;
mod prompt;
#[cfg(feature = "hub")]
mod pull;
mod stop;
mod stream;
mod terminal;
mod text;
mod tune;
mod verify;
pub mod waiting;

use std::path::PathBuf;
use std::process::ExitCode;
#[cfg(feature = "nano")]
use std::sync::OnceLock;
use std::time::Duration;

pub use terminal::error::report;
use terminal::error::{in_words as told, with_causes};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Parser, Subcommand};
use magistrate::files::{Files, Refused};
use magistrate::policy::{Contract, Effort, Label, Manuscript, Notation, Policy, PolicyError};
use magistrate::prompt::{TemplateError, Templates};
use sha2::{Digest, Sha256};

/// Classify text against a written policy, on this machine, with gpt-oss-safeguard GGUF models.
#[derive(Debug, Parser)]
#[command(name = "magistrate", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Judge one text by one or more policies
    Check(check::Check),
    /// Judge a stream of texts, a row for each
    Label(label::Label),
    /// Put the journals of several machines together, or make another output of one
    Merge(merge::Merge),
    /// Judge some rows of a finished run again, and tell where the verdicts differ
    Verify(verify::Verify),
    /// Tell how well a policy does on texts whose answer is known
    Eval(eval::Eval),
    /// Find out how far probabilities can be believed, and which verdicts may be acted on
    Calibrate(calibrate::Calibrate),
    /// Measure how fast this machine judges, and where the time goes
    Bench(bench::Bench),
    /// Keep a model in memory for check --daemon
    #[cfg(unix)]
    Daemon(daemon::Daemon),
    /// Print the exact prompt that a text and a policy make
    Prompt(prompt::Prompt),
    /// List, show, write, lint and compare policies
    Policy(policy::PolicyVerb),
    /// List, inspect, verify and convert models
    Model(model::ModelVerb),
    /// Tell whether machine, build and model are as they should be; exit 1 if not
    Doctor(doctor::Doctor),
    /// Show or clear what is kept in the cache folder
    Cache(cache::CacheVerb),
}

impl Verb {
    /// Returns how long the verb may look at the machine before it loads a model. The time is short where one text
    /// waits for its verdict. `None` for a verb that loads no model.
    pub fn patience(&self) -> Option<Duration> {
        let milliseconds = match self {
            Self::Check(_) => 20,
            Self::Label(_)
            | Self::Verify(_)
            | Self::Eval(_)
            | Self::Calibrate(_)
            | Self::Bench(_)
            | Self::Doctor(_) => 200,
            #[cfg(unix)]
            Self::Daemon(_) => 200,
            Self::Merge(_) | Self::Prompt(_) | Self::Policy(_) | Self::Model(_) | Self::Cache(_) => return None,
        };
        Some(Duration::from_millis(milliseconds))
    }
}

/// Reads the command line. Returns the exit code if nothing else is to be done: help was asked for, or a flag is wrong.
///
/// A word that clap cannot place may be a piece of the text, which no error repeats. So only what looks like a flag or
/// a verb is named.
pub fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|error| {
        let error = discreet(error);
        if error.use_stderr() {
            output::say(error.render().to_string().trim_end());
            ExitCode::from(exit::ERROR)
        } else {
            // Each word of the help is our own. A closed stdout is no error here.
            let _ = error.print();
            ExitCode::from(exit::DONE)
        }
    })
}

fn discreet(mut error: clap::Error) -> clap::Error {
    let kind = match error.kind() {
        ErrorKind::UnknownArgument => ContextKind::InvalidArg,
        ErrorKind::InvalidSubcommand => ContextKind::InvalidSubcommand,
        _ => return error,
    };
    let harmless = match error.get(kind) {
        Some(ContextValue::String(word)) => match kind {
            ContextKind::InvalidArg => word.starts_with('-') && is_name(word.trim_start_matches('-')),
            _ => is_name(word),
        },
        _ => true,
    };
    if !harmless {
        let tip = match kind {
            ContextKind::InvalidArg => {
                "put a text of several words in quotes, and one that begins with a dash behind --"
            }
            _ => "to judge a text: magistrate check -p POLICY TEXT",
        };
        error.insert(kind, ContextValue::String("(not shown: it may be a part of the text)".to_owned()));
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

fn is_name(word: &str) -> bool {
    word.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '-' | '_'))
}

/// The words of the command line, behind the program's name, to be said again. `None` if one is not UTF-8.
fn arguments() -> Option<Vec<String>> {
    std::env::args_os().skip(1).map(|word| word.into_string().ok()).collect()
}

/// A file's name, of so many bytes of a digest in hexadecimal, that stands for all that a file hangs on.
fn name_of(all: &str, bytes: usize) -> String {
    Sha256::digest(all).iter().take(bytes).map(|byte| format!("{byte:02x}")).collect()
}

/// Which policies.
#[derive(Debug, Args)]
pub struct PolicyArgs {
    /// A shipped policy's id, a YAML file, or a text that is the instructions word for word. ID=FILE gives it an id
    #[arg(short, long = "policy", value_name = "POLICY", required = true)]
    policies: Vec<String>,

    /// The meaning of a reply's words, for policies that are a text: INVALID=violation,VALID=safe. For one of several
    /// policies: ID:INVALID=violation,VALID=safe
    #[arg(long, value_name = "[ID:]WORD=VERDICT,...", value_parser = parse_labels)]
    labels: Vec<Labels>,
}

/// Labels, and the id of their policy. Without an id they are for every policy that is a text.
#[derive(Clone, Debug)]
struct Labels {
    policy: Option<String>,
    labels: Vec<Label>,
}

fn parse_labels(text: &str) -> Result<Labels, PolicyError> {
    let named = text.split_once(':').filter(|(id, _)| !id.contains(['=', ',']));
    let (policy, labels) = named.map_or((None, text), |(id, labels)| (Some(id.trim().to_owned()), labels));
    Ok(Labels { policy, labels: Contract::parse_labels(labels)? })
}

impl PolicyArgs {
    /// Adds the policies' files to the files of a run.
    pub fn reads(&self, files: &mut Files) -> Result<(), Refused> {
        self.policies.iter().filter_map(|spec| Manuscript::file(spec)).try_for_each(|path| files.read("a policy", path))
    }

    /// The policies, in the order of the flags.
    pub fn load(&self) -> Result<Vec<Policy>, anyhow::Error> {
        let mut manuscripts =
            self.policies.iter().map(|spec| Manuscript::open(spec)).collect::<Result<Vec<_>, PolicyError>>()?;
        let mut ids = Self::ids(&manuscripts)?;
        // Packs have a folder for each policy: `spam/policy.md`.
        let twice: Vec<bool> = ids.iter().map(|id| ids.iter().filter(|other| *other == id).count() > 1).collect();
        if twice.contains(&true) {
            for (manuscript, _) in manuscripts.iter_mut().zip(twice).filter(|(_, twice)| *twice) {
                manuscript.take_folders_name();
            }
            ids = Self::ids(&manuscripts)?;
        }
        if let Some(id) = ids.iter().enumerate().find_map(|(at, id)| ids[..at].contains(id).then_some(id)) {
            anyhow::bail!("two policies have the id `{id}`\nhint: give one of them another: -p other-id=FILE");
        }
        let given = self.given(&manuscripts, &ids)?;
        let policies = manuscripts.iter().zip(given).map(|(manuscript, labels)| manuscript.policy(labels));
        Ok(policies.collect::<Result<_, _>>()?)
    }

    fn ids(manuscripts: &[Manuscript]) -> Result<Vec<String>, PolicyError> {
        let id = |manuscript: &Manuscript| match manuscript.notation {
            Notation::Plain => Ok(manuscript.plain_id().to_owned()),
            Notation::Yaml => manuscript.policy(None).map(|policy| policy.id),
        };
        manuscripts.iter().map(id).collect()
    }

    /// Returns the labels for each policy. Labels that name no policy must contradict none of the policies.
    fn given(&self, manuscripts: &[Manuscript], ids: &[String]) -> Result<Vec<Option<Vec<Label>>>, anyhow::Error> {
        let plain = |at: usize| manuscripts[at].notation == Notation::Plain;
        let mut given: Vec<Option<Vec<Label>>> = vec![None; ids.len()];
        for Labels { policy, labels } in self.labels.iter().filter(|labels| labels.policy.is_some()) {
            let id = policy.as_deref().unwrap_or_default();
            let Some(at) = ids.iter().position(|other| other == id) else {
                anyhow::bail!("--labels is for the policy `{}`, and there are {}", id.escape_debug(), ids.join(", "));
            };
            anyhow::ensure!(plain(at), "{NOT_PLAIN}");
            anyhow::ensure!(given[at].is_none(), "--labels is given twice for the policy `{}`", ids[at]);
            // A user who names the policy is believed, and told of the contradiction.
            if let Err(error) = manuscripts[at].agrees(labels) {
                output::say(&format!("note: {} of {}", error.message(), manuscripts[at].name));
            }
            given[at] = Some(labels.clone());
        }
        let mut for_all = self.labels.iter().filter(|labels| labels.policy.is_none());
        if let Some(Labels { labels, .. }) = for_all.next() {
            anyhow::ensure!((0..ids.len()).any(plain), "{NOT_PLAIN}");
            anyhow::ensure!(
                for_all.next().is_none(),
                "--labels is given twice\nhint: say which policy each is for: --labels ID:WORD=VERDICT,..."
            );
            for at in (0..ids.len()).filter(|at| plain(*at)) {
                if given[at].is_none() {
                    manuscripts[at].agrees(labels)?;
                    given[at] = Some(labels.clone());
                }
            }
        }
        Ok(given)
    }
}

const NOT_PLAIN: &str = "--labels is for policies that are a text (.md, .txt)\n\
    hint: a YAML policy has its labels under contract: labels:";

/// Which prompt.
#[derive(Debug, Args)]
pub struct PromptArgs {
    /// How much the model reasons: none, low, medium or high [default: the policy's own]
    #[arg(long, value_name = "EFFORT")]
    effort: Option<Effort>,

    /// A date for the prompt, printed as it is. A date makes every day's prompt another one
    #[arg(long, value_name = "DATE")]
    date: Option<String>,

    /// A folder with a harmony.jinja or a policy.md.jinja in place of the shipped ones
    #[arg(long, value_name = "FOLDER")]
    templates: Option<PathBuf>,
}

impl PromptArgs {
    pub fn templates(&self) -> Result<Templates, TemplateError> {
        self.templates.as_deref().map_or_else(|| Ok(Templates::shipped()), Templates::from_folder)
    }
}

const MODEL_HELP: &str = "A gpt-oss GGUF file, of a model in parts the first, or a name of `model list` [env: MAGISTRATE_MODEL] [default: \
    magistrate-nano, a small model for demonstration that is built in]";

/// Which model.
#[derive(Debug, Args)]
pub struct ModelArgs {
    #[arg(short, long, value_name = "MODEL", help = MODEL_HELP)]
    model: Option<PathBuf>,
}

impl ModelArgs {
    /// The model's file: as named, or the one that is built in.
    pub fn path(&self) -> Result<PathBuf, anyhow::Error> {
        // Not clap's `env`: to clap a variable is as good as a flag, so --schema would be in conflict with it.
        let variable = || std::env::var_os("MAGISTRATE_MODEL").filter(|path| !path.is_empty()).map(PathBuf::from);
        match self.model.clone().or_else(variable) {
            // A name of a store is text; what is none is a path.
            Some(path) => path.to_str().map_or_else(|| Ok(path.clone()), model::path),
            None => built_in(),
        }
    }
}

#[cfg(feature = "nano")]
fn built_in() -> Result<PathBuf, anyhow::Error> {
    // It is compared with what is built in, byte for byte. Once is enough: a daemon is asked for it with every text.
    static UNPACKED: OnceLock<PathBuf> = OnceLock::new();
    let path = match UNPACKED.get() {
        Some(path) => path,
        None => {
            let path = magistrate::models::nano::unpacked()?;
            UNPACKED.get_or_init(|| path)
        }
    };
    Ok(path.clone())
}

#[cfg(not(feature = "nano"))]
fn built_in() -> Result<PathBuf, anyhow::Error> {
    anyhow::bail!("no model is named\nhint: pass --model FILE or set MAGISTRATE_MODEL to a gpt-oss-safeguard GGUF file")
}
