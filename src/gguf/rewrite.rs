//! A GGUF file with another header over the same data.
//!
//! The one idea: what stands in the header is known entry by entry as bytes, so that what is not changed stays what it was,
//! and the tensors' data, which is nearly all of the file, is copied by the system and never looked at.
//!
//! What it is for: Ollama's gpt-oss blobs are plain files under other names. Source: Ollama's own loader,
//! `llama/compat/llama-ollama-compat.cpp`.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::error::{ModelError, Problem};
use super::header::{GgufError, Header, Tensor};
use super::inspect::{ModelFile, inspect};
use super::parts::{Part, open_header};
use crate::files::Draft;

/// The entries of a header, each as it stands.
pub struct Entries {
    /// Keys, and their values with the type before them, in bytes.
    pub metadata: Vec<(String, Vec<u8>)>,
    /// Tensors; their offsets are those of the data, which stays.
    pub tensors: Vec<Tensor>,
    /// The number of dimensions that each is written with.
    dimensions: Vec<u32>,
}

/// Makes a plain GGUF of one that was made for Ollama's own engine. Needs as much room on the disk again, and no memory.
///
/// # Errors
///
/// When the file is none of Ollama's, cannot be read or written, or what comes of it is no gpt-oss model. Nothing is left
/// behind then.
pub fn convert(from: &Path, to: &Path) -> Result<ModelFile, ModelError> {
    rewrite(from, to, |entries| {
        if entries.text("general.architecture").as_deref() != Some("gptoss") {
            return Err(Problem::NotOllama);
        }
        entries.set_text("general.architecture", "gpt-oss");
        for (key, _) in &mut entries.metadata {
            if let Some(rest) = key.strip_prefix("gptoss.") {
                *key = format!("gpt-oss.{rest}");
            }
        }
        let expert = entries.tensors.iter().find(|tensor| tensor.name == "blk.0.ffn_gate_exps.weight");
        let length = expert.and_then(|tensor| u32::try_from(tensor.shape[1]).ok());
        let key = "gpt-oss.expert_feed_forward_length";
        if let (Some(length), false) = (length, entries.has(key)) {
            entries.metadata.push((key.to_owned(), [4_u32.to_le_bytes(), length.to_le_bytes()].concat()));
        }
        if !entries.has("gpt-oss.rope.scaling.type") {
            entries.set_text("gpt-oss.rope.scaling.type", "yarn");
        }
        entries.set_text("tokenizer.ggml.pre", "gpt-4o");
        for Tensor { name, .. } in &mut entries.tensors {
            *name = name.replace(".attn_out.", ".attn_output.").replace(".ffn_norm.", ".post_attention_norm.");
            if name.ends_with(".attn_sinks") {
                name.push_str(".weight");
            }
        }
        Ok(())
    })?;
    let made = inspect(to).and_then(|model| model.tokenizer().map(|_| model));
    if made.is_err() {
        let _ = fs::remove_file(to);
    }
    made
}

/// Writes a file whose header is another's, edited, over the same data.
///
/// # Errors
///
/// When it cannot be read or written, or `edit` refuses.
pub fn rewrite(
    from: &Path,
    to: &Path,
    edit: impl FnOnce(&mut Entries) -> Result<(), Problem>,
) -> Result<(), ModelError> {
    let mut part = open_header(from)?;
    part.header.forget();
    let mut entries = Entries::of(&mut part).map_err(|error| Problem::Gguf(GgufError::Io(error)).at(from))?;
    edit(&mut entries).map_err(|problem| problem.at(from))?;
    let written = Draft::beside(to).and_then(|draft| {
        entries.write(&mut part, draft.file())?;
        draft.put()
    });
    written.map_err(|error| Problem::Unwritten(error).at(to))
}

impl Entries {
    fn of(part: &mut Part) -> io::Result<Self> {
        let Part { file, header: Header { tensors, length, .. }, .. } = part;
        let mut bytes = Vec::with_capacity(usize::try_from(*length).map_err(io::Error::other)?);
        file.seek(SeekFrom::Start(0))?;
        Read::by_ref(file).take(*length).read_to_end(&mut bytes)?;
        let mut reader = Reader { bytes: &bytes, at: 8 };
        reader.number(8)?;
        let keys = reader.number(8)?;
        let mut metadata = Vec::new();
        for _ in 0..keys {
            let key = reader.string()?;
            let start = reader.at;
            let kind = reader.number(4)?;
            reader.value(kind)?;
            metadata.push((key, bytes[start..reader.at].to_vec()));
        }
        let mut dimensions = Vec::new();
        for _ in 0..tensors.len() {
            reader.string()?;
            let count = u32::try_from(reader.number(4)?).unwrap_or(4);
            dimensions.push(count);
            reader.pass(u64::from(count) * 8 + 4 + 8)?;
        }
        Ok(Self { metadata, tensors: tensors.clone(), dimensions })
    }

    /// Whether there is a key.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.metadata.iter().any(|(other, _)| other == key)
    }

    /// The value of a key that is a text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<String> {
        let (_, value) = self.metadata.iter().find(|(other, _)| other == key)?;
        let text = value.strip_prefix(&8_u32.to_le_bytes())?.get(8..)?;
        String::from_utf8(text.to_vec()).ok()
    }

    /// Gives a key a text, where it stands or at the end.
    pub fn set_text(&mut self, key: &str, text: &str) {
        let mut value = 8_u32.to_le_bytes().to_vec();
        value.extend((text.len() as u64).to_le_bytes());
        value.extend(text.bytes());
        match self.metadata.iter_mut().find(|(other, _)| other == key) {
            Some((_, known)) => *known = value,
            None => self.metadata.push((key.to_owned(), value)),
        }
    }

    fn write(&self, part: &mut Part, mut file: &File) -> io::Result<()> {
        let mut header = BufWriter::new(file);
        self.write_header(&mut header)?;
        let length = header.stream_position()?;
        drop(header);
        let data = length.next_multiple_of(part.header.alignment);
        file.set_len(data)?;
        file.seek(SeekFrom::Start(data))?;
        part.file.seek(SeekFrom::Start(part.header.data))?;
        io::copy(&mut part.file, &mut file)?;
        file.sync_all()
    }

    fn write_header(&self, out: &mut impl Write) -> io::Result<()> {
        let string = |out: &mut dyn Write, text: &str| {
            out.write_all(&(text.len() as u64).to_le_bytes())?;
            out.write_all(text.as_bytes())
        };
        out.write_all(b"GGUF\x03\0\0\0")?;
        out.write_all(&(self.tensors.len() as u64).to_le_bytes())?;
        out.write_all(&(self.metadata.len() as u64).to_le_bytes())?;
        for (key, value) in &self.metadata {
            string(out, key)?;
            out.write_all(value)?;
        }
        for (tensor, dimensions) in self.tensors.iter().zip(&self.dimensions) {
            string(out, &tensor.name)?;
            out.write_all(&dimensions.to_le_bytes())?;
            for length in tensor.shape.iter().take(*dimensions as usize) {
                out.write_all(&length.to_le_bytes())?;
            }
            out.write_all(&tensor.kind.id.to_le_bytes())?;
            out.write_all(&tensor.offset.to_le_bytes())?;
        }
        Ok(())
    }
}

/// A header that was read once already, and found to be one.
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

    fn pass(&mut self, count: u64) -> io::Result<()> {
        self.take(count).map(|_| ())
    }

    fn number(&mut self, width: u64) -> io::Result<u64> {
        Ok(self.take(width)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn string(&mut self) -> io::Result<String> {
        let length = self.number(8)?;
        String::from_utf8(self.take(length)?.to_vec()).map_err(io::Error::other)
    }

    fn value(&mut self, kind: u64) -> io::Result<()> {
        match kind {
            0 | 1 | 7 => self.pass(1),
            2 | 3 => self.pass(2),
            4..=6 => self.pass(4),
            8 => {
                let length = self.number(8)?;
                self.pass(length)
            }
            9 => {
                let (kind, count) = (self.number(4)?, self.number(8)?);
                if kind == 9 {
                    return Err(io::ErrorKind::InvalidData.into()); // it was none when it was read before
                }
                (0..count).try_for_each(|_| self.value(kind))
            }
            _ => self.pass(8),
        }
    }
}
