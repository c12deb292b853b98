//! The probabilities of answers, from the log-probabilities of a written text.

use super::reply::{Likely, Position};
use crate::policy::Answer;

/// Returns the logarithm of each answer's probability, from the log-probabilities of the written tokens. `None` if they
/// belong to another text, or no answer begins as the text does.
///
/// An answer parts from the written text at one token, and has the probability of its own token there. The rest of the
/// answer counts as certain, so these are approximations.
pub(super) fn answer_logs(answers: &[Answer], body: &str, positions: &[Position]) -> Option<Vec<f64>> {
    let written: String = positions.iter().map(|position| position.token.as_str()).collect();
    // Servers may list the tokens of the reasoning, too. The answer is at the end then.
    let before = written.len().checked_sub(body.len()).filter(|_| written.ends_with(body))?;
    let mut from = 0;
    let starts = positions.iter().map(|position| {
        from += position.token.len();
        from - position.token.len()
    });
    let first = starts.collect::<Vec<_>>().iter().position(|start| *start == before)?;
    let positions = &positions[first..];
    let logs: Vec<f64> = answers.iter().map(|answer| answer_log(&answer.text, positions)).collect();
    logs.iter().any(|log| log.is_finite()).then_some(logs)
}

fn answer_log(answer: &str, positions: &[Position]) -> f64 {
    let (mut rest, mut log) = (answer, 0.0);
    for position in positions {
        if rest.is_empty() {
            return log;
        }
        if let Some(after) = rest.strip_prefix(position.token.as_str()) {
            (rest, log) = (after, log + position.logprob);
            continue;
        }
        // The longest token that the answer goes on with.
        let fits = |likely: &&Likely| !likely.token.is_empty() && rest.starts_with(&likely.token);
        let best = position.top_logprobs.iter().filter(fits).max_by_key(|likely| likely.token.len());
        return best.map_or(f64::NEG_INFINITY, |likely| log + likely.logprob);
    }
    if rest.is_empty() { log } else { f64::NEG_INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Verdict;

    fn position(token: &str, likely: &[(&str, f64)]) -> Position {
        let likely: Vec<Likely> =
            likely.iter().map(|(token, share)| Likely { token: (*token).to_owned(), logprob: share.ln() }).collect();
        let logprob = likely.iter().find(|likely| likely.token == token).unwrap().logprob;
        Position { token: token.to_owned(), logprob, top_logprobs: likely }
    }

    fn answers(texts: &[&str]) -> Vec<Answer> {
        let answer = |text: &&str| Answer {
            text: (*text).to_owned(),
            label: (*text).to_owned(),
            category: None,
            verdict: Verdict::Safe,
        };
        texts.iter().map(answer).collect()
    }

    #[test]
    fn an_answer_is_as_likely_as_the_token_at_which_it_parts() {
        let shares = |texts: &[&str], body: &str, positions: &[Position]| {
            answer_logs(&answers(texts), body, positions).map(|logs| logs.into_iter().map(f64::exp).collect::<Vec<_>>())
        };
        let close = |one: Option<Vec<f64>>, other: &[f64]| {
            let one = one.unwrap();
            assert!(one.iter().zip(other).all(|(one, other)| (one - other).abs() < 1e-9), "{one:?}");
        };
        close(shares(&["0", "1"], "1", &[position("1", &[("1", 0.7), ("0", 0.2)])]), &[0.2, 0.7]);
        let two = [position("IN", &[("IN", 0.6), ("VAL", 0.3)]), position("VALID", &[("VALID", 0.5)])];
        close(shares(&["VALID", "INVALID"], "INVALID", &two), &[0.3, 0.3]);
        // The tokens of the reasoning come first.
        let all = [position("Hm.", &[("Hm.", 1.0)]), position("0", &[("0", 0.9), ("1", 0.1)])];
        close(shares(&["0", "1"], "0", &all), &[0.9, 0.1]);
        assert_eq!(shares(&["0", "1"], "0", &[]), None);
        assert_eq!(shares(&["0", "1"], "x", &[position("x", &[("x", 1.0)])]), None);
    }
}
