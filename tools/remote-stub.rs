//! A stub of vLLM that answers at once: prints its address, and runs until it is killed. `scripts/bench-remote` uses it.

#[path = "../tests/support/mod.rs"]
mod support;

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use magistrate::harmony::Control;
use magistrate::tokenizer::Token;
use support::remote::{Program, moody};

fn main() -> Result<(), Box<dyn Error>> {
    let model = std::env::args().nth(1).ok_or("usage: remote-stub MODEL.gguf")?;
    let tokenizer = Arc::new(magistrate::gguf::tokenizer(Path::new(&model))?);
    let [no, yes] = ["0", "1"].map(|label| tokenizer.encode(label)[0]);
    let end = tokenizer.control(Control::Return);
    // No more than the answers of a policy with the labels 0 and 1.
    let answer = move |history: &[Token], logits: &mut [f32]| {
        let answered = history.last().is_some_and(|last| *last == no || *last == yes);
        logits[if answered { end } else { no }.0 as usize] = 20.0;
    };
    let stub = moody(Program::Vllm, &tokenizer, false, answer, |_, _, _, answer| answer);
    println!("{}", stub.url);
    loop {
        std::thread::park();
    }
}
