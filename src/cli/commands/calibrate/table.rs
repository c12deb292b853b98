//! A certificate for people: the verdicts that may be acted on, and the meaning of the accepted errors.

use magistrate::calibration::certificate::{Certificate, Never, Risk, Side};
use magistrate::calibration::stop::StopCertificate;

/// Returns a certificate for people.
pub fn table(certificate: &Certificate) -> String {
    let Certificate { alpha, delta, rows, automatic, classes, calibration: [before, after], .. } = certificate;
    let [violations, others] = classes;
    format!(
        "{}\n{}\n\
         automatic  {:.1} % of the rows; the others go to a person\n\
         promise    at most {:.1} % errors on each side, with {:.1} % confidence\n\
         rows       {} to fit, {} to test ({violations} violations and {others} others)\n\
         ECE        {:.4}, calibrated {:.4}\n\
         Brier      {:.4}, calibrated {:.4}\n",
        side(certificate, Side::Violation),
        side(certificate, Side::Safe),
        100.0 * automatic,
        100.0 * alpha,
        100.0 * (1.0 - delta),
        rows[0],
        rows[1],
        before.ece,
        after.ece,
        before.brier,
        after.brier,
    )
}

/// Returns a certificate of an early end for people.
pub fn early_end(certificate: &StopCertificate) -> String {
    let StopCertificate { alpha, delta, sure, texts, tested, agreement, .. } = certificate;
    let mut text = format!(
        "End the reasoning when a verdict has {sure} of the answers' mass (--sure {sure}, or --sure FILE)\n\
         promise    at most {:.1} % of the verdicts change, with {:.1} % confidence\n\
         texts      {texts}\n",
        100.0 * alpha,
        100.0 * (1.0 - delta),
    );
    for degree in tested {
        let failed = if degree.bound > *alpha { "  too many" } else { "" };
        text.push_str(&format!(
            "{:<10} {} changed, at most {:.2} %; {:.0} % of the reasoning tokens kept{failed}\n",
            degree.sure,
            degree.flips,
            100.0 * degree.bound,
            100.0 * degree.kept,
        ));
    }
    if let Some(agreement) = agreement {
        text.push_str(&format!(
            "agreement  {} of {} texts have the same verdict with other random numbers, at temperature 1\n",
            agreement.same, agreement.texts,
        ));
    }
    text
}

/// Describes a side: when its verdict may be acted on, or why never.
fn side(certificate: &Certificate, side: Side) -> String {
    let Certificate { low, high, sides: [(called, false_alarms), (passed, missed)], .. } = certificate;
    let never = certificate.never(side);
    match (side, never, low, high) {
        (Side::Violation, None, _, Some(high)) => format!(
            "Remove automatically: when calibrated P(violation) >= {high:.4} ({called} testing rows, {false_alarms} of \
             them no violations)"
        ),
        (Side::Safe, None, Some(low), _) => format!(
            "Keep automatically: when calibrated P(violation) <= {low:.4} ({passed} testing rows, {missed} of them \
             violations)"
        ),
        (Side::Violation, never, ..) => format!("Remove automatically: never ({})", reason(never, "violations")),
        (Side::Safe, never, ..) => format!("Keep automatically: never ({})", reason(never, "other texts")),
    }
}

fn reason(never: Option<Never>, class: &str) -> String {
    match never {
        Some(Never::TooFew { have, need }) => format!("only about {have} {class}; at least {need} are needed"),
        Some(Never::Wrong { errors, rows }) => {
            format!("at the surest threshold {errors} of {rows} testing rows are wrong")
        }
        Some(Never::Other) | None => "no threshold on this side of 0.5 keeps the promise".to_owned(),
    }
}

/// Returns warnings about the share of a rare class that the accepted errors may take.
pub fn warnings(certificate: &Certificate) -> Vec<String> {
    let risks = [Side::Violation, Side::Safe].into_iter().filter_map(|side| certificate.risk(side));
    risks.map(|risk| warning(certificate, &risk)).collect()
}

fn warning(certificate: &Certificate, risk: &Risk) -> String {
    let percent = |share: f64| {
        let percent = 100.0 * share;
        if percent < 2.0 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
    };
    let (class, done, alpha) = match risk.side {
        Side::Safe => ("violations", "let through", certificate.alpha),
        Side::Violation => ("no violations", "removed", certificate.alpha),
    };
    let [share, errors, lost] = [risk.class, alpha, risk.of_class].map(percent);
    format!(
        "warning: {share} of all rows are {class}, so {errors} errors may mean that up to {lost} of them are {done}\n\
         hint: try --alpha {}, which limits that to about 10 %",
        risk.alpha
    )
}
