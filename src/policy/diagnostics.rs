//! Reports about a policy: errors, and the findings of the linter.

pub(in crate::policy) mod error;
pub mod lint;
pub(in crate::policy) mod quoting;
pub(in crate::policy) mod report;
