//! The record of a run, as its folder keeps it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::counts::Counts;
use super::file::FileAbout;
use super::file_name::FileName;
use crate::policy::{Effort, Policy};

/// The record of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunRecord {
    /// The id.
    pub id: String,
    /// The name of the file.
    pub name: FileName,
    /// Seconds since 1970.
    pub created: u64,
    /// The state. A run that is `running` without a thread is taken up by the next server.
    pub state: RunState,
    /// The reason why it failed.
    pub error: Option<String>,
    /// The file.
    pub file: FileAbout,
    /// The policies and settings, once it was begun.
    pub order: Option<Order>,
    /// The counts when it last ended.
    pub counts: Counts,
    /// Rows a second when it last ended.
    pub rate: Option<f64>,
}

/// The state of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// The file is there, and nothing was judged.
    Uploaded,
    /// It is at work.
    Running,
    /// It was stopped, and can go on.
    Stopped,
    /// All rows are done.
    Done,
    /// It could not go on. It can be started again.
    Failed,
}

/// The policies of a run and its settings.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    /// The policies, as they were when the run began.
    pub policies: Vec<Policy>,
    /// The column with the text. `None` for plain lines.
    pub text_column: Option<String>,
    /// How much the model reasons.
    pub effort: Option<Effort>,
    /// The lowest probability that counts as a violation.
    pub threshold: Option<f64>,
}

impl Order {
    /// Reports whether another order asks for the same. A policy may have changed since.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.has_policies_of(other)
            && self.text_column == other.text_column
            && self.effort == other.effort
            && self.threshold == other.threshold
    }

    /// Reports whether another order names the same policies.
    #[must_use]
    pub fn has_policies_of(&self, other: &Self) -> bool {
        self.ids().eq(other.ids())
    }

    /// Returns the ids of the policies.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.policies.iter().map(|policy| policy.id.as_str())
    }
}

impl RunRecord {
    /// Returns the record of a file that nothing was done with.
    #[must_use]
    pub fn new(id: String, name: FileName, created: u64, file: FileAbout) -> Self {
        let (state, counts) = (RunState::Uploaded, Counts::default());
        Self { id, name, created, state, error: None, file, order: None, counts, rate: None }
    }
}
