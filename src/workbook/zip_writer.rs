//! A ZIP archive that is written as a stream. The same parts give the same bytes.

use std::io::{self, Write};

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

/// An archive that is being written: one part after another, each packed.
pub(super) struct ZipWriter<W> {
    output: W,
    /// The number of bytes written.
    at: u64,
    part: Option<Part>,
    directory: Vec<u8>,
    count: u16,
}

/// The part that is being written.
struct Part {
    name: &'static str,
    number: Option<usize>,
    begins: u32,
    packer: DeflateEncoder<Vec<u8>>,
    crc: Crc,
    /// Bytes, before and after packing.
    size: u64,
    packed: u64,
}

/// Packed bytes that wait to be written, at most.
const PENDING: usize = 1 << 16;

/// Version 2.0, which packs by deflate.
const VERSION: u16 = 20;
/// The sizes come after the data, and names are UTF-8.
const FLAGS: u16 = 1 << 3 | 1 << 11;
const DEFLATE: u16 = 8;
/// Midnight of 1980-01-01, the first moment of the format. So the time of the writing leaves no trace.
const TIME: [u16; 2] = [0, 1 << 5 | 1];

impl<W: Write> ZipWriter<W> {
    pub fn new(output: W) -> Self {
        Self { output, at: 0, part: None, directory: Vec::new(), count: 0 }
    }

    /// Begins a part. A number goes before the ending of its name.
    pub fn begin(&mut self, name: &'static str, number: Option<usize>) -> io::Result<()> {
        let begins = fits(self.at)?;
        let part = Part {
            name,
            number,
            begins,
            packer: DeflateEncoder::new(Vec::new(), Compression::default()),
            crc: Crc::new(),
            size: 0,
            packed: 0,
        };
        let full_name = part.full_name();
        let mut header = b"PK\x03\x04".to_vec();
        let words = [VERSION, FLAGS, DEFLATE, TIME[0], TIME[1]];
        header.extend(words.into_iter().flat_map(u16::to_le_bytes));
        // The checksum and the sizes.
        header.extend([0; 12]);
        header.extend([length(&full_name), 0].into_iter().flat_map(u16::to_le_bytes));
        header.extend(full_name.as_bytes());
        self.part = Some(part);
        self.put(&header)
    }

    /// Adds bytes to the part that was begun.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(part) = &mut self.part else { return Ok(()) };
        part.crc.update(bytes);
        part.size += bytes.len() as u64;
        part.packer.write_all(bytes)?;
        if part.packer.get_ref().len() < PENDING {
            return Ok(());
        }
        let packed = std::mem::take(part.packer.get_mut());
        part.packed += packed.len() as u64;
        self.put(&packed)
    }

    /// Returns the size of the part so far, before packing.
    pub fn size(&self) -> u64 {
        self.part.as_ref().map_or(0, |part| part.size)
    }

    /// Ends the part.
    pub fn end(&mut self) -> io::Result<()> {
        let Some(part) = self.part.take() else { return Ok(()) };
        let name = part.full_name();
        let rest = part.packer.finish()?;
        self.put(&rest)?;
        let (packed, size) = (fits(part.packed + rest.len() as u64)?, fits(part.size)?);
        let sizes: Vec<u8> = [part.crc.sum(), packed, size].into_iter().flat_map(u32::to_le_bytes).collect();
        self.put(b"PK\x07\x08")?;
        self.put(&sizes)?;
        self.directory.extend(b"PK\x01\x02");
        let words = [VERSION, VERSION, FLAGS, DEFLATE, TIME[0], TIME[1]];
        self.directory.extend(words.into_iter().flat_map(u16::to_le_bytes));
        self.directory.extend(&sizes);
        self.directory.extend(length(&name).to_le_bytes());
        // Extra fields, a comment, the number of the disk and attributes: none.
        self.directory.extend([0; 12]);
        self.directory.extend(part.begins.to_le_bytes());
        self.directory.extend(name.as_bytes());
        self.count += 1;
        Ok(())
    }

    /// Writes a whole part.
    pub fn whole(&mut self, name: &'static str, text: &str) -> io::Result<()> {
        self.begin(name, None)?;
        self.write(text.as_bytes())?;
        self.end()
    }

    /// Writes the directory, and returns the output.
    pub fn finish(mut self) -> io::Result<W> {
        let (begins, directory) = (fits(self.at)?, std::mem::take(&mut self.directory));
        self.put(&directory)?;
        let mut end = b"PK\x05\x06\0\0\0\0".to_vec();
        end.extend([self.count, self.count].into_iter().flat_map(u16::to_le_bytes));
        end.extend([fits(directory.len() as u64)?, begins].into_iter().flat_map(u32::to_le_bytes));
        end.extend([0; 2]);
        self.put(&end)?;
        Ok(self.output)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.at += bytes.len() as u64;
        self.output.write_all(bytes)
    }
}

impl Part {
    fn full_name(&self) -> String {
        match (self.number, self.name.split_once('.')) {
            (Some(number), Some((stem, ending))) => format!("{stem}{number}.{ending}"),
            _ => self.name.to_owned(),
        }
    }
}

fn length(name: &str) -> u16 {
    u16::try_from(name.len()).unwrap_or(u16::MAX)
}

/// Returns a place or a size, if the format without extensions can state it. Excel does not open others.
fn fits(size: u64) -> io::Result<u32> {
    u32::try_from(size).map_err(|_| {
        io::Error::new(io::ErrorKind::FileTooLarge, "a workbook holds at most 4 GiB; write CSV or Parquet instead")
    })
}
