//! The flags in the short help of each verb, and the groups of flags that have none of their own.

/// The flags that every short help shows.
const GLOBAL: [&str; 4] = ["quiet", "verbose", "help", "version"];

/// Returns the flags in the short help of a verb. `None` for all of them.
pub fn common(verb: &str) -> Option<Vec<&'static str>> {
    let flags: &[&str] = match verb {
        "check" => &["policy", "file", "json", "threshold", "effort", "model", "chunk", "daemon"],
        "label" => {
            &["policy", "text-column", "output", "fields", "only", "report", "dry-run", "threshold", "effort", "model"]
        }
        "verify" => &["policy", "output", "sample", "json", "text-column", "model", "effort", "parallel"],
        "eval" => &["policy", "label-column", "json", "report", "fail-under", "baseline", "errors", "effort", "model"],
        "calibrate" => &["policy", "label-column", "output", "from", "alpha", "delta", "effort", "model", "json"],
        "bench" => &["policy", "data", "effort", "items", "versus", "tune", "json", "model", "parallel", "threads"],
        "dev" => &["once", "errors", "labels", "text-column", "label-column", "threshold", "effort", "model"],
        "serve" => {
            &["policy", "listen", "keys", "new-key", "hooks", "workspace", "review", "threshold", "effort", "model"]
        }
        "worker" => &["policy", "terms", "fields", "threshold", "effort", "model", "parallel", "threads"],
        "warm" => &["policy", "effort", "model", "device"],
        "doctor" => &["no-canary", "record", "json", "model", "device"],
        "model fit" => &["for", "policy", "json", "memory", "parallel", "context", "device"],
        _ => return None,
    };
    Some(flags.iter().chain(&GLOBAL).copied().collect())
}

/// Reports whether a flag has no effect on a verb that takes it. Help leaves it out.
pub fn is_inert(verb: &str, flag: &str) -> bool {
    match verb {
        "calibrate" => ["reasoning", "certificate", "fields", "threshold", "min-mass"].contains(&flag),
        "eval" => ["certificate", "fields"].contains(&flag),
        "dev" => ["certificate", "fields", "reasoning"].contains(&flag),
        "verify" => ["reasoning", "certificate", "fields"].contains(&flag),
        _ => false,
    }
}

/// Returns the group of a flag that is defined beside flags of another group.
pub fn heading(flag: &str) -> Option<&'static str> {
    Some(match flag {
        "label-column" | "positive" | "negative" | "by" | "baseline" | "sample-seed" | "shard" | "data" | "from"
        | "partial" => "Input",
        "json" | "schema" | "columns" | "only" | "dry-run" | "unordered" | "summary" | "report" | "fields"
        | "reasoning" | "restart" | "mix" | "split" | "tokens" | "record" | "rendered" | "terms" => "Output",
        "cache" | "no-dedupe" | "fail-under" | "max-drop" | "method" | "alpha" | "delta" | "trials" | "no-canary" => {
            "Judging"
        }
        "daemon" | "idle" | "content" | "fixed" | "items" | "versus" | "tune" | "busy" | "pairs" => "Engine",
        _ => return None,
    })
}

/// Returns the line of usage of a verb whose required flags may come from a settings file.
pub fn usage(verb: &str) -> Option<&'static str> {
    Some(match verb {
        "check" => "check [OPTIONS] -p <POLICY> [TEXT]",
        "label" => "label [OPTIONS] -p <POLICY> [FILE]...",
        "verify" => "verify [OPTIONS] -p <POLICY> --output <FILE> [FILE]...",
        "eval" => "eval [OPTIONS] -p <POLICY> [FILE]...",
        "dev" => "dev [OPTIONS] <POLICY> [GOLDEN]...",
        "calibrate" => "calibrate [OPTIONS] -p <POLICY> [FILE]...",
        "serve" => "serve [OPTIONS] [-p <POLICY|FOLDER>]...",
        "prompt" => "prompt [OPTIONS] -p <POLICY> [TEXT]",
        "worker" => "worker [OPTIONS] -p <POLICY>",
        "warm" => "warm [OPTIONS] -p <POLICY>",
        _ => return None,
    })
}
