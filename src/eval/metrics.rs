//! Figures of merit, equal to those of scikit-learn.
//!
//! Each is a function of weighted predictions, so a bootstrap resample is a set of weights and costs one pass. An undefined
//! figure follows scikit-learn, too: 0 where it returns 0, `None` where it returns NaN.

use serde::{Deserialize, Serialize};

use crate::calibration::interval::{Interval, bootstrap};

/// The expected and the given answer to the question "is it a violation?", or "is it of this category?".
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// The correct answer.
    pub expected: bool,
    /// The model's answer.
    pub answer: bool,
    /// The probability of `true`, from 0 to 1, if the model gave one.
    pub probability: Option<f64>,
}

/// The weighted number of predictions of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Confusion {
    /// Violations that are called violations.
    pub true_positive: f64,
    /// Others that are called violations.
    pub false_positive: f64,
    /// Violations that are not called violations.
    pub false_negative: f64,
    /// Others that are not called violations.
    pub true_negative: f64,
}

/// A figure with its interval of 95 %, by the percentile bootstrap over the rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The figure over all rows.
    pub value: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

/// All figures of a set of predictions. A figure is `None` if it is not defined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// The number of predictions.
    pub rows: u64,
    /// The number of violations among them.
    pub violations: u64,
    /// Share of right answers.
    pub accuracy: Option<Figure>,
    /// Share of violations among the rows that are called violations.
    pub precision: Option<Figure>,
    /// Share of the violations that are called violations.
    pub recall: Option<Figure>,
    /// Share of the other rows that are not called violations.
    pub specificity: Option<Figure>,
    /// Harmonic mean of precision and recall.
    pub f1: Option<Figure>,
    /// Matthews' correlation coefficient, from -1 to 1.
    pub mcc: Option<Figure>,
    /// Cohen's kappa: agreement beyond chance, from -1 to 1.
    pub kappa: Option<Figure>,
    /// Average precision, the area under the precision-recall curve.
    pub pr_auc: Option<Figure>,
}

/// The names of the figures in gates and tables.
pub const NAMES: [&str; 8] = ["accuracy", "precision", "recall", "specificity", "f1", "mcc", "kappa", "pr_auc"];

impl Confusion {
    /// Adds a prediction.
    #[must_use]
    pub fn with(mut self, expected: bool, answer: bool, weight: f64) -> Self {
        *match (expected, answer) {
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

    /// Returns the share of right answers.
    #[must_use]
    pub fn accuracy(&self) -> Option<f64> {
        share(self.true_positive + self.true_negative, self.all())
    }

    /// Returns the share of violations among the rows that are called violations.
    #[must_use]
    pub fn precision(&self) -> f64 {
        share(self.true_positive, self.true_positive + self.false_positive).unwrap_or(0.0)
    }

    /// Returns the share of the violations that are called violations.
    #[must_use]
    pub fn recall(&self) -> f64 {
        share(self.true_positive, self.true_positive + self.false_negative).unwrap_or(0.0)
    }

    /// Returns the share of the other rows that are not called violations.
    #[must_use]
    pub fn specificity(&self) -> f64 {
        share(self.true_negative, self.true_negative + self.false_positive).unwrap_or(0.0)
    }

    /// Returns the harmonic mean of precision and recall.
    #[must_use]
    pub fn f1(&self) -> f64 {
        let twice = 2.0 * self.true_positive;
        share(twice, twice + self.false_positive + self.false_negative).unwrap_or(0.0)
    }

    /// Returns Matthews' correlation coefficient.
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

    /// Returns Cohen's kappa: agreement beyond chance.
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

/// Returns the average precision: the sum over thresholds of precision times the gain of recall. Returns `None` without
/// a violation.
///
/// Each item is the probability, true for a violation, and the weight. The highest probability comes first.
#[must_use]
pub fn average_precision(sorted: impl IntoIterator<Item = (f64, bool, f64)>) -> Option<f64> {
    let (mut found, mut called, mut sum) = (0.0, 0.0, 0.0);
    let (mut at, mut gain) = (f64::NAN, 0.0);
    for (probability, violation, weight) in sorted {
        #[allow(clippy::float_cmp, reason = "equal probabilities are one threshold")]
        if probability != at {
            if called > 0.0 {
                sum += gain * (found / called);
            }
            (at, gain) = (probability, 0.0);
        }
        called += weight;
        if violation {
            found += weight;
            gain += weight;
        }
    }
    if called > 0.0 {
        sum += gain * (found / called);
    }
    share(sum, found)
}

impl Metrics {
    /// Computes the figures of predictions, with intervals.
    #[must_use]
    pub fn of(predictions: &[Prediction]) -> Self {
        if predictions.is_empty() {
            return Self::default();
        }
        let mut sorted: Vec<(f64, bool, usize)> = predictions
            .iter()
            .enumerate()
            .filter_map(|(index, prediction)| Some((prediction.probability?, prediction.expected, index)))
            .collect();
        sorted.sort_by(|one, other| other.0.total_cmp(&one.0));
        let whole = figures(predictions, &sorted, |_| 1.0);
        let intervals =
            bootstrap(predictions.len(), |weights| figures(predictions, &sorted, |index| f64::from(weights[index])));
        let figure = |at: usize| {
            let Interval { low, high } = intervals[at];
            whole[at].map(|value| Figure { value, low, high })
        };
        let [accuracy, precision, recall, specificity, f1, mcc, kappa, pr_auc] = std::array::from_fn(figure);
        let violations = predictions.iter().filter(|prediction| prediction.expected).count() as u64;
        let rows = predictions.len() as u64;
        Self { rows, violations, accuracy, precision, recall, specificity, f1, mcc, kappa, pr_auc }
    }

    /// Returns a figure by its name, which is one of [`NAMES`].
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

/// Computes the figures of weighted predictions, in the order of [`NAMES`].
///
/// `sorted` has the probability of each prediction, true for a violation, and the index, the highest probability first.
fn figures(
    predictions: &[Prediction],
    sorted: &[(f64, bool, usize)],
    weight: impl Fn(usize) -> f64,
) -> [Option<f64>; NAMES.len()] {
    let counts = predictions.iter().enumerate().fold(Confusion::default(), |counts, (index, prediction)| {
        counts.with(prediction.expected, prediction.answer, weight(index))
    });
    let sorted = sorted.iter().map(|(probability, violation, index)| (*probability, *violation, weight(*index)));
    [
        counts.accuracy(),
        Some(counts.precision()),
        Some(counts.recall()),
        Some(counts.specificity()),
        Some(counts.f1()),
        Some(counts.mcc()),
        counts.kappa(),
        average_precision(sorted),
    ]
}
