//! Figures of merit, as scikit-learn has them.
//!
//! The one idea: each is a function of weighted outcomes, so a bootstrap resample is a set of weights and costs one pass.
//! What an undefined figure is follows scikit-learn, too: 0 where it says 0, none where it says nan.

use serde::{Deserialize, Serialize};

use crate::calibration::interval::{Interval, bootstrap};

/// One outcome: was it a violation, was it said to be one, and how likely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Whether it is one.
    pub expected: bool,
    /// Whether it was said to be one.
    pub said: bool,
    /// P(violation), if there is one.
    pub probability: Option<f64>,
}

/// How many of each kind, weighted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Confusion {
    /// Violations that were found.
    pub true_positive: f64,
    /// Others that were called violations.
    pub false_positive: f64,
    /// Violations that were missed.
    pub false_negative: f64,
    /// Others that were left alone.
    pub true_negative: f64,
}

/// A figure with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The figure.
    pub value: f64,
    /// 95 % of resamples of the rows give a figure from here
    pub low: f64,
    /// to here.
    pub high: f64,
}

/// All figures of a set of outcomes. One that is not defined is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Outcomes.
    pub rows: u64,
    /// Those of them that are violations.
    pub violations: u64,
    /// Share that was right.
    pub accuracy: Option<Figure>,
    /// Share of those called violations that are.
    pub precision: Option<Figure>,
    /// Share of violations that was found.
    pub recall: Option<Figure>,
    /// Share of the others that was left alone.
    pub specificity: Option<Figure>,
    /// Harmonic mean of precision and recall.
    pub f1: Option<Figure>,
    /// Matthews' correlation coefficient.
    pub mcc: Option<Figure>,
    /// Cohen's kappa.
    pub kappa: Option<Figure>,
    /// Average precision, the area under the precision-recall curve.
    pub pr_auc: Option<Figure>,
}

/// The names of the figures, as a gate and a table name them.
pub const NAMES: [&str; 8] = ["accuracy", "precision", "recall", "specificity", "f1", "mcc", "kappa", "pr_auc"];

impl Confusion {
    /// The same with one more.
    #[must_use]
    pub fn with(mut self, expected: bool, said: bool, weight: f64) -> Self {
        *match (expected, said) {
            (true, true) => &mut self.true_positive,
            (false, true) => &mut self.false_positive,
            (true, false) => &mut self.false_negative,
            (false, false) => &mut self.true_negative,
        } += weight;
        self
    }

    fn all(&self) -> f64 {
        self.true_positive + self.false_positive + self.false_negative + self.true_negative
    }

    /// Share that was right.
    #[must_use]
    pub fn accuracy(&self) -> Option<f64> {
        share(self.true_positive + self.true_negative, self.all())
    }

    /// Share of those called violations that are.
    #[must_use]
    pub fn precision(&self) -> f64 {
        share(self.true_positive, self.true_positive + self.false_positive).unwrap_or(0.0)
    }

    /// Share of violations that was found.
    #[must_use]
    pub fn recall(&self) -> f64 {
        share(self.true_positive, self.true_positive + self.false_negative).unwrap_or(0.0)
    }

    /// Share of the others that was left alone.
    #[must_use]
    pub fn specificity(&self) -> f64 {
        share(self.true_negative, self.true_negative + self.false_positive).unwrap_or(0.0)
    }

    /// Harmonic mean of precision and recall.
    #[must_use]
    pub fn f1(&self) -> f64 {
        let twice = 2.0 * self.true_positive;
        share(twice, twice + self.false_positive + self.false_negative).unwrap_or(0.0)
    }

    /// Matthews' correlation coefficient.
    #[must_use]
    pub fn mcc(&self) -> f64 {
        let Self { true_positive: tp, false_positive: fp, false_negative: fne, true_negative: tn } = *self;
        let scale = (tp + fp) * (tp + fne) * (tn + fp) * (tn + fne);
        if scale > 0.0 { (tp * tn - fp * fne) / scale.sqrt() } else { 0.0 }
    }

    /// Returns false for a figure that is 0 only by convention, such as precision where no violation was found.
    #[must_use]
    pub fn defines(&self, name: &str) -> bool {
        let Self { true_positive: tp, false_positive: fp, false_negative: fne, true_negative: tn } = *self;
        let is_there = |count: f64| count > 0.0;
        match name {
            "precision" => is_there(tp + fp),
            "recall" | "pr_auc" => is_there(tp + fne),
            "specificity" => is_there(tn + fp),
            "f1" => is_there(tp + fp + fne),
            "mcc" => is_there((tp + fp) * (tp + fne) * (tn + fp) * (tn + fne)),
            _ => is_there(self.all()),
        }
    }

    /// Cohen's kappa: agreement beyond chance.
    #[must_use]
    pub fn kappa(&self) -> Option<f64> {
        let Self { true_positive: tp, false_positive: fp, false_negative: fne, true_negative: tn } = *self;
        let all = self.all();
        let chance = share((tp + fp) * (tp + fne) + (tn + fne) * (tn + fp), all * all)?;
        share(share(tp + tn, all)? - chance, 1.0 - chance)
    }
}

fn share(part: f64, whole: f64) -> Option<f64> {
    (whole.abs() > 0.0).then(|| part / whole)
}

/// Average precision: the sum over thresholds of precision times what recall gains there. `sorted` has the highest
/// probability first, with whether it is a violation and its weight. None without a violation.
#[must_use]
pub fn average_precision(sorted: impl IntoIterator<Item = (f64, bool, f64)>) -> Option<f64> {
    let (mut found, mut said, mut sum) = (0.0, 0.0, 0.0);
    let (mut at, mut gain) = (f64::NAN, 0.0);
    for (probability, violation, weight) in sorted {
        #[allow(clippy::float_cmp, reason = "equal probabilities are one threshold")]
        if probability != at {
            if said > 0.0 {
                sum += gain * (found / said);
            }
            (at, gain) = (probability, 0.0);
        }
        said += weight;
        if violation {
            found += weight;
            gain += weight;
        }
    }
    if said > 0.0 {
        sum += gain * (found / said);
    }
    share(sum, found)
}

impl Scores {
    /// The figures of these outcomes, with intervals.
    #[must_use]
    pub fn of(outcomes: &[Spread]) -> Self {
        let figure = |value: &dyn Fn(&Confusion) -> Option<f64>| {
            let of = |weights: &dyn Fn(usize) -> f64| {
                let counts = outcomes.iter().enumerate().fold(Confusion::default(), |counts, (index, outcome)| {
                    counts.with(outcome.expected, outcome.said, weights(index))
                });
                value(&counts)
            };
            Figure::of(outcomes.len(), &of)
        };
        let mut sorted: Vec<(f64, bool, usize)> = outcomes
            .iter()
            .enumerate()
            .filter_map(|(index, outcome)| Some((outcome.probability?, outcome.expected, index)))
            .collect();
        sorted.sort_by(|one, other| other.0.total_cmp(&one.0));
        let area = |weights: &dyn Fn(usize) -> f64| {
            average_precision(
                sorted.iter().map(|(probability, violation, index)| (*probability, *violation, weights(*index))),
            )
        };
        let violations = outcomes.iter().filter(|outcome| outcome.expected).count();
        Self {
            rows: outcomes.len() as u64,
            violations: violations as u64,
            accuracy: figure(&Confusion::accuracy),
            precision: figure(&|counts| Some(counts.precision())),
            recall: figure(&|counts| Some(counts.recall())),
            specificity: figure(&|counts| Some(counts.specificity())),
            f1: figure(&|counts| Some(counts.f1())),
            mcc: figure(&|counts| Some(counts.mcc())),
            kappa: figure(&Confusion::kappa),
            pr_auc: if violations > 0 { Figure::of(outcomes.len(), &area) } else { None },
        }
    }

    /// A figure by its name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<Figure> {
        match name {
            "accuracy" => self.accuracy,
            "precision" => self.precision,
            "recall" => self.recall,
            "specificity" => self.specificity,
            "f1" => self.f1,
            "mcc" => self.mcc,
            "kappa" => self.kappa,
            "pr_auc" => self.pr_auc,
            _ => None,
        }
    }
}

/// A figure, from what each row weighs.
type Value<'run> = &'run dyn Fn(&dyn Fn(usize) -> f64) -> Option<f64>;

impl Figure {
    /// A figure of so many rows, and of their resamples. It is given what each row weighs.
    fn of(rows: usize, value: Value<'_>) -> Option<Self> {
        let whole = if rows == 0 { None } else { value(&|_| 1.0) }?;
        let Interval { low, high } = bootstrap(rows, |weights| value(&|index| f64::from(weights[index])));
        Some(Self { value: whole, low, high })
    }
}
