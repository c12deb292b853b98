//! Names of model sources.

use crate::models::error::PullError;
use crate::models::stores::spelled_out;

/// The source of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A model file in a repository of Hugging Face.
    Hub {
        /// `org/repo`
        repository: String,
        /// The file's name, or a part of it such as `Q4_K_M`. `None` if the repository has one model.
        file: Option<String>,
    },
    /// A repository of Docker's registry, and a tag.
    Docker(String, String),
    /// A repository of Ollama's registry, and a tag.
    Ollama(String, String),
    /// The address of a file.
    Url(String),
}

impl Origin {
    /// Reads the name of a source.
    ///
    /// # Errors
    ///
    /// [`PullError::Name`] if the name is not one of a source.
    pub fn parse(name: &str) -> Result<Self, PullError> {
        let wrong = || PullError::Name(name.to_owned());
        let name = spelled_out(name);
        if name.starts_with("https://") || name.starts_with("http://") {
            return Ok(Self::Url(name.to_owned()));
        }
        let (scheme, rest) = name.split_once(':').ok_or_else(wrong)?;
        let plain = |text: &str| {
            !text.is_empty() && text.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        };
        let (path, last) = rest.split_once(':').map_or((rest, None), |(path, last)| (path, Some(last)));
        if !plain(path) || last.is_some_and(|last| !plain(last)) {
            return Err(wrong());
        }
        let tag = || last.unwrap_or("latest").to_owned();
        match scheme {
            "hf" if path.split('/').count() == 2 => {
                Ok(Self::Hub { repository: path.to_owned(), file: last.map(str::to_owned) })
            }
            "docker" => {
                Ok(Self::Docker(if path.contains('/') { path.to_owned() } else { format!("ai/{path}") }, tag()))
            }
            "ollama" => {
                Ok(Self::Ollama(if path.contains('/') { path.to_owned() } else { format!("library/{path}") }, tag()))
            }
            _ => Err(wrong()),
        }
    }
}
