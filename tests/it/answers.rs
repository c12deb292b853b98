//! Decoding against a scripted model: every answer is possible, and the probabilities are those of the model.

mod free;
mod ladder;

use crate::support;

use std::sync::Arc;

use magistrate::engine::Completion;
use magistrate::engine::backend::{Backend, Fault, Layout, Limits};
use magistrate::engine::decode_plan::DecodePlan;
use magistrate::engine::schedule::{JobId, Schedule};
use magistrate::engine::scripted::Scripted;
use magistrate::engine::{Mode, ReasoningEnd, Sampling};
use magistrate::harmony::{Control, Segment};
use magistrate::policy::{Contract, Policy, Verdict};
use magistrate::tokenizer::{Token, Tokenizer};
use magistrate::verdict::{DecisionRule, Judgement, Outcome, Unresolved};

use support::demonstration_tokenizer as tokenizer;

const LIMITS: Limits = Limits { layout: Layout::Unified, cells: 4000, batch: 64, outputs: 32, sequences: 16 };

/// A policy whose codes are prefixes of one another, with a safe and a review category.
fn policy(form: &str) -> Policy {
    let yaml = format!(
        "id: test\ntitle: Test\nversion: '1'\nsummary: A test.\ninstruction: Judge the text.\n\
         contract:\n  form: {form}\n\
         categories:\n\
         \x20 - {{code: SP0, title: Fine, verdict: safe, criteria: [Anything else.]}}\n\
         \x20 - {{code: SP2, title: Bad, verdict: violation, criteria: [It is bad.]}}\n\
         \x20 - {{code: SP2.a, title: Worse, verdict: violation, criteria: [It is worse.]}}\n\
         \x20 - {{code: SP2.ab, title: Worst, verdict: violation, criteria: [It is worst.]}}\n\
         \x20 - {{code: SP21, title: Odd, verdict: violation, criteria: [It is odd.]}}\n\
         \x20 - {{code: X, title: Unclear, verdict: review, criteria: [It is unclear.]}}\n\
         examples:\n\
         \x20 - {{text: Hello., category: null}}\n\
         \x20 - {{text: Bad., category: SP2}}\n"
    );
    Policy::from_yaml("test.yaml", &yaml).unwrap_or_else(|error| panic!("{error}"))
}

fn plain(labels: &str) -> Policy {
    support::plain("plain", "Judge.", labels)
}

fn policies() -> Vec<Policy> {
    vec![
        policy("category"),
        policy("rationale"),
        plain("0=safe,1=violation"),
        plain("NO=safe,NOT=violation,NOTE=review"),
        plain("VALID=safe,INVALID=violation,ESCALATE=review"),
        policy("category").with_labels(Contract::parse_labels("ok=safe,bad=violation,ask=review").unwrap()).unwrap(),
    ]
}

/// A model that follows one text after the opener of `final`, and gives every other token a little, which differs from
/// place to place. Before, it reasons for some tokens and stops.
struct Author {
    tokenizer: Arc<Tokenizer>,
    opener: Vec<Token>,
    text: Vec<Token>,
    certainty: f32,
    reasoning: usize,
}

impl Author {
    fn new(tokenizer: &Arc<Tokenizer>, text: &str) -> Self {
        let control = |control| tokenizer.control(control);
        let opener =
            [vec![control(Control::Channel)], tokenizer.encode("final"), vec![control(Control::Message)]].concat();
        let text = [tokenizer.encode(text), vec![control(Control::Return)]].concat();
        Self { tokenizer: Arc::clone(tokenizer), opener, text, certainty: 9.0, reasoning: 5 }
    }

    fn logits(&self, history: &[Token], logits: &mut [f32]) {
        for (id, logit) in logits.iter_mut().enumerate() {
            let noise = (id * 31 + history.len() * 17) % 64;
            *logit = f32::from(u8::try_from(noise).unwrap()) / 32.0;
        }
        let opened = history.windows(self.opener.len()).rposition(|window| window == self.opener);
        match opened.map(|at| &history[at + self.opener.len()..]) {
            Some(written) if self.text.starts_with(written) && written.len() < self.text.len() => {
                logits[self.text[written.len()].0 as usize] += self.certainty;
            }
            Some(_) => {}
            None => {
                let message = self.tokenizer.control(Control::Message);
                let reasoned = history.iter().rev().take_while(|token| **token != message).count();
                let next = if reasoned < self.reasoning { Token(65) } else { self.tokenizer.control(Control::End) };
                logits[next.0 as usize] += 20.0;
            }
        }
    }
}

/// Runs one item and checks that nothing of it stays behind.
fn decode(
    policy: &Policy,
    author: &Author,
    mode: Mode,
    rule: DecisionRule,
    limits: Limits,
) -> Result<Completion, Fault> {
    let tokenizer = &author.tokenizer;
    let mut backend = Scripted::new(limits, tokenizer.len(), |history, logits| author.logits(history, logits));
    let plan =
        DecodePlan::new(Arc::clone(tokenizer), policy.contract.form, policy.answers(), mode, rule, Sampling::default());
    decode_with(&mut backend, plan)
}

/// Runs one item by a plan and checks that nothing of it stays behind.
fn decode_with<F: FnMut(&[Token], &mut [f32])>(
    backend: &mut Scripted<F>,
    plan: DecodePlan,
) -> Result<Completion, Fault> {
    let (plan, tokenizer, limits) = (Arc::new(plan), tokenizer(), backend.limits());
    let prefix = [tokenizer.encode("A policy."), vec![tokenizer.control(Control::Message)]].concat();
    let suffix = tokenizer.encode_segments(&[
        Segment::Text("A text.".into()),
        Segment::Control(Control::End),
        Segment::Control(Control::Start),
        Segment::Text("assistant".into()),
    ]);
    let completion = run(backend, &prefix, &plan, &suffix);
    let needed = plan.cells(suffix.len(), limits.sequences - 2);
    assert_eq!(backend.used(), prefix.len(), "every cell is given back");
    assert!(backend.peak <= prefix.len() + needed, "{} cells in use, {needed} foreseen", backend.peak - prefix.len());
    completion
}

/// Runs one item after a prefix, to its end.
fn run(
    backend: &mut dyn Backend,
    prefix: &[Token],
    plan: &Arc<DecodePlan>,
    suffix: &[Token],
) -> Result<Completion, Fault> {
    let sequences = backend.limits().sequences;
    let mut schedule = Schedule::new(backend, 1, 0);
    let prefix = schedule.add_prefix(prefix.to_vec());
    schedule.submit(JobId(0), prefix, Arc::clone(plan), suffix.to_vec()).unwrap();
    for _ in 0..100_000 {
        if let Some((_, ended)) = schedule.step().pop() {
            assert_eq!(schedule.unreserved().1, sequences - 1, "every sequence is given back");
            return ended.map(Option::unwrap);
        }
    }
    panic!("the item does not end");
}

fn judge(policy: &Policy, author: &Author, mode: Mode, limits: Limits) -> Judgement {
    match decode(policy, author, mode, support::any_mass(), limits).unwrap().outcome {
        Outcome::Verdict(judgement) => judgement,
        Outcome::Unresolved(why) => panic!("unresolved: {why}"),
    }
}

#[test]
fn the_answer_that_the_model_prefers_is_the_one_it_gets() {
    let tokenizer = tokenizer();
    for policy in policies() {
        for answer in policy.answers() {
            let author = Author::new(&tokenizer, &policy.contract.complete(&answer, "It is so."));
            for mode in [Mode::Answer, Mode::Reason { budget: 20 }] {
                let judgement = judge(&policy, &author, mode, LIMITS);
                let got = (judgement.verdict, &judgement.label, &judgement.category);
                assert_eq!(got, (answer.verdict, &answer.label, &answer.category), "{}", answer.text);
                let rationale = answer.text.contains("rationale").then_some("It is so.");
                assert_eq!(judgement.rationale.as_deref(), rationale, "{}", answer.text);
                assert!(judgement.scores.unwrap().label_probability > 0.9, "{}: {judgement:?}", answer.text);
            }
        }
    }
}

/// Returns the probability of each answer, computed token by token along its whole path.
#[test]
fn the_probabilities_are_the_models_own_and_sum_to_one() {
    let tokenizer = tokenizer();
    for policy in policies() {
        let answers = policy.answers();
        for preferred in &answers {
            let mut author = Author::new(&tokenizer, &policy.contract.complete(preferred, "It is so."));
            author.certainty = 3.0;
            let masses: Vec<f64> = answers.iter().map(|answer| mass(&author, &policy, &answer.text)).collect();
            let total: f64 = masses.iter().sum();
            let share = |wanted: Verdict| -> f64 {
                let sum: f64 = answers
                    .iter()
                    .zip(&masses)
                    .filter(|(answer, _)| answer.verdict == wanted)
                    .map(|(_, mass)| mass)
                    .sum();
                sum / total
            };
            let scores = judge(&policy, &author, Mode::Answer, LIMITS).scores.unwrap();
            assert!((scores.probability - share(Verdict::Violation)).abs() < 1e-5, "{}", preferred.text);
            assert!((scores.mass / total - 1.0).abs() < 1e-4, "{}: {} {total}", preferred.text, scores.mass);
            let sum = share(Verdict::Violation) + share(Verdict::Safe) + share(Verdict::Review);
            assert!((sum - 1.0).abs() < 1e-9);
        }
    }
}

/// Branches that can hardly matter are not followed where the model is clear, and cost a ten-thousandth each at most.
#[test]
fn a_clear_answer_takes_few_branches_and_its_probability_is_as_good() {
    let tokenizer = tokenizer();
    let policy = policy("category");
    let answers = policy.answers();
    for preferred in &answers {
        let mut author = Author::new(&tokenizer, &policy.contract.complete(preferred, "It is so."));
        author.certainty = 16.0;
        let masses: Vec<f64> = answers.iter().map(|answer| mass(&author, &policy, &answer.text)).collect();
        let (total, bound) = (masses.iter().sum::<f64>(), 1e-4 * 6.0);
        let took = |threshold| {
            let rule = support::any_mass().with_threshold(threshold);
            let completion = decode(&policy, &author, Mode::Answer, rule, LIMITS).unwrap();
            let Outcome::Verdict(judgement) = completion.outcome else { panic!("{}", preferred.text) };
            let scores = judgement.scores.unwrap();
            let violating = answers.iter().zip(&masses).filter(|(answer, _)| answer.verdict == Verdict::Violation);
            let probability = violating.map(|(_, mass)| mass).sum::<f64>() / total;
            assert!((scores.probability - probability).abs() < bound, "{}: {scores:?} {probability}", preferred.text);
            assert!((scores.mass / total - 1.0).abs() < bound, "{}: {scores:?} {total}", preferred.text);
            completion.usage.answer
        };
        // At a threshold of 0 any violation can win, so all are followed.
        let (few, all) = (took(None), took(Some(0.0)));
        assert!(few * 2 < all, "{}: {few} tokens and {all}", preferred.text);
    }
}

/// Branches that are not followed are estimated. No estimate may move a probability across a threshold.
#[test]
fn thresholds_in_the_tails_are_held_against_what_was_scored_alone() {
    let tokenizer = tokenizer();
    for policy in policies() {
        let answers = policy.answers();
        for preferred in &answers {
            let mut author = Author::new(&tokenizer, &policy.contract.complete(preferred, "It is so."));
            author.certainty = 18.0;
            let masses: Vec<f64> = answers.iter().map(|answer| mass(&author, &policy, &answer.text)).collect();
            let of = |violating: bool| -> f64 {
                let kept = answers.iter().zip(&masses);
                kept.filter(|(answer, _)| (answer.verdict == Verdict::Violation) == violating)
                    .map(|(_, mass)| mass)
                    .sum()
            };
            // The smaller of the two shares, to all of its digits.
            let (tail, violates) = if of(true) < of(false) { (of(true), false) } else { (of(false), true) };
            let tail = tail / masses.iter().sum::<f64>();
            assert!(tail < 1e-3, "{}: {tail}", preferred.text);
            if violates && tail < 1e-12 {
                // No number lies between the probability and 1.
                continue;
            }
            for factor in [0.5, 0.9, 1.1, 2.0] {
                let cut = tail * factor;
                let threshold = Some(if violates { 1.0 - cut } else { cut });
                let completion =
                    decode(&policy, &author, Mode::Answer, support::any_mass().with_threshold(threshold), LIMITS)
                        .unwrap();
                let Outcome::Verdict(judgement) = completion.outcome else { panic!("{}", preferred.text) };
                let expected = if violates { factor > 1.0 } else { factor < 1.0 };
                assert_eq!(judgement.verdict == Verdict::Violation, expected, "{}: {threshold:?}", preferred.text);
            }
        }
    }
}

/// Returns P(text), including the token that ends its last free part, or its stop.
fn mass(author: &Author, policy: &Policy, text: &str) -> f64 {
    let tokenizer = &author.tokenizer;
    let mut history = author.opener.clone();
    let mut before = tokenizer.encode("A policy.");
    before.push(tokenizer.control(Control::Message));
    before.extend(tokenizer.encode("A text."));
    before.push(tokenizer.control(Control::End));
    before.push(tokenizer.control(Control::Start));
    before.extend(tokenizer.encode("assistant"));
    before.append(&mut history);
    let mut history = before;
    let mut probability = 1.0;
    let mut written = String::new();
    let end = text.strip_suffix(",\"rationale\":\"").map_or(text.len(), str::len);
    for token in tokenizer.encode(text) {
        probability *= softmax(author, &history, &[token]);
        history.push(token);
        written.push_str(std::str::from_utf8(tokenizer.bytes(token)).unwrap());
        if text.ends_with("rationale\":\"") && written.len() > end {
            return probability;
        }
    }
    match policy.contract.form {
        magistrate::policy::Form::Label => {
            let stops = [Control::Return, Control::End].map(|control| tokenizer.control(control));
            probability * softmax(author, &history, &stops)
        }
        _ => probability,
    }
}

fn softmax(author: &Author, history: &[Token], tokens: &[Token]) -> f64 {
    let mut logits = vec![0.0; author.tokenizer.len()];
    author.logits(history, &mut logits);
    let total: f64 = logits.iter().map(|logit| f64::from(*logit).exp()).sum();
    tokens.iter().map(|token| f64::from(logits[token.0 as usize]).exp() / total).sum()
}

#[test]
fn with_one_sequence_to_fork_into_the_answers_are_the_same() {
    let tokenizer = tokenizer();
    for policy in policies() {
        for answer in policy.answers() {
            let author = Author::new(&tokenizer, &policy.contract.complete(&answer, "So."));
            let wide = judge(&policy, &author, Mode::Answer, LIMITS);
            let narrow = judge(&policy, &author, Mode::Answer, Limits { sequences: 3, batch: 3, outputs: 2, ..LIMITS });
            let scores = |judgement: &Judgement| judgement.scores.unwrap();
            assert_eq!(narrow.category, wide.category);
            assert!((scores(&narrow).probability - scores(&wide).probability).abs() < 1e-9);
            assert!((scores(&narrow).mass - scores(&wide).mass).abs() < 1e-9);
        }
    }
}

/// The sliding layers keep few cells: a long item must give those back that left the window before it forks.
#[test]
fn an_item_far_longer_than_the_window_can_still_branch() {
    let tokenizer = tokenizer();
    let policy = policy("rationale");
    let answer = &policy.answers()[2];
    let mut author = Author::new(&tokenizer, &policy.contract.complete(answer, "So."));
    author.reasoning = 3000;
    let judgement = judge(&policy, &author, Mode::Reason { budget: 3000 }, LIMITS);
    assert_eq!(judgement.category, answer.category);
}

#[test]
fn reasoning_ends_by_itself_or_by_its_budget_and_an_answer_follows_either_way() {
    let tokenizer = tokenizer();
    let policy = plain("0=safe,1=violation");
    let author = Author::new(&tokenizer, "1");
    for (budget, finished, length) in [(20, true, 5), (3, false, 3)] {
        let completion = decode(&policy, &author, Mode::Reason { budget }, support::any_mass(), LIMITS).unwrap();
        let reasoning = completion.reasoning.unwrap();
        let itself = reasoning.end == ReasoningEnd::Itself;
        assert_eq!((itself, completion.usage.reasoning), (finished, length));
        assert!(matches!(completion.outcome, Outcome::Verdict(Judgement { verdict: Verdict::Violation, .. })));
    }
}

#[test]
fn a_model_that_wants_to_say_something_else_is_off_the_contract() {
    let tokenizer = tokenizer();
    let rule = DecisionRule::default();
    for policy in policies() {
        let author = Author::new(&tokenizer, "I'm sorry, but I can't help with that.");
        let completion = decode(&policy, &author, Mode::Answer, rule, LIMITS).unwrap();
        let Outcome::Unresolved(Unresolved::OffContract { mass, .. }) = completion.outcome else {
            panic!("{:?}", completion.outcome)
        };
        assert!(mass < 0.5);
    }
}

#[test]
fn a_rationale_ends_at_its_quote_at_a_stop_or_at_its_budget() {
    let tokenizer = tokenizer();
    let policy = policy("rationale");
    let answer = &policy.answers()[1];
    let rationale = |text: String| judge(&policy, &Author::new(&tokenizer, &text), Mode::Answer, LIMITS).rationale;
    assert_eq!(rationale(format!("{}say \\\"hi\\\" \\u00e9\"}}", answer.text)).as_deref(), Some("say \"hi\" é"));
    assert_eq!(rationale(format!("{}no end", answer.text)).as_deref(), Some("no end"));
    let endless = rationale(format!("{}{}", answer.text, "word ".repeat(200))).unwrap();
    assert!(endless.starts_with("word word") && endless.len() < 500);
}

#[test]
fn logits_that_are_no_numbers_are_a_fault_and_nothing_stays_behind() {
    let tokenizer = tokenizer();
    let policy = plain("0=safe,1=violation");
    let mut backend = Scripted::new(LIMITS, tokenizer.len(), |_: &[Token], logits: &mut [f32]| logits.fill(f32::NAN));
    let rule = support::any_mass();
    for mode in [Mode::Answer, Mode::Reason { budget: 9 }, Mode::Free { budget: 9 }] {
        let plan = DecodePlan::new(
            Arc::clone(&tokenizer),
            policy.contract.form,
            policy.answers(),
            mode,
            rule,
            Sampling::default(),
        );
        assert_eq!(run(&mut backend, &[Token(1)], &Arc::new(plan), &[Token(2)]), Err(Fault::NotFinite));
        assert_eq!(backend.used(), 1, "the prefix alone is still there");
        backend.clear(LIMITS.seqs().next().unwrap());
        assert_eq!(backend.used(), 0);
    }
}

/// A fixed part may end in a token that depends on the text after it. There the real vocabulary has traps that a small
/// one lacks.
#[test]
fn over_the_real_vocabulary_every_answer_ends_what_tells_it_from_others() {
    use magistrate::verdict::{AnswerTree, Edge, Step, Target};

    fn walk(tree: &AnswerTree, edge: &Edge, path: &mut Vec<Token>, found: &mut Vec<(usize, Vec<Token>, bool)>) {
        if let Step::Token(token) = edge.step {
            path.push(token);
        }
        match edge.to {
            Target::Leaf(leaf) => found.push((leaf, path.clone(), edge.step == Step::Stop)),
            Target::Node(node) => {
                for edge in tree.edges(node) {
                    let length = path.len();
                    walk(tree, edge, path, found);
                    path.truncate(length);
                }
            }
        }
    }

    let tokenizer = support::tokenizer(&support::synth::Shape::full_vocabulary());
    let shipped = magistrate::policy::PolicyLibrary::shipped().iter().cloned();
    for policy in policies().into_iter().chain(shipped) {
        let answers = policy.answers();
        let tree = AnswerTree::new(&tokenizer, policy.contract.form, &answers);
        let mut found = Vec::new();
        for edge in tree.edges(AnswerTree::ROOT) {
            walk(&tree, edge, &mut Vec::new(), &mut found);
        }
        assert_eq!(found.len(), answers.len());
        for (leaf, path, stopped) in &found {
            let answer = &answers[*leaf];
            let written = String::from_utf8(tokenizer.decode(path)).unwrap();
            assert!(answer.text.starts_with(&written), "{} {written}", answer.text);
            assert_eq!(tree.path(*leaf), tokenizer.encode(&answer.text));
            let end = answer.text.find(",\"rationale\"").unwrap_or(answer.text.len());
            let terminated =
                if answer.text.ends_with("rationale\":\"") { written.len() > end } else { written.len() == end };
            assert!(terminated, "{} is not ended by {written}", answer.text);
            assert_eq!(*stopped, policy.contract.form == magistrate::policy::Form::Label);
            let others = found.iter().filter(|(other, ..)| other != leaf);
            for (other, longer, _) in others {
                let prefix = longer.starts_with(path) && !stopped;
                assert!(!prefix, "{} begins {}", answer.text, answers[*other].text);
            }
        }
    }
}
