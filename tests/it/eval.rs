//! Evaluations: figures equal to those of scikit-learn, golden sets of every kind, the same tokens as `label`.

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

use support::scripted::{engine, judge, nothing, options, policy, rows};

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

/// A reader of sets under shipped or plain policies. By default the column with the labels is found.
struct Set<'set> {
    format: InputFormat,
    policies: &'set [&'set str],
    options: GoldenOptions,
}

impl Default for Set<'_> {
    fn default() -> Self {
        Self { format: InputFormat::Jsonl, policies: &["spam"], options: GoldenOptions::default() }
    }
}

impl Set<'_> {
    fn label(label: &str) -> Self {
        Self { options: GoldenOptions { label: Some(label.into()), ..GoldenOptions::default() }, ..Self::default() }
    }

    fn positive(mut self, labels: &[&str]) -> Self {
        self.options.positive = labels.iter().map(ToString::to_string).collect();
        self
    }

    fn negative(mut self, labels: &[&str]) -> Self {
        self.options.negative = labels.iter().map(ToString::to_string).collect();
        self
    }

    fn csv(self) -> Self {
        Self { format: InputFormat::Csv, ..self }
    }

    fn of(self, policies: &'static [&'static str]) -> Self {
        Self { policies, ..self }
    }

    fn golden(&self, input: &str) -> Result<Golden, String> {
        let policies: Vec<Policy> = self
            .policies
            .iter()
            .map(|id| PolicyLibrary::shipped().get(id).map_or_else(|_| policy(id), Clone::clone))
            .collect();
        Golden::read(records(input, self.format), &self.options, &policies).map_err(|error| with_hints(&error))
    }

    /// Returns the expected answer to each record under the first policy, in words. An unknown one is `?`.
    fn read(&self, input: &str) -> Result<String, String> {
        let golden = self.golden(input)?;
        let rows = records(input, self.format).len() as u64;
        let words: Vec<String> =
            (1..=rows).map(|row| golden.expected(row, 0).map_or("?".to_owned(), ToString::to_string)).collect();
        Ok(words.join(", "))
    }

    #[track_caller]
    fn is(&self, input: &str, expected: &str) {
        assert_eq!(self.read(input).as_deref(), Ok(expected), "{input}");
    }

    #[track_caller]
    fn refuses(&self, input: &str, why: &str) {
        let read = self.read(input);
        assert!(read.as_ref().is_err_and(|error| error.contains(why)), "{input}: {read:?}");
    }
}

/// Returns an error and its hints, a line each.
fn with_hints(error: &dyn Hints) -> String {
    let hints = error.hints().into_iter().map(|hint| format!("\nhint: {hint}"));
    format!("{error}{}", hints.collect::<String>())
}

/// Returns a set with a record for each label, which is JSON.
fn labelled(column: &str, labels: &[&str]) -> String {
    let line = |(row, label): (usize, &&str)| format!("{{\"text\":\"text {row}\",\"{column}\":{label}}}\n");
    labels.iter().enumerate().map(line).collect()
}

#[test]
fn golden_sets_of_every_kind_are_read_and_what_is_absent_is_unknown() {
    let any = Set::default();
    any.is(&(labelled("violation", &["1", "0"]) + "{\"text\":\"c\"}\n"), "violation, safe, ?");
    any.is(&labelled("label", &["\"SP3.b\"", "\"sp0.a\"", "\"SP3\"", "\"\""]), "violation SP3.b, safe, violation, ?");
    Set::label("class").positive(&["hate"]).csv().is("text,class\na,hate\nb,neither\n", "violation, safe");
    Set::label("gold").csv().is("text,gold\na,INVALID\nb,valid\n", "violation, safe");

    let hate = Set::default().of(&["hate"]);
    let release = "{\"text\":\"a\",\"H\":1,\"V\":0}\n{\"text\":\"b\",\"H\":0,\"H2\":0.0}\n{\"text\":\"c\",\"V\":1}\n";
    hate.is(release, "violation, safe, ?");
    hate.is("{\"text\":\"a\",\"labels\":{\"H\":1}}\n{\"text\":\"b\",\"labels\":{\"S\":0}}\n", "violation, ?");
    hate.refuses("{\"text\":\"a\",\"H\":0.5,\"V\":0}\n", "the flag `H` is `0.5`");
    Set::default().positive(&["V"]).is(release, "safe, ?, violation");
    any.refuses(release, "the policy spam names no categories of OpenAI's taxonomy\nhint: add `taxonomy: { openai: [...] }`, or name the columns with `GoldenOptions::positive`");
    let triggers = "{\"text\":\"a\",\"expected_triggers\":{\"Spam\":true,\"other\":false}}\n{\"text\":\"b\",\"expected_triggers\":{\"Spam\":false}}\n{\"text\":\"c\",\"expected_triggers\":{\"other\":true}}\n";
    any.is(triggers, "violation, safe, ?");

    any.refuses(
        &labelled("label", &["\"SP9\""]),
        "record 1: the label `SP9` is no code and no label of the policy spam\nhint: `GoldenOptions::positive` = LABEL,...",
    );
    any.refuses(
        "{\"text\":\"a\",\"x\":1}\n",
        "no column seems to contain the correct answers\nhint: `GoldenOptions::label`",
    );
    Set::label("gold").csv().refuses(
        "text,x\na,1\n",
        "there is no column `gold`\nhint: `GoldenOptions::label` names one of the columns `text`, `x`",
    );
    let by = Set { options: GoldenOptions { by: Some("wher".into()), ..GoldenOptions::default() }, ..Set::default() };
    by.refuses(
        &labelled("label", &["1", "0"]),
        "there is no column `wher`\nhint: `GoldenOptions::by` names one of the columns `text`, `label`",
    );
}

#[test]
fn a_policys_own_cases_are_read_as_they_stand() {
    let spam = PolicyLibrary::shipped().get("spam").unwrap();
    let cases = PolicyLibrary::shipped().golden("spam");
    let golden = Golden::own(records(&lines(cases), InputFormat::Jsonl), &GoldenOptions::default(), spam).unwrap();
    for (row, case) in (1..).zip(cases) {
        let expected = golden.expected(row, 0).unwrap();
        assert!(expected.knows_category);
        assert_eq!(expected.category, case.category, "a case without one is safe");
        assert_eq!(expected.verdict == Verdict::Safe, case.category.is_none());
    }
    let other = GoldenOptions { positive: vec!["SP3.b".into()], ..GoldenOptions::default() };
    let refused = Golden::own(records(&lines(cases), InputFormat::Jsonl), &other, spam).unwrap_err();
    assert!(
        with_hints(&refused).contains("\nhint: leave out `GoldenOptions::label`, `GoldenOptions::positive` and"),
        "{refused}"
    );
    // In a set of the user, a category that is null is not known.
    let known = "{\"text\":\"a\",\"category\":\"SP3.b\"}\n{\"text\":\"b\",\"category\":null}\n";
    Set::default().is(known, "violation SP3.b, ?");
}

#[test]
fn yes_and_no_mean_what_the_name_of_their_column_says() {
    for column in
        ["safe", "is_safe", "is_response_0_safe", "isSafe", "allowed", "not_harmful", "acceptable", "ham", "keep"]
    {
        for (yes, no) in [("true", "false"), ("1", "0"), ("1.0", "0.0"), ("\"yes\"", "\"no\""), ("\"1.0\"", "\"0.0\"")]
        {
            Set::label(column).is(&labelled(column, &[yes, no, "null"]), "safe, violation, ?");
        }
    }
    for column in ["violation", "unsafe", "is_unsafe", "not_safe", "flagged", "label", "gold", "is_spam"] {
        Set::label(column).is(&labelled(column, &["true", "0.0", "1", "null"]), "violation, safe, violation, ?");
    }
    for column in ["safety", "not_relevant", "safe_or_toxic"] {
        Set::label(column).refuses(&labelled(column, &["1", "0"]), "its name leaves open");
        Set::label(column).positive(&["0"]).is(&labelled(column, &["1", "0.0"]), "safe, violation");
    }
    // A name with a meaning comes before the policy's own 0 and 1, and these come before common usage.
    Set::label("safe").of(&["rules"]).is(&labelled("safe", &["1", "0"]), "safe, violation");
    let upside_down =
        Policy::from_plain("upside", "Judge.", Some(Contract::parse_labels("0=violation,1=safe").unwrap()));
    let golden = Golden::read(
        records(&labelled("gold", &["1", "0"]), InputFormat::Jsonl),
        &Set::label("gold").options,
        &[upside_down.unwrap()],
    );
    assert_eq!(golden.unwrap().expected(1, 0).unwrap().verdict, Verdict::Safe);
    // The same holds for flags of an object.
    let flags = |name: &str| labelled("flags", &[&format!("{{\"{name}\":true}}"), &format!("{{\"{name}\":false}}")]);
    Set::label("flags").is(&flags("is_safe"), "safe, violation");
    Set::label("flags").is(&flags("unsafe"), "violation, safe");
    Set::label("flags").refuses(&flags("safety"), "its name leaves open");
    Set::label("flags").positive(&["safety"]).is(&flags("safety"), "violation, safe");
    Set::label("gold")
        .positive(&["1"])
        .is(&labelled("gold", &["1", "true", "1.0", "false", "2"]), "violation, violation, violation, safe, safe");
    // Words have a sense of their own under every name of a column.
    Set::label("is_safe")
        .is(&labelled("is_safe", &["\"unsafe\"", "\"safe\"", "\"not safe\""]), "violation, safe, violation");
}

#[test]
fn a_label_is_read_with_denials_lists_and_remarks_or_refused() {
    let spam = || Set::label("label").positive(&["spam"]);
    let read = |label: &str| spam().read(&labelled("label", &["\"spam\"", label]));
    for label in [
        "[\"spam\",\"fraud\"]",
        "[\"fraud\",\"SPAM\"]",
        "\"fraud, spam\"",
        "\"fraud|spam\"",
        "\"['fraud', 'spam']\"",
        "\" Spam \"",
    ] {
        assert_eq!(read(label).as_deref(), Ok("violation, violation"), "{label}");
    }
    for label in
        ["[\"chat\"]", "[]", "\"ham\"", "\"not spam\"", "\"non-spam\"", "\"no spam\"", "\"chat; greeting\"", "0"]
    {
        assert_eq!(read(label).as_deref(), Ok("violation, safe"), "{label}");
    }
    for label in ["null", "\"\"", "\"nan\"", "[null]", "[\"\"]"] {
        assert_eq!(read(label).as_deref(), Ok("violation, ?"), "{label}");
    }
    for (label, why) in [
        ("\"spam?\"", "leaves the answer open"),
        ("\"ham (or spam)\"", "leaves the answer open"),
        ("\"unsure\"", "leaves the answer open"),
        ("\"spam, maybe\"", "leaves the answer open"),
        ("\"mostly spam\"", "a violation and other words"),
        ("\"spam fraud\"", "a violation and other words"),
        ("\"not ham\"", "denies something"),
        ("\"See you at lunch on Tuesday with the others\"", "is a text and no label"),
        ("{\"a\":1}", "object"),
        ("[[0,4,\"spam\"]]", "no list of labels"),
        ("\"[spam, fraud\"", "leaves the answer open"),
        ("\"[spam,]\"", "a list that cannot be read"),
    ] {
        assert!(read(label).as_ref().is_err_and(|error| error.contains(why)), "{label}: {:?}", read(label));
    }
    let lists = || spam().negative(&["ham", "not ham", "unsure"]);
    lists()
        .is(&labelled("label", &["\"spam\"", "\"ham\"", "\"not ham\"", "\"unsure\""]), "violation, safe, safe, safe");
    lists().refuses(&labelled("label", &["\"spam\"", "\"hamm\""]), "in neither of the lists");
    // A list is also a violation if one of its labels is one by the policy.
    let by_policy = Set::label("label");
    by_policy.is(
        &labelled(
            "label",
            &["[\"SP0.a\",\"SP3.b\"]", "[\"SP3.b\",\"other\"]", "[\"SP0.a\"]", "\"no violation\"", "\"not safe\""],
        ),
        "violation SP3.b, violation, safe, safe, violation",
    );
    by_policy.refuses(&labelled("label", &["[\"SP0.a\",\"other\"]"]), "the label `other`");
    by_policy.refuses(&labelled("label", &["\"safe unless linked\""]), "is no code");
    by_policy
        .refuses("{\"text\":\"a\",\"label\":1,\"label\":0}\n", "occurs twice\nhint: keep the column that is meant");
}

#[test]
fn a_label_that_is_asked_for_and_met_nowhere_stops_the_run() {
    let csv = "text,class\na,suicide\nb,non-suicide\nc,non-suicide\n";
    let of = |labels: &[&str]| Set::label("class").positive(labels).csv();
    of(&["suicide"]).is(csv, "violation, safe, safe");
    of(&["sucide"]).refuses(csv, "no record has the label `sucide`, which is to be a violation\nhint: the labels of column \"class\" are non-suicide (2), suicide (1)");
    of(&["suicide", "sucide"]).refuses(csv, "`sucide`");
    let triggers = "{\"text\":\"a\",\"expected_triggers\":{\"Moderation\":true,\"Jailbreak\":false}}\n{\"text\":\"b\",\"expected_triggers\":{\"Moderation\":false,\"Jailbreak\":true}}\n";
    let any = Set::default();
    any.refuses(
        triggers,
        "has the flags `Moderation`, `Jailbreak`, but no flag `spam`\nhint: `GoldenOptions::positive` = FLAG",
    );
    Set::default().positive(&["Moderation"]).is(triggers, "violation, safe");
    Set::default().positive(&["Moderation", "jailbreak"]).is(triggers, "violation, violation");
    Set::default().positive(&["Moderatoin"]).refuses(triggers, "no record has the label `Moderatoin`");
    // A set without a known answer measures nothing.
    Set::label("label").refuses(&labelled("label", &["null", "\"\""]), "nothing can be measured");
}

#[test]
fn the_column_is_the_one_that_can_be_read_and_contradictions_are_refused() {
    let any = Set::default;
    // The first record may lack a column of the others.
    let late = "{\"text\":\"a\"}\n{\"text\":\"b\",\"label\":\"spam\"}\n{\"text\":\"c\",\"label\":\"ham\"}\n";
    Set::label("label").positive(&["spam"]).is(late, "?, violation, safe");
    any().positive(&["spam"]).is(late, "?, violation, safe");
    any().csv().refuses(
        "text,label,expected\na,1,0\nb,0,1\n",
        "the columns `expected` and `label` contradict each other in record 1\nhint: `GoldenOptions::label` names",
    );
    Set::label("label").csv().is("text,label,expected\na,1,0\nb,0,1\n", "violation, safe");
    any().csv().is("text,label,is_safe\na,1,0\nb,0,1\nc,1.0,\n", "violation, safe, violation");
    any().csv().refuses("text,label,safe\na,1,1\n", "contradict");
    // A column in other words is passed over, and the legend names the chosen one.
    let samples = "text,unsafe,category\na,1,weapons\nb,0,benign\n";
    any().csv().is(samples, "violation, safe");
    let legend = any().csv().golden(samples).unwrap().legend;
    assert_eq!(legend, ["labels: column \"unsafe\", 1 = violation (1), 0 = safe (1)"]);
    let legend = any().golden(&labelled("safe", &["1", "1", "0"])).unwrap().legend;
    assert_eq!(legend, ["labels: column \"safe\", 1 = safe (2), 0 = violation (1)"]);
    any().csv().refuses("text,category\na,weapons\nb,benign\n", "the label `weapons`");
}

#[test]
fn a_text_counts_once_and_one_with_two_answers_is_not_known() {
    let set = "{\"text\":\"a\",\"label\":1}\n{\"text\":\"b\",\"label\":0}\n{\"text\":\"a\",\"label\":1}\n{\"text\":\"b\",\"label\":1}\n{\"text\":\"c\",\"label\":0}\nno JSON\n";
    Set::default().is(set, "violation, ?, ?, ?, safe, ?");
    let golden = Set::default().golden(set).unwrap();
    assert_eq!((golden.repeated, golden.unknown.as_slice(), golden.records.len()), (1, &[3][..], 2));
    assert_eq!(
        golden.contradictions,
        ["golden: record 2 and golden: record 4 have the same text and different answers"]
    );
    assert_eq!((golden.damaged.len(), golden.classes(0), golden.missing_class(0)), (1, [1, 1], None));
    let golden = Set::default().golden(&labelled("label", &["1", "1"])).unwrap();
    assert_eq!(golden.missing_class(0), Some("texts that are no violation"));
    let golden = Set::default().golden(&labelled("label", &["0"])).unwrap();
    assert_eq!(golden.missing_class(0), Some("violations"));
    // With two labels of one verdict, the verdict is certain and the category is not.
    let twice = "{\"text\":\"a\",\"label\":\"SP3.a\"}\n{\"text\":\"a\",\"label\":\"SP3.b\"}\n";
    Set::default().is(twice, "violation, ?");
}

#[test]
fn an_error_shows_a_label_short_and_harmless_and_never_a_text() {
    let any = Set::label("label");
    for label in ["\"\\u001b[31mx\"", "\"\\u202Egnp\"", "\"a\\u0007b\""] {
        let error = any.read(&labelled("label", &[label])).unwrap_err();
        assert!(
            !error.chars().any(|character| character != '\n' && character.is_control() || character == '\u{202E}'),
            "{error:?}"
        );
    }
    let text = "\"the quetzal flies over the house at eight in the evening\"";
    let error = any.read(&labelled("label", &[text])).unwrap_err();
    assert!(!error.contains("quetzal") && error.contains("a text of 56 characters"), "{error}");
    assert!(any.read(&labelled("label", &[&format!("\"{}\"", "x".repeat(59))])).unwrap_err().len() < 250);
}

fn evaluate(golden: &str) -> Evaluation {
    evaluate_by(&policy("rules"), golden)
}

fn evaluate_by(policy: &Policy, golden: &str) -> Evaluation {
    let engine = engine(2048);
    let judges = [judge(&engine, policy, &options())];
    let options = GoldenOptions { by: Some("where".into()), ..GoldenOptions::default() };
    let options = if golden.contains("where") { options } else { GoldenOptions::default() };
    let mut golden = Golden::read(records(golden, InputFormat::Jsonl), &options, std::slice::from_ref(policy)).unwrap();
    let records = std::mem::take(&mut golden.records).into_iter().map(Ok);
    let mut collectors = Collectors::new(&golden, 1);
    let settings = Settings { own_names: true, ..Settings::default() };
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
    Policy::from_plain("strict", "Judge!9", Some(Contract::parse_labels("0=safe,1=violation").unwrap())).unwrap()
}

/// A row that should be a violation.
fn row(number: u64, text: &str, verdict: Option<Verdict>) -> EvaluatedRow {
    EvaluatedRow {
        number,
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

/// Returns each flip as row, verdict before, verdict now, expected verdict and direction.
fn flips(comparison: &Comparison) -> Vec<(u64, &str, &str, &str, bool)> {
    let flips = comparison.flips.iter();
    flips.map(|flip| (flip.number, &*flip.first, &*flip.second, &*flip.expected, flip.better)).collect()
}

#[test]
fn a_comparison_counts_and_lists_the_flips_of_both_directions() {
    let (before, now) = (evaluate(GOLDEN), evaluate_by(&strict(), GOLDEN));
    let comparison = Comparison::of(["before", "now"], &before, &now);
    // Texts: `a!` is right in both, `b` becomes wrong, `c!` stays wrong, `d` becomes right, the empty one is undecided.
    let Comparison { rows, both, first, second, neither, p_value, .. } = comparison;
    assert_eq!((rows, both, first, second, neither), (5, 1, 1, 1, 2));
    assert!((p_value - 1.0).abs() < 1e-12, "one flip each way is what chance gives: {p_value}");
    let worse = (2, "safe", "violation", "safe", false);
    let better = (4, "safe", "violation", "violation", true);
    assert_eq!(flips(&comparison), [worse, better]);
    assert_eq!(comparison.flips[1].text, "d");
    // With the evaluations exchanged, each flip has the other direction.
    let back = Comparison::of(["now", "before"], &now, &before);
    assert_eq!((back.rows, back.both, back.first, back.second, back.neither), (5, 1, 1, 1, 2));
    let better = (2, "violation", "safe", "safe", true);
    let worse = (4, "violation", "safe", "violation", false);
    assert_eq!(flips(&back), [better, worse]);
    // Only texts of both are compared, in the order of the second.
    let less = evaluate_by(
        &strict(),
        &GOLDEN.lines().rev().skip(2).take(3).fold(String::new(), |set, line| set + line + "\n"),
    );
    let comparison = Comparison::of(["before", "less"], &before, &less);
    assert_eq!((comparison.rows, comparison.first, comparison.second, comparison.neither), (3, 1, 1, 1));
    assert_eq!(flips(&comparison).iter().map(|flip| (flip.0, flip.4)).collect::<Vec<_>>(), [(1, true), (3, false)]);
    // An evaluation does not differ from itself.
    let same = Comparison::of(["now", "now"], &now, &now);
    assert_eq!((same.rows, same.both, same.first, same.second, same.neither, same.flips.len()), (5, 2, 0, 0, 3, 0));
}

#[test]
fn every_report_lists_flips_with_their_direction() {
    let (before, mut now) = (evaluate(GOLDEN), evaluate_by(&strict(), GOLDEN));
    now.comparison = Some(Comparison::of(["main.json", "now"], &before, &now));
    let comparison = now.comparison.as_ref().unwrap();
    let text = report::comparison(comparison);
    let counts =
        "main.json and now: 5 rows of both; both right 1, only main.json 1, only now 1, neither 2; McNemar p = 1.0000";
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines,
        [
            counts,
            "  row 2: safe -> violation (worse; expected safe)",
            "  row 4: safe -> violation (better; expected violation)",
        ]
    );
    let markdown = report::markdown(&now);
    let table = "| row | text | expected | before | now | |\n|---|---|---|---|---|---|\n\
        | 2 | <code>b</code> | <code>safe</code> | <code>safe</code> | <code>violation</code> | worse |\n\
        | 4 | <code>d</code> | <code>violation</code> | <code>safe</code> | <code>violation</code> | better |\n";
    assert!(markdown.contains(table), "{markdown}");
    assert!(markdown.contains("5 rows of both: 1 mended, 1 broken, 1 still right, 2 still wrong"), "{markdown}");
    let page = report::html(&now).unwrap();
    for part in [
        "5 rows of both: 1 mended, 1 broken, 1 still right, 2 still wrong; McNemar p = 1.0000.",
        "<summary>2 verdicts that differ</summary>",
        "<tr><td class=\"n\">2</td><td>b</td><td>safe</td><td>safe</td><td>violation</td><td>worse</td></tr>\n\n\
         <tr><td class=\"n\">4</td><td>d</td><td>violation</td><td>safe</td><td>violation</td><td>better</td></tr>",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let json = serde_json::to_value(&now).unwrap();
    let flip = |number, text, expected, better| json!({"number": number, "text": text, "expected": expected, "first": "safe", "second": "violation", "better": better});
    assert_eq!(json["comparison"]["flips"], json!([flip(2, "b", "safe", false), flip(4, "d", "violation", true)]));
    let counts = ["rows", "both", "first", "second", "neither"].map(|name| json["comparison"][name].as_u64().unwrap());
    assert_eq!(counts, [5, 1, 1, 1, 2]);
}

#[test]
fn a_verdict_that_changes_and_stays_wrong_is_neither_better_nor_worse() {
    let evaluation = |verdict| Evaluation::of_rows(EvaluationSetup::default(), vec![row(1, "a", verdict)]);
    let (before, mut now) = (evaluation(Some(Verdict::Safe)), evaluation(None));
    now.comparison = Some(Comparison::of(["before", "now"], &before, &now));
    let comparison = now.comparison.as_ref().unwrap();
    assert_eq!((comparison.first, comparison.second, comparison.neither), (0, 0, 1));
    assert_eq!(flips(comparison), [(1, "safe", "undecided", "violation", false)]);
    assert!(report::comparison(comparison).contains("row 1: safe -> undecided (still wrong; expected violation)"));
    assert!(report::markdown(&now).contains("| <code>undecided</code> | still wrong |"));
    assert!(report::html(&now).unwrap().contains("<td>undecided</td><td>still wrong</td>"));
}

#[test]
fn a_long_list_of_flips_is_cut_in_texts_and_whole_in_json() {
    let evaluation = |verdict| {
        let rows = (1..=60).map(|number| row(number, &format!("text {number}"), Some(verdict))).collect();
        Evaluation::of_rows(EvaluationSetup::default(), rows)
    };
    let (before, mut now) = (evaluation(Verdict::Safe), evaluation(Verdict::Violation));
    now.comparison = Some(Comparison::of(["before", "now"], &before, &now));
    let comparison = now.comparison.as_ref().unwrap();
    assert_eq!((comparison.flips.len(), comparison.second, comparison.first), (60, 60, 0));
    assert!(comparison.p_value < 1e-15);
    for text in [report::comparison(comparison), report::markdown(&now)] {
        assert_eq!(text.matches("better").count(), 50, "{text}");
        assert!(text.contains("and 10 more"), "{text}");
    }
    assert_eq!(report::html(&now).unwrap().matches("<td>better</td>").count(), 60);
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
                let (expected, said) = row.outcome();
                counts.with(expected, said.unwrap_or(!expected), 1.0)
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
            && report::markdown(&now).contains("Made under other terms: <code>effort low, then none</code>")
    );
    assert!(report::html(&now).unwrap().contains("Made under another effort low, then none"));
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
    assert!(read(&Value::Array(vec![json])).unwrap_err().to_string().contains("several evaluations"));
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
    let summary = run(
        Run { engine: &engine, judges: &judges, settings: &Settings::default(), earlier: nothing() },
        source,
        &mut sink,
        &mut |_| (),
    )
    .unwrap();
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
    let page = report::html(&evaluation).unwrap();
    for wrong in ["<script>alert", "<img", "<u>", "<s>", "<i>", "<b>id", "<em>"] {
        assert!(!page.contains(wrong), "{wrong}");
    }
    let (own, _) = page.split_once("id=\"data\"").unwrap();
    let own = own.replace("&lt;img src=x", "");
    for elsewhere in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!own.contains(elsewhere), "{elsewhere}");
    }
    assert_eq!(page.matches("</script>").count(), 2, "the two that are its own");
    let markdown = report::markdown(&evaluation);
    assert!(!markdown.contains("<script") && markdown.contains("&#60;script"), "{markdown}");
    let empty = Evaluation::of_rows(EvaluationSetup::default(), Vec::new());
    assert!(report::html(&empty).is_ok() && !report::text(&empty).is_empty());
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
        let markdown = report::markdown(&evaluation);
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
