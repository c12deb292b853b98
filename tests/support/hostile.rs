//! GGUF files that no honest program writes: damaged, lying or absurd.
//!
//! A hostile file is a good file with one change to the entries of its header, which are bytes. Only the head of a file
//! is made. The rest, up to the file's size, is a hole of zeros, so a terabyte costs nothing.

#![allow(dead_code, reason = "the test and the example each use a part of it")]

// Paths, because the example includes this file from another folder than the tests.
#[path = "hostile/entries.rs"]
pub mod entries;
#[path = "hostile/vocabularies.rs"]
mod vocabularies;

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use magistrate::gguf::write::RawHeader;

use entries::{counts, crowds, tensors, texts, values};
use vocabularies::{letters, vocabularies, with};

/// A hostile file.
pub struct Case {
    /// The fault of the file.
    pub name: String,
    /// The beginning of the file.
    pub head: Vec<u8>,
    /// The size of the file in bytes.
    pub size: u64,
    /// True for a file that has no fault and must be accepted.
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

    /// Writes the file, with a hole after its head.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = File::create(path)?;
        file.write_all(&self.head[..self.head.len().min(usize::try_from(self.size).unwrap_or(usize::MAX))])?;
        file.set_len(self.size)
    }
}

/// Returns the entries of a good file.
pub fn header(file: &[u8]) -> RawHeader {
    RawHeader::read(file).expect("a good header")
}

/// Returns the size of a file with this header, data included.
pub fn size(raw: &RawHeader) -> u64 {
    let data = (raw.bytes().len() as u64).next_multiple_of(ALIGNMENT);
    raw.tensors.last().map_or(data, |tensor| data + tensor.offset + tensor.size())
}

/// Returns the file with this header, data included.
pub fn case(raw: &RawHeader, name: impl Into<String>) -> Case {
    Case::new(name, raw.bytes()).sized(size(raw))
}

/// Returns the file after a change to its header.
fn changed(raw: &RawHeader, name: impl Into<String>, change: impl FnOnce(&mut RawHeader)) -> Case {
    let mut other = raw.clone();
    change(&mut other);
    let head = other.bytes();
    let size = size(raw).max(head.len() as u64 + (1 << 20));
    Case::new(name, head).sized(size)
}

/// The alignment of the good file's data.
pub const ALIGNMENT: u64 = 32;
const TERABYTE: u64 = 1 << 40;

/// Returns all hostile files, each made when the iterator reaches it. `good` is a gpt-oss file.
pub fn cases(good: &[u8]) -> impl Iterator<Item = Case> {
    let raw = header(good);
    std::iter::once(case(&raw, "as it should be").fine())
        .chain(cuts(good))
        .chain(strangers(&raw))
        .chain(counts(raw.clone()))
        .chain(values(&raw))
        .chain(texts(raw.clone()))
        .chain(tensors(&raw))
        .chain(crowds(raw.clone()))
        .chain(vocabularies(raw))
}

/// Returns a good file with as few tokens as possible.
pub fn smallest(good: &[u8]) -> Vec<u8> {
    let raw = with(&header(good), letters(256), vec![], &[]);
    let mut file = raw.bytes();
    file.resize(usize::try_from(size(&raw)).unwrap(), 0);
    file
}

/// Returns files that were cut at 200 places, half of them within the header.
pub fn cuts(good: &[u8]) -> impl Iterator<Item = Case> {
    let header = header(good).bytes().len();
    let places = (0..100).map(move |number| header * number / 100);
    let places = places.chain((0..100).map({
        let length = good.len();
        move |number| header + (length - header) * number / 100
    }));
    places.map(|place| Case::new(format!("cut at {place}"), good[..place].to_vec())).collect::<Vec<_>>().into_iter()
}

/// Returns files of other kinds and versions.
fn strangers(raw: &RawHeader) -> Vec<Case> {
    let version = |version: u32| case(&RawHeader { version, ..raw.clone() }, format!("version {version}"));
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
        Case::new("no keys and no tensors", RawHeader::empty().bytes()),
        version(0),
        version(1),
        version(4),
        version(u32::MAX),
        case(&RawHeader { version: 2, ..raw.clone() }, "version 2").fine(),
    ];
    cases.push(case(raw, "a terabyte behind a good header").sized(TERABYTE).fine());
    cases
}
