//! The files of policies: read up to a limit, and refused if they are no text.
//!
//! The one idea: no other file of the room reads files, so every one of them is refused in the same words.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::content::is_utf16;
use crate::file_kind::FileKind;
use crate::policy::diagnostics::error::{PolicyError, PolicyErrorKind};
use crate::policy::diagnostics::report::Span;
use crate::policy::read::limit::{LARGEST, too_large};

/// Returns the error for a file that does not exist.
pub(in crate::policy) fn no_file(name: &str) -> PolicyError {
    PolicyError::new(PolicyErrorKind::Read, "there is no such file")
        .named(name)
        .with_hint("check the path; `magistrate policy list` shows the policies that need no file")
}

/// Reads a file or a pipe, up to the limit.
pub(in crate::policy) fn read(path: &Path, name: &str) -> Result<String, PolicyError> {
    utf8(&bytes(path, name)?, name)
}

/// Reads the bytes of a file or a pipe, which must look like text.
pub(in crate::policy) fn bytes(path: &Path, name: &str) -> Result<Vec<u8>, PolicyError> {
    if path.is_dir() {
        return Err(PolicyError::new(PolicyErrorKind::Read, "this is a folder, not a policy")
            .named(name)
            .with_hint("name a file in it"));
    }
    bounded(File::open(path).map_err(|error| unread(name, &error))?, name)
}

fn unread(name: &str, error: &std::io::Error) -> PolicyError {
    match error.kind() {
        std::io::ErrorKind::NotFound => no_file(name),
        _ => PolicyError::new(PolicyErrorKind::Read, format!("cannot read the policy: {error}")).named(name),
    }
}

/// Reads to the end, up to the limit.
pub(in crate::policy) fn bounded(file: impl Read, name: &str) -> Result<Vec<u8>, PolicyError> {
    let mut bytes = Vec::new();
    // One byte more shows that the file is beyond the limit.
    file.take(LARGEST as u64 + 1).read_to_end(&mut bytes).map_err(|error| unread(name, &error))?;
    if let Some((message, remedy)) = no_text(&bytes) {
        return Err(PolicyError::new(PolicyErrorKind::Encoding, message).named(name).with_hint(remedy));
    }
    if bytes.len() > LARGEST {
        return Err(too_large(name));
    }
    Ok(bytes)
}

/// Returns bytes as text, without a byte order mark: it belongs to the encoding.
pub(in crate::policy) fn utf8(bytes: &[u8], name: &str) -> Result<String, PolicyError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let valid = error.valid_up_to();
        let before = String::from_utf8_lossy(&bytes[..valid]).into_owned();
        let last_line = before.rsplit('\n').next().unwrap_or_default();
        let span = Span { line: before.matches('\n').count() + 1, column: last_line.chars().count() + 1, width: 1 };
        PolicyError::new(PolicyErrorKind::Encoding, format!("not UTF-8 at byte {valid}"))
            .named(name)
            .at(&String::from_utf8_lossy(bytes), span)
            .with_hint("save the file as UTF-8")
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text).to_owned())
}

/// Returns a message and its remedy if a file is not text, judging by its first bytes and by NUL bytes.
fn no_text(bytes: &[u8]) -> Option<(String, &'static str)> {
    const PLAIN: &str = "save it as plain text in UTF-8";
    let what = |what: &str| format!("the file {what}, and a policy is a text in UTF-8");
    match FileKind::of(bytes) {
        Some(kind) => {
            // A policy is a text in whichever document it was written.
            let own = !kind.is_document && !kind.remedy.is_empty();
            Some((what(&format!("is {}", kind.name)), if own { kind.remedy } else { PLAIN }))
        }
        None if is_utf16(bytes) => Some((
            "the file is in UTF-16, and a policy must be in UTF-8".to_owned(),
            "save it as plain text in UTF-8; in Windows PowerShell: … | Out-File -Encoding utf8 FILE",
        )),
        None => bytes.contains(&0).then(|| (what("has NUL bytes"), PLAIN)),
    }
}
