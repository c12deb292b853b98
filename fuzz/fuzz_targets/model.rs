//! Any bytes as the beginning of a model file: its description and its tokenizer.
#![no_main]

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use magistrate::gguf::{ModelError, inspect, tokenizer};
use magistrate::tokenizer::Tokenizer;

/// In memory where that can be had, one for each process.
static PATH: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    folder.join(format!("magistrate-fuzz-{}.gguf", std::process::id()))
});

fuzz_target!(|bytes: &[u8]| {
    let mut file = File::create(&*PATH).unwrap();
    file.write_all(bytes).unwrap();
    // A hole behind it, so that no tensor is refused for want of data.
    file.set_len(1 << 40).unwrap();
    let described = inspect(&PATH).and_then(|model| model.tokenizer());
    let alone = tokenizer(&PATH);
    fs::remove_file(&*PATH).unwrap();
    assert!(alone.is_ok() || described.is_err());
    check(described);
    check(alone);
});

fn check(found: Result<Tokenizer, ModelError>) {
    match found {
        Ok(tokenizer) => {
            let text = "<|start|> It's 12:30,\n  naïve \u{1F600}";
            assert_eq!(tokenizer.decode(&tokenizer.encode(text)), text.as_bytes());
        }
        Err(error) => {
            let text = error.to_string();
            let (message, hint) = text.split_once("\nhint: ").unwrap();
            for text in [message, hint] {
                assert!((10..500).contains(&text.len()) && !text.contains(char::is_control), "{text:?}");
            }
        }
    }
}
