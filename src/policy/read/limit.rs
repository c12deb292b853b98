//! The size limit of a policy.

use crate::policy::diagnostics::error::{PolicyError, PolicyErrorKind};

/// The most bytes of a policy, far more than a model can read.
pub(in crate::policy) const LARGEST: usize = 1 << 20;

/// Returns the error for a policy beyond the limit.
pub(in crate::policy) fn too_large(name: &str) -> PolicyError {
    let message = format!("the policy is larger than {LARGEST} bytes, more than a model can read");
    PolicyError::new(PolicyErrorKind::Limit, message).named(name)
}
