//! Chat completions: a policy and a text in, one answer of the policy out, in the form that the client knows.
//!
//! Files: `request` is the body, `messages` finds the text, `asked` finds the policy and the settings, `form` and `schema`
//! write the answer, `completion` and `events` wrap it.

mod asked;
mod completion;
mod events;
mod form;
mod messages;
mod property;
mod request;
mod schema;
#[cfg(test)]
mod tests;
mod words;

pub use asked::Asked;
pub use completion::{ChatCompletion, Made};
pub use events::answer as stream;
pub use messages::{Message, Words, read as conversation};
pub use request::{ChatRequest, InEffort, effort_named};
