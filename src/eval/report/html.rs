//! The report as a page.

use std::collections::BTreeMap;

use minijinja::Environment;
use minijinja::value::{Serde, Value};
use serde::Serialize;

use super::curve::{merged, precision_recall};
use super::ladder::Plot;
use super::wording::{below_row, figures_of_all, threshold, title};
use crate::calibration::reliability::{Bin, Reliability};
use crate::calibration::setup::EvaluationSetup;
use crate::eval::comparison::{Comparison, Flip};
use crate::eval::evaluated_row::EvaluatedRow;
use crate::eval::evaluation::Evaluation;
use crate::eval::gate::Gate;
use crate::eval::metrics::{Figure, Metrics, NAMES};
use crate::eval::mistakes::{Counts, worst};
use crate::eval::thresholds::{AtThreshold, thresholds};
use crate::hint::{Hint, Hints};
use crate::label::report::{SCRIPT, STYLE};

/// The page's template cannot be filled.
#[derive(Debug, thiserror::Error)]
#[error("the report cannot be made")]
pub struct ReportError(#[from] minijinja::Error);

impl Hints for ReportError {
    fn hints(&self) -> Vec<Hint> {
        Vec::new()
    }
}

/// The templates of the page: itself, and its parts.
const TEMPLATES: [(&str, &str); 2] = [
    ("report.html", include_str!("../../../templates/report.html.jinja")),
    ("comparison.html", include_str!("../../../templates/page/comparison.html.jinja")),
];

/// Returns the report of the evaluations of a golden set as an HTML page, which needs no other file.
///
/// # Errors
///
/// [`ReportError`] if a template is wrong, which the tests rule out.
pub fn html(evaluations: &[Evaluation]) -> Result<String, ReportError> {
    let mut environment = Environment::new();
    for (name, source) in TEMPLATES {
        environment.add_template(name, source)?;
    }
    let page = Page::new(evaluations);
    Ok(environment.get_template("report.html")?.render(Value::from(Serde(&page)))?)
}

/// The values that the page's template is filled with.
#[derive(Serialize)]
struct Page<'run> {
    style: &'static str,
    script: &'static str,
    title: String,
    sections: Vec<Section<'run>>,
    /// Each figure with its values under the policies. `None` for a single policy.
    side: Option<Vec<(&'static str, Vec<String>)>>,
    comparisons: Vec<Versus>,
    data: String,
}

/// The comparison of two policies.
#[derive(Serialize)]
struct Versus {
    comparison: Comparison,
    flips: Vec<(Flip, String, &'static str)>,
}

/// The part of the page on one policy.
#[derive(Serialize)]
struct Section<'run> {
    about: &'run EvaluationSetup,
    threshold: String,
    date: Option<&'run String>,
    labels: Option<&'run String>,
    settings: Vec<(&'run String, String)>,
    counts: String,
    scores: &'run Metrics,
    figures: Vec<FigureTile>,
    verdicts: Vec<&'static str>,
    confusion: Vec<ConfusionRow>,
    thresholds: Vec<AtThreshold>,
    tables: Vec<FigureTable<'run>>,
    calibration: Option<&'run Reliability>,
    bins: Vec<Bin>,
    curve: Vec<[f64; 2]>,
    ladder: Option<Plot>,
    undecided: &'run BTreeMap<String, u64>,
    unknown: u64,
    repeated: u64,
    gate: Option<GateResult>,
    comparison: Option<&'run Comparison>,
    flips: Vec<(&'run Flip, String, &'static str)>,
    tokens: u64,
    seconds: f64,
    wrong: usize,
}

/// A gate's result, in words.
#[derive(Serialize)]
struct GateResult {
    passed: bool,
    checks: Vec<(bool, String)>,
}

#[derive(Serialize)]
struct FigureTile {
    name: &'static str,
    figure: Figure,
    /// The figure's value with undecided rows counted as wrong.
    strict: Option<f64>,
}

#[derive(Serialize)]
struct ConfusionRow {
    expected: &'static str,
    cells: Vec<u64>,
}

#[derive(Serialize)]
struct FigureTable<'run> {
    title: &'static str,
    of: &'static str,
    rows: Vec<FigureTableRow<'run>>,
}

#[derive(Serialize)]
struct FigureTableRow<'run> {
    name: String,
    scores: &'run Metrics,
}

/// A row of the evaluation, as the page's script reads it.
#[derive(Serialize)]
struct PageRow<'row> {
    place: String,
    id: &'row Option<String>,
    text: &'row str,
    expected: String,
    given: String,
    p: Option<f64>,
    why: &'row Option<String>,
    reasoning: &'row Option<String>,
    slice: &'row Option<String>,
    wrong: bool,
    undecided: bool,
}

impl<'run> Page<'run> {
    fn new(evaluations: &'run [Evaluation]) -> Self {
        let golden = evaluations.first().map_or("", |first| first.about.golden.as_str());
        let policies: Vec<&str> = evaluations.iter().map(|evaluation| evaluation.about.policy[0].as_str()).collect();
        let comparisons = match evaluations {
            [first, others @ ..] => others.iter().map(|other| Versus::new(first, other)).collect(),
            [] => Vec::new(),
        };
        Self {
            style: STYLE,
            script: SCRIPT,
            title: format!("{} on {golden}", policies.join(", ")),
            comparisons,
            sections: evaluations.iter().map(Section::new).collect(),
            side: (evaluations.len() > 1).then(|| figures_of_all(evaluations)),
            data: data(evaluations),
        }
    }
}

impl Versus {
    fn new(first: &Evaluation, other: &Evaluation) -> Self {
        let comparison = Comparison::of_policies(first, other);
        let flips = comparison.flips.iter().map(|flip| (flip.clone(), place(flip), flip.direction())).collect();
        Self { comparison, flips }
    }
}

impl<'run> Section<'run> {
    fn new(evaluation: &'run Evaluation) -> Self {
        let figures = NAMES.iter().filter_map(|name| {
            let strict = evaluation.with_undecided.named(name).map(|figure| figure.value);
            Some(FigureTile { name: title(name), figure: evaluation.scores.named(name)?, strict })
        });
        let (verdicts, confusion) = confusion(evaluation);
        let categories = evaluation.categories.iter().map(|(code, scores)| (evaluation.titled(code), scores));
        let slices = evaluation.slices_in_order().into_iter().map(|(name, scores)| (name.clone(), scores));
        let tables =
            [FigureTable::new("Categories", "category", categories), FigureTable::new("Slices", "slice", slices)];
        let comparison = evaluation.comparison.as_ref();
        let flips = comparison.into_iter().flat_map(|comparison| &comparison.flips);
        Self {
            about: &evaluation.about,
            threshold: threshold(evaluation),
            date: evaluation.date.as_ref(),
            labels: evaluation.labels.as_ref(),
            settings: settings(evaluation),
            counts: Counts::of(&evaluation.rows).to_string(),
            scores: &evaluation.scores,
            figures: figures.collect(),
            verdicts,
            confusion,
            thresholds: thresholds(&evaluation.rows),
            tables: tables.into_iter().filter(|table| !table.rows.is_empty()).collect(),
            calibration: evaluation.calibration.as_ref(),
            bins: evaluation.calibration.as_ref().map_or_else(Vec::new, |calibration| merged(&calibration.bins)),
            curve: precision_recall(&evaluation.rows),
            ladder: evaluation.ladder.as_ref().map(Plot::new),
            undecided: &evaluation.undecided,
            unknown: evaluation.unknown,
            repeated: evaluation.repeated,
            gate: evaluation.gate.as_ref().map(GateResult::new),
            comparison,
            flips: flips.map(|flip| (flip, place(flip), flip.direction())).collect(),
            tokens: evaluation.tokens,
            seconds: evaluation.seconds,
            wrong: evaluation.rows.iter().filter(|row| row.is_wrong()).count(),
        }
    }
}

fn place(flip: &Flip) -> String {
    below_row(&flip.place()).to_owned()
}

/// Returns the settings that were given, by name.
fn settings(evaluation: &Evaluation) -> Vec<(&String, String)> {
    let given = evaluation.about.terms.0.iter().filter(|(name, value)| {
        // These are above, and digests.
        !value.is_null() && !["policy", "model", "template", "effort"].contains(&name.as_str())
    });
    given.map(|(name, value)| (name, value.as_str().map_or_else(|| value.to_string(), str::to_owned))).collect()
}

impl GateResult {
    fn new(gate: &Gate) -> Self {
        let checks = gate.checks.iter().map(|check| (check.passed, check.to_string()));
        Self { passed: gate.passed, checks: checks.collect() }
    }
}

impl<'run> FigureTable<'run> {
    fn new(title: &'static str, of: &'static str, parts: impl Iterator<Item = (String, &'run Metrics)>) -> Self {
        Self { title, of, rows: parts.map(|(name, scores)| FigureTableRow { name, scores }).collect() }
    }
}

/// Returns the verdicts that occur, and for each expected one the number of rows with each verdict.
fn confusion(evaluation: &Evaluation) -> (Vec<&'static str>, Vec<ConfusionRow>) {
    let counts = &evaluation.confusion;
    let occurs = |verdict: &&'static str| {
        counts.contains_key(*verdict) || counts.values().any(|answers| answers.contains_key(*verdict))
    };
    let verdicts: Vec<&'static str> = ["violation", "safe", "review", "undecided"].into_iter().filter(occurs).collect();
    let rows = verdicts.iter().filter_map(|expected| {
        let answers = counts.get(*expected)?;
        let cells = verdicts.iter().map(|verdict| answers.get(*verdict).copied().unwrap_or(0)).collect();
        Some(ConfusionRow { expected, cells })
    });
    let rows = rows.collect();
    (verdicts, rows)
}

/// Returns the rows of each policy as JSON for a script element.
fn data(evaluations: &[Evaluation]) -> String {
    let sets: Vec<Vec<PageRow<'_>>> = evaluations.iter().map(PageRow::all).collect();
    // Only `<` could end the element.
    serde_json::to_string(&sets).unwrap_or_default().replace('<', "\\u003c")
}

impl<'row> PageRow<'row> {
    /// Returns the rows of an evaluation, wrong ones first.
    fn all(evaluation: &'row Evaluation) -> Vec<Self> {
        let right = evaluation.rows.iter().filter(|row| !row.is_wrong());
        worst(&evaluation.rows).into_iter().chain(right).map(Self::new).collect()
    }

    fn new(row: &'row EvaluatedRow) -> Self {
        Self {
            place: row.place(),
            id: &row.id,
            text: &row.text,
            expected: row.expected.to_string(),
            given: row.answer(),
            p: row.probability,
            why: &row.rationale,
            reasoning: &row.reasoning,
            slice: &row.slice,
            wrong: row.is_wrong(),
            undecided: row.verdict.is_none(),
        }
    }
}
