//! Why a model file was refused, and what to do about it.

use std::path::PathBuf;

use crate::hint::{Hint, Hints};

use super::ggml::Type;
use super::header::GgufError;
use crate::tokenizer::TokenizerError;

/// A model file that cannot be used: which, why, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct ModelError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: Box<Problem>,
}

impl Hints for ModelError {
    fn hints(&self) -> Vec<Hint> {
        vec![Hint::new(self.problem.hint())]
    }
}

/// What can be wrong with a model file.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the variants and fields are")]
pub enum Problem {
    #[error("there is no such file")]
    NotFound,
    #[error("it is a folder")]
    Folder {
        /// The GGUF files in it, some of them if there are many.
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
    Unwritten(std::io::Error),
    #[error("its architecture is `{0}`, not `gpt-oss`")]
    Architecture(String),
    #[error("it is part {number} of a model in several files")]
    LaterPart { number: u32, first: PathBuf },
    #[error("it is one of {count} parts, but its name does not end with `-{number:05}-of-{count:05}.gguf`")]
    PartName { number: u32, count: u32 },
    #[error("the part {} is missing", .0.display())]
    MissingPart(PathBuf),
    #[error("it says that it is part {found} of {count}, not part {number}", found = found.map_or("?".into(), |found| found.to_string()))]
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
}

impl Problem {
    /// The problem of that file.
    pub(super) fn at(self, path: impl Into<PathBuf>) -> ModelError {
        ModelError { path: path.into(), problem: Box::new(self) }
    }

    fn hint(&self) -> String {
        const ANOTHER: &str = "take the GGUF of gpt-oss-safeguard for llama.cpp, as from \
            huggingface.co/unsloth/gpt-oss-safeguard-20b-GGUF";
        const AGAIN: &str = "the file is damaged or was made wrongly: fetch it again, or take another one";
        match self {
            Self::NotFound => "check the path; a model is given as the path of a .gguf file, or by its name in `magistrate model list`".into(),
            Self::Folder { files } if files.is_empty() => "name the .gguf file itself; this folder has none".into(),
            Self::Folder { files } => format!("name the file itself: {}", files.join(", ")),
            Self::NotAFile => "give the path of a .gguf file".into(),
            Self::Gguf(GgufError::Io(_)) => "check that it may be read, and that the disk is well".into(),
            Self::Gguf(GgufError::Magic([b'v', b'e', b'r', b's'])) => {
                "this looks like a Git LFS pointer, not the model: run `git lfs pull`".into()
            }
            Self::Gguf(GgufError::Magic(_)) | Self::Architecture(_) => ANOTHER.into(),
            Self::Gguf(GgufError::BigEndian) => {
                format!("it is for another kind of machine: {ANOTHER}")
            }
            Self::Gguf(GgufError::Version(_)) => format!("it is too old or too new: {ANOTHER}"),
            Self::Gguf(GgufError::Short { .. }) | Self::Truncated { .. } => {
                "the download is not complete: let it finish, or fetch it again".into()
            }
            Self::Ollama => "`magistrate model convert` makes a plain GGUF of it, or take one for llama.cpp, as from \
                 huggingface.co/unsloth/gpt-oss-safeguard-20b-GGUF"
                .into(),
            Self::NotOllama => "only a file whose architecture is `gptoss` needs converting".into(),
            Self::Unwritten(_) => "check the folder, and that there is room for another copy".into(),
            Self::LaterPart { first, .. } => format!("name the first part, {}", first.display()),
            Self::PartName { .. } | Self::PartNumber { .. } => {
                "give every part the name it was published under, all in one folder".into()
            }
            Self::MissingPart(_) => "put all parts into one folder, under the names they were published under".into(),
            Self::PartTensors { .. } | Self::RepeatedTensor(_) => {
                "the parts are not of the same model: fetch them again".into()
            }
            Self::Vocabulary(_) => {
                format!("the file was converted wrongly or is not gpt-oss: {ANOTHER}")
            }
            _ => AGAIN.into(),
        }
    }
}
