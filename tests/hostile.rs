//! Hostile model files: each is refused in one sentence, and costs at most 64 MB of memory.
//!
//! All cases are in one test, because memory is counted for the whole process. A failure names its case.

// The counting allocator, which calls the system's.
#![allow(unsafe_code)]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use magistrate::gguf::rewrite::convert;
use magistrate::gguf::value::{kind, scalar, strings, text};
use magistrate::gguf::write::{RawHeader, RawTensor};
use magistrate::gguf::{ModelError, inspect, tokenizer};
use magistrate::hint::Hints;
use magistrate::models::stores::Places;
use support::hostile::{self, ALIGNMENT, Case, entries};
use support::synth;

/// Most bytes of one allocation, and of all allocations at any time.
const MOST: usize = 64_000_000;

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static LARGEST: AtomicUsize = AtomicUsize::new(0);

fn count(size: usize) {
    let live = LIVE.fetch_add(size, Relaxed) + size;
    PEAK.fetch_max(live, Relaxed);
    LARGEST.fetch_max(size, Relaxed);
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is passed to the system's allocator with the same arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }

    // The old block is counted until the new one exists, because the bytes may have to be moved.
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Memory that some work took: the largest allocation, and the most bytes at any time.
#[derive(Clone, Copy, Default)]
struct Cost {
    largest: usize,
    peak: usize,
}

fn cost<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    LARGEST.store(0, Relaxed);
    let done = work();
    (done, Cost { largest: LARGEST.load(Relaxed), peak: PEAK.load(Relaxed) - before })
}

/// The greatest costs with the names of their cases, and all failures.
#[derive(Default)]
struct Tally {
    cases: usize,
    largest: (usize, String),
    peak: (usize, String),
    failures: Vec<String>,
}

impl Tally {
    fn add(&mut self, name: &str, cost: Cost) {
        self.cases += 1;
        if cost.largest > self.largest.0 {
            self.largest = (cost.largest, name.into());
        }
        if cost.peak > self.peak.0 {
            self.peak = (cost.peak, name.into());
        }
        if cost.largest.max(cost.peak) > MOST {
            let Cost { largest, peak } = cost;
            self.failures.push(format!("{name}: an allocation of {largest} bytes, {peak} at once"));
        }
    }

    /// Checks that the message is one sentence with the file's name, and that one hint gives a remedy.
    fn message(&mut self, name: &str, error: &ModelError) {
        let text = error.to_string();
        let message = text.strip_prefix(&format!("{}: ", error.path.display())).unwrap_or("");
        let hints: Vec<String> = error.hints().iter().map(ToString::to_string).collect();
        let odd = |char: char| char.is_control() || char == '\u{202e}';
        let clear = |text: &str| (10..400).contains(&text.len()) && !text.contains(odd);
        if !clear(message) || hints.len() != 1 || !clear(&hints[0]) {
            let text: String = text.chars().take(1_000).collect();
            self.failures.push(format!("{name}: {text:?} {hints:?}"));
        }
    }

    fn expect(&mut self, name: &str, fine: bool, found: Result<(), ModelError>) {
        match found {
            Ok(()) if fine => {}
            Ok(()) => self.failures.push(format!("{name}: was accepted")),
            Err(error) => {
                if fine {
                    self.failures.push(format!("{name}: {error}"));
                }
                self.message(name, &error);
            }
        }
    }

    /// Checks that the model is accepted or refused as expected, and counts its memory.
    fn inspect(&mut self, name: &str, path: &Path, fine: bool) {
        let (found, spent) = cost(|| inspect(path).and_then(|model| model.tokenizer().map(drop)));
        self.add(name, spent);
        self.expect(name, fine, found);
    }

    /// Checks the functions that read the header alone: their memory, their messages, and that they leave no file.
    fn others(&mut self, name: &str, path: &Path) {
        let (found, spent) = cost(|| tokenizer(path).map(drop));
        self.add(&format!("{name}, its tokenizer"), spent);
        let made = path.with_extension("made");
        let (converted, spent) = cost(|| convert(path, &made).map(drop));
        self.add(&format!("{name}, converted"), spent);
        self.expect(&format!("{name}, converted"), false, converted);
        if let Err(error) = found {
            self.message(name, &error);
        }
        if made.exists() || half_done(path.parent().unwrap()) {
            self.failures.push(format!("{name}: something is left of its conversion"));
        }
    }
}

#[test]
fn no_hostile_file_takes_much_memory_or_is_refused_without_a_reason() {
    let good = fs::read(support::demonstration()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut tally = Tally::default();
    // Most faults are of a file with few tokens, because a whole vocabulary takes most of the time. Cuts are of both.
    let small = hostile::smallest(&good);
    for case in hostile::cases(&small).chain(hostile::cuts(&good)).filter(has_room) {
        let path = folder.path().join("case.gguf");
        case.write(&path).unwrap();
        tally.inspect(&case.name, &path, case.fine);
        tally.others(&case.name, &path);
    }
    whole_vocabulary(&mut tally, folder.path());
    parts(&mut tally, &hostile::header(&small));
    conversions(&mut tally, folder.path(), &hostile::header(&small));
    stores(&mut tally, folder.path(), &good);
    let Tally { cases, largest, peak, failures } = tally;
    println!("{cases} cases; the largest allocation was {largest:?}, the most at once {peak:?}");
    assert!(failures.is_empty(), "{} of {cases}:\n{}", failures.len(), failures.join("\n"));
}

/// Reports whether the case can be written. A hole in a file takes disk space except on Unix.
fn has_room(case: &Case) -> bool {
    cfg!(unix) || case.size < case.head.len() as u64 + (1 << 24)
}

/// Checks that the whole vocabulary of gpt-oss stays well within the limit for hostile files.
fn whole_vocabulary(tally: &mut Tally, folder: &Path) {
    let path = folder.join("whole.gguf");
    synth::write(&path, &synth::Shape::full_vocabulary()).unwrap();
    tally.inspect("the whole vocabulary", &path, true);
    let (model, spent) = cost(|| inspect(&path).unwrap().tokenizer().unwrap());
    println!("{} tokens took {} bytes, {} in one piece", model.len(), spent.peak, spent.largest);
    assert!(spent.peak < MOST * 3 / 4, "{}", spent.peak);
}

fn u16(number: u16) -> Vec<u8> {
    scalar(kind::U16, number.to_le_bytes())
}

/// Returns a model in parts, with all metadata in the first.
fn split(raw: &RawHeader, count: u16) -> Vec<RawHeader> {
    let each = raw.tensors.len().div_ceil(count.into());
    let total = i32::try_from(raw.tensors.len()).unwrap();
    let part = |number: u16| {
        let mut part = if number == 0 { raw.clone() } else { RawHeader::empty() };
        part.tensors = raw.tensors.iter().skip(each * usize::from(number)).take(each).cloned().collect();
        part.lay_out(ALIGNMENT);
        part.set("split.no", u16(number));
        part.set("split.count", u16(count));
        part.set("split.tensors.count", scalar(kind::I32, total.to_le_bytes()));
        part
    };
    (0..count).map(part).collect()
}

/// A folder for the parts of a model.
struct Folder {
    path: PathBuf,
    count: usize,
}

impl Folder {
    fn part(&self, number: usize) -> PathBuf {
        self.path.join(format!("m-{number:05}-of-{:05}.gguf", self.count))
    }

    /// Inspects a model of these parts, after a change to its files.
    fn check(tally: &mut Tally, (name, fine): (&str, bool), parts: &[RawHeader], after: impl FnOnce(&Self)) {
        let home = tempfile::tempdir().unwrap();
        let folder = Self { path: home.path().into(), count: parts.len() };
        for (part, raw) in (1..).zip(parts) {
            hostile::case(raw, "").write(&folder.part(part)).unwrap();
        }
        after(&folder);
        tally.inspect(name, &folder.part(1), fine);
    }
}

fn parts(tally: &mut Tally, raw: &RawHeader) {
    let mut changed = |name: &str, fine: bool, count: u16, change: &dyn Fn(&mut Vec<RawHeader>)| {
        let mut parts = split(raw, count);
        change(&mut parts);
        Folder::check(tally, (name, fine), &parts, |_| ());
    };
    changed("parts", true, 3, &|_| ());
    for lie in [0, 1, 3, 5, u16::MAX] {
        changed(&format!("a first part that counts {lie}"), false, 2, &|it| it[0].set("split.count", u16(lie)));
        changed(&format!("a first part with number {lie}"), lie == 0, 2, &|it| it[0].set("split.no", u16(lie)));
        if lie != 1 {
            changed(&format!("a second part with number {lie}"), false, 2, &|it| it[1].set("split.no", u16(lie)));
        }
        changed(&format!("a second part that counts {lie}"), false, 2, &|it| it[1].set("split.count", u16(lie)));
    }
    for total in [i32::MIN, -1, 0, 1, 43, i32::MAX] {
        let value = scalar(kind::I32, total.to_le_bytes());
        changed(&format!("{total} tensors together"), false, 2, &|it| it[0].set("split.tensors.count", value.clone()));
    }
    for key in ["split.no", "split.count", "split.tensors.count"] {
        for part in 0..2 {
            let value = scalar(kind::U32, 2_u32.to_le_bytes());
            let fine = part == 1 && key == "split.tensors.count";
            changed(&format!("{key} of another type in part {part}"), fine, 2, &|it| it[part].set(key, value.clone()));
        }
    }
    changed("parts that contradict each other in what only the first is asked for", true, 3, &|it| {
        for part in &mut it[1..] {
            part.set("general.architecture", text(b"llama"));
            part.set("tokenizer.ggml.tokens", strings(&[b"a".to_vec()]));
        }
    });
    changed("a second part with the tensors of the first", false, 2, &|it| it[1].tensors = it[0].tensors.clone());
    changed("two parts with 20 MB of texts each", false, 2, &|it| {
        for part in it {
            part.set("x", text(&vec![b'a'; 20 << 20]));
        }
    });
    changed("a hundred parts with 1 MB of texts each", false, 100, &|it| {
        for part in it {
            part.set("x", text(&vec![b'a'; 1 << 20]));
        }
    });
    changed("twenty parts with 10,000 tensors each", false, 20, &|it| {
        for (number, part) in it.iter_mut().enumerate() {
            let more = (0..10_000).map(|tensor| format!("{number}.{tensor}").into_bytes());
            part.tensors.extend(more.map(|name| RawTensor { name, shape: vec![1], kind: 0, offset: 0 }));
            part.lay_out(ALIGNMENT);
        }
    });
    changed("forty parts without tensors", false, 40, &|it| it[1..].iter_mut().for_each(|it| it.tensors.clear()));
    #[cfg(unix)]
    links(tally, raw);
}

/// Checks parts that are links in a circle, or to nothing.
#[cfg(unix)]
fn links(tally: &mut Tally, raw: &RawHeader) {
    let link = |from: PathBuf, to: &Path| {
        let _ = fs::remove_file(&from);
        std::os::unix::fs::symlink(to, from).unwrap();
    };
    let two = split(raw, 2);
    let mut linked = |name: &str, part: usize, to: &dyn Fn(&Folder) -> PathBuf| {
        Folder::check(tally, (name, false), &two, |it| link(it.part(part), &to(it)));
    };
    linked("a first part that is a link to itself", 1, &|it| it.part(1));
    linked("a first part that is a link to the second", 1, &|it| it.part(2));
    linked("a second part that is a link to itself", 2, &|it| it.part(2));
    linked("a second part that is a link to the first", 2, &|it| it.part(1));
    linked("a second part that is a device", 2, &|_| "/dev/zero".into());
    linked("a second part that is a folder", 2, &|it| it.path.clone());
    Folder::check(tally, ("parts that are links to each other", false), &two, |it| {
        link(it.part(1), &it.part(2));
        link(it.part(2), &it.part(1));
    });
    let home = tempfile::tempdir().unwrap();
    let folder = Folder { path: home.path().into(), count: u16::MAX.into() };
    let mut first = split(raw, 1).remove(0);
    first.set("split.count", u16(u16::MAX));
    hostile::case(&first, "").write(&folder.part(1)).unwrap();
    tally.inspect("65,535 parts of which one is there", &folder.part(1), false);
    hostile::case(&first, "").write(&folder.part(2)).unwrap();
    tally.inspect("65,535 parts of which two are there and the same", &folder.part(1), false);
    for part in 2..=usize::from(u16::MAX) {
        link(folder.part(part), &folder.part(1));
    }
    tally.inspect("65,535 parts that are all the first", &folder.part(1), false);
}

/// Checks files of Ollama, which are rewritten.
fn conversions(tally: &mut Tally, folder: &Path, raw: &RawHeader) {
    let blob = folder.join("blob");
    let ollama = |change: &dyn Fn(&mut RawHeader)| {
        let mut raw = raw.clone();
        for (key, _) in &mut raw.keys {
            *key = String::from_utf8_lossy(key).replace("gpt-oss.", "gptoss.").into_bytes();
        }
        raw.set("general.architecture", text(b"gptoss"));
        change(&mut raw);
        hostile::case(&raw, "").write(&blob).unwrap();
    };
    let mut check = |name: &str, fine: bool, change: &dyn Fn(&mut RawHeader)| {
        ollama(change);
        let made = folder.join("made.gguf");
        let (found, spent) = cost(|| convert(&blob, &made).map(drop));
        let name = format!("for Ollama: {name}");
        tally.add(&name, spent);
        tally.expect(&name, fine, found);
        if made.exists() != fine || half_done(folder) {
            tally.failures.push(format!("{name}: something is left"));
        }
        let _ = fs::remove_file(made);
    };
    check("as it should be", true, &|_| ());
    check("22 MB of texts", true, &|it| {
        entries::keys(it, 1, 1, &strings(&vec![vec![b'a'; 1 << 10]; 22 << 10]));
    });
    check("a text of 22 MB", true, &|it| entries::keys(it, 1, 1, &text(&vec![b'a'; 22 << 20])));
    check("40,000 keys", true, &|it| entries::keys(it, 40_000, 1, &[0; 5]));
    check("29,000 tensors", false, &|it| entries::ones(it, 29_000, 1));
    check("a million keys", false, &|it| entries::keys(it, 1_000_000, 1, &[0; 5]));
    check("keys under both names", false, &|it| {
        it.set("gpt-oss.block_count", scalar(kind::U32, 2_u32.to_le_bytes()));
    });
    check("no data, aligned to 2 GB", false, &|it| {
        it.set("general.alignment", scalar(kind::U32, (1_u32 << 31).to_le_bytes()));
        it.tensors.clear();
    });
    check("no tensors", false, &|it| it.tensors.clear());
    check("a tensor whose name becomes too long", false, &|it| {
        it.tensors[0].name = [&b".attn_out."[..], &[b'a'; 53]].concat();
    });
}

/// Checks stores of other programs with damaged files in them.
fn stores(tally: &mut Tally, folder: &Path, good: &[u8]) {
    let home = folder.join("home");
    let put = |name: &str, case: &Case| {
        let path = home.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        case.write(&path).unwrap();
    };
    let raw = hostile::header(good);
    let of = |head: &[u8], size: u64| Case { name: String::new(), head: head.into(), size, fine: false };
    put("own/good.gguf", &of(good, good.len() as u64));
    for (number, length) in [1 << 10, 22 << 20, 100 << 20].into_iter().enumerate() {
        let mut raw = raw.clone();
        raw.set("general.architecture", text(&vec![b'a'; length]));
        put(&format!("own/{number}.gguf"), &hostile::case(&raw, ""));
    }
    put("own/text.gguf", &of(b"text", 4));
    let layers = |text: &str, times: usize| [br#"{"layers":["#, text.repeat(times).as_bytes()].concat();
    let layer = r#"{"mediaType":"","digest":""},"#;
    let manifests = ".ollama/models/manifests/registry.ollama.ai/library/m";
    for (tag, head) in [("many", layers(layer, 1 << 22)), ("few", layers(layer, 3)), ("deep", vec![b'['; 1 << 20])] {
        put(&format!("{manifests}/{tag}"), &of(&head, head.len() as u64));
    }
    let entries = [br#"{"models":["#, "{},".repeat(1 << 24).as_bytes()].concat();
    put(".docker/models/models.json", &of(&entries, entries.len() as u64));
    #[cfg(unix)]
    {
        put("own/hole.gguf", &of(&[], 1 << 40));
        put(&format!("{manifests}/hole"), &of(&layers(layer, 3), 1 << 36));
        std::os::unix::fs::symlink(&home, home.join("own/circle")).unwrap();
        std::os::unix::fs::symlink("itself.gguf", home.join("own/itself.gguf")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", home.join("own/zero.gguf")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", home.join(manifests).join("zero")).unwrap();
    }
    let own = home.join("own");
    let places = Places::new(home, |name| (name == "MAGISTRATE_MODELS").then(|| own.clone().into()));
    let (found, spent) = cost(|| places.find());
    tally.add("stores", spent);
    let names: Vec<_> = found.into_iter().map(|model| model.name).collect();
    if names != ["good.gguf"] {
        tally.failures.push(format!("found {names:?}"));
    }
}

/// Reports whether a file that is not whole lies in a folder.
fn half_done(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().any(|file| file.unwrap().path().extension().is_some_and(|ending| ending == "part"))
}
