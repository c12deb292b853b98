//! The command `magistrate`.

mod cli;

use std::process::ExitCode;

use crate::cli::{Verb, ending};

fn main() -> ExitCode {
    ending::guarded(run)
}

fn run() -> ExitCode {
    let verb = match cli::parse() {
        Ok(cli) => cli.verb,
        Err(code) => return code,
    };
    // Nothing is read or written before this: the program may start itself again here.
    if let Some(patience) = verb.patience() {
        cli::waiting::settle(patience);
    }
    let done = match verb {
        Verb::Check(check) => check.run(),
        Verb::Label(label) => label.run(),
        Verb::Merge(merge) => merge.run(),
        Verb::Verify(verify) => verify.run(),
        Verb::Eval(eval) => eval.run(),
        Verb::Dev(dev) => dev.run(),
        Verb::Calibrate(calibrate) => calibrate.run(),
        Verb::Bench(bench) => bench.run(),
        #[cfg(unix)]
        Verb::Daemon(daemon) => daemon.run(),
        #[cfg(feature = "serve")]
        Verb::Serve(serve) => serve.run(),
        Verb::Review(review) => review.run(),
        Verb::Warm(warm) => warm.run(),
        Verb::Worker(worker) => worker.run(),
        Verb::Prompt(prompt) => prompt.run(),
        Verb::Policy(policy) => policy.run(),
        Verb::Model(model) => model.run(),
        Verb::Doctor(doctor) => doctor.run(),
        Verb::Cache(cache) => cache.run(),
        Verb::Config(config) => config.run(&cli::command()),
        Verb::Completions(completions) => completions.run(cli::command()),
        Verb::Man(man) => man.run(cli::command()),
        Verb::Version => cli::version(),
    };
    done.unwrap_or_else(|error| cli::report(&error))
}
