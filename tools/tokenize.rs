//! Measures the tokenizer's speed on a text, beside the reference tokenizer and llama.cpp's: `tokenize MODEL.gguf TEXT`.
//!
//! All are timed on the text's first 64 KiB, because llama.cpp's is slow.

use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use magistrate::gguf::inspect;
use magistrate::tokenizer::Tokenizer;

const ROUNDS: usize = 9;

fn main() -> Result<(), Box<dyn Error>> {
    let [path, text] =
        std::env::args().skip(1).collect::<Vec<_>>().try_into().map_err(|_| "usage: tokenize MODEL.gguf TEXT")?;
    let text = std::fs::read_to_string(text)?;
    let text = &text[..text.floor_char_boundary(64 * 1024)];
    let start = Instant::now();
    let model = inspect(Path::new(&path))?;
    println!("inspect {:.1} ms", millis(start.elapsed()));
    let start = Instant::now();
    let tokenizer = Tokenizer::new(&model.vocabulary)?;
    println!("load    {:.1} ms", millis(start.elapsed()));
    let reference = tiktoken_rs::o200k_base()?;
    let ours = speed("magistrate", text, || tokenizer.encode(text).len());
    speed("tiktoken-rs", text, || reference.encode_ordinary(text).len());
    #[cfg(feature = "llama")]
    {
        let mut backend = llama_cpp_2::llama_backend::LlamaBackend::init()?;
        backend.void_logs();
        let params = llama_cpp_2::model::params::LlamaModelParams::default().with_vocab_only(true);
        let model = llama_cpp_2::model::LlamaModel::load_from_file(&backend, &path, &params)?;
        let theirs = speed("llama.cpp", text, || model.vocab().tokenize(text.as_bytes(), false, false).len());
        println!("magistrate is {:.0} times as fast as llama.cpp", ours / theirs);
    }
    #[cfg(not(feature = "llama"))]
    let _ = ours;
    Ok(())
}

/// Prints and returns the median speed in MB/s. A first call, before the timed rounds, is not counted.
fn speed(name: &str, text: &str, encode: impl Fn() -> usize) -> f64 {
    let tokens = black_box(encode());
    let mut rounds: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            black_box(encode());
            start.elapsed()
        })
        .collect();
    rounds.sort();
    let seconds = rounds[ROUNDS / 2].as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "a speed to be read")]
    let speed = text.len() as f64 / 1e6 / seconds;
    println!("{name:12} {tokens} tokens, {speed:.2} MB/s");
    speed
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
