//! An evaluation to be read: as a page, as Markdown, as text.
//!
//! The one idea: the page is one file that requests nothing. A stranger's text stays text in every format. Errors come
//! first.

use std::collections::BTreeMap;

use minijinja::Environment;
use minijinja::value::{Serde, Value};
use serde::Serialize;

use super::compare::{Comparison, Flip, said};
use super::gate::{Check, Gate};
use super::metrics::{Figure, NAMES, Scores};
use super::{Evaluation, EvaluationSetup, Row, harmless, probabilities};
use crate::calibration::reliability::Reliability;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
#[error("the report cannot be made")]
pub struct ReportError(#[from] minijinja::Error);

/// Points of a curve, at most: more are not seen.
const POINTS: usize = 200;

/// A row as the page shows it.
#[derive(Serialize)]
struct Shown<'row> {
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

/// The page.
///
/// # Errors
///
/// [`ReportError`], if the template is wrong, which the tests rule out.
pub fn html(evaluation: &Evaluation) -> Result<String, ReportError> {
    let mut environment = Environment::new();
    environment.add_template("report.html", include_str!("../../templates/report.html.jinja"))?;
    let mut rows: Vec<&Row> = evaluation.rows.iter().collect();
    rows.sort_by_key(|row| (!row.is_wrong(), row.number));
    let rows: Vec<Shown<'_>> = rows.into_iter().map(shown).collect();
    // In a script element only `<` could end it.
    let data = serde_json::to_string(&rows).unwrap_or_default().replace('<', "\\u003c");
    let figures = NAMES.iter().filter_map(|name| {
        let strict = evaluation.with_undecided.named(name).map(|figure| figure.value);
        Some(Headline { name: title(name), figure: evaluation.scores.named(name)?, strict })
    });
    let verdicts: Vec<&str> = ["violation", "safe", "review", "undecided"]
        .into_iter()
        .filter(|verdict| {
            evaluation.confusion.contains_key(*verdict)
                || evaluation.confusion.values().any(|said| said.contains_key(*verdict))
        })
        .collect();
    let confusion = verdicts.iter().filter_map(|expected| {
        let said = evaluation.confusion.get(*expected)?;
        Some(Expected {
            expected,
            cells: verdicts.iter().map(|verdict| said.get(*verdict).copied().unwrap_or(0)).collect(),
        })
    });
    let page = Page {
        figures: figures.collect(),
        confusion: confusion.collect(),
        verdicts: &verdicts,
        tables: [
            Table { title: "Categories", of: "category", rows: parts(&evaluation.categories) },
            Table { title: "Slices", of: "slice", rows: parts(&evaluation.slices) },
        ]
        .into_iter()
        .filter(|table| !table.rows.is_empty())
        .collect(),
        curve: curve(evaluation),
        wrong: evaluation.rows.iter().filter(|row| row.is_wrong()).count(),
        data,
        about: &evaluation.about,
        scores: &evaluation.scores,
        calibration: evaluation.calibration.as_ref(),
        undecided: &evaluation.undecided,
        unknown: evaluation.unknown,
        repeated: evaluation.repeated,
        gate: evaluation.gate.as_ref().map(|gate| Outcome {
            passed: gate.passed,
            checks: gate.checks.iter().map(|check| (check.passed, check.to_string())).collect(),
        }),
        comparison: evaluation.comparison.as_ref(),
        flips: evaluation.comparison.iter().flat_map(|all| &all.flips).map(|flip| (flip, flip.direction())).collect(),
        tokens: evaluation.tokens,
        seconds: evaluation.seconds,
    };
    Ok(environment.get_template("report.html")?.render(Value::from(Serde(&page)))?)
}

/// What the page's template is filled from.
#[derive(Serialize)]
struct Page<'run> {
    about: &'run EvaluationSetup,
    scores: &'run Scores,
    figures: Vec<Headline>,
    verdicts: &'run [&'run str],
    confusion: Vec<Expected<'run>>,
    tables: Vec<Table<'run>>,
    calibration: Option<&'run Reliability>,
    curve: Vec<[f64; 2]>,
    undecided: &'run BTreeMap<String, u64>,
    unknown: u64,
    repeated: u64,
    gate: Option<Outcome>,
    comparison: Option<&'run Comparison>,
    flips: Vec<(&'run Flip, &'static str)>,
    tokens: u64,
    seconds: f64,
    wrong: usize,
    data: String,
}

/// A gate's result, in words.
#[derive(Serialize)]
struct Outcome {
    passed: bool,
    checks: Vec<(bool, String)>,
}

#[derive(Serialize)]
struct Headline {
    name: &'static str,
    figure: Figure,
    strict: Option<f64>,
}

#[derive(Serialize)]
struct Expected<'run> {
    expected: &'run str,
    cells: Vec<u64>,
}

#[derive(Serialize)]
struct Table<'run> {
    title: &'static str,
    of: &'static str,
    rows: Vec<Part<'run>>,
}

#[derive(Serialize)]
struct Part<'run> {
    name: &'run str,
    scores: &'run Scores,
}

fn shown(row: &Row) -> Shown<'_> {
    Shown {
        n: row.number,
        id: &row.id,
        text: &row.text,
        expected: row.expected.to_string(),
        said: said(row),
        p: row.probability,
        why: &row.rationale,
        reasoning: &row.reasoning,
        slice: &row.slice,
        wrong: row.is_wrong(),
        undecided: row.verdict.is_none(),
    }
}

fn title(name: &'static str) -> &'static str {
    match name {
        "f1" => "F1",
        "mcc" => "MCC",
        "pr_auc" => "PR-AUC",
        other => other,
    }
}

fn parts(scores: &BTreeMap<String, Scores>) -> Vec<Part<'_>> {
    scores.iter().map(|(name, scores)| Part { name, scores }).collect()
}

/// Recall and precision at each threshold, from the strictest.
fn curve(evaluation: &Evaluation) -> Vec<[f64; 2]> {
    let mut rows = probabilities(&evaluation.rows);
    rows.sort_by(|one, other| other.1.total_cmp(&one.1));
    let violations = rows.iter().filter(|(violation, _)| *violation).count();
    if violations == 0 {
        return Vec::new();
    }
    let (mut found, mut points) = (0, Vec::new());
    for (said, (violation, probability)) in rows.iter().enumerate() {
        found += usize::from(*violation);
        #[allow(clippy::float_cmp, reason = "equal probabilities are one threshold")]
        let last_of_its_own = rows.get(said + 1).is_none_or(|next| next.1 != *probability);
        if last_of_its_own {
            #[allow(clippy::cast_precision_loss, reason = "rows of an evaluation")]
            points.push([found as f64 / violations as f64, found as f64 / (said + 1) as f64]);
        }
    }
    let step = points.len().div_ceil(POINTS).max(1);
    let last = points.last().copied();
    let mut points: Vec<[f64; 2]> = points.into_iter().step_by(step).collect();
    if let Some(last) = last
        && points.last() != Some(&last)
    {
        points.push(last);
    }
    points
}

fn figure(figure: Option<Figure>) -> String {
    figure
        .map_or_else(|| "–".to_owned(), |figure| format!("{:.3} ({:.3}–{:.3})", figure.value, figure.low, figure.high))
}

/// For a pull request.
#[must_use]
pub fn markdown(evaluation: &Evaluation) -> String {
    let Evaluation { about, scores, with_undecided, .. } = evaluation;
    let mut text = format!(
        "## {} on {}\n\n{}, effort {}: {} rows, {} of them violations{}.\n\n",
        cell(&about.policy[0]),
        cell(&about.golden),
        cell(&about.model[0]),
        about.effort,
        scores.rows,
        scores.violations,
        entities(&undecided(evaluation))
    );
    if let Some(gate) = &evaluation.gate {
        text.push_str(&format!("**Gate {}.**\n\n", if gate.passed { "passed" } else { "failed" }));
        text.extend(
            gate.checks.iter().map(|check| format!("- {}{check}\n", if check.passed { "" } else { "**failed**: " })),
        );
        text.push('\n');
    }
    if let Some(comparison) = &evaluation.comparison {
        text.push_str(&markdown_comparison(comparison));
    }
    text.push_str("| figure | value (95 %) | undecided counted as wrong |\n|---|---|---|\n");
    for name in NAMES {
        let strict = with_undecided.named(name).map_or("–".to_owned(), |figure| format!("{:.3}", figure.value));
        text.push_str(&format!("| {} | {} | {strict} |\n", title(name), figure(scores.named(name))));
    }
    if let Some(calibration) = &evaluation.calibration {
        text.push_str(&format!("\nCalibration: Brier {:.4}, ECE {:.4}.\n", calibration.brier, calibration.ece));
    }
    for (what, table) in [("category", &evaluation.categories), ("slice", &evaluation.slices)] {
        if table.is_empty() {
            continue;
        }
        text.push_str(&format!("\n| {what} | rows | precision | recall | F1 |\n|---|---|---|---|---|\n"));
        for (name, scores) in table {
            let [precision, recall, f1] = [scores.precision, scores.recall, scores.f1].map(figure);
            let support = if what == "category" { scores.violations } else { scores.rows };
            text.push_str(&format!("| {} | {support} | {precision} | {recall} | {f1} |\n", cell(name)));
        }
    }
    let wrong: Vec<&Row> = evaluation.rows.iter().filter(|row| row.is_wrong()).collect();
    if !wrong.is_empty() {
        text.push_str(&format!("\n<details><summary>{} errors</summary>\n\n", wrong.len()));
        text.push_str("| row | text | expected | said | P |\n|---|---|---|---|---|\n");
        for row in wrong.iter().take(ERRORS) {
            let probability = row.probability.map_or("–".to_owned(), |probability| format!("{probability:.3}"));
            let (expected, said) = (row.expected.to_string(), said(row));
            let (expected, said) = (cell(&expected), cell(&said));
            text.push_str(&format!("| {} | {} | {expected} | {said} | {probability} |\n", row.number, cell(&row.text)));
        }
        text.push_str("\n</details>\n");
    }
    text
}

/// Errors that Markdown lists.
const ERRORS: usize = 50;

/// Writes a comparison as Markdown, for a pull request.
fn markdown_comparison(comparison: &Comparison) -> String {
    let Comparison { names: [one, _], rows, both, first, second, neither, p_value, terms, flips } = comparison;
    let mut text = format!(
        "Against the baseline {}, on the {rows} rows of both: {second} mended, {first} broken, {both} still right, \
         {neither} still wrong; McNemar p = {p_value:.4}.\n\n",
        cell(one)
    );
    if !terms.is_empty() {
        text.push_str(&format!("Made under other terms: {}.\n\n", cell(&terms.join("; "))));
    }
    if !flips.is_empty() {
        text.push_str("| row | text | expected | before | now | |\n|---|---|---|---|---|---|\n");
        for flip in flips.iter().take(ERRORS) {
            let [body, expected, before, now] =
                [&flip.text, &flip.expected, &flip.first, &flip.second].map(|said| cell(said));
            text.push_str(&format!(
                "| {} | {body} | {expected} | {before} | {now} | {} |\n",
                flip.number,
                flip.direction()
            ));
        }
        text.push_str(&more(flips.len()));
        text.push('\n');
    }
    text
}

fn more(flips: usize) -> String {
    if flips > ERRORS { format!("\nand {} more\n", flips - ERRORS) } else { String::new() }
}

/// Writes a stranger's text as Markdown code, in which nothing is a link, an image, a mention or markup.
/// Characters that could form one are also written as entities, for programs that read Markdown differently.
fn cell(text: &str) -> String {
    const LONGEST: usize = 160;
    let cut: String = text.chars().take(LONGEST).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("<code>{}{more}</code>", entities(&cut))
}

/// Writes characters that could form markup as entities, in text that may hold a stranger's words.
fn entities(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in harmless(text).chars() {
        match character {
            ' ' | ',' | ';' | '-' | '+' | '=' | '?' | '%' | '/' => safe.push(character),
            // `www.` alone makes a link. An address needs a colon or an `@`, and both become entities.
            '.' if !safe.to_lowercase().ends_with("www") => safe.push('.'),
            _ if character.is_ascii_punctuation() => safe.push_str(&format!("&#{};", u32::from(character))),
            _ => safe.push(character),
        }
    }
    safe
}

fn undecided(evaluation: &Evaluation) -> String {
    let count: u64 = evaluation.undecided.values().sum();
    let unknown = if evaluation.unknown > 0 {
        format!(", {} of unknown answer left out", evaluation.unknown)
    } else {
        String::new()
    };
    let repeated = if evaluation.repeated > 0 {
        format!(", {} repeated ones left out", evaluation.repeated)
    } else {
        String::new()
    };
    let unknown = format!("{unknown}{repeated}");
    if count == 0 {
        return unknown;
    }
    let reasons: Vec<String> = evaluation.undecided.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    format!(", {count} more undecided ({}){unknown}", reasons.join(", "))
}

/// For a terminal.
#[must_use]
pub fn text(evaluation: &Evaluation) -> String {
    let Evaluation { about, scores, with_undecided, .. } = evaluation;
    let mut text = format!(
        "{} on {}: {} rows, {} of them violations{}\n",
        about.policy[0],
        about.golden,
        scores.rows,
        scores.violations,
        undecided(evaluation)
    );
    for name in NAMES {
        let strict = with_undecided.named(name).filter(|_| !evaluation.undecided.is_empty());
        let strict = strict.map_or(String::new(), |figure| format!("  {:.3} with undecided as wrong", figure.value));
        text.push_str(&format!("  {:<12} {}{strict}\n", title(name), figure(scores.named(name))));
    }
    if let Some(calibration) = &evaluation.calibration {
        text.push_str(&format!("  {:<12} {:.4}\n  {:<12} {:.4}\n", "Brier", calibration.brier, "ECE", calibration.ece));
    }
    for table in [&evaluation.categories, &evaluation.slices] {
        for (name, scores) in table {
            let (f1, name) = (figure(scores.f1), short(name));
            text.push_str(&format!("  {name:<12} F1 {f1}, {} rows, {} expected\n", scores.rows, scores.violations));
        }
    }
    #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = scores.rows as f64 / evaluation.seconds.max(1e-9);
    text.push_str(&format!("  {} tokens, {:.1} s, {rate:.1} rows/s\n", evaluation.tokens, evaluation.seconds));
    text
}

/// Shortens a slice's name for a terminal, as it may be a whole text.
fn short(name: &str) -> String {
    const LONGEST: usize = 40;
    let more = if name.chars().count() > LONGEST { "…" } else { "" };
    format!("{}{more}", harmless(name).chars().take(LONGEST).collect::<String>())
}

/// A comparison, for a terminal.
#[must_use]
pub fn comparison(comparison: &Comparison) -> String {
    let Comparison { names: [one, other], rows, both, first, second, neither, p_value, terms, flips } = comparison;
    let mut text = format!(
        "{one} and {other}: {rows} rows of both; both right {both}, only {one} {first}, only {other} {second}, neither {neither}; \
         McNemar p = {p_value:.4}\n"
    );
    text.extend(terms.iter().map(|term| format!("  made under another {term}\n")));
    for flip in flips.iter().take(ERRORS) {
        text.push_str(&format!(
            "  row {}: {} -> {} ({}; expected {})\n",
            flip.number,
            flip.first,
            flip.second,
            flip.direction(),
            flip.expected
        ));
    }
    text.push_str(&more(flips.len()));
    text
}

/// Describes a gate's result for a terminal: each failed check on a line, or one line if all passed.
#[must_use]
pub fn gate(gate: &Gate) -> Vec<String> {
    if !gate.passed {
        return gate.checks.iter().filter(|check| !check.passed).map(|check| format!("error: {check}")).collect();
    }
    let floors: Vec<&Check> = gate.checks.iter().filter(|check| check.before.is_none()).collect();
    let mut told: Vec<String> = floors.iter().map(ToString::to_string).collect();
    if floors.len() < gate.checks.len() {
        told.push("no figure fell too far below the baseline".to_owned());
    }
    vec![format!("gate passed: {}", told.join("; "))]
}
