//! The integration tests: one binary, so that llama.cpp is linked once.
//!
//! A new test belongs to the module whose line describes it. Tests of a single function are beside it in `src`.
//! `tests/hostile.rs`, `tests/memory.rs` and `tests/soak.rs` measure a whole process, so each is a binary of its own.

#[path = "../support/mod.rs"]
mod support;

// The source and the documents.
mod architecture;
mod docs;
mod language;
mod packages;

// The library without llama.cpp: prompts, tokens and model files.
mod models;
mod plan;
mod prompt;
mod pull;
mod synth;
mod tokenizer_oracle;

// Decoding and the schedule, on the scripted backend.
mod answers;
mod pieces;
mod schedule;

// Remote engines, on stubs of the servers.
#[cfg(feature = "remote")]
mod remote;

// Labelling and evaluating, on the scripted backend.
mod eval;
mod inputs;
mod journal;
mod label;
mod records;
mod worker;

// The engine on the real llama.cpp.
mod engine;
mod exact;

// The command as its users run it.
mod agreement;
mod cli;
mod continued;
mod crashes;
mod daemon;
mod dev;
mod exits;
mod files;
mod gate;
mod integrations;
mod kept;
mod nano;
mod nano_texts;
mod python;
mod serve;
mod signals;
mod terminal;
mod waiting;
