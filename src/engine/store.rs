//! Decoded policies on disk, so that the next process need not decode them again.
//!
//! A file begins with everything that its state depends on, and is used only if that matches to the last byte. A torn,
//! foreign or changed file counts as missing and is overwritten. The format of a state is the backend's.

use std::fs::{self, File};
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::config::EngineConfig;
use super::prefixes::{Beginning, Store, Window};
use crate::cache;
use crate::gguf::ModelFile;
use crate::tokenizer::Token;

/// Most bytes of the tokens in a file that is searched for a shared beginning.
const MOST_TOKENS: usize = 4 << 20;

/// The version of llama.cpp that is built in.
const LLAMA: &str = "llama-cpp-sys-2 0.1.161";

/// The first bytes of each file.
const MAGIC: &[u8; 16] = b"magistrate-pfx-2";

/// Most bytes of all files together. A policy of 2,000 tokens takes some 100 MB with the 20b, half of them windows.
const BUDGET: u64 = 4 << 30;

/// Returns the binding of llama.cpp that is built in, with its version.
#[must_use]
pub fn llama_version() -> &'static str {
    LLAMA
}

/// A folder of decoded policies, for one model and one engine.
pub(super) struct Folder {
    path: PathBuf,
    /// Everything that a state depends on beside its tokens.
    setting: String,
    writers: Vec<JoinHandle<()>>,
    /// Files that are being read ahead.
    expected: Vec<(Vec<Token>, Reader)>,
}

type Reader = JoinHandle<Option<Vec<u8>>>;

impl Folder {
    /// Opens the folder for a model and its settings. [`EngineConfig::prefetch`] is read ahead, beside the loading of
    /// the model.
    pub(super) fn new(folder: PathBuf, model: &ModelFile, config: &EngineConfig) -> Self {
        let EngineConfig { layout, micro_batch, repack, kernels, flash_attention, cache, reproducible, .. } = config;
        let EngineConfig { devices, gpu_layers, cpu_experts, .. } = config;
        let setting = format!(
            "{LLAMA} {} {:?} {layout:?} {micro_batch} {repack} {kernels:?} {devices:?} {gpu_layers:?} {cpu_experts} \
             {flash_attention:?} {cache:?} {reproducible}",
            model.digest,
            model.parts.iter().map(|part| identity(part)).collect::<Vec<_>>()
        );
        let mut new = Self { path: folder, setting, writers: Vec::new(), expected: Vec::new() };
        if !config.prefetch.is_empty() {
            new.expect(&config.prefetch);
        }
        new
    }

    fn expect(&mut self, tokens: &[Token]) {
        let (head, path) = self.place(tokens);
        // Without a thread the file is read when it is needed.
        let reader = std::thread::Builder::new().name("prefix".to_owned()).spawn(move || read(&head, &path));
        self.expected.extend(reader.ok().map(|reader| (tokens.to_vec(), reader)));
    }

    /// Returns the tokens of the prefix in a file of this model and these settings.
    fn tokens_in(&self, path: &Path) -> Option<Vec<Token>> {
        let mut file = File::open(path).ok()?;
        let (mut head, _) = self.place(&[]);
        // The number of bytes of tokens stands last, as 0.
        head.truncate(head.len() - 8);
        let mut theirs = vec![0; head.len() + 8];
        file.read_exact(&mut theirs).ok()?;
        let length = u64::from_le_bytes(theirs.strip_prefix(head.as_slice())?.try_into().ok()?);
        let mut tokens = vec![0; usize::try_from(length).ok().filter(|length| *length <= MOST_TOKENS)?];
        file.read_exact(&mut tokens).ok()?;
        Some(tokens.as_chunks::<4>().0.iter().map(|bytes| Token(u32::from_le_bytes(*bytes))).collect())
    }

    /// Returns the head of a prefix's file, up to the digest, and the file's path.
    ///
    /// The length of each part stands before it. Two different pairs of settings and tokens thus have different heads.
    fn place(&self, tokens: &[Token]) -> (Vec<u8>, PathBuf) {
        let mut head = MAGIC.to_vec();
        for part in
            [self.setting.as_bytes(), &tokens.iter().flat_map(|token| token.0.to_le_bytes()).collect::<Vec<_>>()]
        {
            head.extend_from_slice(&(part.len() as u64).to_le_bytes());
            head.extend_from_slice(part);
        }
        let name = crate::text::hex(&Sha256::digest(&head)[..16]);
        (head, self.path.join(name).with_extension(ENDING))
    }
}

/// Returns the identity of a file on this machine: its size, time of change and inode.
///
/// The model's digest covers only parts of a file, so it does not notice every change.
fn identity(path: &Path) -> Option<(u64, SystemTime, u64)> {
    let metadata = fs::metadata(path).ok()?;
    #[cfg(unix)]
    let node = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let node = 0;
    Some((metadata.len(), metadata.modified().ok()?, node))
}

const ENDING: &str = "prefix";

/// The room of the cache whose names the files have.
const ROOM: &str = "prefixes";

impl Store for Folder {
    fn take(&mut self, tokens: &[Token]) -> Option<Vec<u8>> {
        let expected = self.expected.iter().position(|(expected, _)| expected == tokens);
        if let Some((_, reader)) = expected.map(|place| self.expected.swap_remove(place)) {
            return reader.join().unwrap_or(None).and_then(state);
        }
        let (head, path) = self.place(tokens);
        read(&head, &path).and_then(state)
    }

    fn begin(&mut self, tokens: &[Token]) -> Option<Beginning> {
        let (shared, theirs) = fs::read_dir(&self.path)
            .ok()?
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                let theirs = path.extension().filter(|ending| *ending == ENDING).and_then(|_| self.tokens_in(&path))?;
                Some((tokens.iter().zip(&theirs).take_while(|(one, other)| one == other).count(), theirs))
            })
            .max_by_key(|(shared, _)| *shared)?;
        let (head, path) = self.place(&theirs);
        let content = read(&head, &path)?;
        let mut windows = windows(&content)?;
        let state = state(content)?;
        // At least one token is left to decode.
        windows.retain(|(length, _)| *length <= shared && *length < tokens.len() && *length < theirs.len());
        (!windows.is_empty()).then_some(Beginning { state, windows })
    }

    fn put(&mut self, tokens: &[Token], state: &[u8], windows: &[Window]) {
        let (mut bytes, path) = self.place(tokens);
        let head = bytes.len() + 32;
        // The place of the digest stays empty here, as the writer computes it.
        bytes.resize(head, 0);
        let sizes = std::iter::once(state.len()).chain(windows.iter().flat_map(|(at, window)| [*at, window.len()]));
        for size in std::iter::once(windows.len()).chain(sizes) {
            bytes.extend_from_slice(&(size as u64).to_le_bytes());
        }
        bytes.extend_from_slice(state);
        for (_, window) in windows {
            bytes.extend_from_slice(window);
        }
        let folder = self.path.clone();
        // Written on a thread of its own, as nothing waits for it. A failure, such as a full disk, only costs time
        // later.
        let writer = std::thread::Builder::new().name("prefix".to_owned()).spawn(move || {
            let digest = Sha256::digest(&bytes[head..]);
            bytes[head - 32..head].copy_from_slice(&digest);
            let _ = cache::make(&folder)
                .and_then(|()| cache::put(&path, &bytes))
                .and_then(|()| cache::trim(&folder, ROOM, BUDGET));
        });
        self.writers.extend(writer);
    }
}

/// Returns a size at the beginning of a file's content: the number of windows, the size of the state, and the length and
/// the size of each window.
fn size(content: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u64::from_le_bytes(*content.as_chunks::<8>().0.get(at)?)).ok()
}

/// Returns the place of the state in a file's content, behind the sizes.
fn place_of_state(content: &[u8]) -> Option<Range<usize>> {
    let begin = size(content, 0)?.checked_mul(2)?.checked_add(2)?.checked_mul(8)?;
    let end = begin.checked_add(size(content, 1)?)?;
    (end <= content.len()).then_some(begin..end)
}

/// Returns the state in a file's content. `None` if the sizes do not fit.
fn state(mut content: Vec<u8>) -> Option<Vec<u8>> {
    let place = place_of_state(&content)?;
    content.truncate(place.end);
    content.drain(..place.start);
    Some(content)
}

/// Returns the windows in a file's content. `None` if the sizes do not fit.
fn windows(content: &[u8]) -> Option<Vec<Window>> {
    let mut rest = content.get(place_of_state(content)?.end..)?;
    let mut windows = Vec::new();
    for number in 0..size(content, 0)? {
        let (window, others) = rest.split_at_checked(size(content, 3 + 2 * number)?)?;
        windows.push((size(content, 2 + 2 * number)?, window.to_vec()));
        rest = others;
    }
    Some(windows)
}

/// Reads the content of a file. `None` unless the file has this head and is undamaged.
fn read(head: &[u8], path: &Path) -> Option<Vec<u8>> {
    let mut bytes = fs::read(path).ok()?;
    let state = bytes.strip_prefix(head)?;
    let (digest, state) = state.split_at_checked(32)?;
    if Sha256::digest(state).as_slice() != digest {
        return None;
    }
    // The time of the last use decides which files `cache::trim` removes first.
    let _ = File::options().append(true).open(path).and_then(|file| file.set_modified(SystemTime::now()));
    Some(bytes.split_off(head.len() + 32))
}

impl Drop for Folder {
    fn drop(&mut self) {
        // The process may end after this. Without a wait, the files being written would be lost.
        for writer in self.writers.drain(..) {
            let _ = writer.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_of(folder: &Path, setting: &str) -> Folder {
        Folder { path: folder.to_owned(), setting: setting.to_owned(), writers: Vec::new(), expected: Vec::new() }
    }

    fn tokens(count: u32) -> Vec<Token> {
        (0..count).map(Token).collect()
    }

    fn put(folder: &Path, tokens: &[Token], state: &[u8]) {
        folder_of(folder, "a model").put(tokens, state, &[(1, b"a window".to_vec())]);
    }

    #[test]
    fn what_was_put_is_there_for_the_next_and_for_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let folder = &folder.path().join("prefixes");
        assert_eq!(folder_of(folder, "a model").take(&tokens(3)), None);
        put(folder, &tokens(3), b"a state");
        assert_eq!(folder_of(folder, "a model").take(&tokens(3)).as_deref(), Some(b"a state".as_slice()));
        assert_eq!(folder_of(folder, "a model").take(&tokens(4)), None);
        assert_eq!(folder_of(folder, "another model").take(&tokens(3)), None);
    }

    #[test]
    fn what_was_expected_is_read_before_it_is_asked_for_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        put(folder, &tokens(3), b"a state");
        let mut store = folder_of(folder, "a model");
        store.expect(&tokens(3));
        store.expect(&tokens(4));
        while !store.expected.iter().all(|(_, reader)| reader.is_finished()) {
            std::thread::yield_now();
        }
        for file in fs::read_dir(folder).unwrap() {
            fs::remove_file(file.unwrap().path()).unwrap();
        }
        assert_eq!(store.take(&tokens(4)), None);
        assert_eq!(store.take(&tokens(3)).as_deref(), Some(b"a state".as_slice()));
        assert_eq!(store.take(&tokens(3)), None, "from then on the file counts");
    }

    #[test]
    fn a_file_that_was_cut_or_changed_anywhere_is_not_used_and_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        put(folder, &tokens(2), b"a state");
        let path = fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
        let whole = fs::read(&path).unwrap();
        for place in 0..whole.len() {
            let mut changed = whole.clone();
            changed[place] ^= 1;
            for bytes in [&changed, &whole[..place]] {
                fs::write(&path, bytes).unwrap();
                assert_eq!(folder_of(folder, "a model").take(&tokens(2)), None, "byte {place}");
            }
        }
        put(folder, &tokens(2), b"a state");
        assert_eq!(fs::read(&path).unwrap(), whole);
    }

    #[test]
    fn what_was_used_the_longest_ago_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        for count in 1..4 {
            put(folder, &tokens(count), &[0; 1000]);
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        assert!(folder_of(folder, "a model").take(&tokens(1)).is_some());
        cache::trim(folder, ROOM, 2500).unwrap();
        let kept: Vec<bool> = (1..4).map(|count| folder_of(folder, "a model").take(&tokens(count)).is_some()).collect();
        assert_eq!(kept, [true, false, true]);
    }

    #[cfg(unix)]
    #[test]
    fn only_its_user_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("prefixes");
        put(&folder, &tokens(1), b"a state");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path()), 0o600);
    }

    #[test]
    fn the_llama_cpp_is_the_one_that_is_pinned() {
        let version = LLAMA.rsplit(' ').next().unwrap();
        let manifest = include_str!("../../Cargo.toml");
        assert!(manifest.contains(&format!("llama-cpp-sys-2 = {{ version = \"={version}\"")), "{LLAMA}");
    }

    #[test]
    fn a_prefix_that_begins_alike_gives_its_windows_up_to_the_change() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let windows = [(2, b"two".to_vec()), (4, b"four".to_vec()), (6, b"six".to_vec())];
        folder_of(folder, "a model").put(&tokens(8), b"a state", &windows);
        folder_of(folder, "another model").put(&tokens(9), b"another state", &windows);
        put(folder, &tokens(3), b"a short state");
        let begin = |tokens: &[Token]| folder_of(folder, "a model").begin(tokens);
        let mut changed = tokens(8);
        changed[5] = Token(99);
        let Some(Beginning { state, windows: shared }) = begin(&changed) else { panic!("nothing is shared") };
        assert_eq!((state.as_slice(), shared.as_slice()), (b"a state".as_slice(), &windows[..2]));
        assert_eq!(begin(&tokens(12)).map(|beginning| beginning.windows.len()), Some(3), "a longer one");
        assert_eq!(begin(&tokens(6)).map(|beginning| beginning.windows.len()), Some(2), "one token is left to decode");
        changed[0] = Token(98);
        assert_eq!(begin(&changed), None);
    }
}
