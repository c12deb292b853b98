//! One error for the whole library.

use std::error::Error as StdError;
use std::fmt;

use crate::cache::CacheError;
use crate::calibration::certificate::{CertificateError, NoCertificate};
use crate::engine::EngineError;
use crate::eval::evaluation::EvaluationError;
use crate::eval::gate::GateError;
use crate::eval::golden::GoldenError;
use crate::eval::report::ReportError;
use crate::files::{Changed, Refused};
use crate::gguf::ModelError;
use crate::hint::{Hint, Hints};
use crate::label::config::RunConfigError;
use crate::label::export::ExportError;
use crate::label::journal::JournalError;
use crate::label::merge::MergeError;
use crate::label::records::{Defect, Notice, RecordsError};
use crate::label::run::RunError;
use crate::label::source::SourceError;
use crate::label::unpack::UnpackError;
use crate::models::{FetchError, NanoError, PullError};
use crate::policy::PolicyError;
use crate::policy::import::ImportError;
use crate::prompt::TemplateError;
use crate::verdict::Unresolved;

/// An error of the library. Every error of a part of it converts into one.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    source: Box<dyn StdError + Send + Sync>,
    hints: Vec<Hint>,
}

/// The part that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A policy that cannot be used.
    Policy,
    /// A template that cannot be used.
    Template,
    /// A model that cannot be used, found or fetched.
    Model,
    /// Loading a model, or judging with it.
    Engine,
    /// A file that cannot be written, or a cache folder that is not safe.
    File,
    /// Labeling many texts: settings, inputs, journals and outputs.
    Label,
    /// A golden set, an evaluation or a certificate that cannot be used or made.
    Evaluation,
    /// A content without a verdict.
    Verdict,
}

impl Error {
    /// Returns the part that failed.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns the remedies, the most useful first. Empty if none is known.
    #[must_use]
    pub fn hints(&self) -> &[Hint] {
        &self.hints
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(out)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // `Display` shows the error inside. As a cause it would be printed twice.
        self.source.source()
    }
}

/// The errors of the parts: each has a kind, and is asked for hints by [`hints`].
macro_rules! parts {
    ($($kind:ident: $error:ty,)*) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self { kind: ErrorKind::$kind, hints: hints(&error), source: Box::new(error) }
            }
        })*

        /// Returns the part that failed, by the first error of this library among an error and its causes.
        #[must_use]
        pub fn kind(error: &(dyn StdError + 'static)) -> Option<ErrorKind> {
            causes(error).find_map(|error| None$(.or_else(|| error.downcast_ref::<$error>().map(|_| ErrorKind::$kind)))*)
        }

        /// Returns the remedies of an error and of its causes.
        #[must_use]
        pub fn hints(error: &(dyn StdError + 'static)) -> Vec<Hint> {
            let mut hints: Vec<Hint> = Vec::new();
            for error in causes(error) {
                let known: Option<Vec<Hint>> = None$(.or_else(|| Some(error.downcast_ref::<$error>()?.hints())))*;
                for hint in known.into_iter().flatten() {
                    if !hints.contains(&hint) {
                        hints.push(hint);
                    }
                }
            }
            hints
        }
    };
}

/// Returns an error and its causes, the outermost first.
fn causes<'error>(error: &'error (dyn StdError + 'static)) -> impl Iterator<Item = &'error (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'error (dyn StdError + 'static)| {
        let error: &'error (dyn StdError + 'static) = *error;
        // An I/O error has the error inside it as its text, and only that one's cause as its cause.
        match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => error.source(),
        }
    })
}

parts! {
    Policy: PolicyError,
    Policy: ImportError,
    Template: TemplateError,
    Model: ModelError,
    Model: FetchError,
    Model: PullError,
    Model: NanoError,
    Engine: EngineError,
    Label: ExportError,
    Label: JournalError,
    Label: MergeError,
    Label: Defect,
    Label: Notice,
    Label: RecordsError,
    Label: RunError,
    Label: SourceError,
    Label: UnpackError,
    Label: RunConfigError,
    Evaluation: CertificateError,
    Evaluation: NoCertificate,
    File: CacheError,
    File: Changed,
    File: Refused,
    Verdict: Unresolved,
    Evaluation: EvaluationError,
    Evaluation: GateError,
    Evaluation: GoldenError,
    Evaluation: ReportError,
}
