//! Files that no honest program would write: damaged, lying or absurd GGUF.
//!
//! The one idea: a good file is taken apart into its entries, as bytes; each hostile one is that with one thing changed.
//! Only the head of a file is made, and how long the file shall be: what is behind the head is a hole of zeros, so that
//! a terabyte costs nothing.

#![allow(dead_code, reason = "the test and the example each use a part of it")]

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// One file.
pub struct Case {
    /// What is wrong with it.
    pub name: String,
    /// How it begins.
    pub head: Vec<u8>,
    /// How long it is, in bytes.
    pub size: u64,
    /// Whether nothing is wrong with it after all.
    pub fine: bool,
}

impl Case {
    fn new(name: impl Into<String>, head: Vec<u8>) -> Self {
        let size = head.len() as u64;
        Self { name: name.into(), head, size, fine: false }
    }

    fn sized(self, size: u64) -> Self {
        Self { size, ..self }
    }

    fn fine(self) -> Self {
        Self { fine: true, ..self }
    }

    /// Writes it, with a hole behind its head.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = File::create(path)?;
        file.write_all(&self.head[..self.head.len().min(usize::try_from(self.size).unwrap_or(usize::MAX))])?;
        file.set_len(self.size)
    }
}

/// A file taken apart. Whatever is put into it is written as it stands.
#[derive(Clone)]
pub struct Raw {
    pub version: u32,
    /// How many tensors and keys it says that it has, where that is not what it has.
    pub counts: (Option<u64>, Option<u64>),
    /// Keys, and their values with the type before them.
    pub keys: Vec<(Vec<u8>, Vec<u8>)>,
    pub tensors: Vec<RawTensor>,
}

/// A tensor as the header has it.
#[derive(Clone)]
pub struct RawTensor {
    pub name: Vec<u8>,
    pub shape: Vec<u64>,
    pub kind: u32,
    pub offset: u64,
}

pub const U32: u32 = 4;
pub const I32: u32 = 5;
pub const STRING: u32 = 8;
pub const ARRAY: u32 = 9;

impl Raw {
    /// No keys and no tensors.
    pub fn empty() -> Self {
        Self { version: 3, counts: (None, None), keys: Vec::new(), tensors: Vec::new() }
    }

    /// The entries of a good file.
    pub fn of(file: &[u8]) -> Self {
        let mut at = 8;
        let mut take = |count: usize| {
            at += count;
            &file[at - count..at]
        };
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte));
        let tensors = number(take(8));
        let keys = number(take(8));
        let mut raw = Self::empty();
        for _ in 0..keys {
            let length = number(take(8));
            let key = take(length).to_vec();
            let mut value = take(4).to_vec();
            let width = |kind: usize| [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8][kind];
            match number(&value) {
                9 => {
                    let (kind, count) = (take(4), take(8));
                    value.extend([kind, count].concat());
                    let (kind, count) = (number(kind), number(count));
                    for _ in 0..count {
                        let length = if kind == 8 { take(8) } else { &[] };
                        value.extend(length);
                        value.extend(take(number(length) + width(kind)));
                    }
                }
                8 => {
                    let length = take(8);
                    value.extend(length);
                    value.extend(take(number(length)));
                }
                kind => value.extend(take(width(kind))),
            }
            raw.keys.push((key, value));
        }
        for _ in 0..tensors {
            let length = number(take(8));
            let name = take(length).to_vec();
            let dimensions = number(take(4));
            let shape = (0..dimensions).map(|_| number(take(8)) as u64).collect();
            let kind = u32::try_from(number(take(4))).unwrap();
            let offset = number(take(8)) as u64;
            raw.tensors.push(RawTensor { name, shape, kind, offset });
        }
        raw
    }

    /// The header.
    pub fn header(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend(self.counts.0.unwrap_or(self.tensors.len() as u64).to_le_bytes());
        out.extend(self.counts.1.unwrap_or(self.keys.len() as u64).to_le_bytes());
        for (key, value) in &self.keys {
            out.extend(string(key));
            out.extend(value);
        }
        for RawTensor { name, shape, kind, offset } in &self.tensors {
            out.extend(string(name));
            out.extend(u32::try_from(shape.len()).unwrap().to_le_bytes());
            out.extend(shape.iter().flat_map(|length| length.to_le_bytes()));
            out.extend(kind.to_le_bytes());
            out.extend(offset.to_le_bytes());
        }
        out
    }

    /// Where the data of the last tensor ends, if all is as it should be.
    pub fn size(&self) -> u64 {
        let data = (self.header().len() as u64).next_multiple_of(32);
        self.tensors.last().map_or(data, |tensor| data + tensor.offset + tensor.bytes())
    }

    /// Puts each tensor behind the one before.
    pub fn lay_out(&mut self) {
        let mut next = 0;
        for tensor in &mut self.tensors {
            tensor.offset = next;
            next = (next + tensor.bytes()).next_multiple_of(32);
        }
    }

    /// Gives a key a value, where it stands or at the end.
    pub fn set(&mut self, key: &str, value: Vec<u8>) {
        match self.keys.iter_mut().find(|(known, _)| known == key.as_bytes()) {
            Some((_, known)) => *known = value,
            None => self.keys.push((key.into(), value)),
        }
    }

    fn case(&self, name: impl Into<String>) -> Case {
        Case::new(name, self.header()).sized(self.size())
    }

    /// As it is after a change.
    fn changed(&self, name: impl Into<String>, change: impl FnOnce(&mut Self)) -> Case {
        let mut raw = self.clone();
        change(&mut raw);
        let head = raw.header();
        let size = self.size().max(head.len() as u64 + (1 << 20));
        Case::new(name, head).sized(size)
    }

    /// With another vocabulary, and embeddings for it.
    pub fn vocabulary(&self, tokens: &[Vec<u8>], types: &[i32], merges: &[Vec<u8>]) -> Self {
        let mut raw = self.clone();
        raw.set("tokenizer.ggml.tokens", strings(tokens));
        raw.set("tokenizer.ggml.token_type", numbers(types));
        raw.set("tokenizer.ggml.merges", strings(merges));
        for tensor in &mut raw.tensors {
            if matches!(&tensor.name[..], b"token_embd.weight" | b"output.weight") {
                tensor.shape[1] = tokens.len() as u64;
            }
        }
        raw.lay_out();
        raw
    }
}

impl RawTensor {
    fn bytes(&self) -> u64 {
        let values: u64 = self.shape.iter().product();
        match self.kind {
            0 => values * 4,
            1 => values * 2,
            8 => values / 32 * 34,
            39 => values / 32 * 17,
            kind => panic!("the good file has tensors of type {kind}"),
        }
    }
}

pub fn string(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u64).to_le_bytes(), bytes].concat()
}

/// A value that is text.
pub fn text(bytes: &[u8]) -> Vec<u8> {
    [&STRING.to_le_bytes()[..], &string(bytes)].concat()
}

/// The beginning of a value that is an array.
pub fn array(kind: u32, count: u64) -> Vec<u8> {
    [&ARRAY.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes()].concat()
}

pub fn strings(all: &[Vec<u8>]) -> Vec<u8> {
    all.iter().fold(array(STRING, all.len() as u64), |mut value, one| {
        value.extend(string(one));
        value
    })
}

pub fn numbers(all: &[i32]) -> Vec<u8> {
    [array(I32, all.len() as u64), all.iter().flat_map(|number| number.to_le_bytes()).collect()].concat()
}

const TERABYTE: u64 = 1 << 40;
const HUGE: [u64; 9] =
    [u64::MAX, u64::MAX / 2, 1 << 63, (1 << 63) - 1, 1 << 61, 1 << 40, 1 << 31, 500_000_000, 100_000_000];

/// All of them, each made when it is asked for. `good` is a gpt-oss file.
pub fn cases(good: &[u8]) -> impl Iterator<Item = Case> {
    let raw = Raw::of(good);
    std::iter::once(raw.case("as it should be").fine())
        .chain(cuts(good))
        .chain(strangers(&raw))
        .chain(counts(raw.clone()))
        .chain(values(&raw))
        .chain(texts(raw.clone()))
        .chain(tensors(&raw))
        .chain(crowds(raw.clone()))
        .chain(vocabularies(raw))
}

/// A good file again, of no more tokens than there must be.
pub fn smallest(good: &[u8]) -> Vec<u8> {
    let raw = with(&Raw::of(good), letters(256), vec![], &[]);
    let mut file = raw.header();
    file.resize(usize::try_from(raw.size()).unwrap(), 0);
    file
}

/// Cut short at two hundred places, half of them within the header.
fn cuts(good: &[u8]) -> impl Iterator<Item = Case> {
    let header = Raw::of(good).header().len();
    let places = (0..100).map(move |number| header * number / 100);
    let places = places.chain((0..100).map({
        let length = good.len();
        move |number| header + (length - header) * number / 100
    }));
    places.map(|place| Case::new(format!("cut at {place}"), good[..place].to_vec())).collect::<Vec<_>>().into_iter()
}

/// What is no GGUF file of this kind at all.
fn strangers(raw: &Raw) -> Vec<Case> {
    let version = |version: u32| Raw { version, ..raw.clone() }.case(format!("version {version}"));
    let big = [b"GGUF\0\0\0\x03", &1_u64.to_be_bytes()[..], &1_u64.to_be_bytes()].concat();
    let mut cases = vec![
        Case::new("empty", Vec::new()),
        Case::new("one byte", b"G".to_vec()),
        Case::new("the magic number alone", b"GGUF".to_vec()),
        Case::new("text", b"once upon a time there was a model".to_vec()),
        Case::new("HTML", b"<!DOCTYPE html><html><body>404</body></html>".to_vec()),
        Case::new("a Git LFS pointer", b"version https://git-lfs.github.com/spec/v1\n".to_vec()),
        Case::new("escapes for a terminal", b"\x1b]0;\x07".to_vec()),
        Case::new("big-endian", big),
        Case::new("a terabyte of zeros", Vec::new()).sized(TERABYTE),
        Case::new("no keys and no tensors", Raw::empty().header()),
        version(0),
        version(1),
        version(4),
        version(u32::MAX),
        Raw { version: 2, ..raw.clone() }.case("version 2").fine(),
    ];
    cases.push(raw.case("a terabyte behind a good header").sized(TERABYTE).fine());
    cases
}

/// Numbers of things that cannot be.
fn counts(raw: Raw) -> impl Iterator<Item = Case> {
    HUGE.into_iter().flat_map(move |huge| {
        let mut cases = Vec::new();
        let mut add = |name: String, change: &dyn Fn(&mut Raw)| {
            cases.push(raw.changed(&name, change));
            // The file does have that many bytes, of zeros.
            cases.push(raw.changed(format!("{name}, in a terabyte"), change).sized(TERABYTE));
        };
        add(format!("{huge} tensors"), &|it| it.counts.0 = Some(huge));
        add(format!("{huge} keys"), &|it| it.counts.1 = Some(huge));
        add(format!("{huge} tensors and nothing else"), &|it| {
            *it = Raw { counts: (Some(huge), None), ..Raw::empty() };
        });
        let last = |it: &mut Raw, key: &str, value: Vec<u8>| {
            let place = it.keys.iter().position(|(known, _)| known == key.as_bytes());
            it.keys.truncate(place.unwrap_or(it.keys.len()));
            it.tensors.clear();
            it.keys.push((key.into(), value));
            it.counts = (Some(1), Some(it.keys.len() as u64 + 1));
        };
        for key in ["any", "tokenizer.ggml.tokens", "tokenizer.ggml.merges", "tokenizer.ggml.token_type"] {
            for kind in 0..=12 {
                let value = array(kind, huge);
                add(format!("{huge} elements of type {kind} of {key}"), &|it| last(it, key, value.clone()));
            }
            let value = [&STRING.to_le_bytes()[..], &huge.to_le_bytes()].concat();
            add(format!("{huge} letters of {key}"), &|it| last(it, key, value.clone()));
            let value = [&array(STRING, 3)[..], &huge.to_le_bytes()].concat();
            add(format!("{huge} letters in the first of {key}"), &|it| last(it, key, value.clone()));
        }
        for place in 0..3 {
            add(format!("{huge} as dimension {place}"), &|it| {
                let tensor = it.tensors.iter_mut().find(|tensor| tensor.shape.len() > place).unwrap();
                tensor.shape[place] = huge;
            });
        }
        add(format!("{huge} as all dimensions"), &|it| it.tensors[0].shape = vec![huge; 4]);
        add(format!("{huge} as an offset"), &|it| it.tensors[1].offset = huge);
        add(format!("{huge} letters of a tensor's name"), &|it| {
            it.counts.0 = Some(it.tensors.len() as u64);
            it.tensors.clear();
            it.keys.push((b"z".to_vec(), [&U32.to_le_bytes()[..], &[0; 4], &huge.to_le_bytes()].concat()));
            it.counts.1 = Some(it.keys.len() as u64);
        });
        add(format!("{huge} letters of a key"), &|it| {
            let rest = [&U32.to_le_bytes()[..], &[0; 4], &huge.to_le_bytes()].concat();
            it.counts.1 = Some(it.keys.len() as u64 + 2);
            it.keys.push((b"z".to_vec(), rest));
        });
        cases
    })
}

/// Keys and values.
fn values(raw: &Raw) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: String, change: &dyn Fn(&mut Raw)| cases.push(raw.changed(name, change));
    for (place, (key, value)) in raw.keys.iter().enumerate() {
        let shown = String::from_utf8_lossy(key);
        add(format!("{shown} twice"), &|it| it.keys.push((key.clone(), value.clone())));
        add(format!("an unknown type for {shown}"), &|it| it.keys[place].1[..4].copy_from_slice(&99_u32.to_le_bytes()));
        for kind in (0..=12_u32).filter(|kind| kind.to_le_bytes() != value[..4]) {
            // A value of that type, and so good for nothing here.
            let other = match kind {
                STRING => text(b"1"),
                ARRAY => [array(10, 1), vec![1; 8]].concat(),
                0 | 1 | 7 => [&kind.to_le_bytes()[..], &[1]].concat(),
                2 | 3 => [&kind.to_le_bytes()[..], &[1, 0]].concat(),
                4..=6 => [&kind.to_le_bytes()[..], &[1, 0, 0, 0]].concat(),
                _ => [&kind.to_le_bytes()[..], &[1, 0, 0, 0, 0, 0, 0, 0]].concat(),
            };
            if READ.iter().any(|read| shown.ends_with(read)) {
                add(format!("type {kind} for {shown}"), &|it| it.keys[place].1.clone_from(&other));
            }
        }
        for kind in [STRING, ARRAY, 13, u32::MAX] {
            if value.starts_with(&ARRAY.to_le_bytes()) && value[4..8] != kind.to_le_bytes() {
                add(format!("an array of type {kind} for {shown}"), &|it| {
                    it.keys[place].1[4..8].copy_from_slice(&kind.to_le_bytes());
                });
            }
        }
    }
    let deep = (0..100_000).flat_map(|_| [ARRAY.to_le_bytes(), [1, 0, 0, 0], [0; 4]].concat()).collect::<Vec<u8>>();
    let deep = [&ARRAY.to_le_bytes()[..], &deep].concat();
    add("arrays in arrays".into(), &|it| it.set("deep", deep.clone()));
    for alignment in [0, 3, 48, u32::MAX] {
        let value = [U32.to_le_bytes(), alignment.to_le_bytes()].concat();
        add(format!("an alignment of {alignment}"), &|it| it.set("general.alignment", value.clone()));
    }
    let value = [U32.to_le_bytes(), (1_u32 << 31).to_le_bytes()].concat();
    add("an alignment of 2^31".into(), &|it| it.set("general.alignment", value.clone()));
    add("an empty key".into(), &|it| it.keys[0].0.clear());
    add("a NUL in a key".into(), &|it| it.keys[0].0.push(0));
    add("a key that is no text".into(), &|it| it.keys[0].0 = vec![0xFF; 9]);
    add("a value that is no text".into(), &|it| it.set("general.name", text(&[0xFF; 9])));
    add("escapes as the architecture".into(), &|it| {
        it.set("general.architecture", text("\x1b[2J\nerror: gone\u{202e}".as_bytes()));
    });
    cases
}

/// Texts that are long, and some that are longer than any header.
fn texts(raw: Raw) -> impl Iterator<Item = Case> {
    type Change = fn(&mut Raw, &[u8]);
    const CHANGES: [(&str, Change); 8] = [
        ("architecture", |it, long| it.set("general.architecture", text(long))),
        ("tokenizer", |it, long| it.set("tokenizer.ggml.model", text(long))),
        ("pre-tokenizer", |it, long| it.set("tokenizer.ggml.pre", text(long))),
        ("scaling", |it, long| it.set("gpt-oss.rope.scaling.type", text(long))),
        ("key twice", |it, long| it.keys.extend([(); 2].map(|()| (long.to_vec(), vec![0; 5])))),
        ("key of an unknown type", |it, long| it.keys.push((long.to_vec(), vec![99, 0, 0, 0, 0]))),
        ("key of a value that is no text", |it, long| it.keys.push((long.to_vec(), text(&[0xFF])))),
        ("tensor", |it, long| it.tensors[0].name = long.to_vec()),
    ];
    let description = |length: usize| {
        raw.changed(format!("a description of {length} letters"), |it| {
            it.set("general.description", text(&vec![b'a'; length]));
        })
    };
    let descriptions = [description(22 << 20).fine(), description(40 << 20)];
    let long = [1 << 10, 10 << 20, 20 << 20, 60 << 20].into_iter().flat_map(move |length| {
        let raw = raw.clone();
        CHANGES.into_iter().map(move |(name, change)| {
            raw.changed(format!("a {name} of {length} letters"), |it| change(it, &vec![b'a'; length]))
        })
    });
    descriptions.into_iter().chain(long)
}

/// The ends of the keys that are read.
const READ: [&str; 23] = [
    "general.architecture",
    "general.name",
    "general.file_type",
    ".context_length",
    ".block_count",
    ".embedding_length",
    ".feed_forward_length",
    ".head_count",
    ".head_count_kv",
    ".key_length",
    ".value_length",
    ".sliding_window",
    ".expert_count",
    ".expert_used_count",
    ".layer_norm_rms_epsilon",
    ".freq_base",
    ".factor",
    ".scaling.type",
    ".original_context_length",
    "ggml.model",
    "ggml.pre",
    "ggml.tokens",
    "ggml.merges",
];

/// Tensors.
fn tensors(raw: &Raw) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: String, change: &dyn Fn(&mut Raw)| cases.push(raw.changed(name, change));
    for place in 0..raw.tensors.len() {
        let name = String::from_utf8_lossy(&raw.tensors[place].name).into_owned();
        add(format!("{name} missing"), &|it| {
            it.tensors.remove(place);
            it.lay_out();
        });
        add(format!("{name} twice"), &|it| {
            it.tensors.push(it.tensors[place].clone());
            it.lay_out();
        });
        add(format!("{name} one byte on"), &|it| it.tensors[place].offset += 1);
        add(format!("{name} with a gap before it"), &|it| it.tensors[place].offset += 32);
        for kind in [2, 4, 5, 9, 24, 26, 28, 31, 36, 43, 1 << 16, u32::MAX] {
            add(format!("{name} of type {kind}"), &|it| it.tensors[place].kind = kind);
        }
        add(format!("{name} with a dimension of none"), &|it| it.tensors[place].shape[0] = 0);
        add(format!("{name} with one value more in a row"), &|it| it.tensors[place].shape[0] += 1);
        if place > 0 {
            add(format!("{name} over the one before"), &|it| it.tensors[place].offset = it.tensors[place - 1].offset);
            add(format!("{name} half over the one before"), &|it| it.tensors[place].offset -= 32);
            add(format!("{name} before the one before"), &|it| {
                let before = it.tensors[place - 1].offset;
                it.tensors[place - 1].offset = it.tensors[place].offset;
                it.tensors[place].offset = before;
            });
            add(format!("{name} far behind the end"), &|it| it.tensors[place].offset = TERABYTE);
        }
    }
    add("a tensor that does not belong".into(), &|it| {
        it.tensors.push(RawTensor { name: b"\x1b[2J\n".to_vec(), shape: vec![32], kind: 0, offset: 0 });
        it.lay_out();
    });
    add("five dimensions".into(), &|it| it.tensors[0].shape = vec![1; 5]);
    add("two billion dimensions".into(), &|it| {
        it.tensors.clear();
        it.counts.0 = Some(1);
        let tensor = [&string(b"t")[..], &u32::MAX.to_le_bytes()].concat();
        it.keys.push((b"z".to_vec(), [&U32.to_le_bytes()[..], &[0; 4], &tensor].concat()));
    });
    for shape in [vec![1 << 32, 1 << 32], vec![1 << 21; 3], vec![1 << 16; 4], vec![1 << 62, 2], vec![(1 << 61) + 32]] {
        add(format!("a product that overflows, {shape:?}"), &|it| it.tensors[0].shape.clone_from(&shape));
    }
    add("an alignment that the offsets do not have".into(), &|it| {
        it.set("general.alignment", [U32.to_le_bytes(), 4096_u32.to_le_bytes()].concat());
    });
    cases
}

/// Very many of something.
fn crowds(raw: Raw) -> impl Iterator<Item = Case> {
    type Change = fn(&mut Raw);
    const BYTE: [u8; 5] = [0, 0, 0, 0, 7];
    let cases: [(&str, bool, Change); 19] = [
        ("100,000 keys", false, |it| keys(it, 100_000, 1, &BYTE)),
        ("1,000,000 keys", false, |it| keys(it, 1_000_000, 1, &BYTE)),
        ("100,000 long keys", false, |it| keys(it, 100_000, 1_000, &BYTE)),
        ("100,000 keys with an empty text", false, |it| keys(it, 100_000, 1, &text(b""))),
        ("100,000 keys with an empty array", false, |it| keys(it, 100_000, 1, &array(STRING, 0))),
        ("40,000 keys", true, |it| keys(it, 40_000, 1, &BYTE)),
        ("29,000 keys with an empty array", true, |it| keys(it, 29_000, 1, &array(STRING, 0))),
        ("100,000 tensors", false, |it| ones(it, 100_000, 1)),
        ("1,000,000 tensors", false, |it| ones(it, 1_000_000, 1)),
        ("40,000 tensors of long names", false, |it| ones(it, 40_000, 63)),
        ("29,000 tensors", false, |it| ones(it, 29_000, 1)),
        ("ten arrays of 2 MB of texts", true, |it| keys(it, 10, 1, &strings(&vec![vec![b'a'; 2040]; 1 << 10]))),
        ("an array of 22 MB of empty texts", true, |it| keys(it, 1, 1, &strings(&vec![Vec::new(); 22 << 17]))),
        ("an array of a text of 22 MB and one more", true, |it| {
            keys(it, 1, 1, &strings(&[vec![b'a'; 22 << 20], vec![b'a'; 1 << 10]]));
        }),
        ("an array of 22 MB of texts", true, |it| keys(it, 1, 1, &strings(&vec![vec![b'a'; 1 << 10]; 22 << 10]))),
        ("an array of 60 MB of texts", false, |it| keys(it, 1, 1, &strings(&vec![vec![b'a'; 1 << 10]; 60 << 10]))),
        ("22 MB of truths", true, |it| keys(it, 1, 1, &[array(7, 22 << 20), vec![1; 22 << 20]].concat())),
        ("22 MB of numbers", true, |it| keys(it, 1, 1, &[array(I32, 11 << 19), vec![1; 22 << 20]].concat())),
        ("22 MB of bytes", true, |it| keys(it, 1, 1, &[array(0, 22 << 20), vec![1; 22 << 20]].concat())),
    ];
    cases.into_iter().map(move |(name, fine, change)| {
        let case = raw.changed(name, change).sized(TERABYTE);
        if fine { case.fine() } else { case }
    })
}

/// So many keys more, of at least this length, all of the same value.
pub fn keys(raw: &mut Raw, count: usize, length: usize, value: &[u8]) {
    raw.keys.extend((0..count).map(|number| (named(number, length), value.to_vec())));
}

/// So many tensors more, of one value each.
pub fn ones(raw: &mut Raw, count: usize, length: usize) {
    let one = |number| RawTensor { name: named(number, length), shape: vec![1], kind: 0, offset: 0 };
    raw.tensors.extend((0..count).map(one));
    raw.lay_out();
}

fn named(number: usize, length: usize) -> Vec<u8> {
    let mut name = format!("{number:x}").into_bytes();
    name.resize(name.len().max(length), b'~');
    name
}

/// Vocabularies.
fn vocabularies(raw: Raw) -> impl Iterator<Item = Case> {
    type Make = fn(&Raw) -> Raw;
    let cases: [(&str, bool, Make); 25] = [
        ("a vocabulary of bytes", true, |raw| with(raw, letters(256), vec![], &[])),
        ("a million tokens", false, |raw| with(raw, letters(1_000_000), vec![], &[])),
        ("a million empty tokens", false, |raw| with(raw, vec![vec![]; 1_000_000], vec![], &[])),
        ("a million equal tokens", false, |raw| with(raw, vec![b"a".to_vec(); 1_000_000], vec![], &[])),
        ("260,000 tokens without merges", false, |raw| with(raw, letters(260_000), vec![], &[])),
        ("60,000 control tokens", true, |raw| with(raw, letters(256), reserved(60_000, 1), &[])),
        ("60,000 long control tokens", true, |raw| with(raw, letters(256), reserved(60_000, 300), &[])),
        ("250,000 control tokens", false, |raw| with(raw, letters(256), reserved(250_000, 70), &[])),
        ("a million control tokens", false, |raw| with(raw, letters(256), reserved(1_000_000, 1), &[])),
        ("an empty token", false, |raw| with(raw, [letters(256), vec![vec![]]].concat(), vec![], &[])),
        ("a token of 20 MB", false, |raw| with(raw, [letters(256), vec![vec![b'a'; 20 << 20]]].concat(), vec![], &[])),
        ("two equal tokens of 10 MB", false, |raw| {
            with(raw, [letters(256), vec![vec![b'a'; 10 << 20]; 2]].concat(), vec![], &[])
        }),
        ("200,000 tokens of 100 letters", false, |raw| {
            let long = |token: Vec<u8>| [token, vec![b'a'; 85]].concat();
            with(raw, letters(200_000).into_iter().map(long).collect(), vec![], &[])
        }),
        ("a control token of 10 MB", true, |raw| with(raw, letters(256), reserved(1, 10 << 20), &[])),
        ("a token that is no text", false, |raw| {
            with(raw, [letters(256), vec![vec![0xFF, 0xFE]]].concat(), vec![], &[])
        }),
        ("a token outside the alphabet", false, |raw| {
            with(raw, [letters(256), vec!["\u{202e}\n\x1b[2J".into()]].concat(), vec![], &[])
        }),
        ("a control token of escapes", false, |raw| with(raw, letters(256), vec!["<|\x1b[2J\n|>".into()], &[])),
        ("merges of nothing", false, |raw| with(raw, letters(256), vec![], &[b"zz yy".to_vec(), b" ".to_vec()])),
        ("a million empty merges", false, |raw| with(raw, letters(256), vec![], &vec![vec![]; 1_000_000])),
        ("a million merges that make the same", true, |raw| {
            with(raw, [letters(256), vec![b"ab".to_vec()]].concat(), vec![], &vec![b"a b".to_vec(); 1_000_000])
        }),
        ("a merge of 20 MB", false, |raw| {
            with(raw, letters(256), vec![], &[[vec![b'a'; 20 << 20], b" b".to_vec()].concat()])
        }),
        ("a merge of escapes", false, |raw| with(raw, letters(256), vec![], &[b"\n\x1b[2J \n".to_vec()])),
        ("no tokens", false, |raw| raw.vocabulary(&[], &[], &[])),
        ("fewer types than tokens", false, |raw| raw.vocabulary(&letters(256), &[1; 200], &[])),
        ("unknown types", false, |raw| raw.vocabulary(&letters(256), &[i32::MIN; 256], &[])),
    ];
    cases.into_iter().map(move |(name, fine, make)| {
        let case = make(&raw).case(name);
        if fine { case.fine() } else { case }
    })
}

/// These ordinary tokens, the control tokens that harmony needs, and these others.
fn with(raw: &Raw, mut tokens: Vec<Vec<u8>>, others: Vec<Vec<u8>>, merges: &[Vec<u8>]) -> Raw {
    let mut types = vec![1; tokens.len()];
    let names = ["startoftext", "endoftext", "return", "constrain", "channel", "start", "end", "message", "call"];
    tokens.extend(names.map(|name| format!("<|{name}|>").into_bytes()));
    tokens.extend(others);
    types.resize(tokens.len(), 3);
    raw.vocabulary(&tokens, &types, merges)
}

/// So many words over the letters that stand for bytes, the 256 letters first.
fn letters(count: usize) -> Vec<Vec<u8>> {
    let alphabet = (0x21..=0x7E).chain(0xA1..=0xAC).chain(0xAE..=0x143);
    let alphabet: Vec<char> = alphabet.filter_map(char::from_u32).collect();
    let word = |mut number: usize| {
        let mut word = String::new();
        loop {
            word.push(alphabet[number % 256]);
            number /= 256;
            if number == 0 {
                return word.into_bytes();
            }
            number -= 1;
        }
    };
    (0..count).map(word).collect()
}

/// So many control tokens with a number of so many digits.
fn reserved(count: usize, digits: usize) -> Vec<Vec<u8>> {
    (0..count).map(|number| [b"<|", &vec![b'0'; digits][..], number.to_string().as_bytes(), b"|>"].concat()).collect()
}
