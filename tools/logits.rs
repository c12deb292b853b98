//! Prints the logits that llama.cpp computes behind each token of a sequence: `logits MODEL.gguf < TOKENS > LOGITS`.
//!
//! The input is a JSON array of token ids. The output is little-endian F32, a row of the vocabulary for each token. Keys and
//! values are F32 and flash attention is off, so that a trainer's own figures can be compared with these.

use std::error::Error;
use std::io::{Write, stdin, stdout};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use magistrate::engine::backend::Batch;
use magistrate::engine::{CacheType, EngineConfig, FlashAttention, llama};
use magistrate::gguf::inspect;
use magistrate::tokenizer::Token;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: logits MODEL.gguf < TOKENS > LOGITS")?;
    let tokens: Vec<u32> = serde_json::from_reader(stdin().lock())?;
    let config = EngineConfig::new(&path)
        .with_context(tokens.len().max(256))
        .with_flash_attention(FlashAttention::Off)
        .with_cache(CacheType::F32);
    let model = inspect(Path::new(&path))?;
    llama::with_backend(
        &model,
        &config,
        |_| true,
        &AtomicBool::new(false),
        |backend| {
            let limits = backend.limits();
            let seq = limits.seqs().next().ok_or("a backend without sequences")?;
            let mut batch = Batch::new(limits);
            let mut out = stdout().lock();
            // A batch takes fewer rows of logits than tokens.
            let most = limits.batch.min(limits.outputs);
            for (number, chunk) in tokens.chunks(most).enumerate() {
                batch.clear();
                let mut rows = Vec::new();
                for (place, &token) in chunk.iter().enumerate() {
                    let row = batch.push(Token(token), number * most + place, seq, true);
                    rows.push(row.ok_or("a batch is full before its limit")?);
                }
                backend.decode(&batch)?;
                for row in rows {
                    for logit in backend.logits(row) {
                        out.write_all(&logit.to_le_bytes())?;
                    }
                }
            }
            Ok(())
        },
    )?
}
