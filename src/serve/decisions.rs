//! Decisions in OpenAI's shape: questions about one text, each answered with the probabilities of its possible answers.
//!
//! Files: `request` is the body, `question` makes a policy of each question, `answer` writes the answers.

mod answer;
mod question;
mod request;

pub use answer::{Decision, answered};
pub use question::Asked;
pub use request::DecisionsRequest;
