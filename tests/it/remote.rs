//! Remote engines: a server gives the numbers that this machine would, and its faults cost rows and never a run.

mod chat;
mod command;
mod exact;
#[cfg(feature = "llama")]
mod llama_server;
mod refusals;
mod tls;

use std::sync::Arc;

use magistrate::engine::remote::{Connection, RemoteError, RemoteOptions};
use magistrate::engine::{Completion, Engine, Usage};
use magistrate::prompt::Templates;
use magistrate::random::Random;
use magistrate::tokenizer::{Token, Tokenizer};
use magistrate::verdict::Outcome;

use crate::support;
use crate::support::remote::{Program, Stub};

const EXACT: [Program; 3] = [Program::Vllm, Program::Sglang, Program::LlamaServer];

fn tokenizer() -> Arc<Tokenizer> {
    support::demonstration_tokenizer()
}

/// A model of noise: its logits depend on every token before. It ends a message at about every 16th token.
fn noise(history: &[Token], logits: &mut [f32]) {
    let seed = history.iter().fold(1_u64, |seed, token| (seed ^ u64::from(token.0)).wrapping_mul(0x0100_0000_01B3));
    let mut random = Random::new(seed);
    for logit in logits.iter_mut() {
        #[allow(clippy::cast_precision_loss, reason = "four digits")]
        let share = random.below(10_000) as f32 / 10_000.0;
        *logit = 8.0 * share;
    }
    if random.below(16) == 0 {
        let end = tokenizer().control(magistrate::harmony::Control::End).0 as usize;
        logits[end] = 9.0;
    }
}

fn connect(stub: &Stub) -> Result<Connection, RemoteError> {
    connect_with(&RemoteOptions::new(&*stub.url))
}

fn connect_with(options: &RemoteOptions) -> Result<Connection, RemoteError> {
    Connection::open(options, tokenizer(), "random.gguf")
}

fn engine(stub: &Stub) -> Engine {
    Engine::remote(connect(stub).unwrap(), Templates::shipped()).unwrap()
}

/// Returns the parts of a completion that do not depend on the order of sums.
fn fixed(completion: &Completion) -> String {
    let Completion { outcome, cascade, reasoning, probes, usage } = completion;
    let outcome = match outcome {
        Outcome::Verdict(judgement) => {
            format!("{:?} {} {:?} {:?}", judgement.verdict, judgement.label, judgement.category, judgement.rationale)
        }
        Outcome::Unresolved(why) => why.code().to_owned(),
    };
    let probes: Vec<_> = probes.iter().map(|probe| (probe.tokens, probe.verdict)).collect();
    // A server is asked for a whole tree of answers at once, where a sequence on this machine grows as far as it must.
    let usage = Usage { probes: 0, answer: 0, ..*usage };
    format!("{outcome} {:?} {reasoning:?} {probes:?} {usage:?}", cascade.map(|cascade| cascade.escalated))
}

/// Returns P(violation), the mass and the label's share.
fn numbers(completion: &Completion) -> [f64; 3] {
    match &completion.outcome {
        Outcome::Verdict(judgement) => {
            let scores = judgement.scores.unwrap();
            [scores.probability, scores.mass, scores.label_probability]
        }
        Outcome::Unresolved(_) => [0.0; 3],
    }
}
