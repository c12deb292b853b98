//! The ladder: answers that are scored ahead change nothing, and end the reasoning where a verdict is sure.

use std::sync::Arc;

use magistrate::engine::backend::Limits;
use magistrate::engine::decode_plan::DecodePlan;
use magistrate::engine::scripted::Scripted;
use magistrate::engine::{Completion, Mode, ReasoningEnd, Sampling, Usage};
use magistrate::harmony::Control;
use magistrate::policy::Verdict;
use magistrate::tokenizer::{Token, Tokenizer};
use magistrate::verdict::Outcome;
use magistrate::verdict::ladder::{Ladder, Probe, end};
use proptest::prelude::*;

use super::{LIMITS, decode_with, plain, policies, support, tokenizer};

/// The token of which all reasoning consists.
const THOUGHT: Token = Token(65);

/// A model that reasons for some tokens, and answers 1 with a probability that depends on the tokens of reasoning so far.
fn thinker(
    tokenizer: &Arc<Tokenizer>,
    length: usize,
    probability: impl Fn(usize) -> f64,
) -> impl FnMut(&[Token], &mut [f32]) {
    let control = |control| tokenizer.control(control);
    let opener = [vec![control(Control::Channel)], tokenizer.encode("final"), vec![control(Control::Message)]].concat();
    let [no, yes] = ["0", "1"].map(|label| tokenizer.encode(label)[0].0 as usize);
    let (end, close) = (control(Control::End).0 as usize, control(Control::Return).0 as usize);
    move |history, logits| {
        let thoughts = history.iter().filter(|token| **token == THOUGHT).count();
        if history.ends_with(&opener) {
            #[allow(clippy::cast_possible_truncation, reason = "logits")]
            let log = |share: f64| (share.ln() + 40.0) as f32;
            (logits[yes], logits[no]) = (log(probability(thoughts)), log(1.0 - probability(thoughts)));
        } else if history.windows(opener.len()).any(|window| window == opener) {
            logits[close] = 40.0;
        } else {
            logits[if thoughts < length { THOUGHT.0 as usize } else { end }] = 40.0;
        }
    }
}

fn judge(length: usize, budget: usize, sure: Option<f64>, probability: impl Fn(usize) -> f64) -> Completion {
    let tokenizer = tokenizer();
    let policy = plain("0=safe,1=violation");
    let plan = DecodePlan::new(
        Arc::clone(&tokenizer),
        policy.contract.form,
        policy.answers(),
        Mode::Reason { budget },
        support::any_mass(),
        Sampling::default(),
    );
    let plan = match sure {
        None => plan,
        Some(sure) => plan.with_ladder(Ladder { sure }),
    };
    let mut backend =
        Scripted::new(Limits { cells: 8000, ..LIMITS }, tokenizer.len(), thinker(&tokenizer, length, probability));
    decode_with(&mut backend, plan).unwrap()
}

fn verdict(completion: &Completion) -> (Verdict, f64) {
    match &completion.outcome {
        Outcome::Verdict(judgement) => (judgement.verdict, judgement.scores.unwrap().probability),
        Outcome::Unresolved(why) => panic!("unresolved: {why}"),
    }
}

/// Returns a completion without what a ladder adds to it.
fn bare(completion: Completion) -> Completion {
    Completion { probes: Vec::new(), usage: Usage { probes: 0, ..completion.usage }, ..completion }
}

#[test]
fn the_answers_at_the_rungs_are_those_that_the_model_would_give_there() {
    let probability = |thoughts: usize| 0.5 + 0.4 / (1.0 + f64::from(u32::try_from(thoughts).unwrap()));
    let completion = judge(200, 1000, Some(1.0), probability);
    let rungs: Vec<usize> = completion.probes.iter().map(|probe| probe.tokens).collect();
    assert_eq!(rungs, [0, 32, 64, 96, 128, 192]);
    for Probe { tokens, verdict, probability: got, share } in &completion.probes {
        assert_eq!(*verdict, Some(Verdict::Violation));
        assert!((got - probability(*tokens)).abs() < 1e-5 && (got - share).abs() < 1e-12, "{tokens}: {got}");
    }
    let reasoning = completion.reasoning.as_ref().unwrap();
    assert_eq!((reasoning.end, completion.usage.reasoning), (ReasoningEnd::Itself, 200));
    assert!(completion.usage.probes >= 6 * 6, "openers are counted: {}", completion.usage.probes);
}

#[test]
fn reasoning_ends_once_the_verdict_is_sure_and_the_answer_is_that_of_the_place() {
    let from = |sure: usize| move |thoughts: usize| if thoughts >= sure { 0.999 } else { 0.7 };
    // Two early rungs must agree. A later one is enough.
    for (sure, ends) in [(0, 32), (32, 64), (60, 96), (100, 128), (150, 192), (400, 512)] {
        let completion = judge(3000, 1000, Some(0.98), from(sure));
        assert_eq!(completion.reasoning.as_ref().unwrap().end, ReasoningEnd::Sure);
        assert_eq!(completion.usage.reasoning, ends, "sure from {sure} on");
        assert!((verdict(&completion).1 - 0.999).abs() < 1e-5);
    }
    let never = judge(3000, 300, Some(0.98), |_| 0.7);
    assert_eq!((never.reasoning.unwrap().end, never.usage.reasoning), (ReasoningEnd::Budget, 300));
    let torn = judge(100, 300, Some(0.98), |thoughts| if (thoughts / 32).is_multiple_of(2) { 0.99 } else { 0.01 });
    assert_eq!((torn.reasoning.unwrap().end, torn.usage.reasoning), (ReasoningEnd::Itself, 100));
}

#[test]
fn saving_and_changed_verdicts_are_those_of_the_arithmetic() {
    // Each model moves in steps from doubt to its last answer, and some of them turn round late.
    let (mut saved, mut flips, mut expected) = (0, 0, (0, 0));
    for number in 0..120_u32 {
        let length = 40 + 7 * number as usize;
        let slope = f64::from(1 + number % 9) / 60.0;
        let turns = (number % 4 == 0).then_some(length * 3 / 4);
        let at = move |thoughts: usize| {
            let certainty = (slope * f64::from(u32::try_from(thoughts).unwrap())).min(6.0);
            let early = 1.0 / (1.0 + (-certainty).exp());
            if turns.is_some_and(|turn| thoughts >= turn) { 1.0 - early } else { early }
        };
        let full = judge(length, 4000, Some(1.0), at);
        let early = judge(length, 4000, Some(0.95), at);
        saved += full.usage.reasoning - early.usage.reasoning;
        flips += usize::from(verdict(&full).0 != verdict(&early).0);
        let stop = end(&full.probes, 0.95).map_or(length, |probe| probe.tokens);
        expected.0 += length - stop;
        expected.1 += usize::from((at(length) >= 0.5) != (at(stop) >= 0.5));
    }
    assert_eq!((saved, flips), expected);
    assert!(saved > 10_000 && flips > 5, "{saved} tokens saved, {flips} changed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn answers_at_rungs_change_nothing(
        length in 0_usize..400,
        budget in 1_usize..500,
        which in 0_usize..6,
        answer in 0_usize..10,
        few in any::<bool>(),
    ) {
        let tokenizer = tokenizer();
        let policy = &policies()[which];
        let answers = policy.answers();
        let text = policy.contract.complete(&answers[answer % answers.len()], "It is so.");
        let author = super::Author { reasoning: length, certainty: 3.0, ..super::Author::new(&tokenizer, &text) };
        // With few sequences, forks wait for one another.
        let limits = Limits { cells: 9000, sequences: if few { 4 } else { 16 }, ..LIMITS };
        let run = |traced: bool| {
            let mut backend = Scripted::new(limits, tokenizer.len(), |history, logits| author.logits(history, logits));
            let (form, mode) = (policy.contract.form, Mode::Reason { budget });
            let plan = DecodePlan::new(
                Arc::clone(&tokenizer), form, policy.answers(), mode, support::any_mass(), Sampling::default(),
            );
            let plan = if traced { plan.with_ladder(Ladder { sure: 1.0 }) } else { plan };
            decode_with(&mut backend, plan).unwrap()
        };
        let traced = run(true);
        let rungs = traced.probes.len();
        prop_assert_eq!(bare(traced), run(false));
        prop_assert_eq!(rungs > 0, length > 0);
    }
}
