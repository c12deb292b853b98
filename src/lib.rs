//! magistrate classifies text against a written policy, on your own machine, with gpt-oss-safeguard models that llama.cpp
//! runs from quantized GGUF files.

pub mod content;
pub mod harmony;
pub mod model;
pub mod policy;
pub mod prompt;
pub mod tokenizer;
pub mod verdict;

/// Bytes in lower-case hexadecimal.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
