//! A memo of earlier verdicts: equal texts are judged once.
//!
//! The verdicts stay in a file that exists anyway, and memory holds only their places. Equal texts are found by a short
//! digest and compared by a longer one.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::journal::line;
use super::row::{Row, Verdicts};
use crate::cache;
use crate::digest::Hash;

/// The verdicts on texts, of this run and, with an archive, of earlier runs.
#[derive(Debug)]
pub struct Memo {
    inner: Mutex<Inner>,
    on: bool,
}

#[derive(Debug)]
struct Inner {
    table: Table,
    storage: Storage,
    archive: Option<Archive>,
}

/// The answer to a claim of a text.
#[derive(Debug)]
pub enum Claim {
    /// No verdict is known. The caller judges the text.
    Unknown,
    /// The text is being judged for the record of this number.
    Pending(u64),
    /// The verdicts on the text.
    Known(Verdicts),
}

impl Memo {
    /// Returns a memo that remembers nothing.
    #[must_use]
    pub fn off() -> Self {
        Self { on: false, ..Self::in_memory() }
    }

    /// Returns a memo that keeps the latest verdicts in memory, at most 16 MiB.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::new(Storage::Memory { kept: VecDeque::new(), first: 0, bytes: 0 })
    }

    /// Returns a memo that reads verdicts back from a journal.
    #[must_use]
    pub fn in_journal(journal: File) -> Self {
        Self::new(Storage::Journal(journal))
    }

    fn new(storage: Storage) -> Self {
        Self { inner: Mutex::new(Inner { table: Table::default(), storage, archive: None }), on: true }
    }

    /// Adds an archive, which is read and extended.
    #[must_use]
    pub fn with_archive(mut self, archive: Archive) -> Self {
        if let Ok(inner) = self.inner.get_mut() {
            inner.archive = Some(archive);
        }
        self
    }

    /// Claims a text for a record. If no verdict is known, the record is the one that the text is judged for.
    pub fn claim(&self, hash: &Hash, number: u64) -> Claim {
        let Some(mut inner) = self.lock() else { return Claim::Unknown };
        if let Some(place) = inner.table.get(hash).filter(|place| place & PENDING != 0) {
            return Claim::Pending(place & !PENDING);
        }
        if let Some(known) = inner.find(hash) {
            return Claim::Known(known);
        }
        inner.table.put(hash, PENDING | number);
        Claim::Unknown
    }

    /// Remembers the verdicts on a text. `place` is their place in the journal, if they are in one.
    pub fn put(&self, hash: &Hash, place: Option<u64>, verdicts: &RawValue) {
        let Some(mut inner) = self.lock() else { return };
        if let Some(archive) = &mut inner.archive {
            archive.put(hash, verdicts);
        }
        let place = match (&mut inner.storage, place) {
            (Storage::Journal(_), Some(place)) => place,
            (memory, _) => memory.keep(hash, verdicts),
        };
        inner.table.put(hash, place);
    }

    /// Remembers the place in the journal of an earlier run's verdicts.
    pub fn put_past(&self, hash: &Hash, place: u64) {
        if let Some(mut inner) = self.lock() {
            inner.table.put(hash, place);
        }
    }

    /// Forgets a text, whose verdicts are not lasting. The next equal text is judged again.
    pub fn forget(&self, hash: &Hash) {
        if let Some(mut inner) = self.lock() {
            inner.table.forget(hash);
        }
    }

    fn lock(&self) -> Option<std::sync::MutexGuard<'_, Inner>> {
        if self.on { self.inner.lock().ok() } else { None }
    }
}

impl Inner {
    /// Finds the verdicts on a text. An unreadable line, or another text with the same short digest, counts as not found.
    fn find(&mut self, hash: &Hash) -> Option<Verdicts> {
        let place = self.table.get(hash).filter(|place| place & PENDING == 0);
        place.and_then(|place| self.storage.get(hash, place)).or_else(|| self.archive.as_mut()?.get(hash))
    }
}

/// The place of each text's verdicts by its short digest, for the last one to two million texts.
#[derive(Debug, Default)]
struct Table {
    young: HashMap<u64, u64>,
    old: HashMap<u64, u64>,
}

/// Set in a place that is the number of a record instead: the text is being judged for it.
const PENDING: u64 = 1 << 63;

/// Texts of a generation: the most that a table of 2^20 places holds before it grows. 18 MB.
const GENERATION: usize = 7 << 17;

impl Table {
    fn get(&self, hash: &Hash) -> Option<u64> {
        let key = hash.short();
        self.young.get(&key).or_else(|| self.old.get(&key)).copied()
    }

    fn put(&mut self, hash: &Hash, place: u64) {
        if self.young.len() == GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash.short(), place);
    }

    fn forget(&mut self, hash: &Hash) {
        self.young.remove(&hash.short());
        self.old.remove(&hash.short());
    }
}

/// The storage that places refer to.
#[derive(Debug)]
enum Storage {
    Journal(File),
    /// The latest verdicts, and the number of dropped ones before them.
    Memory {
        kept: VecDeque<(Hash, Box<RawValue>)>,
        first: u64,
        bytes: usize,
    },
}

/// Bytes that are kept in memory.
const MEMORY: usize = 16 << 20;

impl Storage {
    fn keep(&mut self, hash: &Hash, verdicts: &RawValue) -> u64 {
        let Self::Memory { kept, first, bytes } = self else { return 0 };
        *bytes += verdicts.get().len();
        kept.push_back((*hash, verdicts.to_owned()));
        while *bytes > MEMORY
            && let Some((_, gone)) = kept.pop_front()
        {
            *bytes -= gone.get().len();
            *first += 1;
        }
        *first + kept.len() as u64 - 1
    }

    fn get(&mut self, hash: &Hash, place: u64) -> Option<Verdicts> {
        match self {
            Self::Journal(file) => read_at(file, hash, place),
            Self::Memory { kept, first, .. } => {
                let place = usize::try_from(place.checked_sub(*first)?).ok()?;
                let (_, verdicts) = kept.get(place).filter(|(of, _)| of == hash)?;
                Verdicts::read(verdicts.clone())
            }
        }
    }
}

/// The verdicts of a text in a line of a journal or an archive.
#[derive(Serialize, Deserialize)]
struct MemoLine {
    hash: Hash,
    verdicts: Box<RawValue>,
}

impl MemoLine {
    /// Reads a line, if it is whole and contains rows.
    fn read(line: &[u8]) -> Option<(Hash, Verdicts)> {
        let Self { hash, verdicts } = line::is_whole(line).then(|| serde_json::from_slice(line).ok())??;
        Some((hash, Verdicts::read(verdicts)?))
    }
}

fn read_at(file: &File, hash: &Hash, place: u64) -> Option<Verdicts> {
    let line = line::at(file, place).ok()??;
    MemoLine::read(&line).filter(|(of, _)| of == hash).map(|(_, verdicts)| verdicts)
}

/// The verdicts of earlier runs under the same terms. It can be made again, so it is not synced.
#[derive(Debug)]
pub struct Archive {
    table: Table,
    file: File,
    path: PathBuf,
    end: u64,
    /// Lines that were damaged.
    damaged: u64,
    /// Set if another process writes to it.
    foreign: bool,
}

impl Archive {
    /// Opens the archive of these terms in a folder, which is made for its user alone.
    ///
    /// # Errors
    ///
    /// When it cannot be read or created, or when other users could have written to it.
    pub fn open(folder: &Path, terms: &str) -> io::Result<Self> {
        cache::make(folder)?;
        let path =
            folder.join(crate::text::hex(&Hash::of(terms.as_bytes()).short().to_be_bytes())).with_extension("jsonl");
        cache::own(&path)?;
        let file = crate::files::options().read(true).append(true).create(true).open(&path)?;
        // The time of the last use decides which archives are removed first.
        let _ = file.set_modified(SystemTime::now());
        let foreign = file.try_lock().is_err();
        let (mut table, mut end, mut damaged) = (Table::default(), 0, 0);
        let (mut lines, mut line) = (BufReader::with_capacity(1 << 16, &file), Vec::new());
        while lines.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
            match MemoLine::read(&line) {
                Some((hash, _)) => table.put(&hash, end),
                None => damaged += 1,
            }
            end += line.len() as u64;
            line.clear();
        }
        if !foreign {
            // A torn last line.
            file.set_len(end)?;
        }
        Ok(Self { table, file, path, end, damaged, foreign })
    }

    /// Returns the number of damaged lines, which are not used.
    #[must_use]
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Returns the number of texts with a verdict.
    #[must_use]
    pub fn texts(&self) -> u64 {
        (self.table.young.len() + self.table.old.len()) as u64
    }

    /// Returns the path of its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the rows of an earlier run on a text.
    pub fn rows(&mut self, hash: &Hash) -> Option<Vec<Row>> {
        Some(self.get(hash)?.rows)
    }

    /// Forgets all verdicts. The file stays as it is if another process writes to it.
    ///
    /// # Errors
    ///
    /// When the file cannot be cut.
    pub fn restart(&mut self) -> io::Result<()> {
        self.table = Table::default();
        if !self.foreign {
            self.file.set_len(0)?;
            self.end = 0;
        }
        Ok(())
    }

    fn get(&mut self, hash: &Hash) -> Option<Verdicts> {
        let place = self.table.get(hash)?;
        read_at(&self.file, hash, place)
    }

    /// Keeps the verdicts on a text. A failed write is no error: the text is judged again the next time.
    fn put(&mut self, hash: &Hash, verdicts: &RawValue) {
        if self.foreign || self.table.get(hash).is_some() {
            return;
        }
        let Ok(line) = line::sealed(&MemoLine { hash: *hash, verdicts: verdicts.to_owned() }) else { return };
        if self.file.write_all(&line).is_ok() {
            self.table.put(hash, self.end);
            self.end += line.len() as u64;
        } else {
            // A part of the line may be in the file, so the next place is unknown.
            self.foreign = true;
        }
    }
}

/// Reports whether a text would get the same verdicts again. It may not if the engine failed or had no room.
#[must_use]
pub fn is_lasting(rows: &[Row]) -> bool {
    rows.iter().all(Row::is_lasting)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(text: &str) -> Box<RawValue> {
        let row = format!("[{{\"status\":\"ok\",\"verdict\":\"safe\",\"policy\":{{\"id\":\"{text}\"}}}}]");
        RawValue::from_string(row).unwrap()
    }

    /// Returns the policy in the row of a text, as [`verdicts`] writes it.
    fn known(memo: &Memo, hash: &Hash) -> Option<String> {
        memo.lock()?.find(hash).map(|known| known.rows[0].policy.id.clone())
    }

    #[test]
    fn a_text_is_claimed_once_until_it_is_known_or_forgotten() {
        let (memo, hash) = (Memo::in_memory(), Hash::of(b"a"));
        assert!(matches!(memo.claim(&hash, 1), Claim::Unknown));
        assert!(matches!(memo.claim(&hash, 2), Claim::Pending(1)));
        memo.forget(&hash);
        assert!(matches!(memo.claim(&hash, 3), Claim::Unknown));
        memo.put(&hash, None, &verdicts("a"));
        assert!(matches!(memo.claim(&hash, 4), Claim::Known(_)));
        assert!(matches!(memo.claim(&Hash::of(b"b"), 5), Claim::Unknown));
        assert!(matches!(Memo::off().claim(&hash, 6), Claim::Unknown));
    }

    #[test]
    fn memory_is_bounded_and_the_latest_stays() {
        let memo = Memo::in_memory();
        let large = "x".repeat(1 << 20);
        let hashes: Vec<Hash> = (0..20_u8).map(|number| Hash::of(&[number])).collect();
        for hash in &hashes {
            memo.put(hash, None, &verdicts(&large));
        }
        assert_eq!(known(&memo, &hashes[0]), None);
        assert!(known(&memo, &hashes[19]).is_some());
    }

    #[test]
    fn an_archive_outlives_its_run_and_a_torn_line() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (Hash::of(b"1"), Hash::of(b"2"));
        let open = |terms| Memo::in_memory().with_archive(Archive::open(folder.path(), terms).unwrap());
        let memo = open("terms");
        memo.put(&one, None, &verdicts("one"));
        memo.put(&two, None, &verdicts("two"));
        drop(memo);
        let path = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        let length = std::fs::metadata(&path).unwrap().len();
        File::options().write(true).open(&path).unwrap().set_len(length - 3).unwrap();
        let memo = open("terms");
        assert_eq!(known(&memo, &one).as_deref(), Some("one"));
        assert!(matches!(memo.claim(&two, 1), Claim::Unknown));
        memo.put(&two, None, &verdicts("again"));
        drop(memo);
        assert_eq!(known(&open("terms"), &two).as_deref(), Some("again"));
        assert_eq!(known(&open("other terms"), &one), None);
    }

    #[test]
    fn a_damaged_line_of_an_archive_is_counted_and_yields_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (Hash::of(b"1"), Hash::of(b"2"));
        let open = || Archive::open(folder.path(), "terms").unwrap();
        let memo = Memo::in_memory().with_archive(open());
        memo.put(&one, None, &verdicts("one"));
        memo.put(&two, None, &verdicts("two"));
        drop(memo);
        let path = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        let whole = std::fs::read(&path).unwrap();
        let first = whole.iter().position(|byte| *byte == b'\n').unwrap();
        for place in 0..first {
            let mut damaged = whole.clone();
            damaged[place] ^= 2;
            std::fs::write(&path, damaged).unwrap();
            let archive = open();
            assert!(archive.damaged() >= 1, "byte {place}");
            let memo = Memo::in_memory().with_archive(archive);
            assert_eq!((known(&memo, &one), known(&memo, &two).as_deref()), (None, Some("two")), "byte {place}");
        }
        // A line that is whole, but whose verdict does not exist.
        let forged = RawValue::from_string(verdicts("x").get().replace("safe", "sagE")).unwrap();
        std::fs::write(&path, line::sealed(&MemoLine { hash: one, verdicts: forged }).unwrap()).unwrap();
        let archive = open();
        assert_eq!(archive.damaged(), 1);
        assert_eq!(known(&Memo::in_memory().with_archive(archive), &one), None);
    }

    #[cfg(unix)]
    #[test]
    fn an_archive_that_others_may_write_to_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let open = || Archive::open(folder.path(), "terms").map(|_| ());
        open().unwrap();
        let path = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        for (path, wide, own) in [(path.as_path(), 0o666, 0o600), (folder.path(), 0o777, 0o700)] {
            let mode = |mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
            mode(wide);
            let error = open().unwrap_err().to_string();
            assert!(error.contains("can be written by other users"), "{error}");
            mode(own);
            open().unwrap();
        }
    }
}
