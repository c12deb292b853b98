//! The folders in the cache, and the names of the files in them.

/// The environment variable that names another folder.
pub const VARIABLE: &str = "MAGISTRATE_CACHE";

/// The folders in the cache, with the endings of the names in each. The rest of a name is hexadecimal, 16 digits or
/// more.
pub const ROOMS: [(&str, &[&str]); 10] = [
    ("canary", &[".json"]),
    ("daemons", &[".sock", ".lock", ""]),
    ("evaluations", &[".jsonl"]),
    ("journals", &[".journal"]),
    ("models", &["/magistrate-nano.gguf"]),
    ("notes", &[""]),
    ("prefixes", &[".prefix"]),
    ("python", &["/texts.jsonl", "/verdicts.jsonl", "/verdicts.jsonl.journal"]),
    ("tuned", &[".json"]),
    ("verdicts", &[".jsonl"]),
];

/// Reports whether a file is ours, by its path within one of [`ROOMS`].
#[must_use]
pub fn is_ours(room: &str, path: &str) -> bool {
    let path = match path.strip_suffix(".part").and_then(|path| path.rsplit_once('.')) {
        Some((whole, random)) if is_hex(random) => whole,
        _ => path,
    };
    // A digest of the model file may come first. Its prefix names the version of that digest, this one or the one
    // before.
    let path = ["gguf1-", "gguf2-"].iter().find_map(|prefix| path.strip_prefix(prefix)).unwrap_or(path);
    let endings = ROOMS.iter().find(|(name, _)| *name == room).map_or(&[][..], |(_, endings)| endings);
    endings.iter().any(|ending| path.strip_suffix(ending).is_some_and(is_hex))
}

/// Reports whether a text is a random name: hexadecimal, at least 16 digits.
pub(super) fn is_hex(text: &str) -> bool {
    text.len() >= 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
