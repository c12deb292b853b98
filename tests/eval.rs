//! Evaluations: figures as scikit-learn has them, golden sets of every kind, the same tokens as `label`.

mod support;

use std::io::Cursor;

use magistrate::eval::calibration::Reliability;
use magistrate::eval::compare::Comparison;
use magistrate::eval::gate::{Floor, dropped};
use magistrate::eval::golden::{Expected, Key, lines};
use magistrate::eval::interval::Random;
use magistrate::eval::metrics::{NAMES, Scores, Spread};
use magistrate::eval::{About, All, Evaluation, Gathering, Row, report};
use magistrate::label::entry::Hash;
use magistrate::label::records::{Fields, Format, Text};
use magistrate::label::run::{Settings, run};
use magistrate::label::source::Source;
use magistrate::policy::{Policy, PolicyLibrary, Verdict};
use serde_json::Value;

use support::scripted::{engine, judge, nothing, options, policy, rows};

/// A set as scripts/metrics-vectors draws it.
fn drawn(number: u64) -> Vec<Spread> {
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
        Spread { expected, said: probability >= 0.5, probability: Some(probability) }
    };
    (0..rows).map(|_| row()).collect()
}

#[test]
fn figures_are_those_of_scikit_learn_on_a_thousand_sets() {
    let vectors = include_str!("vectors/metrics.jsonl");
    let mut count = 0;
    for (number, line) in vectors.lines().enumerate() {
        let theirs: Value = serde_json::from_str(line).unwrap();
        let rows = drawn(number as u64);
        let scores = Scores::of(&rows);
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

#[allow(clippy::unnecessary_wraps, reason = "as a key has it")]
fn safe() -> Option<Expected> {
    Some(Expected { verdict: Verdict::Safe, category: None, knows_category: false })
}

#[allow(clippy::unnecessary_wraps, reason = "as a key has it")]
fn violation() -> Option<Expected> {
    Some(Expected { verdict: Verdict::Violation, category: None, knows_category: false })
}

#[allow(clippy::unnecessary_wraps, reason = "as a key has it")]
fn code(code: &str) -> Option<Expected> {
    Some(Expected { verdict: Verdict::Violation, category: Some(code.into()), knows_category: true })
}

/// What is expected of each record of a set, by a policy.
fn read(
    input: &str,
    format: Format,
    label: Option<&str>,
    positive: &[&str],
    policy: &Policy,
) -> Vec<Result<Option<Expected>, String>> {
    let source = Source::of_stream(
        "golden",
        Cursor::new(input.to_owned()),
        format,
        Fields { text: Text::Unsaid, ..Fields::default() },
    );
    let mut source = source.unwrap().peekable();
    let columns = source.peek().unwrap().as_ref().unwrap().record.columns.clone();
    let positive = positive.iter().map(ToString::to_string).collect();
    let key = match Key::new(&columns, label, positive, vec!["text".into()]) {
        Ok(key) => key,
        Err(error) => return vec![Err(error.to_string())],
    };
    source
        .map(|placed| key.expected(&placed.unwrap().record.columns, policy).map_err(|error| error.to_string()))
        .collect()
}

#[test]
fn golden_sets_of_every_kind_are_read_and_what_is_absent_is_unknown() {
    let spam = PolicyLibrary::shipped().get("spam").unwrap();
    let jsonl = |input: &str| read(input, Format::Jsonl, None, &[], spam);
    let known = |set: Vec<Option<Expected>>| set.into_iter().map(Ok).collect::<Vec<_>>();

    let rows = "{\"text\":\"a\",\"violation\":1}\n{\"text\":\"b\",\"violation\":0}\n{\"text\":\"c\"}\n";
    assert_eq!(jsonl(rows), known(vec![violation(), safe(), None]));
    let rows = "{\"text\":\"a\",\"label\":\"SP3.b\"}\n{\"text\":\"b\",\"label\":\"sp0.a\"}\n{\"text\":\"c\",\"label\":\"SP3\"}\n{\"text\":\"d\",\"label\":\"\"}\n";
    let of_code = Some(Expected { knows_category: true, ..safe().unwrap() });
    assert_eq!(jsonl(rows), known(vec![code("SP3.b"), of_code.clone(), violation(), None]));
    assert_eq!(
        jsonl("{\"text\":\"a\",\"safe\":1}\n{\"text\":\"b\",\"safe\":false}\n"),
        known(vec![safe(), violation()])
    );
    let csv = read("text,class\na,hate\nb,neither\n", Format::Csv, None, &["hate"], spam);
    assert_eq!(csv, known(vec![violation(), safe()]));
    let csv = read("text,gold\na,INVALID\nb,valid\n", Format::Csv, Some("gold"), &[], spam);
    assert_eq!(csv, known(vec![violation(), safe()]));

    let hate = PolicyLibrary::shipped().get("hate").unwrap();
    let release = "{\"text\":\"a\",\"H\":1,\"V\":0}\n{\"text\":\"b\",\"H\":0,\"H2\":0}\n{\"text\":\"c\",\"V\":1}\n";
    assert_eq!(read(release, Format::Jsonl, None, &[], hate), known(vec![violation(), safe(), None]));
    let object = "{\"text\":\"a\",\"labels\":{\"H\":1}}\n{\"text\":\"b\",\"labels\":{\"S\":0}}\n";
    assert_eq!(read(object, Format::Jsonl, None, &[], hate), known(vec![violation(), None]));
    let triggers = "{\"text\":\"a\",\"expected_triggers\":{\"spam\":true,\"other\":false}}\n{\"text\":\"b\",\"expected_triggers\":{\"one\":false}}\n";
    assert_eq!(jsonl(triggers), known(vec![violation(), safe()]));
    let own = lines(&spam.golden[..3]);
    let expected: Vec<_> =
        spam.golden[..3].iter().map(|case| case.category.as_deref().map_or(of_code.clone(), code)).collect();
    assert_eq!(jsonl(&own), known(expected));

    let unlike = jsonl("{\"text\":\"a\",\"label\":\"SP9\"}\n");
    assert!(
        unlike[0]
            .as_ref()
            .unwrap_err()
            .starts_with("the label `SP9` is no code and no label of the policy spam\nhint: --positive")
    );
    assert!(jsonl("{\"text\":\"a\",\"x\":1}\n")[0].as_ref().unwrap_err().contains("--label-column"));
    let missing = read("text,x\na,1\n", Format::Csv, Some("gold"), &[], spam);
    assert!(missing[0].as_ref().unwrap_err().contains("there is no column `gold` for the label, found: `text`, `x`"));
    let unmapped = read(release, Format::Jsonl, None, &[], spam);
    assert!(unmapped[0].as_ref().unwrap_err().contains("does not say which categories of OpenAI's"));
}

fn evaluate(golden: &str) -> Evaluation {
    let (engine, policy) = (engine(2048), policy("rules"));
    let judges = [judge(&engine, &policy, &options())];
    let source = Source::of_stream("golden", Cursor::new(golden.to_owned()), Format::Jsonl, Fields::default()).unwrap();
    let mut source = source.peekable();
    let columns = source.peek().unwrap().as_ref().unwrap().record.columns.clone();
    let key = Key::new(&columns, None, Vec::new(), vec!["text".into()]).unwrap();
    let mut all = All(vec![Gathering::new(&key, &policy, 0, Some("where".into()))]);
    let settings = Settings { own_names: true, ..Settings::default() };
    let summary = run(&engine, &judges, source, &settings, nothing(), &mut all, &mut |_| ()).unwrap();
    Evaluation::new(judges[0].provenance.about("golden"), all.0.remove(0), &summary, 1.0)
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
    let value = |scores: &Scores, name| scores.named(name).unwrap().value;
    assert!((value(&evaluation.scores, "accuracy") - 0.5).abs() < 1e-12);
    assert!((value(&evaluation.with_undecided, "accuracy") - 0.4).abs() < 1e-12);
    assert!((value(&evaluation.with_undecided, "recall") - 1.0 / 3.0).abs() < 1e-12);
    assert_eq!((evaluation.slices["x"].rows, evaluation.slices["y"].rows), (2, 2));
    assert_eq!(evaluation.confusion["violation"]["undecided"], 1);
    let copy: Evaluation = serde_json::from_str(&serde_json::to_string(&evaluation).unwrap()).unwrap();
    assert_eq!(copy.rows.len(), 5);
    assert!(
        "f1=0.9, recall=0.3"
            .parse::<Floor>()
            .unwrap()
            .fallen(&evaluation)
            .iter()
            .map(|fallen| fallen.name.as_str())
            .eq(["f1"])
    );
    for wrong in ["f1", "f2=1", "f1=x"] {
        assert!(wrong.parse::<Floor>().is_err());
    }
    assert!(dropped(&evaluation, &evaluation, 0.0).is_empty());
    let better = evaluate(&GOLDEN.replace("c!", "c"));
    assert!(dropped(&better, &evaluation, 0.02).iter().any(|fallen| fallen.name == "accuracy"));
    let comparison = Comparison::of(&evaluation, &evaluate(&GOLDEN.replace("b\"", "b!\"").replace("b!\"", "b\"")));
    assert_eq!((comparison.rows, comparison.flips.len(), comparison.both, comparison.neither), (5, 0, 2, 3));
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
    let source = support::scripted::source(Cursor::new(golden), Format::Jsonl);
    let mut sink = rows(Vec::new(), &["rules"]);
    let summary = run(&engine, &judges, source, &Settings::default(), nothing(), &mut sink, &mut |_| ()).unwrap();
    assert_eq!(evaluation.tokens, summary.tokens.all());
}

#[test]
fn a_page_holds_whatever_a_text_spells_as_text_and_asks_for_nothing() {
    let text = "</script><script>alert(1)</script><img src=x onerror=alert(2)> {{ about }} \u{2028}";
    let row = |number, text: &str, verdict| Row {
        number,
        hash: Hash::of(text.as_bytes()),
        id: Some("<b>id</b>".into()),
        text: text.into(),
        expected: violation().unwrap(),
        verdict,
        category: None,
        probability: Some(0.25),
        rationale: Some("</script>".into()),
        reasoning: None,
        error: None,
        slice: Some("<i>".into()),
    };
    let about = About { golden: "<u>".into(), policy: ["<s>".into(), "d".into()], ..About::default() };
    let evaluation = Evaluation::of_rows(
        about,
        vec![row(1, text, Some(Verdict::Safe)), row(2, "plain", Some(Verdict::Violation)), row(3, "x", None)],
    );
    let page = report::html(&evaluation).unwrap();
    for wrong in ["<script>alert", "<img", "<u>", "<s>", "<i>", "<b>id"] {
        assert!(!page.contains(wrong), "{wrong}");
    }
    let (own, _) = page.split_once("id=\"data\"").unwrap();
    for elsewhere in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!own.contains(elsewhere), "{elsewhere}");
    }
    assert_eq!(page.matches("</script>").count(), 2, "the two that are its own");
    let markdown = report::markdown(&evaluation);
    assert!(!markdown.contains("<script") && markdown.contains("&lt;script"), "{markdown}");
    let empty = Evaluation::of_rows(About::default(), Vec::new());
    assert!(report::html(&empty).is_ok() && !report::text(&empty).is_empty());
}
