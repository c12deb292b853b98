//! The draft of `policy new`: rules by severity, allowed content, and examples to replace.

use magistrate::policy::draft::{Draft, DraftCategory, DraftExample};
use magistrate::policy::{Severity, Verdict};

use super::titled::Titled;

/// Makes the draft of a policy.
pub fn draft(id: String, title: Option<String>, violation: Vec<Titled>, allowed: Vec<Titled>) -> Draft {
    let title = title.unwrap_or_else(|| {
        let words = id.replace('-', " ");
        let (first, rest) = words.split_at(1); // an id is ASCII, and not empty
        first.to_uppercase() + rest
    });
    let letters: String = id.split('-').filter_map(|word| word.chars().next()).collect::<String>().to_uppercase();
    let letters = if letters.len() > 1 { letters } else { id.chars().take(2).collect::<String>().to_uppercase() };
    let topic = title.to_lowercase();
    let severities = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
    let mut categories = Vec::new();
    for (number, Titled { title, rule }) in violation.into_iter().enumerate() {
        // There are four severities. Later rules share the highest, and get the next letter there.
        let level = number.min(severities.len() - 1);
        let letter = char::from(b'a' + u8::try_from(number - level).unwrap_or(25).min(25));
        categories.push(DraftCategory {
            code: format!("{letters}{}.{letter}", level + 1),
            title,
            verdict: Verdict::Violation,
            severity: Some(severities[level]),
            criteria: vec![rule],
        });
    }
    let rule = format!("Quotes, reports or explains {topic}, or asks about it.");
    let talk = Titled { title: "Talk about it".to_owned(), rule };
    for (number, Titled { title, rule }) in allowed.into_iter().chain([talk]).enumerate() {
        let letter = char::from(b'a' + u8::try_from(number).unwrap_or(25).min(25));
        let code = format!("{letters}0.{letter}");
        categories.push(DraftCategory { code, title, verdict: Verdict::Safe, severity: None, criteria: vec![rule] });
    }
    let examples = examples(&categories, &topic);
    let worst = categories.iter().rfind(|rule| rule.verdict == Verdict::Violation).map(|rule| rule.code.clone());
    let worst = worst.unwrap_or_default();
    Draft {
        head: vec![
            format!(
                "What {topic} is, and what is not. Rules are read by a model: say what a text does, in short sentences."
            ),
            format!("Try it: magistrate check -p {id}.yaml \"a text\""),
        ],
        summary: format!("{title}, and what only looks like it."),
        instruction: format!("Decide whether the text itself is {topic}, by the rules below."),
        precedence: vec!["If several rules apply, the highest number decides, then the first letter.".to_owned()],
        ambiguity: vec!["If no rule is met in full, the text is safe.".to_owned()],
        escalation: vec![format!("{worst} goes to a moderator. A lower rule is never chosen out of leniency.")],
        note: "Written with magistrate policy new.".to_owned(),
        id,
        title,
        categories,
        examples,
        ..Draft::default()
    }
}

/// Returns examples of both sides, in brackets: the author replaces their descriptions.
fn examples(categories: &[DraftCategory], topic: &str) -> Vec<DraftExample> {
    let of = |verdict| categories.iter().filter(move |rule| rule.verdict == verdict);
    let described =
        |rule: &DraftCategory, lead: &str| format!("[{lead}: {}]", rule.criteria.join(" ").trim_end_matches('.'));
    let mut cases = Vec::new();
    let violations: Vec<&DraftCategory> = of(Verdict::Violation).collect();
    for (number, rule) in violations.iter().cycle().take(violations.len().clamp(2, 3)).enumerate() {
        let lead = if number < violations.len() { "A post that does this" } else { "Another post that does this" };
        let why = Some(format!("Meets {}.", rule.code));
        cases.push(DraftExample { text: described(rule, lead), category: Some(rule.code.clone()), why });
    }
    for lead in ["A post that reports this and warns of it", "A question about a post that does this"] {
        let rule = violations.first().map_or(topic.to_owned(), |rule| rule.criteria.join(" "));
        let why = Some(format!("Mentions {topic} without doing it."));
        cases.push(DraftExample { text: format!("[{lead}: {}]", rule.trim_end_matches('.')), category: None, why });
    }
    cases
}
