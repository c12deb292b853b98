//! Reads numbers and strings of a header, and nothing beyond the end of the file.

use std::io::{self, BufReader, Read};

use super::error::GgufError;
use super::limits::ENTRY;

/// A file that is read from its beginning, within limits.
pub(super) struct Source<R> {
    inner: BufReader<R>,
    /// Bytes that were read.
    pub(super) place: u64,
    size: u64,
    /// Bytes that may still be read, or held in memory beside them.
    pub(super) room: u64,
}

impl<R: Read> Source<R> {
    /// Returns a source at the beginning of a file of `size` bytes. It reads at most `room` of them.
    pub(super) fn new(file: R, size: u64, room: u64) -> Self {
        let inner = BufReader::with_capacity(1 << 18, file);
        Self { inner, place: 0, size, room }
    }

    /// Checks that the file has another `length` bytes. Every read and every allocation is checked here first.
    pub(super) fn has(&self, what: &'static str, length: u64) -> Result<usize, GgufError> {
        if length > self.size.saturating_sub(self.place) {
            let (place, size) = (self.place, self.size);
            return Err(GgufError::Short { what, place, length, size });
        }
        if length > self.room {
            return Err(GgufError::Long);
        }
        usize::try_from(length).map_err(|_| GgufError::Long)
    }

    /// Counts another key or tensor, which takes room whatever its length.
    pub(super) fn entry(&mut self) -> Result<(), GgufError> {
        self.room = self.room.checked_sub(ENTRY).ok_or(GgufError::Long)?;
        Ok(())
    }

    fn fill(&mut self, what: &'static str, bytes: &mut [u8]) -> Result<(), GgufError> {
        let length = bytes.len() as u64;
        self.inner.read_exact(bytes).map_err(|error| match error.kind() {
            // The file has become shorter since its size was read.
            io::ErrorKind::UnexpectedEof => GgufError::Short { what, place: self.place, length, size: self.size },
            _ => error.into(),
        })?;
        self.pass(length);
        Ok(())
    }

    fn pass(&mut self, length: u64) {
        self.place += length;
        self.room = self.room.saturating_sub(length);
    }

    pub(super) fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], GgufError> {
        let mut bytes = [0; N];
        self.has(what, N as u64)?;
        self.fill(what, &mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, GgufError> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, what: &'static str) -> Result<u64, GgufError> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// Reads the elements of an array whose bytes were checked with [`Self::has`].
    pub(super) fn elements<T>(
        &mut self,
        count: u64,
        mut element: impl FnMut(&mut Self) -> Result<T, GgufError>,
    ) -> Result<Vec<T>, GgufError> {
        let mut elements = Vec::with_capacity(usize::try_from(count).unwrap_or_default());
        for _ in 0..count {
            elements.push(element(self)?);
        }
        Ok(elements)
    }

    /// Appends a string of any bytes.
    pub(super) fn append(&mut self, what: &'static str, bytes: &mut Vec<u8>) -> Result<(), GgufError> {
        let length = self.u64(what)?;
        let length = self.has(what, length)?;
        let start = bytes.len();
        if length > bytes.capacity() - start {
            // The capacity doubles, but not beyond the bytes that can still follow.
            let most = self.room.min(self.size.saturating_sub(self.place));
            bytes.reserve_exact(start.max(length).min(usize::try_from(most).unwrap_or(length)));
        }
        bytes.resize(start + length, 0);
        self.fill(what, &mut bytes[start..])
    }

    /// Reads a string that is UTF-8.
    pub(super) fn text(&mut self, what: impl FnOnce() -> String) -> Result<String, GgufError> {
        let mut bytes = Vec::new();
        self.append("a string", &mut bytes)?;
        String::from_utf8(bytes).map_err(|_| GgufError::Text { what: what() })
    }

    /// Reads a name: UTF-8 without a NUL, at which llama.cpp would cut it.
    pub(super) fn string(&mut self, what: &'static str) -> Result<String, GgufError> {
        let name = self.text(|| what.into())?;
        if name.contains('\0') {
            return Err(GgufError::Text { what: what.into() });
        }
        Ok(name)
    }

    /// Skips bytes that were checked with [`Self::has`].
    pub(super) fn skip(&mut self, length: u64) -> Result<(), GgufError> {
        let passed = io::copy(&mut self.inner.by_ref().take(length), &mut io::sink())?;
        self.pass(passed);
        if passed < length {
            let (place, size) = (self.place, self.size);
            return Err(GgufError::Short { what: "an array", place, length, size });
        }
        Ok(())
    }
}
