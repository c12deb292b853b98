//! Measures and abuses a server: `load --help`.
//!
//! Server and client often share a machine, so a client thread sleeps until its reply arrives. Every text is unique, hence
//! no store of earlier verdicts helps. The numbers of a run depend on `--seed` alone, and their times on the machine.

#[path = "load/client.rs"]
mod client;
#[path = "load/figures.rs"]
mod figures;
#[path = "load/flags.rs"]
mod flags;
#[path = "load/http.rs"]
mod http;
#[path = "load/keys.rs"]
mod keys;
#[path = "load/metrics.rs"]
mod metrics;
#[path = "load/mixed.rs"]
mod mixed;
#[path = "load/slow.rs"]
mod slow;
#[path = "load/soak.rs"]
mod soak;
#[path = "load/texts.rs"]
mod texts;
#[path = "load/throughput.rs"]
mod throughput;
#[path = "load/work.rs"]
mod work;

use std::process::ExitCode;

use flags::Flags;

const HELP: &str = "\
Measures and abuses a moderation server. Prints one JSON object. Exits with 1 if a promise does not hold.

Usage: load <COMMAND> --url http://HOST:PORT [OPTIONS]

throughput  requests a second and times, for some numbers of clients
  --route <NAME>            check, chat, or llama-chat for llama-server [default: check]
  --clients <N,N,...>       [default: 1,8,64]
  --seconds <N>             measured time for each number [default: 20]
  --warm-up <N>             seconds before, with the same clients [default: 3]
  --fresh                   open a connection for each request
mixed       good, bad, too long and cancelled requests: each gets one reply, and the counters agree
  --clients <N>             [default: 32]
  --requests <N>            [default: 10000]
  --cancelled <PERCENT>     share of cancelled requests [default: 12]
  --long-words <N>          words of a text that is too long [default: 60000]
  --large-bytes <N>         bytes of a body that is too large [default: 4000000]
  --secret <WORD>           a word in every text [default: quillwort7319]
  --log <FILE>              the server's log, which must not contain the secret; may be repeated with commas
slow        slow, half-closed and huge connections beside honest clients
  --connections <N>         [default: 1000]
  --clients <N>             honest clients [default: 8]
  --seconds <N>             of each measurement [default: 20]
  --rounds <N>              measurements without and with slow connections, in turn [default: 3]
  --pid <PID>               the server's process, for its memory
  --fresh                   honest clients open a connection for each request
soak        a long run
  --seconds <N>             [default: 1200]
  --clients <N>             [default: 8]
  --pid <PID>
  --every <N>               seconds between two readings of the memory [default: 10]
  --from <N>                seconds after which memory is held constant [default: 120]
  --most-growth <MB>        [default: 20]
keys        times of wrong keys, by the length of the prefix shared with the right one
  --tries <N>               [default: 100000]
  --path <PATH>             [default: /v1/models]

For all:
  --key <KEY>               sent as a bearer token
  --policy <ID>             a shipped policy [default: spam]
  --words <N>               words of a text [default: 60]
  --texts <FILE>            texts, one a line, instead of made-up ones
  --seed <N>                [default: 1]
  --timeout <N>             seconds to wait for a reply [default: 120]";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    if matches!(command.as_str(), "" | "help" | "-h" | "--help") {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let done = Flags::parse(arguments).and_then(|flags| match command.as_str() {
        "throughput" => throughput::run(flags),
        "mixed" => mixed::run(flags),
        "slow" => slow::run(flags),
        "soak" => soak::run(flags),
        "keys" => keys::run(flags),
        other => Err(format!("'{other}' is no command")),
    });
    match done {
        Ok(report) => {
            println!("{:#}", report.figures);
            ExitCode::from(u8::from(!report.holds))
        }
        Err(why) => {
            eprintln!("error: {why}\nhint: load --help lists the commands and options");
            ExitCode::from(2)
        }
    }
}

/// The result of a command.
struct Report {
    figures: serde_json::Value,
    /// False if a promise of the server was broken.
    holds: bool,
}
