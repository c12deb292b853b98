//! Gates: the figures that an evaluation must reach, and the most that they may fall below a baseline.
//!
//! Only a defined figure passes a gate, and only over texts of both classes. Rows without a verdict count as wrong.

mod checks;

use serde::{Deserialize, Serialize};

use super::metrics::NAMES;
use crate::hint::{Hint, Hints};

/// The least values of figures. Parsed from a list such as `f1=0.90,recall=0.85`.
#[derive(Clone, Debug, PartialEq)]
pub struct Floor(Vec<(String, f64)>);

/// The most that a figure may fall below a baseline, from 0 to 1.
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
    /// The figure's value. `None` if it is not defined.
    pub is: Option<f64>,
    /// The least value that passes.
    pub least: f64,
    /// The baseline's value on the same rows, if there is a baseline.
    pub before: Option<f64>,
    /// The result: true if the figure is high enough.
    pub passed: bool,
}

/// The reason why a gate cannot be read or applied.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// A part of a floor has another form.
    #[error("not of the form FIGURE=VALUE,...")]
    Form,
    /// A figure's name is unknown.
    #[error("figures are {}", NAMES.join(", "))]
    Figure,
    /// A floor is outside the range of its figure, or no number.
    #[error("{figure} is a number from {low} to 1, such as {figure}=0.9")]
    Floor {
        /// The figure's name.
        figure: String,
        /// The least value that the figure can have.
        low: f64,
    },
    /// A floor names one figure twice.
    #[error("{0} is named twice")]
    Twice(String),
    /// A fall is outside its range, or no number.
    #[error("not a number from 0 to 1")]
    Fall,
    /// The rows to check lack a class.
    #[error("{whose} has no {lacking}, so no gate can be passed")]
    OneClass {
        /// The rows that were to be checked.
        whose: &'static str,
        /// The class that is missing.
        lacking: &'static str,
    },
}

impl Hints for GateError {
    fn hints(&self) -> Vec<Hint> {
        Vec::new()
    }
}

impl std::str::FromStr for Floor {
    type Err = GateError;

    fn from_str(list: &str) -> Result<Self, GateError> {
        let mut floors: Vec<(String, f64)> = Vec::new();
        for part in list.split(',') {
            let (name, value) = part.split_once('=').ok_or(GateError::Form)?;
            let name = name.trim().to_lowercase().replace('-', "_");
            if !NAMES.contains(&name.as_str()) {
                return Err(GateError::Figure);
            }
            let low = if matches!(name.as_str(), "mcc" | "kappa") { -1.0 } else { 0.0 };
            let Some(value) = value.trim().parse().ok().filter(|value| (low..=1.0).contains(value)) else {
                return Err(GateError::Floor { figure: name, low });
            };
            if floors.iter().any(|(other, _)| *other == name) {
                return Err(GateError::Twice(name));
            }
            floors.push((name, value));
        }
        Ok(Self(floors))
    }
}

impl std::str::FromStr for Fall {
    type Err = GateError;

    fn from_str(text: &str) -> Result<Self, GateError> {
        let fall = text.parse().ok().filter(|fall| (0.0..=1.0).contains(fall));
        fall.map(Self).ok_or(GateError::Fall)
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
                write!(out, "{figure} fell from {before:.3} to {is} (allowed: {:.3})", before - least)
            }
        }
    }
}
