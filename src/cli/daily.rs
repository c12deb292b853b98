//! Notes that are printed once a day: a stamp in the cache folder has the time of the last one.

use std::time::Duration;

use magistrate::cache;
use magistrate::digest::Hash;

use super::terminal::output;

/// Prints a note that was not printed in the last 24 hours. Without a cache that can be written, it is printed each time.
pub fn note(text: &str) {
    if !output::is_quiet() && is_due(text) {
        output::message(text);
    }
}

/// Reports whether a note is due, and sets its stamp.
pub fn is_due(text: &str) -> bool {
    const DAY: Duration = Duration::from_hours(24);
    let Ok(folder) = cache::folder().map(|cache| cache.join("notes")) else { return true };
    let stamp = folder.join(Hash::of(text.as_bytes()).to_string());
    let age = std::fs::metadata(&stamp).and_then(|about| about.modified()).ok().map(|time| time.elapsed());
    // A time in the future counts as no stamp.
    if age.is_some_and(|age| age.is_ok_and(|age| age < DAY)) {
        return false;
    }
    // A stamp that cannot be written is no error: the note comes again.
    let _ = cache::make(&folder).and_then(|()| cache::put(&stamp, b""));
    true
}
