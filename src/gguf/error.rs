//! Errors of model files: the problem, and its remedies.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::ggml::Type;
use super::limits::LIMIT;
use crate::hint::{Hint, Hints};
use crate::text::{hex, shown};
use crate::tokenizer::TokenizerError;

/// A model file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct ModelError {
    /// Path of the file.
    pub path: PathBuf,
    /// The problem of the file.
    pub problem: Box<Problem>,
}

/// A problem of a model file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages describe the variants and fields")]
pub enum Problem {
    #[error("there is no such file")]
    NotFound,
    #[error("it is a folder")]
    Folder {
        /// GGUF files in it, at most three.
        files: Vec<String>,
    },
    #[error("it is neither a file nor a folder")]
    NotAFile,
    #[error(transparent)]
    Gguf(#[from] GgufError),
    #[error("it was made for Ollama's own engine: its architecture is `gptoss`, not `gpt-oss`")]
    Ollama,
    #[error("it was not made for Ollama's own engine")]
    NotOllama,
    #[error("it cannot be written: {0}")]
    Unwritten(io::Error),
    #[error("its architecture is `{0}`, not `gpt-oss`")]
    Architecture(String),
    #[error("it is part {number} of a model in several files")]
    LaterPart { number: u32, first: PathBuf },
    #[error("it is one of {count} parts, but its name does not end with `-{number:05}-of-{count:05}.gguf`")]
    PartName { number: u32, count: u32 },
    #[error("the part {} is missing", .0.display())]
    MissingPart(PathBuf),
    #[error("its header states part {found} of {count}, not part {number}", found = found.map_or("?".into(), |found| found.to_string()))]
    PartNumber { found: Option<u32>, number: u32, count: u32 },
    #[error("its parts should have {expected} tensors together, but have {found}")]
    PartTensors { expected: i64, found: usize },
    #[error("it has {size} bytes, but its tensors go on to byte {needed}")]
    Truncated { size: u64, needed: u64 },
    #[error("the key `{0}` is missing")]
    MissingKey(String),
    #[error("the value of `{key}` is not {wanted}")]
    KeyType { key: String, wanted: &'static str },
    #[error("the value of `{key}` is {value}, but should be {wanted}")]
    KeyValue { key: String, value: String, wanted: String },
    #[error("the tensor `{0}` is missing")]
    MissingTensor(String),
    #[error("the tensor `{0}` does not belong to a gpt-oss model")]
    UnknownTensor(String),
    #[error("the tensor `{0}` is in two parts")]
    RepeatedTensor(String),
    #[error("the tensor `{tensor}` has the shape {found:?}, not {wanted:?}")]
    TensorShape { tensor: String, found: [u64; 4], wanted: [u64; 4] },
    #[error("the tensor `{tensor}` has values of type {found}, not {wanted}")]
    TensorType { tensor: String, found: Type, wanted: &'static str },
    #[error("its vocabulary: {0}")]
    Vocabulary(#[from] TokenizerError),
    #[error("it is no tokenizer.json: {0}")]
    TokenizerJson(String),
}

/// A header that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages describe the variants and fields")]
pub enum GgufError {
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("it is not a GGUF file: it begins with {}", Beginning(.0))]
    Magic([u8; 4]),
    #[error("it is a big-endian GGUF file")]
    BigEndian,
    #[error("its GGUF version is {0}; 2 and 3 are known")]
    Version(u32),
    #[error("the file ends at {size} bytes, within its header ({what} at {place} would need {length} bytes)")]
    Short { what: &'static str, place: u64, length: u64, size: u64 },
    #[error("its header is larger than {} MB, more than any gpt-oss model has", LIMIT >> 20)]
    Long,
    #[error("{what} is not text")]
    Text { what: String },
    #[error("the key `{0}` occurs twice")]
    DuplicateKey(String),
    #[error("the value of `{key}` has the unknown type {kind}")]
    ValueType { key: String, kind: u32 },
    #[error("the alignment is not a power of two")]
    Alignment,
    #[error("the tensor `{0}` occurs twice")]
    DuplicateTensor(String),
    #[error("the name of a tensor, `{0}`, is longer than 63 bytes")]
    TensorName(String),
    #[error("the tensor `{tensor}` has the unknown type {kind}")]
    TensorType { tensor: String, kind: u32 },
    #[error("the tensor `{0}` has a shape that is not possible for its type")]
    Shape(String),
    #[error("the data of tensor `{tensor}` should begin at {expected}, not at {found}")]
    Offset { tensor: String, expected: u64, found: u64 },
}

/// The first bytes of a file, as text if they are printable ASCII, else in hexadecimal.
struct Beginning<'a>(&'a [u8; 4]);

impl fmt::Display for Beginning<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(self.0) {
            Ok(text) if text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') => {
                write!(out, "`{}`", shown(text))
            }
            _ => write!(out, "the bytes {}", hex(self.0)),
        }
    }
}

impl Problem {
    /// Returns the problem as the error of a file.
    pub(super) fn at(self, path: impl Into<PathBuf>) -> ModelError {
        ModelError { path: path.into(), problem: Box::new(self) }
    }
}

/// A file that can be used instead.
const ANOTHER: &str = "the GGUF file of gpt-oss-safeguard for llama.cpp, as from \
    huggingface.co/unsloth/gpt-oss-safeguard-20b-GGUF";

/// Returns a hint that names a file that can be used instead, after the reason.
fn another(reason: &str) -> Hint {
    Hint::new(format!("{reason}use {ANOTHER}"))
}

impl Hints for ModelError {
    fn hints(&self) -> Vec<Hint> {
        self.problem.hints()
    }
}

impl Hints for Problem {
    fn hints(&self) -> Vec<Hint> {
        let hint = match self {
            Self::Gguf(error) => return error.hints(),
            Self::NotFound => Hint::new("check the path, or use a name from `magistrate model list`"),
            Self::Folder { files } if files.is_empty() => {
                Hint::new("name the .gguf file itself; this folder has no such file")
            }
            Self::Folder { files } => Hint::new(format!("name the file itself: {}", files.join(", "))),
            Self::NotAFile => Hint::new("give the path of a .gguf file"),
            Self::Architecture(_) => another(""),
            Self::Truncated { .. } => incomplete(),
            Self::Ollama => Hint::new(format!("`magistrate model convert` makes a plain GGUF of it; or use {ANOTHER}")),
            Self::NotOllama => Hint::new("only a file whose architecture is `gptoss` needs converting"),
            Self::Unwritten(_) => Hint::new("check the folder, and that there is room for another copy"),
            Self::LaterPart { first, .. } => Hint::new(format!("name the first part, {}", first.display())),
            Self::PartName { .. } | Self::PartNumber { .. } => {
                Hint::new("give every part the name it was published under, all in one folder")
            }
            Self::MissingPart(_) => {
                Hint::new("put all parts into one folder, under the names they were published under")
            }
            Self::PartTensors { .. } | Self::RepeatedTensor(_) => {
                Hint::new("the parts are not of the same model: fetch them again")
            }
            Self::TokenizerJson(_) => Hint::new("fetch the file tokenizer.json of the model again"),
            Self::Vocabulary(_) => another("the file was converted wrongly or is not gpt-oss: "),
            Self::MissingKey(_)
            | Self::KeyType { .. }
            | Self::KeyValue { .. }
            | Self::MissingTensor(_)
            | Self::UnknownTensor(_)
            | Self::TensorShape { .. }
            | Self::TensorType { .. } => damaged(),
        };
        vec![hint]
    }
}

impl Hints for GgufError {
    fn hints(&self) -> Vec<Hint> {
        vec![match self {
            Self::Io(_) => Hint::new("check the file's permissions and the disk"),
            Self::Magic([b'v', b'e', b'r', b's']) => {
                Hint::new("this looks like a Git LFS pointer, not the model: run `git lfs pull`")
            }
            Self::Magic(_) => another(""),
            Self::BigEndian => another("it is for another kind of machine: "),
            Self::Version(_) => another("it is too old or too new: "),
            Self::Short { .. } => incomplete(),
            _ => damaged(),
        }]
    }
}

fn incomplete() -> Hint {
    Hint::new("the download is not complete: let it finish, or fetch it again")
}

fn damaged() -> Hint {
    Hint::new("the file is damaged or was made wrongly: fetch it again, or use another one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_file_is_shown_as_text_or_in_hexadecimal() {
        assert_eq!(GgufError::Magic(*b"<!DO").to_string(), "it is not a GGUF file: it begins with `<!DO`");
        let bytes = GgufError::Magic([0x1B, b'[', 0, 0xFF]);
        assert_eq!(bytes.to_string(), "it is not a GGUF file: it begins with the bytes 1b5b00ff");
    }
}
