//! The ladder of an evaluation in tables and in a plot.

use std::fmt::Write;

use serde::Serialize;

use crate::eval::ladder::{LadderFigures, Rung};

/// The names of the columns.
pub(super) const COLUMNS: [&str; 6] = ["", "accuracy", "F1", "changed", "tokens", "rungs"];

/// The rows of the table, each with its cells.
pub(super) fn rows(ladder: &LadderFigures) -> Vec<[String; 6]> {
    let efforts = ladder.efforts.iter().map(|rung| (format!("effort {}", rung.name), rung));
    let sure = ladder.sure.iter().map(|rung| (format!("sure {}", rung.name), rung));
    let tokens = ladder.tokens.iter().map(|rung| (format!("{} tokens", rung.name), rung));
    efforts.chain(sure).chain(tokens).map(|(name, rung)| cells(name, rung)).collect()
}

fn cells(name: String, rung: &Rung) -> [String; 6] {
    [
        name,
        format!("{:.3}", rung.accuracy),
        format!("{:.3}", rung.f1),
        rung.flips.to_string(),
        format!("{:.1}", rung.reasoning),
        format!("{:.1}", rung.rungs),
    ]
}

/// Returns a sentence on the table.
pub(super) fn about(ladder: &LadderFigures) -> String {
    format!(
        "{} is the whole reasoning. Changed: texts whose verdict differs from its. Tokens and rungs: of one text, on \
         average. A rung appends a dozen tokens.",
        ladder.full
    )
}

/// Returns a sentence for each accepted share of changed verdicts.
pub(super) fn certified(ladder: &LadderFigures) -> Vec<String> {
    let sentence = |(alpha, degree): &(f64, Option<_>)| {
        let share = format!("At most {:.0} % of the verdicts change, with 90 % confidence", 100.0 * alpha);
        match degree {
            Some(crate::calibration::stop::Degree { sure, kept, .. }) => {
                format!("{share}: from sure {sure} on, which keeps {:.0} % of the reasoning tokens.", 100.0 * kept)
            }
            None => format!("{share}: not shown by so few texts, or too many verdicts change."),
        }
    };
    ladder.certified.iter().map(sentence).collect()
}

/// Returns the table as text.
pub(super) fn text(ladder: &LadderFigures) -> String {
    let mut text = String::from("\nReasoning\n");
    let header = COLUMNS.map(str::to_owned);
    for [name, others @ ..] in std::iter::once(header).chain(rows(ladder)) {
        let cells: String = others.iter().map(|cell| format!("{cell:>10}")).collect();
        let _ = writeln!(text, "  {name:<14}{cells}");
    }
    for line in std::iter::once(about(ladder)).chain(certified(ladder)) {
        let _ = writeln!(text, "  {line}");
    }
    text
}

/// Returns the table as Markdown.
pub(super) fn markdown(ladder: &LadderFigures) -> String {
    let mut text =
        format!("\n### Reasoning\n\n| {} |\n|---|{}\n", COLUMNS.join(" | "), "--:|".repeat(COLUMNS.len() - 1));
    for cells in rows(ladder) {
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    let _ = writeln!(text, "\n{}", about(ladder));
    for line in certified(ladder) {
        let _ = writeln!(text, "- {line}");
    }
    text
}

/// The table and the plot of the page.
#[derive(Serialize)]
pub(super) struct Plot {
    columns: [&'static str; 6],
    rows: Vec<[String; 6]>,
    about: String,
    certified: Vec<String>,
    /// The most tokens of reasoning, the end of the plot's lower axis.
    most: f64,
    /// The efforts: the name, and the point from 0 to 1.
    efforts: Vec<(String, f64, f64)>,
    /// The degrees of sureness, the strictest first.
    sure: Vec<(String, f64, f64)>,
}

impl Plot {
    pub(super) fn new(ladder: &LadderFigures) -> Self {
        let most = ladder.efforts.iter().chain(&ladder.sure).fold(1.0, |most: f64, rung| most.max(rung.reasoning));
        let point = |rung: &Rung| (rung.name.clone(), rung.reasoning / most, rung.f1);
        Self {
            columns: COLUMNS,
            rows: rows(ladder),
            about: about(ladder),
            certified: certified(ladder),
            most,
            efforts: ladder.efforts.iter().map(point).collect(),
            sure: ladder.sure.iter().map(point).collect(),
        }
    }
}
