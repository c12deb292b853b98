//! The tests of policies: answers, faults and their reports, plain texts, the library, rendering, hostile input.

mod answers;
mod faults;
mod hostile;
mod import;
mod library;
mod lint;
mod plain;
mod rendering;

use super::*;
use crate::hint::{Hints as _, Setting};

/// Returns the hint of an error, with settings as flags. Empty if the error has no hint.
fn hint(error: &PolicyError) -> String {
    let flag = |setting: Setting, value: Option<&str>| format!("--{setting} {}", value.unwrap_or_default());
    error.hints().first().map(|hint| hint.render(flag)).unwrap_or_default()
}

/// A small policy that contains every part that a test changes.
const SMALL: &str = "\
id: small
title: Small
version: '1'
summary: For tests.
instruction: Decide.
contract:
  form: category
categories:
  - code: A0
    title: Talk
    verdict: safe
    criteria: [Words.]
  - code: A1.a
    title: Noise
    verdict: violation
    severity: low
    action: limit
    criteria: [Noise.]
  - code: A2
    title: Din
    verdict: violation
    criteria: [Much noise.]
examples:
  - text: Hush
    category: null
  - text: Bang
    category: A1.a
    why: It is loud.
";

/// The small policy with one passage replaced.
fn edited(from: &str, to: &str) -> Result<Policy, PolicyError> {
    assert_eq!(SMALL.matches(from).count(), 1, "{from:?} must stand once in the small policy");
    Policy::from_yaml("small.yaml", &SMALL.replace(from, to))
}

fn labels(text: &str) -> Vec<Label> {
    Contract::parse_labels(text).expect("the labels of a test are right")
}
