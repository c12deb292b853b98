//! Writes a GGUF file with another header over the same data.
//!
//! An entry of the header that is not changed keeps its bytes. The tensors' data, which is nearly the whole file, is
//! copied by the system and never read here.
//!
//! Ollama's gpt-oss blobs are plain files with other names in their headers. Source: Ollama's own loader,
//! `llama/compat/llama-ollama-compat.cpp`.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom};
use std::path::Path;

use super::error::{GgufError, ModelError, Problem};
use super::inspect::inspect;
use super::model::ModelFile;
use super::parts::{Part, open_header};
use super::value::{kind, scalar};
use super::write::{RawHeader, RawTensor};
use crate::files::Draft;

/// Makes a plain GGUF file of a file that was made for Ollama's own engine. Needs disk space for a copy, and no memory.
///
/// # Errors
///
/// When the file was not made for Ollama, cannot be read or written, or its copy is not a gpt-oss model. No file is
/// left at `to` then.
pub fn convert(from: &Path, to: &Path) -> Result<ModelFile, ModelError> {
    rewrite(from, to, |header| {
        if header.text("general.architecture") != Some("gptoss") {
            return Err(Problem::NotOllama);
        }
        rename(header);
        Ok(())
    })?;
    let made = inspect(to).and_then(|model| model.tokenizer().map(|_| model));
    if made.is_err() {
        let _ = fs::remove_file(to);
    }
    made
}

/// Gives keys, values and tensors of Ollama's engine the names of llama.cpp.
fn rename(header: &mut RawHeader) {
    header.set_text("general.architecture", "gpt-oss");
    for (key, _) in &mut header.keys {
        if let Some(rest) = key.strip_prefix(b"gptoss.") {
            *key = [b"gpt-oss.", rest].concat();
        }
    }
    // llama.cpp demands the next two keys, and these files may lack them.
    let expert = header.tensors.iter().find(|tensor| tensor.name == b"blk.0.ffn_gate_exps.weight");
    let length = expert.and_then(|tensor| u32::try_from(*tensor.shape.get(1)?).ok());
    let key = "gpt-oss.expert_feed_forward_length";
    if let (Some(length), false) = (length, header.has(key)) {
        header.set(key, scalar(kind::U32, length.to_le_bytes()));
    }
    if !header.has("gpt-oss.rope.scaling.type") {
        header.set_text("gpt-oss.rope.scaling.type", "yarn");
    }
    header.set_text("tokenizer.ggml.pre", "gpt-4o");
    for RawTensor { name, .. } in &mut header.tensors {
        let plain = String::from_utf8_lossy(name);
        let mut plain = plain.replace(".attn_out.", ".attn_output.").replace(".ffn_norm.", ".post_attention_norm.");
        if plain.ends_with(".attn_sinks") {
            plain.push_str(".weight");
        }
        *name = plain.into_bytes();
    }
}

/// Writes a file whose header is that of another file after an edit, over the same data.
///
/// # Errors
///
/// When a file cannot be read or written, or `edit` refuses.
pub fn rewrite(
    from: &Path,
    to: &Path,
    edit: impl FnOnce(&mut RawHeader) -> Result<(), Problem>,
) -> Result<(), ModelError> {
    let mut part = open_header(from)?;
    // The header is read again below, byte by byte. Its parsed values would only take memory.
    part.header.forget();
    let mut header = raw_header(&mut part).map_err(|error| Problem::Gguf(GgufError::Io(error)).at(from))?;
    edit(&mut header).map_err(|problem| problem.at(from))?;
    let written = Draft::beside(to).and_then(|draft| {
        write(&header, &mut part, draft.file())?;
        draft.put()
    });
    written.map_err(|error| Problem::Unwritten(error).at(to))
}

fn raw_header(part: &mut Part) -> io::Result<RawHeader> {
    let length = part.header.length;
    let mut bytes = Vec::with_capacity(usize::try_from(length).map_err(io::Error::other)?);
    part.file.seek(SeekFrom::Start(0))?;
    Read::by_ref(&mut part.file).take(length).read_to_end(&mut bytes)?;
    // Versions 2 and 3 differ only in the byte orders that they allow.
    RawHeader::read(&bytes).map(|header| RawHeader { version: 3, ..header })
}

fn write(header: &RawHeader, part: &mut Part, mut file: &File) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    header.write(&mut out)?;
    // Asking for the position also writes out the buffer, and reports a failure of that.
    let length = out.stream_position()?;
    drop(out);
    let data = length.next_multiple_of(part.header.alignment);
    file.set_len(data)?;
    file.seek(SeekFrom::Start(data))?;
    part.file.seek(SeekFrom::Start(part.header.data))?;
    io::copy(&mut part.file, &mut file)?;
    file.sync_all()
}

impl RawHeader {
    /// Reads the entries of a header that [`super::header::Header`] accepts, as they are.
    ///
    /// # Errors
    ///
    /// When the bytes are not a whole header.
    pub fn read(bytes: &[u8]) -> io::Result<Self> {
        let mut reader = Reader { bytes, at: 4 };
        let mut header = Self { version: reader.u32()?, ..Self::empty() };
        let (tensors, keys) = (reader.u64()?, reader.u64()?);
        for _ in 0..keys {
            let key = reader.string()?;
            let start = reader.at;
            let kind = reader.u32()?;
            reader.pass_value(kind)?;
            header.keys.push((key, bytes[start..reader.at].to_vec()));
        }
        for _ in 0..tensors {
            let name = reader.string()?;
            let dimensions = reader.u32()?;
            let shape = (0..dimensions).map(|_| reader.u64()).collect::<io::Result<_>>()?;
            header.tensors.push(RawTensor { name, shape, kind: reader.u32()?, offset: reader.u64()? });
        }
        Ok(header)
    }
}

/// Reads a header that was read once already.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: u64) -> io::Result<&'a [u8]> {
        let end = usize::try_from(count).ok().and_then(|count| self.at.checked_add(count));
        let taken = end.and_then(|end| self.bytes.get(self.at..end)).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.at += taken.len();
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        self.take(N as u64)?.try_into().map_err(io::Error::other)
    }

    fn u32(&mut self) -> io::Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> io::Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn string(&mut self) -> io::Result<Vec<u8>> {
        let length = self.u64()?;
        self.take(length).map(<[u8]>::to_vec)
    }

    fn pass(&mut self, count: u64) -> io::Result<()> {
        self.take(count).map(|_| ())
    }

    fn pass_value(&mut self, kind: u32) -> io::Result<()> {
        match kind {
            0 | 1 | 7 => self.pass(1),
            2 | 3 => self.pass(2),
            4..=6 => self.pass(4),
            8 => {
                let length = self.u64()?;
                self.pass(length)
            }
            kind::ARRAY => {
                let (kind, count) = (self.u32()?, self.u64()?);
                if kind == kind::ARRAY {
                    return Err(io::ErrorKind::InvalidData.into()); // the header's own reader refuses it
                }
                (0..count).try_for_each(|_| self.pass_value(kind))
            }
            _ => self.pass(8),
        }
    }
}
