//! The names by which models are found.

use super::found::Found;
use super::parts::{stem, whole_stem};

/// Words for a model, with the source and the size of each. They were found in public sources in 2026 and are not
/// checked here. Digests are the registry's own.
const CATALOGUE: [(&str, &str, &str); 2] = [
    ("20b", "hf:unsloth/gpt-oss-safeguard-20b-GGUF:gpt-oss-safeguard-20b-Q4_K_M.gguf", "12 GB"),
    ("120b", "hf:lmstudio-community/gpt-oss-safeguard-120b-GGUF:MXFP4", "63 GB"),
];

fn entry(word: &str) -> Option<&'static (&'static str, &'static str, &'static str)> {
    CATALOGUE.iter().find(|(known, ..)| known.eq_ignore_ascii_case(word))
}

/// Returns the source of a word such as `20b`. Any other name is returned unchanged.
#[must_use]
pub fn spelled_out(name: &str) -> &str {
    entry(name).map_or(name, |(_, spec, _)| spec)
}

/// Reports whether a model of this name can be fetched, and its size if it is known.
#[must_use]
pub fn to_be_had(name: &str) -> Option<Option<&'static str>> {
    let scheme = |name: &str| ["hf:", "docker:", "ollama:"].iter().any(|scheme| name.starts_with(scheme));
    match entry(name) {
        Some((.., size)) => Some(Some(size)),
        None => scheme(name).then_some(None),
    }
}

/// Finds the model of a name. The name may be its whole name, or its file's, with or without the ending. It may also be
/// one to fetch it by: `20b`, or `hf:ORG/REPO:QUANTIZATION`. Returns `None` if no model has the name.
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
