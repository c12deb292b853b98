//! Packed inputs: gzip and zstd, known by their first bytes.
//!
//! A reader sees the unpacked bytes. The number of packed bytes that were read is known as well.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::GzDecoder;

use crate::hint::{Hint, Hints, Setting};

/// Bytes that are read at once.
pub(in crate::label) const BUFFER: usize = 1 << 16;

/// Unpacks a stream if it is packed. Also returns whether it was.
pub(in crate::label) fn unpacked(
    mut stream: impl BufRead + Send + 'static,
) -> io::Result<(Box<dyn BufRead + Send>, bool)> {
    let packing = Packing::of(stream.fill_buf()?);
    Ok(match packing {
        None => (Box::new(stream), false),
        Some(Packing::Gzip) => {
            let members = Members { member: Some(GzDecoder::new(stream)) };
            (Box::new(BufReader::with_capacity(BUFFER, members)), true)
        }
        Some(Packing::Zstd) => (zstd(stream)?, true),
    })
}

/// The reason why a packed input cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// A window that takes more memory than there is.
    #[error("it is packed by zstd with a window that takes up to 2 GiB of memory, which is not there")]
    Window,
    /// The build lacks zstd.
    #[error("it is packed by zstd, and this build lacks the feature `zstd`")]
    NoZstd,
}

impl Hints for UnpackError {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Window => vec![Hint::new("zstd -dc --long=31 FILE | magistrate … ").value(Setting::Format, "jsonl")],
            Self::NoZstd => Vec::new(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    Gzip,
    Zstd,
}

impl Packing {
    fn of(start: &[u8]) -> Option<Self> {
        match start {
            [0x1F, 0x8B, ..] => Some(Self::Gzip),
            // The second is a skippable frame, which pzstd writes before each of its frames.
            [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// The members of a gzip file, one after another. Zeros after a member are the padding of a tape's last block.
struct Members<R> {
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let count = member.read(into)?;
            if count > 0 || into.is_empty() {
                return Ok(count);
            }
            self.member = self.member.take().map(GzDecoder::into_inner).map_or(Ok(None), next_member)?;
        }
        Ok(0)
    }
}

fn next_member<R: BufRead>(mut rest: R) -> io::Result<Option<GzDecoder<R>>> {
    loop {
        let there = rest.fill_buf()?;
        let zeros = there.iter().take_while(|byte| **byte == 0).count();
        match (there.is_empty(), zeros < there.len()) {
            (true, _) => return Ok(None),
            (_, true) => {
                rest.consume(zeros);
                return Ok(Some(GzDecoder::new(rest)));
            }
            _ => rest.consume(zeros),
        }
    }
}

/// The logarithm of the largest window that zstd has.
#[cfg(feature = "zstd")]
const LARGEST_WINDOW: u32 = if cfg!(target_pointer_width = "64") { 31 } else { 30 };

#[cfg(feature = "zstd")]
fn zstd(stream: impl BufRead + Send + 'static) -> io::Result<Box<dyn BufRead + Send>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(stream)?;
    // Large dumps are packed with windows of 2 GiB. Memory is taken only as far as a frame fills it.
    decoder.window_log_max(LARGEST_WINDOW)?;
    let frames = Frames(decoder);
    Ok(Box::new(BufReader::with_capacity(BUFFER, frames)))
}

#[cfg(not(feature = "zstd"))]
fn zstd(_stream: impl BufRead + Send + 'static) -> io::Result<Box<dyn BufRead + Send>> {
    Err(io::Error::new(io::ErrorKind::Unsupported, UnpackError::NoZstd))
}

/// Frames of zstd. A window without memory for it is reported with a remedy.
#[cfg(feature = "zstd")]
struct Frames<R>(R);

#[cfg(feature = "zstd")]
impl<R: Read> Read for Frames<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into).map_err(|error| {
            // The library describes its errors only in words.
            let words = error.to_string();
            if !words.contains("too much memory") && !words.contains("not enough memory") {
                return error;
            }
            io::Error::new(io::ErrorKind::Unsupported, UnpackError::Window)
        })
    }
}

/// A stream whose bytes are counted as they are read.
pub(in crate::label) struct Counted<R> {
    pub raw: R,
    pub read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.raw.read(into)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(text: &str) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(text.as_bytes()).unwrap();
        packer.finish().unwrap()
    }

    /// Unpacks bytes that come a few at a time.
    fn text(packed: Vec<u8>, at_once: usize) -> io::Result<String> {
        let stream = BufReader::with_capacity(at_once, io::Cursor::new(packed));
        let mut text = String::new();
        unpacked(stream)?.0.read_to_string(&mut text).map(|_| text)
    }

    #[test]
    fn members_follow_one_another_and_zeros_fill_the_end() {
        for at_once in [4, 7, 1 << 16] {
            let two = [gzip("a"), gzip(""), gzip("b")].concat();
            assert_eq!(text(two.clone(), at_once).unwrap(), "ab");
            assert_eq!(text([two.clone(), vec![0; 1000]].concat(), at_once).unwrap(), "ab");
            assert!(text([two.clone(), vec![0, 0, 7]].concat(), at_once).is_err());
            assert!(text(two[..two.len() - 3].to_vec(), at_once).is_err());
        }
        assert_eq!(text(b"plain".to_vec(), 2).unwrap(), "plain");
    }

    #[cfg(feature = "zstd")]
    #[test]
    fn frames_may_follow_one_that_is_skipped() {
        let frame = |text: &str| ::zstd::encode_all(text.as_bytes(), 0).unwrap();
        let skipped = b"\x50\x2A\x4D\x18\x04\0\0\0abcd".to_vec();
        let packed = [skipped.clone(), frame("a"), skipped, frame("b")].concat();
        assert_eq!(text(packed, 1 << 16).unwrap(), "ab");
    }

    #[cfg(feature = "zstd")]
    #[test]
    fn a_window_of_gigabytes_is_read_and_costs_no_memory_that_is_not_filled() {
        // A frame header that asks for 2 GiB, and a block of one byte.
        let packed = b"\x28\xB5\x2F\xFD\x00\xA8\x09\0\0a".to_vec();
        assert_eq!(text(packed, 1 << 16).unwrap(), "a");
        assert!(UnpackError::Window.hints()[0].to_string().contains("zstd -dc --long=31"));
    }
}
