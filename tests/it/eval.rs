//! Evaluations: figures equal to those of scikit-learn, golden sets of every kind, the same tokens as `label`.

mod golden;

mod flips;
mod versions;

use crate::support;

use std::io::Cursor;

use magistrate::calibration::reliability::Reliability;
use magistrate::calibration::setup::EvaluationSetup;
use magistrate::calibration::terms::Terms;
use magistrate::digest::Hash;
use magistrate::eval::comparison::Comparison;
use magistrate::eval::gate::{Fall, Floor, Gate};
use magistrate::eval::golden::{Golden, GoldenOptions, lines};
use magistrate::eval::metrics::{Confusion, Metrics, NAMES, Prediction};
use magistrate::eval::{Collectors, EvaluatedRow, Evaluation, Expected, report};
use magistrate::hint::Hints;
use magistrate::label::records::{InputFormat, RecordFields, Text};
use magistrate::label::run::{Run, Settings, run};
use magistrate::label::source::{Placed, Source};
use magistrate::policy::{Contract, Policy, PolicyLibrary, Verdict};
use magistrate::random::Random;
use serde_json::{Value, json};

use support::scripted::{engine, judge, judge_all, nothing, options, policy, rows};

/// Returns predictions, drawn like those of scripts/metrics-vectors.
fn drawn(number: u64) -> Vec<Prediction> {
    let mut random = Random::new(number);
    let rows = 1 + random.below(120);
    let (share, steps) = (random.below(101), 1 + random.below(40));
    #[allow(clippy::cast_precision_loss)]
    let mut row = || {
        let expected = random.below(100) < share;
        let mut probability = random.below(steps + 1) as f64 / steps as f64;
        if expected && random.below(3) > 0 {
            probability = probability.max(random.below(steps + 1) as f64 / steps as f64);
        }
        Prediction { expected, answer: probability >= 0.5, probability: Some(probability) }
    };
    (0..rows).map(|_| row()).collect()
}

#[test]
fn figures_are_those_of_scikit_learn_on_a_thousand_sets() {
    let vectors = include_str!("../vectors/metrics.jsonl");
    let mut count = 0;
    for (number, line) in vectors.lines().enumerate() {
        let theirs: Value = serde_json::from_str(line).unwrap();
        let rows = drawn(number as u64);
        let scores = Metrics::of(&rows);
        let close = |name: &str, ours: Option<f64>| {
            let theirs = theirs[name].as_f64();
            let same = matches!((ours, theirs), (Some(ours), Some(theirs)) if (ours - theirs).abs() < 1e-9)
                || (ours, theirs) == (None, None);
            assert!(same, "set {number}: {name} is {ours:?}, and scikit-learn's {theirs:?}");
        };
        for name in NAMES {
            close(name, scores.named(name).map(|figure| figure.value));
        }
        let pairs: Vec<(bool, f64)> = rows.iter().map(|row| (row.expected, row.probability.unwrap())).collect();
        let reliability = Reliability::of(&pairs).unwrap();
        close("brier", Some(reliability.brier));
        close("ece", Some(reliability.ece));
        if number < 20 {
            let f1 = scores.f1.unwrap();
            close("f1_low", Some(f1.low));
            close("f1_high", Some(f1.high));
        }
        count += 1;
    }
    assert_eq!(count, 1000);
}

/// Returns the records of a set.
fn records(input: &str, format: InputFormat) -> Vec<Placed> {
    let fields = RecordFields { text: Text::Unsaid, ..RecordFields::default() };
    let source = Source::of_stream("golden", Cursor::new(input.to_owned()), format, fields).unwrap();
    source.collect::<Result<_, _>>().unwrap()
}

fn evaluate(golden: &str) -> Evaluation {
    evaluate_by(&policy("rules"), golden)
}

fn evaluate_by(policy: &Policy, golden: &str) -> Evaluation {
    let engine = engine(2048);
    let judges = [judge(&engine, policy, &options())];
    let options = GoldenOptions::default().with_by(Some("where".into()));
    let options = if golden.contains("where") { options } else { GoldenOptions::default() };
    let mut golden = Golden::read(records(golden, InputFormat::Jsonl), &options, std::slice::from_ref(policy)).unwrap();
    let records = std::mem::take(&mut golden.records).into_iter().map(Ok);
    let mut collectors = Collectors::new(&golden, 1);
    let settings = Settings::default().with_own_names(true);
    let summary = run(
        Run { engine: &engine, judges: &judges, settings: &settings, earlier: nothing() },
        records,
        &mut collectors,
        &mut |_| (),
    )
    .unwrap();
    Evaluation::new(judges[0].provenance.setup("golden", Terms::default()), collectors.0.remove(0), &summary, 1.0)
}

/// A policy under which the scripted model finds a violation in every text, as the policy itself contains `!`.
fn strict() -> Policy {
    support::plain("strict", "Judge!9", "0=safe,1=violation")
}

/// A row that should be a violation.
fn row(number: u64, text: &str, verdict: Option<Verdict>) -> EvaluatedRow {
    EvaluatedRow {
        number,
        line: number,
        input: None,
        hash: Hash::of(text.as_bytes()),
        id: Some("<b>id</b>".into()),
        text: text.into(),
        expected: Expected { verdict: Verdict::Violation, category: None, knows_category: false },
        verdict,
        category: None,
        probability: Some(0.25),
        rationale: Some("</script>".into()),
        reasoning: None,
        error: None,
        slice: Some("<i>".into()),
        reasoning_tokens: None,
        rungs: Vec::new(),
    }
}

/// The scripted model finds a violation in `!`.
const GOLDEN: &str = "\
{\"text\":\"a!\",\"label\":1,\"where\":\"x\"}\n\
{\"text\":\"b\",\"label\":0,\"where\":\"x\"}\n\
{\"text\":\"c!\",\"label\":0,\"where\":\"y\"}\n\
{\"text\":\"d\",\"label\":1,\"where\":\"y\"}\n\
{\"text\":\"\",\"label\":1,\"where\":\"y\"}\n\
{\"text\":\"e\",\"where\":\"y\"}\n";

#[test]
fn an_evaluation_counts_what_is_known_and_undecided_rows_against_the_policy() {
    let evaluation = evaluate(GOLDEN);
    assert_eq!((evaluation.rows.len(), evaluation.unknown, evaluation.undecided["empty"]), (5, 1, 1));
    let value = |scores: &Metrics, name| scores.named(name).unwrap().value;
    assert!((value(&evaluation.scores, "accuracy") - 0.5).abs() < 1e-12);
    assert!((value(&evaluation.with_undecided, "accuracy") - 0.4).abs() < 1e-12);
    assert!((value(&evaluation.with_undecided, "recall") - 1.0 / 3.0).abs() < 1e-12);
    assert_eq!((evaluation.slices["x"].rows, evaluation.slices["y"].rows), (2, 2));
    assert_eq!(evaluation.confusion["violation"]["undecided"], 1);
    let copy: Evaluation = serde_json::from_str(&serde_json::to_string(&evaluation).unwrap()).unwrap();
    assert_eq!(copy.rows.len(), 5);
    // Undecided rows are ranked as the surest possible mistakes in the area under the curve, too.
    assert!((value(&evaluation.scores, "pr_auc") - 0.5).abs() < 1e-9);
    assert!((value(&evaluation.with_undecided, "pr_auc") - 8.0 / 15.0).abs() < 1e-9);
}

#[test]
fn a_gate_is_passed_by_figures_that_are_defined_over_both_classes_alone() {
    let evaluation = evaluate(GOLDEN);
    let hold = |floor: &str| Gate::check(&evaluation, Some(&floor.parse().unwrap()), None).unwrap().unwrap();
    let failed = hold("f1=0.9, recall=0.3");
    assert!(!failed.passed && !failed.checks[0].passed && failed.checks[1].passed, "{failed:?}");
    assert_eq!(failed.checks[0].to_string(), "f1 is 0.400, and must be at least 0.900");
    assert!(hold("recall=0.3").passed);
    for wrong in ["f1", "f2=1", "f1=x", "f1=nan", "f1=90", "f1=-0.1", "f1=inf", "mcc=-1.1", "f1=0.9,f1=0.1", ""] {
        assert!(wrong.parse::<Floor>().is_err(), "{wrong}");
    }
    for wrong in ["nan", "inf", "-0.1", "1.1", "", "x"] {
        assert!(wrong.parse::<Fall>().is_err(), "{wrong}");
    }
    let against = |before, now, most: &str| Gate::check(now, None, Some((before, most.parse().unwrap())));
    assert!(against(&evaluation, &evaluation, "0").unwrap().unwrap().passed);
    // The mended case is another text, so figures are compared on the others.
    let better = evaluate(&GOLDEN.replace("c!", "c"));
    assert!(against(&better, &evaluation, "0").unwrap().unwrap().passed);
    let other = evaluate(&GOLDEN.replace("\"text\":\"", "\"text\":\"x"));
    assert!(against(&other, &evaluation, "1").unwrap_err().to_string().contains("has no rows"));
    let one_class = Evaluation::of_rows(
        EvaluationSetup::default(),
        evaluation.rows.iter().filter(|row| row.outcome().0).cloned().collect(),
    );
    assert!(
        Gate::check(&one_class, Some(&"recall=0".parse().unwrap()), None)
            .unwrap_err()
            .to_string()
            .contains("no violation")
    );
    assert!(
        Gate::check(&Evaluation::of_rows(EvaluationSetup::default(), Vec::new()), Some(&"f1=0".parse().unwrap()), None)
            .is_err()
    );
}

#[test]
fn no_gate_is_passed_by_a_figure_that_is_not_defined() {
    let mut random = Random::new(7);
    let verdicts = [None, Some(Verdict::Safe), Some(Verdict::Violation), Some(Verdict::Review)];
    for round in 0..60 {
        let rows = random.below(6);
        let rows: Vec<EvaluatedRow> = (0..rows as u64)
            .map(|number| {
                let mut row = row(number, &number.to_string(), verdicts[random.below(4)]);
                row.expected.verdict = if random.below(2) == 0 { Verdict::Violation } else { Verdict::Safe };
                row.probability = row.verdict.filter(|_| round % 3 > 0).map(|_| 0.5);
                row
            })
            .collect();
        let evaluation = Evaluation::of_rows(EvaluationSetup::default(), rows);
        for name in NAMES {
            let lowest: Floor =
                format!("{name}={}", if ["mcc", "kappa"].contains(&name) { -1 } else { 0 }).parse().unwrap();
            let Ok(Some(gate)) = Gate::check(&evaluation, Some(&lowest), None) else { continue };
            let [violations, others] = evaluation.classes();
            assert!(violations > 0 && others > 0);
            let counts = evaluation.rows.iter().fold(Confusion::default(), |counts, row| {
                let (expected, answer) = row.outcome();
                counts.with(expected, answer.unwrap_or(!expected), 1.0)
            });
            let nothing_called = counts.true_positive + counts.false_positive == 0.0;
            let undefined = nothing_called && ["precision", "mcc"].contains(&name)
                || name == "pr_auc" && evaluation.with_undecided.pr_auc.is_none();
            assert!(!(undefined && gate.passed), "{name}: {counts:?} {gate:?}");
            assert!(gate.checks.iter().all(|check| check.is.is_none_or(f64::is_finite)));
        }
    }
}

#[test]
fn a_baseline_is_held_to_the_labels_of_now_and_other_terms_are_told() {
    let terms = |effort: &str, policy: &str| {
        let terms = [("policy", policy), ("effort", effort)];
        Terms(terms.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
    };
    let of = |effort, policy, label: &str| {
        let mut evaluation = evaluate(&GOLDEN.replace("\"c!\",\"label\":0", &format!("\"c!\",\"label\":{label}")));
        evaluation.about.terms = terms(effort, policy);
        evaluation
    };
    // Only the label of one text has changed.
    let (before, now) = (of("low", "a", "0"), of("none", "b", "1"));
    let comparison = Comparison::of(["main.json", "now"], &before, &now);
    assert_eq!((comparison.first, comparison.second, comparison.flips.len()), (0, 0, 0));
    assert_eq!(comparison.terms, ["effort low, then none"], "another policy is what is compared");
    let mut now = now;
    now.comparison = Some(comparison);
    assert!(
        report::text(&now).len() > 10
            && report::markdown(std::slice::from_ref(&now))
                .contains("Made under other terms: <code>effort low, then none</code>")
    );
    assert!(report::html(std::slice::from_ref(&now)).unwrap().contains("Made under another effort low, then none"));
}

#[test]
fn an_evaluation_is_read_from_its_rows_alone() {
    let evaluation = evaluate(GOLDEN);
    let json = serde_json::to_value(&evaluation).unwrap();
    let read = |json: &Value| Evaluation::read(json.to_string().as_bytes());
    let mut bold = json.clone();
    bold["scores"]["f1"]["value"] = 1.0.into();
    bold["with_undecided"]["accuracy"]["value"] = 1.0.into();
    let again = read(&bold).unwrap();
    assert_eq!((again.scores, again.with_undecided), (evaluation.scores, evaluation.with_undecided));
    let mut absurd = json.clone();
    absurd["rows"][0]["probability"] = 7.into();
    assert!(read(&absurd).unwrap_err().to_string().contains("outside 0 to 1"));
    assert!(
        read(&Value::Array(vec![json.clone(), json]))
            .unwrap_err()
            .to_string()
            .contains("the result of several policies")
    );
    assert!(Evaluation::read(b"{\"secret\": \"quetzal\"}").is_err_and(|error| !error.to_string().contains("quetzal")));
    let mut rows = evaluation.rows.clone();
    rows.push(EvaluatedRow { number: 9, ..rows[0].clone() });
    assert_eq!(
        Evaluation::of_rows(EvaluationSetup::default(), rows.clone()).distinct().unwrap(),
        (evaluation.distinct().unwrap().0, 1)
    );
    rows[5].expected.verdict = Verdict::Safe;
    assert!(
        Evaluation::of_rows(EvaluationSetup::default(), rows)
            .distinct()
            .unwrap_err()
            .to_string()
            .contains("different answers")
    );
}

#[test]
fn it_decodes_exactly_the_tokens_that_label_does() {
    let golden: String = (0..60)
        .map(|row| {
            format!("{{\"text\":\"Text {row}{}\",\"label\":{}}}\n", if row % 3 == 0 { "!" } else { "" }, row % 2)
        })
        .collect();
    let evaluation = evaluate(&golden);
    let (engine, policy) = (engine(2048), policy("rules"));
    let judges = [judge(&engine, &policy, &options())];
    let source = support::scripted::source(Cursor::new(golden), InputFormat::Jsonl);
    let mut sink = rows(Vec::new(), &["rules"]);
    let summary = judge_all(&engine, &judges, source, &mut sink).unwrap();
    assert_eq!(evaluation.tokens, summary.tokens.all());
}

#[test]
fn a_page_holds_whatever_a_text_spells_as_text_and_asks_for_nothing() {
    let text = "</script><script>alert(1)</script><img src=x onerror=alert(2)> {{ about }} \u{2028}";
    let about =
        EvaluationSetup { golden: "<u>".into(), policy: ["<s>".into(), "d".into()], ..EvaluationSetup::default() };
    let mut evaluation = Evaluation::of_rows(
        about,
        vec![row(1, text, Some(Verdict::Safe)), row(2, "plain", Some(Verdict::Violation)), row(3, "x", None)],
    );
    let now = Evaluation::of_rows(EvaluationSetup::default(), vec![row(1, text, Some(Verdict::Violation))]);
    evaluation.comparison = Some(Comparison::of(["<em>.json", "now"], &now, &evaluation));
    let page = report::html(std::slice::from_ref(&evaluation)).unwrap();
    for wrong in ["<script>alert", "<img", "<u>", "<s>", "<i>", "<b>id", "<em>"] {
        assert!(!page.contains(wrong), "{wrong}");
    }
    let (own, _) = page.split_once("id=\"data\"").unwrap();
    let own = own.replace("&lt;img src=x", "");
    for elsewhere in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!own.contains(elsewhere), "{elsewhere}");
    }
    assert_eq!(page.matches("</script>").count(), 2, "the two that are its own");
    let markdown = report::markdown(std::slice::from_ref(&evaluation));
    assert!(!markdown.contains("<script") && markdown.contains("&#60;script"), "{markdown}");
    let empty = Evaluation::of_rows(EvaluationSetup::default(), Vec::new());
    assert!(report::html(std::slice::from_ref(&empty)).is_ok() && !report::text(&empty).is_empty());
}

#[test]
fn markdown_leaves_no_link_image_mention_or_markup_of_a_strangers() {
    let tricks = [
        "<script>x</script>",
        "![x](y)",
        "[x](y)",
        "[x][y]",
        "@someone",
        "https://example.org/a",
        "www.example.org",
        "a@example.org",
        "#12",
        "`x`",
        "``` x",
        "a | b",
        "**x**",
        "~~x~~",
        "\\<b>",
        "</code><b>",
        "&lt;b&gt;",
        "$x$",
        ":tada:",
        "line\nline",
        "\u{202E}x",
        "\u{1b}[31m",
    ];
    for trick in tricks {
        let mut bad = row(1, trick, Some(Verdict::Safe));
        (bad.category, bad.error, bad.slice) = (Some(trick.into()), Some(trick.into()), Some(trick.into()));
        let undecided = EvaluatedRow { verdict: None, number: 2, hash: Hash::of(b"2"), ..bad.clone() };
        let name = |name: &str| [name.to_owned(), "d".to_owned()];
        let about = EvaluationSetup {
            golden: trick.into(),
            policy: name(trick),
            model: name(trick),
            ..EvaluationSetup::default()
        };
        let mut evaluation = Evaluation::of_rows(about, vec![bad.clone(), undecided]);
        let before = Evaluation::of_rows(
            EvaluationSetup::default(),
            vec![EvaluatedRow { verdict: Some(Verdict::Violation), ..bad }],
        );
        evaluation.comparison = Some(Comparison::of([trick, "now"], &before, &evaluation));
        let markdown = report::markdown(std::slice::from_ref(&evaluation));
        assert!(!markdown.contains(trick), "{trick}: {markdown}");
        // The report itself has only the tags of code and of the list of errors.
        let plain = ["<code>", "</code>", "<details>", "</details>", "<summary>", "</summary>"]
            .iter()
            .fold(markdown, |markdown, tag| markdown.replace(tag, ""));
        for character in ['<', '>', '@', '`', '[', ']', '~', '$', '\\', '!', '_', '\u{202E}', '\u{1b}'] {
            let ours =
                plain.matches(character).count() - plain.matches("pr_auc").count() * usize::from(character == '_');
            assert_eq!(ours, 0, "{trick}: {character} in {plain}");
        }
        assert!(!plain.contains("://") && !plain.contains("www."), "{plain}");
    }
}
