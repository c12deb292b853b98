//! Evaluates a policy on a golden set, and prints F1 with its interval of 95 %.
//!
//! ```console
//! $ cargo run --release --example evaluate [MODEL]
//! ```
//!
//! Without MODEL the program runs the small model of this repository, which knows this very policy and little else.

use std::error::Error;
use std::io::Cursor;

use magistrate::calibration::terms::Terms;
use magistrate::engine::SessionOptions;
use magistrate::eval::golden::{Golden, GoldenOptions, lines};
use magistrate::eval::{Keep, evaluate};
use magistrate::label::judge::Judge;
use magistrate::label::memo::Memo;
use magistrate::label::records::{InputFormat, RecordFields};
use magistrate::label::row::Provenance;
use magistrate::label::run::Settings;
use magistrate::label::source::Source;
use magistrate::{Effort, Engine, EngineConfig, PolicyLibrary};

fn main() -> Result<(), Box<dyn Error>> {
    let model = std::env::args_os().nth(1).unwrap_or_else(|| "models/magistrate-nano.gguf".into());

    // Every shipped policy has a golden set. For a file of your own: `Source::new`, then `Golden::read`.
    let library = PolicyLibrary::shipped();
    let policy = library.get("spam")?;
    let set = Cursor::new(lines(library.golden("spam")));
    let records =
        Source::of_stream("spam", set, InputFormat::Jsonl, RecordFields::default())?.collect::<Result<Vec<_>, _>>()?;

    // A label that cannot be understood is refused here, before the model is loaded.
    let golden = Golden::own(records, &GoldenOptions::default(), policy)?;

    let engine = Engine::load(&EngineConfig::new(model))?;
    let options = SessionOptions::from(Effort::None);
    let provenance = Provenance::new(policy, engine.model(), engine.templates(), Effort::None, options.rule());
    let setup = provenance.setup("spam", Terms::default());
    let judge = Judge { session: engine.session(policy, options)?, provenance };

    let mut progress = |summary: &magistrate::label::summary::Summary| eprint!("\r{} texts", summary.rows());
    // An archive in the memo would spare the next run the texts of this one.
    let keep = Keep::Memo(Memo::in_memory());
    let evaluations = evaluate(&engine, &[judge], vec![setup], golden, Settings::default(), keep, &mut progress)?;
    eprintln!();

    // The run returns no evaluation if it was stopped, which only `Settings::stop` can do.
    for evaluation in evaluations.into_iter().flatten() {
        let rows = evaluation.rows.len();
        match evaluation.scores.f1 {
            Some(f1) => println!("F1 {:.3} ({:.3} to {:.3}) on {rows} texts", f1.value, f1.low, f1.high),
            None => println!("F1 is not defined: no text has a verdict"),
        }
        for row in evaluation.rows.iter().filter(|row| row.is_wrong()).take(5) {
            println!("  row {}: expected {}, got {}", row.number, row.expected, row.answer());
        }
    }
    Ok(())
}
