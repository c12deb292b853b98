//! The exit codes of each verb, for its help. docs/reference.md has the same.

type Code = (&'static str, &'static str);

const DONE: Code = ("0", "done");
const FAILED: Code = ("2", "error: an unusable flag, file, policy or model");
const STOPPED: Code = ("130", "stopped by Ctrl-C or a signal; the same command continues where that is possible");

/// Returns the exit codes of a verb.
pub fn of(verb: &str) -> Vec<Code> {
    match verb {
        "" => vec![
            ("0", "done; for check: safe"),
            ("1", "a finding; for check: a violation"),
            FAILED,
            ("3", "undecided: at least one text has no verdict"),
            ("130", "stopped by Ctrl-C or a signal"),
        ],
        "check" => vec![
            ("0", "safe under all policies"),
            ("1", "a violation of at least one policy"),
            ("2", "error: no verdict was written"),
            ("3", "undecided: unresolved, or for review by a person"),
        ],
        "label" => vec![
            ("0", "every row has a verdict; with --only: at least one line was printed"),
            ("1", "with --only: no line was printed"),
            ("2", "error: the run failed, or could not begin"),
            ("3", "some rows have no verdict"),
            STOPPED,
        ],
        "dev" => vec![("0", "ended by Ctrl-C; with --once: done"), FAILED, ("3", "with --once: no row has a verdict")],
        "eval" => vec![
            ("0", "done, and all gates passed"),
            ("1", "a gate failed"),
            FAILED,
            ("3", "no row has a verdict"),
            STOPPED,
        ],
        "calibrate" => {
            vec![
                ("0", "a certificate was issued"),
                ("2", "error, or no certificate is possible"),
                ("3", "no row has a verdict"),
                STOPPED,
            ]
        }
        "verify" => vec![("0", "all verdicts are unchanged"), ("1", "a verdict differs"), FAILED, STOPPED],
        "serve" => vec![("0", "ended by a signal, and all requests were answered"), FAILED],
        "worker" => vec![("0", "stdin ended, or a signal came, and all texts that were read have rows"), FAILED],
        "policy diff" => vec![("0", "no difference"), ("1", "the policies differ"), FAILED],
        "policy lint" => vec![("0", "no error; with --strict: no warning either"), ("1", "a finding"), FAILED],
        "model fit" => vec![("0", "the model fits"), ("1", "it does not fit"), FAILED],
        "model verify" => vec![("0", "the digest matches, or no store has one"), ("1", "another digest"), FAILED],
        "doctor" => vec![("0", "no problem"), ("1", "a problem"), FAILED],
        _ => vec![DONE, FAILED],
    }
}
