//! Numbers out of range, and texts and policies that do not fit.

use insta::{assert_snapshot, with_settings};

use super::{Run, SECRET, Stage, transcript};

#[test]
fn a_number_out_of_its_range_is_refused() {
    let stage = Stage::new();
    let flags = [
        ["--threshold", "2"],
        ["--threshold", "NaN"],
        ["--min-mass", "-1"],
        ["--temperature", "inf"],
        ["--effort", "lots"],
        ["--decode", "fre"],
        ["--context", "0"],
        ["--threads", "0"],
        ["--threads", "100000"],
        ["--budget", "18446744073709551615"],
    ];
    assert_transcript!(
        flags.map(|[flag, value]| { stage.fails(&["check", "-p", "rules.md", &format!("{flag}={value}")]).redacted() })
    );
}

#[test]
fn what_does_not_fit_is_refused_with_both_counts_and_a_context_that_makes_it_fit() {
    let stage = Stage::new().file("long.txt", format!("I am a {SECRET} that goes on. ").repeat(200));
    let check = |context: &str| {
        stage.run(&[
            "check",
            "-p",
            "rules.md",
            "--effort",
            "none",
            "--threshold",
            "0",
            "--context",
            context,
            "-f",
            "long.txt",
        ])
    };
    let policy = check("32").keeps_the_secret();
    let content = check(&hinted(&policy)).keeps_the_secret();
    let fits = check(&hinted(&content));
    let least = hinted(&content);
    let too_few = check(&(least.parse::<usize>().unwrap() - 1).to_string());
    assert_eq!((policy.code, content.code, fits.code), (2, 2, 1), "{policy}{content}{fits}");
    assert_eq!(hinted(&too_few), least);
    assert_transcript!([(policy, "32"), (content, "[enough for the policy]"), (fits, "[enough]")].map(
        |(run, context)| {
            let line = run.line.split_once(" --context").unwrap().0;
            Run { line: format!("{line} --context {context} -f long.txt"), ..run }.redacted()
        }
    ));
}

#[test]
fn the_context_that_a_hint_names_has_room_for_the_reasoning() {
    let stage = Stage::new();
    let check = |context: &str| {
        stage.run(&["check", "-p", "rules.md", "--budget", "2000", "--threshold", "0", "--context", context, "Hello"])
    };
    let refused = check("512");
    assert_eq!((refused.code, check(&hinted(&refused)).code), (2, 1), "{refused}");
}

/// Returns the context that a hint names.
#[track_caller]
fn hinted(run: &Run) -> String {
    let (_, rest) = run.stderr.split_once("hint: --context ").unwrap_or_else(|| panic!("{run}"));
    rest.chars().take_while(char::is_ascii_digit).collect()
}
