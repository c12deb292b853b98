//! Gates: what an evaluation must reach, and how far it may fall.
//!
//! The one idea: only a defined figure passes a gate, and only over texts of both classes. Rows without a verdict count
//! as wrong.

use serde::{Deserialize, Serialize};

use super::compare::shared;
use super::metrics::{Confusion, NAMES};
use super::{Evaluation, Row};
use crate::calibration::certificate::missing_class;

/// What figures must reach: `f1=0.90,recall=0.85`.
#[derive(Clone, Debug, PartialEq)]
pub struct Floor(Vec<(String, f64)>);

/// The most that a figure may fall: a share from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fall(f64);

/// The checks that an evaluation had to pass, and the result.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// The result: true if every check passed.
    pub passed: bool,
    /// The checks, figure by figure.
    pub checks: Vec<Check>,
}

/// A figure and the least value that it must have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The figure's name.
    pub figure: String,
    /// What it is; none if it is not defined.
    pub is: Option<f64>,
    /// What it must be, at least.
    pub least: f64,
    /// The baseline's value on the same rows, if there is a baseline.
    pub before: Option<f64>,
    /// The result: true if the figure is high enough.
    pub passed: bool,
}

/// Returns the values that a figure can take.
fn range(name: &str) -> std::ops::RangeInclusive<f64> {
    if matches!(name, "mcc" | "kappa") { -1.0..=1.0 } else { 0.0..=1.0 }
}

impl std::str::FromStr for Floor {
    type Err = String;

    /// Reads a list.
    fn from_str(list: &str) -> Result<Self, String> {
        let mut floors: Vec<(String, f64)> = Vec::new();
        for part in list.split(',') {
            let (name, value) = part.split_once('=').ok_or("not of the form FIGURE=VALUE,...")?;
            let name = name.trim().to_lowercase().replace('-', "_");
            if !NAMES.contains(&name.as_str()) {
                return Err(format!("figures are {}", NAMES.join(", ")));
            }
            let range = range(&name);
            let value = value.trim().parse().ok().filter(|value| range.contains(value)).ok_or_else(|| {
                format!("{name} is a number from {} to {}, such as {name}=0.9", range.start(), range.end())
            })?;
            if floors.iter().any(|(other, _)| *other == name) {
                return Err(format!("{name} is named twice"));
            }
            floors.push((name, value));
        }
        Ok(Self(floors))
    }
}

impl std::str::FromStr for Fall {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let drop = text.parse().ok().filter(|drop| (0.0..=1.0).contains(drop));
        drop.map(Self).ok_or_else(|| "not a number from 0 to 1".to_owned())
    }
}

impl Gate {
    /// Checks an evaluation against a floor, and against a baseline on the rows that both have.
    ///
    /// # Errors
    ///
    /// When the rows to check are all of one class, or there are none. The message says what is lacking.
    pub fn hold(
        now: &Evaluation,
        floor: Option<&Floor>,
        baseline: Option<(&Evaluation, Fall)>,
    ) -> Result<Option<Self>, String> {
        let mut checks = Vec::new();
        if let Some(Floor(floors)) = floor {
            both_classes(now.classes(), "the golden set")?;
            for (name, least) in floors {
                let is = defined(now, name);
                checks.push(Check::new(name, is, *least, None));
            }
        }
        if let Some((before, Fall(most))) = baseline {
            let (before, now) = shared(before, now);
            both_classes(now.classes(), "what the baseline and the golden set share")?;
            for name in NAMES {
                let Some(was) = defined(&before, name) else { continue };
                checks.push(Check::new(name, defined(&now, name), was - most, Some(was)));
            }
        }
        Ok((floor.is_some() || baseline.is_some())
            .then(|| Self { passed: checks.iter().all(|check| check.passed), checks }))
    }
}

impl Check {
    fn new(figure: &str, is: Option<f64>, least: f64, before: Option<f64>) -> Self {
        let passed = is.is_some_and(|is| is >= least);
        Self { figure: figure.to_owned(), is, least, before, passed }
    }
}

impl std::fmt::Display for Check {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { figure, is, least, before, passed } = self;
        let is = is.map_or_else(|| "not defined".to_owned(), |is| format!("{is:.3}"));
        match (before, passed) {
            (None, true) => write!(out, "{figure} is {is}, at least {least:.3}"),
            (None, false) => write!(out, "{figure} is {is}, and must be at least {least:.3}"),
            (Some(before), true) => write!(out, "{figure} was {before:.3} and is {is}"),
            (Some(before), false) => {
                write!(out, "{figure} fell from {before:.3} to {is}, and may fall by {:.3}", before - least)
            }
        }
    }
}

fn both_classes(classes: [u64; 2], whose: &str) -> Result<(), String> {
    match missing_class(classes) {
        Some(what) => Err(format!("{whose} has no {what}, so no gate can be passed")),
        None => Ok(()),
    }
}

/// Computes a figure with undecided rows counted as wrong. Returns `None` where it is 0 only by convention.
fn defined(evaluation: &Evaluation, name: &str) -> Option<f64> {
    let of = |counts: Confusion, row: &Row| {
        let (expected, said) = row.outcome();
        counts.with(expected, said.unwrap_or(!expected), 1.0)
    };
    let counts = evaluation.rows.iter().fold(Confusion::default(), of);
    counts.defines(name).then(|| evaluation.with_undecided.named(name))?.map(|figure| figure.value)
}
