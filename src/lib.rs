//! magistrate classifies text against a written policy, on your own machine, with gpt-oss-safeguard models that llama.cpp
//! runs from quantized GGUF files.

pub mod content;
pub mod harmony;
pub mod tokenizer;
