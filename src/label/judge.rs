//! Judges: each judges contents by one policy, whole or in pieces.

mod pending;
mod reply;
mod result;

use super::row::Provenance;
use crate::engine::Session;

pub use pending::{PendingVerdict, Submission};
pub(super) use result::worst;
pub use result::{Chunking, Judged, Pieces};

/// One policy of a run.
#[derive(Debug)]
pub struct Judge<'engine> {
    /// The decoded policy.
    pub session: Session<'engine>,
    /// The values that all its rows have in common.
    pub provenance: Provenance,
}
