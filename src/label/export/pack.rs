//! Packing of outputs: gzip or zstd.

use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

/// The packing of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
}

impl Packing {
    /// Returns the packing that a file's name implies.
    #[must_use]
    pub fn of_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "gz" => Some(Self::Gzip),
            "zst" => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// A writer that must be finished after the last write.
pub(super) trait Finish: Write + Send {
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// Returns a writer that packs its input.
pub(super) fn packed(file: impl Write + Send + 'static, packing: Option<Packing>) -> io::Result<Box<dyn Finish>> {
    Ok(match packing {
        None => Box::new(Plain(file)),
        Some(Packing::Gzip) => Box::new(GzEncoder::new(file, Compression::default())),
        #[cfg(feature = "zstd")]
        Some(Packing::Zstd) => Box::new(zstd::stream::write::Encoder::new(file, 0)?),
        #[cfg(not(feature = "zstd"))]
        Some(Packing::Zstd) => {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "this build lacks the feature `zstd`"));
        }
    })
}

struct Plain<W>(W);

impl<W: Write> Write for Plain<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Write + Send> Finish for Plain<W> {
    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Write + Send> Finish for GzEncoder<W> {
    fn finish(self: Box<Self>) -> io::Result<()> {
        GzEncoder::finish(*self)?.flush()
    }
}

#[cfg(feature = "zstd")]
impl<W: Write + Send> Finish for zstd::stream::write::Encoder<'_, W> {
    fn finish(self: Box<Self>) -> io::Result<()> {
        zstd::stream::write::Encoder::finish(*self)?.flush()
    }
}
