//! A row for people: the verdict first, then its reasons.

use magistrate::calibration::certificate::Decision;
use magistrate::label::row::{Row, RowError, Status};
use magistrate::policy::{Policy, Verdict};
use magistrate::verdict::MIN_MASS;

use super::output::Text;

/// The mass from which on no mass is printed: nearly all of the probability is on allowed answers.
const USUAL_MASS: f64 = 0.99;

/// Returns the row of a policy. A low mass is printed, and with `verbose` any mass.
pub fn of_row(policy: &Policy, row: &Row, verbose: bool) -> Text {
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
        text.push_str(&format!("  {code} {}", row.category_title.as_deref().unwrap_or_default()));
    }
    text.push('\n');
    if let Some(probability) = row.probability {
        text.push_str(&format!("  P(violation) {}", likelihood(probability, row.threshold)));
        if let Some(threshold) = row.threshold {
            text.push_str(&format!(" (threshold {threshold})"));
        }
        if let Some(mass) = row.mass.filter(|mass| verbose || *mass < USUAL_MASS) {
            text.push_str(&format!(", mass {}", share(mass)));
        }
        text.push('\n');
    }
    if let Some(mass) = row.mass.filter(|mass| row.status == Status::Ok && *mass < MIN_MASS) {
        text.push_str(&indented(&format!("note: only {} of the probability is on allowed answers", share(mass))));
    }
    if let Some(decision) = row.decision.filter(|_| row.status == Status::Ok) {
        let believed =
            row.calibrated.map_or(String::new(), |believed| format!(" (calibrated {})", likelihood(believed, None)));
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

/// Returns a probability with three decimals, or a bound near 0 and 1. Beside a threshold near 0 or 1 no digit is lost.
fn likelihood(probability: f64, threshold: Option<f64>) -> String {
    const LEAST: f64 = 0.001;
    let is_far = |share: f64| !(LEAST..=1.0 - LEAST).contains(&share);
    match probability {
        probability if threshold.is_some_and(is_far) && is_far(probability) => probability.to_string(),
        ..LEAST => format!("< {LEAST}"),
        probability if is_far(probability) => format!("> {}", 1.0 - LEAST),
        probability => format!("{probability:.3}"),
    }
}

/// Returns a share with three decimals, or with an exponent if these would be zero.
fn share(share: f64) -> String {
    if share > 0.0 && share < 0.0005 { format!("{share:.1e}") } else { format!("{share:.3}") }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::likelihood;

    #[test]
    fn a_probability_has_three_decimals_or_a_bound() {
        for (probability, threshold, shown) in [
            (0.998, None, "0.998"),
            (0.001, None, "0.001"),
            (6.7e-7, None, "< 0.001"),
            (0.0, None, "< 0.001"),
            (0.9996, None, "> 0.999"),
            (1.0, Some(0.5), "> 0.999"),
            (0.4, Some(0.9999), "0.400"),
            (0.99997, Some(0.9999), "0.99997"),
            (0.000_05, Some(0.0001), "0.00005"),
        ] {
            assert_eq!(likelihood(probability, threshold), shown);
        }
    }
}
