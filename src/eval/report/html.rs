//! The report as a page.

use std::collections::BTreeMap;

use minijinja::Environment;
use minijinja::value::{Serde, Value};
use serde::Serialize;

use super::curve::precision_recall;
use super::wording::title;
use crate::calibration::reliability::Reliability;
use crate::calibration::setup::EvaluationSetup;
use crate::eval::comparison::{Comparison, Flip};
use crate::eval::evaluated_row::EvaluatedRow;
use crate::eval::evaluation::Evaluation;
use crate::eval::gate::Gate;
use crate::eval::metrics::{Figure, Metrics, NAMES};
use crate::hint::{Hint, Hints};

/// The page's template cannot be filled.
#[derive(Debug, thiserror::Error)]
#[error("the report cannot be made")]
pub struct ReportError(#[from] minijinja::Error);

impl Hints for ReportError {
    fn hints(&self) -> Vec<Hint> {
        Vec::new()
    }
}

/// Returns the report as an HTML page, which needs no other file.
///
/// # Errors
///
/// [`ReportError`] if the template is wrong, which the tests rule out.
pub fn html(evaluation: &Evaluation) -> Result<String, ReportError> {
    let mut environment = Environment::new();
    environment.add_template("report.html", include_str!("../../../templates/report.html.jinja"))?;
    let page = Page::new(evaluation);
    Ok(environment.get_template("report.html")?.render(Value::from(Serde(&page)))?)
}

/// The values that the page's template is filled with.
#[derive(Serialize)]
struct Page<'run> {
    about: &'run EvaluationSetup,
    scores: &'run Metrics,
    figures: Vec<FigureTile>,
    verdicts: Vec<&'static str>,
    confusion: Vec<ConfusionRow>,
    tables: Vec<FigureTable<'run>>,
    calibration: Option<&'run Reliability>,
    curve: Vec<[f64; 2]>,
    undecided: &'run BTreeMap<String, u64>,
    unknown: u64,
    repeated: u64,
    gate: Option<GateResult>,
    comparison: Option<&'run Comparison>,
    flips: Vec<(&'run Flip, &'static str)>,
    tokens: u64,
    seconds: f64,
    wrong: usize,
    data: String,
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
    name: &'run str,
    scores: &'run Metrics,
}

/// A row of the evaluation, as the page's script reads it.
#[derive(Serialize)]
struct PageRow<'row> {
    n: u64,
    id: &'row Option<String>,
    text: &'row str,
    expected: String,
    said: String,
    p: Option<f64>,
    why: &'row Option<String>,
    reasoning: &'row Option<String>,
    slice: &'row Option<String>,
    wrong: bool,
    undecided: bool,
}

impl<'run> Page<'run> {
    fn new(evaluation: &'run Evaluation) -> Self {
        let figures = NAMES.iter().filter_map(|name| {
            let strict = evaluation.with_undecided.named(name).map(|figure| figure.value);
            Some(FigureTile { name: title(name), figure: evaluation.scores.named(name)?, strict })
        });
        let (verdicts, confusion) = confusion(evaluation);
        let tables = [
            FigureTable::new("Categories", "category", &evaluation.categories),
            FigureTable::new("Slices", "slice", &evaluation.slices),
        ];
        let comparison = evaluation.comparison.as_ref();
        let flips = comparison.into_iter().flat_map(|comparison| &comparison.flips);
        Self {
            about: &evaluation.about,
            scores: &evaluation.scores,
            figures: figures.collect(),
            verdicts,
            confusion,
            tables: tables.into_iter().filter(|table| !table.rows.is_empty()).collect(),
            calibration: evaluation.calibration.as_ref(),
            curve: precision_recall(&evaluation.rows),
            undecided: &evaluation.undecided,
            unknown: evaluation.unknown,
            repeated: evaluation.repeated,
            gate: evaluation.gate.as_ref().map(GateResult::new),
            comparison,
            flips: flips.map(|flip| (flip, flip.direction())).collect(),
            tokens: evaluation.tokens,
            seconds: evaluation.seconds,
            wrong: evaluation.rows.iter().filter(|row| row.is_wrong()).count(),
            data: data(&evaluation.rows),
        }
    }
}

impl GateResult {
    fn new(gate: &Gate) -> Self {
        let checks = gate.checks.iter().map(|check| (check.passed, check.to_string()));
        Self { passed: gate.passed, checks: checks.collect() }
    }
}

impl<'run> FigureTable<'run> {
    fn new(title: &'static str, of: &'static str, parts: &'run BTreeMap<String, Metrics>) -> Self {
        let rows = parts.iter().map(|(name, scores)| FigureTableRow { name, scores });
        Self { title, of, rows: rows.collect() }
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

/// Returns the rows as JSON for a script element, wrong ones first.
fn data(rows: &[EvaluatedRow]) -> String {
    let mut rows: Vec<&EvaluatedRow> = rows.iter().collect();
    rows.sort_by_key(|row| (!row.is_wrong(), row.number));
    let rows: Vec<PageRow<'_>> = rows.into_iter().map(PageRow::new).collect();
    // Only `<` could end the element.
    serde_json::to_string(&rows).unwrap_or_default().replace('<', "\\u003c")
}

impl<'row> PageRow<'row> {
    fn new(row: &'row EvaluatedRow) -> Self {
        Self {
            n: row.number,
            id: &row.id,
            text: &row.text,
            expected: row.expected.to_string(),
            said: row.answer(),
            p: row.probability,
            why: &row.rationale,
            reasoning: &row.reasoning,
            slice: &row.slice,
            wrong: row.is_wrong(),
            undecided: row.verdict.is_none(),
        }
    }
}
