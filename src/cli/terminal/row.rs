//! A row for people: the verdict first, then its reasons.

use magistrate::calibration::certificate::Decision;
use magistrate::label::row::{Row, RowError, Status};
use magistrate::policy::{Policy, Verdict};
use magistrate::verdict::MIN_MASS;

use super::output::Text;

/// Returns the row of one policy.
pub fn of_row(policy: &Policy, row: &Row) -> Text {
    let (word, style) = match (row.status, row.verdict) {
        (Status::Ok, Some(Verdict::Violation)) => ("violation", "1;31"),
        (Status::Ok, Some(Verdict::Safe)) => ("safe", "1;32"),
        (Status::Ok, Some(Verdict::Review)) => ("review", "1;33"),
        (Status::Unresolved, _) => ("unresolved", "1;33"),
        (Status::Error, _) | (Status::Ok, None) => ("error", "1;31"),
    };
    let mut row_text = Text::default();
    row_text.push(format!("{}: ", policy.id));
    row_text.push_styled(word, style);
    let mut text = String::new();
    if let Some(code) = &row.category {
        let title = policy.categories().iter().find(|category| category.code == *code).map_or("", |found| &found.title);
        text.push_str(&format!("  {code} {title}"));
    }
    text.push('\n');
    if let Some(probability) = row.probability {
        text.push_str(&format!("  probability {}", share(probability)));
        if let Some(threshold) = row.threshold {
            text.push_str(&format!(" (threshold {threshold})"));
        }
        if let Some(mass) = row.mass {
            text.push_str(&format!(", mass {}", share(mass)));
        }
        text.push('\n');
    }
    if let Some(mass) = row.mass.filter(|mass| row.status == Status::Ok && *mass < MIN_MASS) {
        text.push_str(&indented(&format!("note: only {} of the probability is on allowed answers", share(mass))));
    }
    if let Some(decision) = row.decision.filter(|_| row.status == Status::Ok) {
        let believed = row.calibrated.map_or(String::new(), |believed| format!(" (calibrated {})", share(believed)));
        text.push_str(&indented(&match decision {
            Decision::Auto => format!("decision auto: it may be acted on{believed}"),
            Decision::Review => format!("decision review: a person must look{believed}"),
        }));
    }
    if let Some(error) = &row.error {
        text.push_str(&indented(&of_error(error)));
    }
    if let Some(rationale) = &row.rationale {
        // A sentence or two: the model's line breaks carry no meaning.
        let words: Vec<&str> = rationale.split_whitespace().collect();
        text.push_str(&indented(&words.join(" ")));
    }
    if let Some(reasoning) = &row.reasoning {
        text.push_str(&indented(&format!("reasoning: {reasoning}")));
    }
    row_text.push(text);
    row_text
}

/// Returns the message of an error, and each of its hints on a line of its own.
pub fn of_error(error: &RowError) -> String {
    let hints = error.hint.iter().flat_map(|hints| hints.lines());
    error.message.clone() + &hints.map(|hint| format!("\nhint: {hint}")).collect::<String>()
}

/// Returns a probability with three decimals, or with an exponent if these would be zero.
fn share(share: f64) -> String {
    if share > 0.0 && share < 0.0005 { format!("{share:.1e}") } else { format!("{share:.3}") }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}
