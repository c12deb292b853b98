//! Judges one text against a policy: `cargo run --release --example classify [MODEL]`.
//!
//! Without a model it uses the demonstration model of this repository, which knows six shipped policies only.

use magistrate::{Content, Effort, Engine, EngineConfig, Error, Outcome, Policy};

/// The text of a policy. A program of its own would read the policy's file.
const POLICY: &str = include_str!("../policies/spam.yaml");

const TEXT: &str = "WINNER!! You have been selected for a $1000 gift card. Reply YES to claim your prize now!";

fn main() -> Result<(), Error> {
    // An error in the policy names the line of the file.
    let policy = Policy::from_yaml("spam.yaml", POLICY)?;

    // Loading takes a second for a small model, and half a minute for a large one. Load once and judge many texts.
    let model = std::env::args().nth(1).unwrap_or_else(|| "models/magistrate-nano.gguf".to_owned());
    let engine = Engine::load(&EngineConfig::new(model))?;

    // A session decodes the policy once. Each text then costs only its own tokens.
    let session = engine.session(&policy, Effort::None)?;
    match session.classify(&Content::new(TEXT))?.outcome {
        Outcome::Verdict(judgement) => {
            println!("verdict: {}", judgement.verdict);
            println!("category: {}", judgement.category.as_deref().unwrap_or("none"));
            // A model that writes its answer freely gives no probabilities; this session scores the answers.
            if let Some(scores) = judgement.scores {
                println!("probability of a violation: {:.3}", scores.probability);
            }
        }
        // No verdict is not the verdict "safe": let a person decide.
        Outcome::Unresolved(reason) => {
            println!("no verdict: {reason}");
            for hint in Error::from(reason).hints() {
                println!("hint: {hint}");
            }
        }
    }
    Ok(())
}
