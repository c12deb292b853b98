//! Completions of shells, and manual pages.

use std::process::Command;

use super::Stage;

#[test]
fn every_shell_has_a_script_with_every_verb() {
    let stage = Stage::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = stage.run(&["completions", shell]);
        assert_eq!(run.code, 0, "{run}");
        for verb in ["check", "label", "calibrate", "config"] {
            assert!(run.stdout.contains(verb), "{shell} lacks {verb}");
        }
    }
    assert_eq!(stage.run(&["completions", "tcsh"]).code, 2);
}

#[test]
#[cfg(unix)]
fn bash_completes_a_verb_and_a_flag() {
    let stage = Stage::new();
    let script = stage.run(&["completions", "bash"]).stdout;
    let ask = "COMP_WORDS=(magistrate label --thresh) COMP_CWORD=2; _magistrate magistrate --thresh label; echo \"${COMPREPLY[@]}\"";
    let Ok(output) = Command::new("bash").args(["--norc", "-c", &format!("{script}\n{ask}")]).output() else { return };
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        "--threshold",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn every_verb_has_a_manual_page() {
    let stage = Stage::new();
    let run = stage.run(&["man"]);
    assert!(run.stdout.contains(".TH magistrate 1") && run.stdout.contains("Examples:"), "{run}");
    let run = stage.run(&["man", "policy", "lint"]);
    assert!(run.stdout.contains(".TH magistrate-policy-lint 1") && run.stdout.contains("\\-\\-strict"), "{run}");
    assert_eq!(stage.run(&["man", "nowhere"]).code, 2);
    let run = stage.run(&["man", "--dir", "pages"]);
    assert_eq!(run.code, 0, "{run}");
    for page in ["magistrate.1", "magistrate-label.1", "magistrate-model-fit.1"] {
        assert!(stage.path("pages").join(page).is_file(), "{page}");
    }
}
