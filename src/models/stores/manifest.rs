//! Manifests of registries.

use serde::Deserialize;

/// The layers of a model, as a registry lists them.
#[derive(Deserialize)]
pub(in crate::models) struct Manifest {
    pub(in crate::models) layers: Vec<Layer>,
}

/// A layer of a model.
#[derive(Deserialize)]
pub(in crate::models) struct Layer {
    #[serde(rename = "mediaType")]
    pub(in crate::models) kind: String,
    digest: String,
    /// Size in bytes.
    #[serde(default)]
    #[cfg_attr(not(feature = "hub"), allow(dead_code, reason = "only a fetch reads it"))]
    pub(in crate::models) size: u64,
}

impl Layer {
    /// Returns the digest in hexadecimal.
    pub(in crate::models) fn sha256(&self) -> Option<&str> {
        self.digest.strip_prefix("sha256:").filter(|digest| is_hex(digest, 64))
    }
}

/// The type of the layer with the weights in Ollama's manifests.
pub(in crate::models) const OLLAMA_MODEL: &str = "application/vnd.ollama.image.model";

/// Reports whether a text is `length` hexadecimal digits.
pub(in crate::models) fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
