//! Files that are watched for changes of their content.
//!
//! Looks at a fixed interval work with every system, file system and editor. An editor may also replace a file, so each
//! look begins at its path.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use magistrate::digest::Hash;

/// The interval of looks. Five looks a second are cheap, and immediate for people.
const INTERVAL: Duration = Duration::from_millis(200);

/// The interval in which a file must stay the same, since programs may write it in several steps.
const QUIET: Duration = Duration::from_millis(40);

/// Files up to this size are read at each look. A change may keep the size and a coarse time.
const SMALL: u64 = 1 << 20;

/// Files, and their states when they were last used.
#[derive(Debug)]
pub struct Watch {
    files: Vec<Watched>,
    looked: Instant,
    /// True if a change was seen, and not used yet.
    seen: bool,
}

#[derive(Debug)]
struct Watched {
    path: PathBuf,
    used: Option<State>,
}

/// The state of a file at a look.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    modified: Option<SystemTime>,
    size: u64,
    digest: Hash,
}

impl Watch {
    /// Watches files. Their present content counts as used.
    pub fn new(paths: Vec<PathBuf>) -> Self {
        let files = paths.into_iter().map(|path| Watched { used: look(&path, None), path }).collect();
        Self { files, looked: Instant::now(), seen: false }
    }

    /// Returns the watched files.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.path.as_path())
    }

    /// Reports whether a file has changed since its last use. Looks once in each interval.
    pub fn has_changed(&mut self) -> bool {
        if !self.seen && self.looked.elapsed() >= INTERVAL {
            self.looked = Instant::now();
            self.seen = self.files.iter().any(Watched::has_changed);
        }
        self.seen
    }

    /// Waits for a change and then for a quiet moment. Returns the changed files, or `None` after a stop.
    pub fn wait(&mut self, is_stopped: &dyn Fn() -> bool) -> Option<Vec<PathBuf>> {
        loop {
            while !self.has_changed() {
                if is_stopped() {
                    return None;
                }
                thread::sleep(QUIET);
            }
            let mut before = None;
            loop {
                let now = Some(self.states());
                if now == before {
                    break;
                }
                before = now;
                thread::sleep(QUIET);
            }
            let changed = self.use_changes();
            // The change may be undone already.
            if !changed.is_empty() {
                return Some(changed);
            }
        }
    }

    fn states(&self) -> Vec<Option<State>> {
        self.files.iter().map(|file| look(&file.path, file.used.as_ref())).collect()
    }

    /// Marks the present content of all files as used. Returns the changed files.
    fn use_changes(&mut self) -> Vec<PathBuf> {
        self.seen = false;
        let changed = self.files.iter_mut().filter_map(|file| {
            let now = look(&file.path, file.used.as_ref())?;
            let is_other = file.used.as_ref().is_none_or(|used| used.digest != now.digest);
            file.used = Some(now);
            is_other.then(|| file.path.clone())
        });
        changed.collect()
    }
}

impl Watched {
    /// Reports whether the content has changed. A missing file is about to be replaced.
    fn has_changed(&self) -> bool {
        let Some(now) = look(&self.path, self.used.as_ref()) else { return false };
        self.used.as_ref().is_none_or(|used| used.digest != now.digest)
    }
}

/// Looks at a file. A large file is read only after a change of its time or size.
fn look(path: &Path, before: Option<&State>) -> Option<State> {
    let metadata = fs::metadata(path).ok()?;
    let (modified, size) = (metadata.modified().ok(), metadata.len());
    if let Some(before) = before.filter(|before| size > SMALL && before.modified == modified && before.size == size) {
        return Some(before.clone());
    }
    Some(State { modified, size, digest: Hash::of(&fs::read(path).ok()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the names of the files that have changed, without waiting for a change.
    fn changes(watch: &mut Watch) -> Vec<String> {
        watch.looked = Instant::now().checked_sub(INTERVAL).unwrap();
        if !watch.has_changed() {
            return Vec::new();
        }
        let names = watch.wait(&|| true).unwrap_or_default();
        names.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_change_of_content_is_seen_whatever_way_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let [one, two] = ["one", "two"].map(|name| folder.path().join(name));
        fs::write(&one, "a").unwrap();
        fs::write(&two, "a").unwrap();
        let mut watch = Watch::new(vec![one.clone(), two.clone()]);
        assert_eq!(changes(&mut watch), Vec::<String>::new());
        // The same size, and perhaps the same time.
        fs::write(&one, "b").unwrap();
        assert_eq!(changes(&mut watch), ["one"]);
        assert_eq!(changes(&mut watch), Vec::<String>::new());
        // As editors replace a file.
        fs::write(folder.path().join("new"), "c").unwrap();
        fs::rename(folder.path().join("new"), &two).unwrap();
        assert_eq!(changes(&mut watch), ["two"]);
        // Saved again without a change.
        fs::write(&two, "c").unwrap();
        assert_eq!(changes(&mut watch), Vec::<String>::new());
    }

    #[test]
    fn a_missing_file_is_no_change_until_it_is_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "a").unwrap();
        let mut watch = Watch::new(vec![path.clone()]);
        fs::remove_file(&path).unwrap();
        assert_eq!(changes(&mut watch), Vec::<String>::new());
        fs::write(&path, "b").unwrap();
        assert_eq!(changes(&mut watch), ["file"]);
        let mut late = Watch::new(vec![folder.path().join("late")]);
        fs::write(folder.path().join("late"), "").unwrap();
        assert_eq!(changes(&mut late), ["late"]);
    }

    #[test]
    fn a_stop_ends_the_wait() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "a").unwrap();
        assert_eq!(Watch::new(vec![path]).wait(&|| true), None);
    }
}
