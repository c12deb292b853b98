//! Verdict, probability, threshold, mass, decision and exit code of a row agree under all flags.
//!
//! The model gives every token a random weight, so answers of every kind and every mass occur.

use crate::support;

#[allow(dead_code, reason = "the command uses the other codes")]
#[path = "../../src/cli/terminal/exit.rs"]
mod exit;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use magistrate::calibration::certificate::{Certificate, Decision};
use magistrate::calibration::map::FitMethod;
use magistrate::calibration::setup::EvaluationSetup;
use magistrate::content::Content;
use magistrate::engine::backend::{Layout, Limits};
use magistrate::engine::scripted::Scripted;
use magistrate::engine::{Band, Engine, EngineConfig, Session, SessionOptions};
use magistrate::harmony::Control;
use magistrate::label::judge::{Chunking, Submission};
use magistrate::label::row::{self, DecidedAnew, Provenance, Row, RowVerdict, Status, Verdicts};
use magistrate::policy::{Effort, Policy, Verdict};
use magistrate::prompt::Templates;
use magistrate::tokenizer::Token;
use magistrate::verdict::DecisionRule;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// Returns an engine whose model prefers some tokens of answers to others, and sometimes another token to all of them.
fn engine() -> Engine {
    let config = EngineConfig::new(support::demonstration()).with_context(4096);
    let tokenizer = magistrate::gguf::inspect(&config.model).unwrap().tokenizer().unwrap();
    let limits = Limits { layout: Layout::Unified, cells: 4096, batch: 256, outputs: 64, sequences: config.sequences };
    let mut liked: Vec<Token> = policies()
        .iter()
        .flat_map(|policy| {
            policy.answers().into_iter().flat_map(|answer| tokenizer.encode(&answer.text)).collect::<Vec<_>>()
        })
        .chain(Control::ALL.map(|control| tokenizer.control(control)))
        .chain(tokenizer.encode("final"))
        .collect();
    liked.sort_unstable();
    liked.dedup();
    let model = move |history: &[Token], logits: &mut [f32]| {
        let mut hasher = DefaultHasher::new();
        history.hash(&mut hasher);
        let mut state = hasher.finish();
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            f32::from(u16::try_from(state >> 48).unwrap()) / f32::from(u16::MAX)
        };
        // The token that the model prefers to every answer.
        logits[7] = 24.0 * random() * random();
        for token in &liked {
            logits[token.0 as usize] = 24.0 * random();
        }
    };
    let vocabulary = tokenizer.len();
    Engine::on(move || Scripted::new(limits, vocabulary, model), &config, Templates::shipped()).unwrap()
}

fn plain(labels: &str) -> Policy {
    support::plain("plain", "Judge.", labels)
}

fn policies() -> [Policy; 4] {
    let yaml = |form: &str| {
        format!(
            "id: {form}\ntitle: Test\nversion: '1'\nsummary: A test.\ninstruction: Judge it.\n\
             contract:\n  form: {form}\n\
             categories:\n\
             \x20 - {{code: A, title: Fine, verdict: safe, criteria: [Anything else.]}}\n\
             \x20 - {{code: B, title: Bad, verdict: violation, criteria: [It is bad.]}}\n\
             \x20 - {{code: B.a, title: Worse, verdict: violation, criteria: [It is worse.]}}\n\
             \x20 - {{code: C, title: Unclear, verdict: review, criteria: [It is unclear.]}}\n\
             examples:\n\
             \x20 - {{text: Hello., category: null}}\n\
             \x20 - {{text: Bad., category: B}}\n"
        )
    };
    let structured = |form: &str| Policy::from_yaml("test.yaml", &yaml(form)).unwrap();
    [
        plain("0=safe,1=violation"),
        plain("NO=safe,YES=violation,ASK=review"),
        structured("category"),
        structured("rationale"),
    ]
}

/// The flags of a run.
#[derive(Clone, Debug)]
struct Flags {
    policy: usize,
    threshold: Option<f64>,
    min_mass: f64,
    chunk: Option<usize>,
    free: bool,
    cascade: Option<(f64, f64)>,
    certified: bool,
    limit: Option<usize>,
}

fn share() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(1.0), Just(0.5), 0.0..=1.0, (1..12_i32).prop_map(|tail| 10_f64.powi(-tail)), 0.99..=1.0]
}

fn flags() -> impl Strategy<Value = Flags> {
    let cascade = prop::option::of((share(), share()).prop_map(|(one, other)| (one.min(other), one.max(other))));
    let min_mass = prop_oneof![Just(0.5), Just(0.0), share()];
    let (threshold, chunk) = (prop::option::of(share()), prop::option::of(4..12_usize));
    let (free, limit) = (prop::bool::weighted(0.1), prop::option::weighted(0.1, 5..40_usize));
    (0..4_usize, threshold, min_mass, chunk, free, cascade, any::<bool>(), limit).prop_map(
        |(policy, threshold, min_mass, chunk, free, cascade, certified, limit)| {
            // The command refuses these together.
            let (threshold, cascade) = if free { (None, None) } else { (threshold, cascade) };
            Flags { policy, threshold, min_mass, chunk, free, cascade, certified: certified && !free, limit }
        },
    )
}

/// Returns a certificate whose map hardly changes probabilities.
fn certificate() -> Arc<Certificate> {
    let rows: Vec<(bool, f64)> =
        (0..800_u32).map(|row| f64::from(row % 100) / 100.0).map(|sure| (sure > 0.5, sure)).collect();
    Arc::new(Certificate::issue(EvaluationSetup::default(), &rows, FitMethod::Temperature, 0.1, 0.1, 0).unwrap())
}

/// Returns the row of a text.
fn row(engine: &Engine, flags: &Flags, certificate: &Arc<Certificate>, text: &str) -> Row {
    let policy = &policies()[flags.policy];
    let effort = if flags.cascade.is_some() { Effort::Low } else { Effort::None };
    let options = SessionOptions::from(effort)
        .with_budget(Some(4))
        .with_cascade(flags.cascade.map(|(low, high)| Band { low, high }))
        .with_free(flags.free)
        .with_rule(DecisionRule::default().with_threshold(flags.threshold).with_min_mass(flags.min_mass))
        .with_max_content(flags.limit);
    let provenance = Provenance::new(policy, engine.model(), engine.templates(), effort, options.rule());
    let provenance = if flags.certified { provenance.with_certificate(Arc::clone(certificate)) } else { provenance };
    let session = engine.session(policy, options).unwrap();
    let chunking = flags.chunk.map(Chunking::of);
    let judged =
        Submission { engine, session: &session, content: &Content::new(text), chunking }.submit(Session::submit).wait();
    provenance.row(&judged, false)
}

/// Checks that every field of a row follows from the other fields.
fn agrees(row: &Row, flags: &Flags, certificate: &Certificate) -> Result<(), TestCaseError> {
    prop_assert_eq!(row.status == Status::Ok, row.verdict.is_some());
    prop_assert_eq!(row.error.is_none(), row.verdict.is_some());
    prop_assert_eq!(row.verdict.is_some(), row.label.is_some());
    for share in [row.probability, row.label_probability, row.mass, row.threshold, row.min_mass, row.calibrated] {
        prop_assert!(share.is_none_or(|share| (0.0..=1.0).contains(&share)), "{:?}", share);
    }
    if flags.free {
        prop_assert_eq!((row.threshold, row.min_mass, row.probability, row.mass), (None, None, None, None));
    } else {
        prop_assert_eq!((row.threshold, row.min_mass), (flags.threshold, Some(flags.min_mass)));
    }
    if let (Some(verdict), Some(probability), Some(mass)) = (row.verdict, row.probability, row.mass) {
        prop_assert!(mass >= flags.min_mass && mass > 0.0);
        match flags.threshold {
            Some(threshold) => prop_assert_eq!(verdict == Verdict::Violation, probability >= threshold),
            None => prop_assert!(verdict != Verdict::Violation || probability >= 1.0 / 3.0 - 1e-9),
        }
        let label = row.label_probability.unwrap();
        prop_assert!(verdict == Verdict::Violation || label <= 1.0 - probability + 1e-9);
    } else {
        prop_assert!(row.verdict.is_none() || flags.free);
    }
    if row.error.as_ref().is_some_and(|error| error.code == "off-contract") {
        let mass = row.mass.unwrap();
        prop_assert!(mass < flags.min_mass || mass == 0.0);
    }
    if let Some(cascade) = row.cascade {
        let (low, high) = flags.cascade.unwrap();
        let within = cascade.probability.is_none_or(|first| (low..=high).contains(&first));
        prop_assert_eq!(cascade.escalated, within);
        prop_assert!(cascade.escalated || cascade.probability == row.probability);
    }
    prop_assert_eq!(row.decision.is_some(), flags.certified);
    if row.decision == Some(Decision::Auto) {
        let believed = row.calibrated.unwrap();
        match row.verdict {
            Some(Verdict::Violation) => prop_assert!(believed >= certificate.high.unwrap()),
            Some(Verdict::Safe) => prop_assert!(believed <= certificate.low.unwrap()),
            other => prop_assert!(false, "{:?}", other),
        }
    }
    let expected = match (row.status, row.verdict, row.decision) {
        (Status::Ok, Some(Verdict::Safe), None | Some(Decision::Auto)) => 0,
        (Status::Ok, Some(Verdict::Violation), None | Some(Decision::Auto)) => 1,
        (Status::Ok | Status::Unresolved, ..) => 3,
        (Status::Error, ..) => 2,
    };
    prop_assert_eq!(exit::of_rows(std::slice::from_ref(row)), expected);
    // `label` reads the JSON again to count rows, and to select them for --only.
    let standing = match expected {
        0 => RowVerdict::Safe,
        1 => RowVerdict::Violation,
        _ if row.status == Status::Ok => RowVerdict::Review,
        _ => RowVerdict::Undecided,
    };
    prop_assert_eq!(RowVerdict::of(&row::rows(&Verdicts::new(vec![row.clone()]).json)), standing);
    Ok(())
}

/// Checks that a row that is decided anew, by another threshold and certificate, is the row of a run under these.
fn decided_anew(
    engine: &Engine,
    flags: &Flags,
    certificate: &Arc<Certificate>,
    text: &str,
    row: &Row,
    (threshold, certified): (Option<f64>, bool),
) -> Result<(), TestCaseError> {
    // Near 0 and 1 a run scores answers that are estimated elsewhere.
    let is_inner = |threshold: Option<f64>| threshold.is_none_or(|threshold| (0.02..0.98).contains(&threshold));
    if flags.free || !is_inner(flags.threshold) || !is_inner(threshold) {
        return Ok(());
    }
    let policy = &policies()[flags.policy];
    let categories = policy.categories().iter();
    let rule = DecidedAnew {
        threshold,
        certificate: certified.then(|| Certificate::clone(certificate)),
        categories: categories.map(|one| (one.code.clone(), (one.title.clone(), one.severity))).collect(),
    };
    // The row comes from a journal.
    let mut anew = row::rows(&Verdicts::new(vec![row.clone()]).json).remove(0);
    anew.decide_anew(&rule);
    let flags = Flags { threshold, certified, ..flags.clone() };
    let run = self::row(engine, &flags, certificate, text);
    agrees(&anew, &flags, certificate)?;
    let mut same = serde_json::to_value(&run).unwrap();
    let mut decided = serde_json::to_value(&anew).unwrap();
    let kept = (anew.verdict, &anew.category, anew.pieces.map(|pieces| pieces.worst))
        == (row.verdict, &row.category, row.pieces.map(|pieces| pieces.worst));
    for value in [&mut same, &mut decided] {
        let fields = value.as_object_mut().unwrap();
        // Its tokens were spent for the old verdict.
        fields.shift_remove("usage");
        if !kept {
            fields.shift_remove("rationale");
        }
    }
    prop_assert_eq!(decided, same);
    prop_assert_eq!(exit::of_rows(&[anew]), exit::of_rows(&[run]));
    Ok(())
}

#[test]
fn verdict_probability_threshold_mass_decision_and_exit_code_agree_in_every_mode() {
    let (engine, certificate) = (engine(), certificate());
    let seen = RefCell::new(BTreeSet::new());
    let words = prop::collection::vec("[a-z]{1,8}", 1..40).prop_map(|words| words.join(" "));
    let mut runner = TestRunner::new(ProptestConfig::with_cases(256));
    let again = (prop::option::of(share()), any::<bool>());
    let held = runner.run(&(flags(), words, again), |(flags, text, again)| {
        let row = row(&engine, &flags, &certificate, &text);
        let mut seen = seen.borrow_mut();
        seen.insert(format!("exit {}", exit::of_rows(std::slice::from_ref(&row))));
        seen.insert(format!("{:?}", row.verdict));
        seen.insert(format!("{:?}", row.decision));
        seen.insert(format!("escalated {:?}", row.cascade.map(|cascade| cascade.escalated)));
        seen.insert(format!("in pieces {}", row.pieces.is_some()));
        agrees(&row, &flags, &certificate)?;
        decided_anew(&engine, &flags, &certificate, &text, &row, again)?;
        // A threshold that equals the probability, or is just above it.
        for threshold in row.probability.into_iter().flat_map(|p| [p, p.next_up().min(1.0)]) {
            let flags = Flags { threshold: Some(threshold), ..flags.clone() };
            agrees(&self::row(&engine, &flags, &certificate, &text), &flags, &certificate)?;
        }
        Ok(())
    });
    held.unwrap();
    // A model with only one answer would always agree with itself.
    let all = [
        "exit 0",
        "exit 1",
        "exit 2",
        "exit 3",
        "None",
        "Some(Violation)",
        "Some(Safe)",
        "Some(Review)",
        "Some(Auto)",
        "escalated None",
        "escalated Some(true)",
        "escalated Some(false)",
        "in pieces true",
        "in pieces false",
    ];
    for kind in all {
        assert!(seen.borrow().contains(kind), "no row was {kind}: {:?}", seen.borrow());
    }
}
