//! Gates: what an evaluation must reach, and how far it may fall.

use super::Evaluation;
use super::metrics::NAMES;

/// What figures must reach: `f1=0.90,recall=0.85`.
#[derive(Clone, Debug, PartialEq)]
pub struct Floor(Vec<(String, f64)>);

/// A figure that did not pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Fallen {
    /// The figure.
    pub name: String,
    /// What it is; none if it is not defined.
    pub is: Option<f64>,
    /// What it must be, at least.
    pub least: f64,
}

impl std::str::FromStr for Floor {
    type Err = String;

    /// Reads a list.
    fn from_str(list: &str) -> Result<Self, String> {
        let floors = list.split(',').map(|part| {
            let (name, value) = part.split_once('=').ok_or("not of the form FIGURE=VALUE,...")?;
            let name = name.trim().to_lowercase().replace('-', "_");
            if !NAMES.contains(&name.as_str()) {
                return Err(format!("figures are {}", NAMES.join(", ")));
            }
            let value = value.trim().parse().map_err(|_| format!("`{}` is not a number", value.trim()))?;
            Ok((name, value))
        });
        floors.collect::<Result<_, String>>().map(Self)
    }
}

impl Floor {
    /// The figures that do not reach it, with undecided rows counted as wrong.
    #[must_use]
    pub fn fallen(&self, evaluation: &Evaluation) -> Vec<Fallen> {
        let figures = self.0.iter().map(|(name, least)| {
            let is = evaluation.with_undecided.named(name).map(|figure| figure.value);
            Fallen { name: name.clone(), is, least: *least }
        });
        figures.filter(|figure| figure.is.is_none_or(|is| is < figure.least)).collect()
    }
}

/// The figures that are lower than in an earlier evaluation by more than `most`.
#[must_use]
pub fn dropped(before: &Evaluation, now: &Evaluation, most: f64) -> Vec<Fallen> {
    let figures = NAMES.iter().filter_map(|name| {
        let (before, now) = (before.with_undecided.named(name)?, now.with_undecided.named(name));
        let least = before.value - most;
        Some(Fallen { name: (*name).to_owned(), is: now.map(|figure| figure.value), least })
    });
    figures.filter(|figure| figure.is.is_none_or(|is| is < figure.least)).collect()
}
