//! The parts of a workbook's archive.
//!
//! Parts are only looked up by their names, and nothing is written, so a path in a name has no effect.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use flate2::Crc;
use flate2::read::DeflateDecoder;
use rawzip::{CompressionMethod, FileReader, RECOMMENDED_BUFFER_SIZE, RangeReader, ZipArchive, ZipLocator};

use super::error::WorkbookError;

/// The parts of a file, by name.
pub(super) struct Archive {
    file: Arc<FileReader>,
    parts: HashMap<String, Part>,
}

#[derive(Clone, Copy)]
struct Part {
    begins: u64,
    ends: u64,
    size: u64,
    checksum: u32,
    method: CompressionMethod,
}

/// Parts of an archive, and bytes of a name, at most.
const MOST_PARTS: usize = 1 << 16;
const LONGEST_NAME: usize = 1 << 10;

/// The comment at the end of an archive, with the record before it.
const END: u64 = (1 << 16) + 22;

impl Archive {
    /// Reads the directory of an archive.
    pub fn open(file: File) -> Result<Self, WorkbookError> {
        let size = file.metadata()?.len();
        let file = Arc::new(FileReader::from(file));
        let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
        let locator = ZipLocator::new().max_search_space(END);
        let archive: ZipArchive<Arc<FileReader>> =
            locator.locate_in_reader(Arc::clone(&file), &mut buffer, size).map_err(|(_, error)| error)?;
        let mut parts = HashMap::new();
        let mut entries = archive.entries(&mut buffer);
        while let Some(entry) = entries.next_entry()? {
            let path = entry.file_path();
            if parts.len() == MOST_PARTS || path.len() > LONGEST_NAME {
                return Err(WorkbookError::too_large(format_args!(
                    "it has more than {MOST_PARTS} parts, or long names"
                )));
            }
            if entry.flags().is_encrypted() {
                return Err(WorkbookError::new("it is locked with a password").with_hint("save it without one".into()));
            }
            let (name, wayfinder) = (key(&String::from_utf8_lossy(path.as_bytes())), entry.wayfinder());
            let (begins, ends) = archive.get_entry(wayfinder)?.compressed_data_range();
            let (checksum, method) = (entry.crc32(), entry.compression_method());
            let part = Part { begins, ends, size: wayfinder.uncompressed_size_hint(), checksum, method };
            if parts.insert(name.clone(), part).is_some() {
                return Err(WorkbookError::damaged(format_args!("it has two parts of the name {name:?}")));
            }
        }
        Ok(Self { file, parts })
    }

    pub fn has(&self, name: &str) -> bool {
        self.parts.contains_key(&key(name))
    }

    /// Opens a part.
    pub fn part(&self, name: &str) -> Result<Unpacked, WorkbookError> {
        let part = *self
            .parts
            .get(&key(name))
            .ok_or_else(|| WorkbookError::damaged(format_args!("its part {name:?} is missing")))?;
        let packed = RangeReader::new(Arc::clone(&self.file), part.begins..part.ends);
        let data = match part.method {
            CompressionMethod::STORE => Data::Stored(packed),
            CompressionMethod::DEFLATE => Data::Packed(DeflateDecoder::new(packed)),
            other => return Err(WorkbookError::damaged(format_args!("its part {name:?} is packed by {other}"))),
        };
        Ok(Unpacked { data, part, crc: Crc::new(), size: 0 })
    }
}

/// Returns a name in the form in which names are compared: case does not matter, nor does the kind of slash.
fn key(name: &str) -> String {
    name.replace('\\', "/").trim_start_matches('/').to_lowercase()
}

/// The unpacked bytes of a part. Its size and checksum are compared at its end.
pub(super) struct Unpacked {
    data: Data,
    part: Part,
    crc: Crc,
    size: u64,
}

enum Data {
    Stored(RangeReader<Arc<FileReader>>),
    Packed(DeflateDecoder<RangeReader<Arc<FileReader>>>),
}

/// A part of real data is packed to a hundredth at best. Small ones are not measured.
const MOST_TIMES: u64 = 200;
const UNMEASURED: u64 = 64 << 20;

impl Unpacked {
    /// Returns the share of the part that was read, as bytes of bytes before unpacking.
    pub fn progress(&self) -> (u64, u64) {
        let packed = match &self.data {
            Data::Stored(packed) => packed,
            Data::Packed(data) => data.get_ref(),
        };
        (packed.position() - self.part.begins, self.part.ends - self.part.begins)
    }
}

impl Read for Unpacked {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.data {
            Data::Stored(data) => data.read(into)?,
            Data::Packed(data) => data.read(into)?,
        };
        self.size += count as u64;
        self.crc.update(&into[..count]);
        let ends = count == 0 && !into.is_empty();
        if ends && (self.crc.sum(), self.size) != (self.part.checksum, self.part.size) {
            return Err(WorkbookError::damaged("the checksum of a part does not match").into());
        }
        let (_, packed) = self.progress();
        if self.size > UNMEASURED && self.size / MOST_TIMES > packed {
            let what = format!("a part unpacks to more than {MOST_TIMES} times its size");
            return Err(WorkbookError::too_large(what).into());
        }
        Ok(count)
    }
}
