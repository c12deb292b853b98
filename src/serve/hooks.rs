//! Hooks: webhooks in the form of other systems, described by files instead of code.
//!
//! A hook file says where a request has its texts, its policy and its settings, and gives a reply for each outcome. Paths
//! into JSON read, and templates write. A template sees the verdict and never the text. The shipped files are in
//! `integrations/hooks/`.

mod file;
pub mod hook;
mod json_path;
pub mod outcome;
mod reply;
pub mod request;

use std::path::Path;

use axum::http::Method;

use self::hook::Hook;
use crate::text::shown;

/// The shipped hook files.
const PRESETS: [(&str, &str); 11] = [
    ("litellm", include_str!("../../integrations/hooks/litellm.yaml")),
    ("portkey", include_str!("../../integrations/hooks/portkey.yaml")),
    ("agentgateway", include_str!("../../integrations/hooks/agentgateway.yaml")),
    ("dify", include_str!("../../integrations/hooks/dify.yaml")),
    ("synapse", include_str!("../../integrations/hooks/synapse.yaml")),
    ("fms", include_str!("../../integrations/hooks/fms.yaml")),
    ("tei", include_str!("../../integrations/hooks/tei.yaml")),
    ("vllm-classify", include_str!("../../integrations/hooks/vllm-classify.yaml")),
    ("kserve", include_str!("../../integrations/hooks/kserve.yaml")),
    ("nemo-checks", include_str!("../../integrations/hooks/nemo-checks.yaml")),
    ("policyai", include_str!("../../integrations/hooks/policyai.yaml")),
];

/// The hooks of a server.
#[derive(Debug, Default)]
pub struct Hooks(Vec<Hook>);

impl Hooks {
    /// Reads shipped hooks and files.
    ///
    /// # Errors
    ///
    /// A message for people: the name is unknown, or the file cannot be used.
    pub fn read(names: &[String]) -> Result<Self, String> {
        let mut hooks = Vec::new();
        for name in names {
            let source = match PRESETS.iter().find(|(preset, _)| preset == name) {
                Some((_, source)) => (*source).to_owned(),
                None if is_file(name) => std::fs::read_to_string(name)
                    .map_err(|error| format!("the hook {} cannot be read: {error}", shown(name)))?,
                None => return Err(format!("no shipped hook has the name `{}`", shown(name))),
            };
            let read =
                file::read(&source).map_err(|error| format!("the hook {} cannot be used: {error}", shown(name)))?;
            hooks.extend(read);
        }
        Ok(Self(hooks))
    }

    /// Returns the names of the shipped hooks.
    pub fn presets() -> impl Iterator<Item = &'static str> {
        PRESETS.iter().map(|(name, _)| *name)
    }

    /// Iterates over the hooks.
    pub fn iter(&self) -> impl Iterator<Item = &Hook> {
        self.0.iter()
    }

    /// Returns the hook of a route.
    #[must_use]
    pub fn find(&self, route: &str) -> Option<&Hook> {
        self.iter().find(|hook| hook.route == route)
    }

    /// Checks that the routes of the hooks can stand beside one another, and beside other routes.
    ///
    /// # Errors
    ///
    /// A message that names the hook and its path.
    pub fn check<'routes>(&self, others: impl Iterator<Item = (&'routes Method, &'routes str)>) -> Result<(), String> {
        let mut taken: Vec<(bool, &str)> = others.map(|(method, path)| (*method == Method::POST, path)).collect();
        for hook in self.iter() {
            // A place has one name in all routes of its path, and a path has one route for a method.
            let is_in_the_way =
                |(is_post, path): &(bool, &str)| shape(path) == shape(hook.route) && (*is_post || *path != hook.route);
            if taken.iter().any(is_in_the_way) {
                return Err(format!("the hook {} needs the path {}, which another route has", hook.name, hook.route));
            }
            taken.push((true, hook.route));
        }
        Ok(())
    }
}

/// Reports whether a name is that of a file.
fn is_file(name: &str) -> bool {
    let ending = Path::new(name).extension().and_then(|ending| ending.to_str());
    name.contains(['/', '\\']) || matches!(ending, Some("yaml" | "yml"))
}

/// Returns a path without the names of its places.
fn shape(path: &str) -> Vec<&str> {
    path.split('/').map(|segment| if segment.starts_with('{') { "{}" } else { segment }).collect()
}

#[cfg(test)]
mod tests;
