//! The names by which models are found.

use super::found::{Found, OWN};
use super::parts::{stem, whole_stem};

/// A model that is known by a word.
struct Entry {
    word: &'static str,
    /// The source that the word stands for.
    source: &'static str,
    /// The name of its file, without the ending and the number of a part.
    file: &'static str,
    /// The size of all its files, for people.
    size: &'static str,
}

/// Words for a model. The sources and sizes were found in public lists in 2026. Digests are the registry's own.
const CATALOGUE: [Entry; 2] = [
    Entry {
        word: "20b",
        source: "hf:unsloth/gpt-oss-safeguard-20b-GGUF:gpt-oss-safeguard-20b-Q4_K_M.gguf",
        file: "gpt-oss-safeguard-20b-Q4_K_M",
        size: "12 GB",
    },
    Entry {
        word: "120b",
        source: "hf:lmstudio-community/gpt-oss-safeguard-120b-GGUF:MXFP4",
        file: "gpt-oss-safeguard-120b-MXFP4",
        size: "63 GB",
    },
];

impl Entry {
    /// Reports whether a name means this model: the word, its source in full or in part, or the name of its file.
    fn is_meant(&self, name: &str) -> bool {
        let stem = name.strip_suffix(".gguf").unwrap_or(name);
        if name.eq_ignore_ascii_case(self.word) || stem.eq_ignore_ascii_case(self.file) {
            return true;
        }
        let in_hub = |spec: &str| {
            let (repository, part) = spec.strip_prefix("hf:").map(|rest| rest.split_once(':').unwrap_or((rest, "")))?;
            Some((repository.to_owned(), part.to_lowercase()))
        };
        match (in_hub(self.source), in_hub(name)) {
            (Some((own, part)), Some((repository, asked))) => {
                own == repository && (part.contains(&asked) || asked.contains(&part))
            }
            _ => false,
        }
    }
}

/// Returns the source of a word such as `20b`. Any other name is returned unchanged.
#[must_use]
pub fn spelled_out(name: &str) -> &str {
    CATALOGUE.iter().find(|entry| entry.word.eq_ignore_ascii_case(name)).map_or(name, |entry| entry.source)
}

/// Returns the word of the catalogue for a model: `20b` for its source and for the name of its file, too.
#[must_use]
pub fn word(name: &str) -> Option<&'static str> {
    CATALOGUE.iter().find(|entry| entry.is_meant(name)).map(|entry| entry.word)
}

/// Returns the name by which a model can be fetched, and its size if it is known. `None` for a name of no source.
#[must_use]
pub fn to_be_had(name: &str) -> Option<(&str, Option<&'static str>)> {
    let is_source = ["hf:", "docker:", "ollama:", "https://", "http://"].iter().any(|scheme| name.starts_with(scheme));
    match CATALOGUE.iter().find(|entry| entry.is_meant(name)) {
        Some(entry) => Some((entry.word, Some(entry.size))),
        None => is_source.then_some((name, None)),
    }
}

/// Finds the model of a name. The name may be its whole name, or its file's, with or without the ending. It may also be
/// one to fetch it by: `20b`, `hf:ORG/REPO:QUANTIZATION`, or an address. Returns `None` if no model has the name.
///
/// # Errors
///
/// The names of several models that match.
pub fn named<'found>(found: &'found [Found], name: &str) -> Result<Option<&'found Found>, Vec<&'found str>> {
    let name = spelled_out(name);
    if let Some(exact) = found.iter().find(|model| model.name == name) {
        return Ok(Some(exact));
    }
    let meant: Vec<&Found> = found.iter().filter(|model| is_called(model, name)).collect();
    // Parts and copies of one name in one repository are one model, as they are fetched together.
    let mut stems: Vec<_> = meant.iter().map(|model| (model.store, stem(&model.name))).collect();
    stems.dedup();
    if stems.len() > 1 {
        Err(meant.iter().map(|model| model.name.as_str()).collect())
    } else {
        Ok(meant.first().copied())
    }
}

/// Reports whether a model goes by a name other than its whole name.
fn is_called(model: &Found, name: &str) -> bool {
    let file = model.path.file_name().unwrap_or_default().to_string_lossy();
    if file.eq_ignore_ascii_case(name)
        || stem(&file).eq_ignore_ascii_case(name)
        || whole_stem(&file).eq_ignore_ascii_case(name)
        || fetched(model, name)
    {
        return true;
    }
    let Some((scheme, rest)) = name.split_once(':') else { return false };
    let Some(own) = model.name.strip_prefix(scheme).and_then(|own| own.strip_prefix(':')) else { return false };
    match scheme {
        "hf" => {
            // The same choice as in `pull`.
            let (repository, part) = rest.split_once(':').unwrap_or((rest, ""));
            own.split_once(':')
                .is_some_and(|(own, file)| own == repository && file.to_lowercase().contains(&part.to_lowercase()))
        }
        "docker" | "ollama" => {
            let tagged = if rest.contains(':') { rest.to_owned() } else { format!("{rest}:latest") };
            own == tagged || scheme == "docker" && own.strip_prefix("ai/") == Some(&tagged)
        }
        _ => false,
    }
}

/// Reports whether a model is the one that was fetched from a registry or an address into the user's own folder.
fn fetched(model: &Found, name: &str) -> bool {
    let Some((scheme, rest)) = name.split_once(':').filter(|_| model.store == OWN) else { return false };
    let home = match scheme {
        "docker" => "ai",
        "ollama" => "library",
        "http" | "https" => {
            // The name of the file is the last part of the address, as in `pull`.
            let path = rest.split(['?', '#']).next().unwrap_or_default();
            return path.rsplit('/').next() == Some(&model.name);
        }
        _ => return false,
    };
    let (repository, tag) = rest.split_once(':').unwrap_or((rest, "latest"));
    let repository = if repository.contains('/') { repository.to_owned() } else { format!("{home}/{repository}") };
    let folder = model.name.rsplit_once('/').map(|(folder, _)| folder);
    folder.and_then(|folder| folder.strip_prefix(&repository)?.strip_prefix('/')) == Some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_meant_by_its_word_its_source_and_its_file() {
        for name in [
            "20b",
            "20B",
            "hf:unsloth/gpt-oss-safeguard-20b-GGUF",
            "hf:unsloth/gpt-oss-safeguard-20b-GGUF:Q4_K_M",
            "hf:unsloth/gpt-oss-safeguard-20b-GGUF:gpt-oss-safeguard-20b-Q4_K_M.gguf",
            "gpt-oss-safeguard-20b-Q4_K_M",
            "gpt-oss-safeguard-20b-Q4_K_M.gguf",
        ] {
            assert_eq!((word(name), to_be_had(name)), (Some("20b"), Some(("20b", Some("12 GB")))), "{name}");
        }
        let parts =
            "hf:lmstudio-community/gpt-oss-safeguard-120b-GGUF:gpt-oss-safeguard-120b-MXFP4-00001-of-00002.gguf";
        assert_eq!((word(parts), word("120b")), (Some("120b"), Some("120b")));
        for name in
            ["hf:unsloth/gpt-oss-safeguard-20b-GGUF:F16", "docker:ai/gpt-oss-safeguard", "https://a.example/20b.gguf"]
        {
            assert_eq!((word(name), to_be_had(name)), (None, Some((name, None))), "{name}");
        }
        assert_eq!((word("20b.yaml"), to_be_had("model.gguf")), (None, None));
    }
}
