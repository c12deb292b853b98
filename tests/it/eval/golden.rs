//! Golden sets: labels that are read, and labels that are refused.

#![allow(clippy::wildcard_imports, reason = "a part of the module above, and its helpers")]

use super::*;

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
        Self { options: GoldenOptions::default().with_label(Some(label.into())), ..Self::default() }
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

    any.refuses(&labelled("label", &["\"SP9\""]), "record 1: \"SP9\" is not a label of the policy spam (");
    any.refuses(
        "{\"text\":\"a\",\"x\":1}\n",
        "no column seems to contain the correct answers\nhint: `GoldenOptions::label`",
    );
    Set::label("gold").csv().refuses(
        "text,x\na,1\n",
        "there is no column `gold`\nhint: `GoldenOptions::label` names one of the columns `text`, `x`",
    );
    let by = Set { options: GoldenOptions::default().with_by(Some("wher".into())), ..Set::default() };
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
    let other = GoldenOptions::default().with_positive(vec!["SP3.b".into()]);
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
    by_policy.refuses(&labelled("label", &["[\"SP0.a\",\"other\"]"]), "\"other\" is not a label");
    by_policy.refuses(&labelled("label", &["\"safe unless linked\""]), "is not a label");
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
    any().csv().refuses("text,category\na,weapons\nb,benign\n", "\"weapons\" is not a label");
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
