//! The parts of a text in requests of OpenAI's API.

use schemars::JsonSchema;
use serde::Deserialize;

use super::api_error::ApiError;

/// A part of a text.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Part {
    /// `text`, `input_text` or `output_text`. Other types, such as `image_url`, cannot be judged.
    pub r#type: String,
    /// The words.
    pub text: Option<String>,
}

impl Part {
    fn is_text(&self) -> bool {
        matches!(self.r#type.as_str(), "text" | "input_text" | "output_text")
    }
}

/// Returns the words of all parts, a line break between them.
///
/// # Errors
///
/// Status 400 for a part that is not text, and for a list without a part.
pub fn joined(parts: &[Part], param: &str) -> Result<String, ApiError> {
    let missing = || ApiError::invalid("missing", "the list has no text").of(param);
    if parts.is_empty() {
        return Err(missing());
    }
    let texts = parts.iter().map(|part| match &part.text {
        Some(text) if part.is_text() => Ok(text.as_str()),
        None if part.is_text() => Err(missing()),
        _ => {
            let message = "only parts of the type text can be judged, and no images";
            Err(ApiError::invalid("unsupported_parameter", message).of(param))
        }
    });
    Ok(texts.collect::<Result<Vec<_>, _>>()?.join("\n"))
}
