//! From a text to a policy: YAML files and plain texts.

pub(in crate::policy) mod check;
pub(in crate::policy) mod document;
pub(in crate::policy) mod limit;
pub(in crate::policy) mod notation;
pub(in crate::policy) mod plain;
pub(in crate::policy) mod polarity;
pub(in crate::policy) mod policy_source;
pub(in crate::policy) mod recognition;
pub(in crate::policy) mod text_file;
pub(in crate::policy) mod windows;
pub(in crate::policy) mod yaml;
