use std::fmt::Write as _;

use super::*;
use PolicyErrorKind as Kind;

/// A passage, its replacement, the kind of the fault and its line.
const FAULTS: [(&str, &str, Kind, usize); 36] = [
    ("summary: For tests.", "sumary: For tests.", Kind::UnknownKey, 4),
    ("summary: For tests.", "colour: red", Kind::UnknownKey, 4),
    ("    severity: low\n", "    severty: low\n", Kind::UnknownKey, 16),
    ("summary: For tests.\n", "", Kind::MissingKey, 22),
    ("    title: Din\n", "", Kind::MissingKey, 21),
    ("summary: For tests.", "summary: For tests.\ntitle: Again", Kind::DuplicateKey, 5),
    ("form: category", "form: category\n  labels: { '0': safe, '1': violation, '1': review }", Kind::DuplicateKey, 8),
    ("severity: low", "severity: lo", Kind::Value, 16),
    ("form: category", "form: [category]", Kind::Type, 7),
    ("criteria: [Much noise.]", "criteria: Much noise.", Kind::Type, 22),
    ("criteria: [Much noise.]", "criteria:", Kind::Type, 22),
    ("criteria: [Much noise.]", "criteria: []", Kind::Value, 19),
    ("criteria: [Much noise.]", "criteria: [' ']", Kind::Value, 22),
    ("title: Small", "title: [Small]", Kind::Type, 2),
    ("title: Small", "title: ~", Kind::Type, 2),
    ("title: Small", "title: ''", Kind::Value, 2),
    ("title: Small", "title: \"Small", Kind::Syntax, 2),
    ("title: Small", "title: Small: very", Kind::Syntax, 2),
    ("title: Small", "title: *other", Kind::Syntax, 2),
    ("title: Small", "<<: {}", Kind::Syntax, 2),
    ("id: small", "id: Small One", Kind::Value, 1),
    ("code: A2", "code: a1.A", Kind::Value, 19),
    ("code: A2", "code: A 2", Kind::Value, 19),
    ("category: A1.a", "category: A1a", Kind::Value, 27),
    ("category: A1.a", "category: Q9", Kind::Value, 27),
    ("text: Bang", "text: Hush", Kind::Value, 26),
    ("form: category", "form: category\n  labels: { '0': safe }", Kind::Labels, 8),
    ("form: category", "form: category\n  labels: { '0': safe, ' 1': violation }", Kind::Labels, 8),
    ("form: category", "form: category\n  labels: { a: safe, A: violation }", Kind::Labels, 8),
    ("form: category", "form: category\n  labels: { '0': safe, '1': violation, '2': violation }", Kind::Labels, 8),
    ("form: category", "form: category\n  labels: { '0': safe, '1': violation, '2': review }", Kind::Labels, 8),
    ("form: category", "form: label\n  labels: { A0: violation, A1.a: safe }", Kind::Labels, 8),
    ("form: category", "form: label\n  labels: { A0: safe, X: violation, Y: violation }", Kind::Labels, 14),
    ("title: Din\n    verdict: violation", "title: Din\n    verdict: review\n    severity: [", Kind::Type, 22),
    ("summary: For tests.", "summary: For tests.\ntaxonomy: { openai: [violense] }", Kind::Value, 5),
    ("    why: It is loud.\n", "    why: It is loud.\n---\nid: other\n", Kind::Syntax, 30),
];

#[test]
fn every_fault_is_reported_with_its_kind_and_line() {
    let mut reports = String::new();
    for (from, to, kind, line) in FAULTS {
        let error = edited(from, to).expect_err(to);
        assert_eq!((error.kind(), error.line()), (kind, Some(line)), "{to}\n{error}");
        assert!(error.column().is_some() && error.excerpt().is_some() && error.name() == Some("small.yaml"));
        let hint = Some(hint(&error)).filter(|hint| !hint.is_empty()).map(|hint| format!("\nhint: {hint}"));
        write!(reports, "{error}{}\n\n", hint.unwrap_or_default()).unwrap();
    }
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("faults", reports);
    });
}

#[test]
fn a_policy_without_a_violation_is_refused() {
    let source = SMALL.replace("verdict: violation", "verdict: safe");
    let error = Policy::from_yaml("small.yaml", &source).unwrap_err();
    assert_eq!((error.kind(), error.message()), (Kind::Value, "no category is a violation"));
}

#[test]
fn an_empty_file_is_refused() {
    for source in ["", " \n\t\n", "\u{feff}"] {
        assert_eq!(Policy::from_yaml("x.yaml", source).unwrap_err().kind(), Kind::Empty);
    }
    for source in ["# only a comment\n", "---\n", "null", "[]", "a"] {
        let error = Policy::from_yaml("x.yaml", source).unwrap_err();
        assert!(matches!(error.kind(), Kind::Type | Kind::Syntax | Kind::Empty | Kind::MissingKey), "{error}");
    }
}

#[test]
fn a_bomb_is_refused() {
    let mut laughs = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, previous) in ('b'..='i').zip('a'..) {
        let nine = vec![format!("*{previous}"); 9].join(", ");
        writeln!(laughs, "{name}: &{name} [{nine}]").unwrap();
    }
    let deep = format!("id: {}", "[".repeat(50_000));
    let long = format!("id: {}", "x".repeat(2 << 20));
    let many = format!("id: [{}]", "x, ".repeat(300_000));
    let spread = edited("criteria: [Much noise.]", &format!("criteria: [{}]", "x, ".repeat(30_000))).unwrap_err();
    assert_eq!(spread.kind(), Kind::Limit, "{spread}");
    for bomb in [laughs, deep, long, many] {
        let error = Policy::from_yaml("bomb.yaml", &bomb).unwrap_err();
        assert!(error.to_string().len() < 1000, "a report stays short");
    }
}

#[test]
fn a_tab_is_found_on_its_own_line() {
    for (from, to, line) in [
        ("    severity: low\n", "\tseverity: low\n", "\tseverity: low"),
        ("    criteria: [Noise.]\n", "    criteria:\n\t- Noise.\n", "\t- Noise."),
    ] {
        let source = SMALL.replacen(from, to, 1);
        assert_ne!(source, SMALL, "{from:?}");
        let error = Policy::from_yaml("small.yaml", &source).unwrap_err();
        let at = source.lines().position(|other| other == line).unwrap() + 1;
        assert_eq!((error.line(), error.column()), (Some(at), Some(1)), "{error}");
        assert!(error.message().starts_with("a tab at the beginning"), "{error}");
    }
}
