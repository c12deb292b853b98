//! Comparisons of two evaluations: flips in both directions, in the figures and in each report.

#![allow(clippy::wildcard_imports, reason = "a part of the module above, and its helpers")]

use super::*;

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
        "against the baseline main.json (5 shared rows): 1 fixed, 1 broken, 1 still right, 2 still wrong; p = 1.00";
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines,
        [
            counts,
            "  row 2  safe -> violation (worse; expected safe)",
            "    b",
            "  row 4  safe -> violation (better; expected violation)",
            "    d",
        ]
    );
    let markdown = report::markdown(std::slice::from_ref(&now));
    let table = "| row | text | expected | before | now | |\n|---|---|---|---|---|---|\n\
        | 2 | <code>b</code> | <code>safe</code> | <code>safe</code> | <code>violation</code> | worse |\n\
        | 4 | <code>d</code> | <code>violation</code> | <code>safe</code> | <code>violation</code> | better |\n";
    assert!(markdown.contains(table), "{markdown}");
    assert!(markdown.contains("5 shared rows: 1 fixed, 1 broken, 1 still right, 2 still wrong"), "{markdown}");
    let page = report::html(std::slice::from_ref(&now)).unwrap();
    for part in [
        "5 shared rows: 1 fixed, 1 broken, 1 still right, 2 still wrong; p = 1.0000 (McNemar's exact test).",
        "<summary>2 verdicts that differ</summary>",
        "<tr><td class=\"n\">2</td><td>b</td><td>safe</td><td>safe</td><td>violation</td><td>worse</td></tr>\n\n\
         <tr><td class=\"n\">4</td><td>d</td><td>violation</td><td>safe</td><td>violation</td><td>better</td></tr>",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let json = serde_json::to_value(&now).unwrap();
    let flip = |number, text, expected, better| json!({"number": number, "line": number, "text": text, "expected": expected, "first": "safe", "second": "violation", "better": better});
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
    assert!(report::comparison(comparison).contains("row 1  safe -> undecided (still wrong; expected violation)"));
    assert!(report::markdown(std::slice::from_ref(&now)).contains("| <code>undecided</code> | still wrong |"));
    assert!(report::html(std::slice::from_ref(&now)).unwrap().contains("<td>undecided</td><td>still wrong</td>"));
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
    for text in [report::comparison(comparison), report::markdown(std::slice::from_ref(&now))] {
        assert_eq!(text.matches("better").count(), 50, "{text}");
        assert!(text.contains("and 10 more"), "{text}");
    }
    assert_eq!(report::html(std::slice::from_ref(&now)).unwrap().matches("<td>better</td>").count(), 60);
}
