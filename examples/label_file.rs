//! Labels texts: writes a row with a verdict for each line of JSON.
//!
//! ```console
//! $ cargo run --release --example label_file [INPUT.jsonl [MODEL]]
//! ```
//!
//! Each line of the input is an object with a `text`, and may have an `id`. Rows go to stdout, in the order of the
//! input. Without INPUT the program labels two texts of its own. Without MODEL it runs the small model of this
//! repository, whose verdicts are not to be relied on.

use std::error::Error;
use std::io::{Cursor, stdout};

use magistrate::engine::SessionOptions;
use magistrate::label::entry::OutputForm;
use magistrate::label::journal::Past;
use magistrate::label::judge::Judge;
use magistrate::label::memo::Memo;
use magistrate::label::records::{InputFormat, RecordFields};
use magistrate::label::row::Provenance;
use magistrate::label::run::{EarlierVerdicts, Run, Settings, run};
use magistrate::label::sink::Rows;
use magistrate::label::source::{Input, Source};
use magistrate::{Effort, Engine, EngineConfig, PolicyLibrary};

const TEXTS: &str = r#"{"id": 1, "text": "See you on Thursday"}
{"id": 2, "text": "WINNER!! Reply YES to claim your prize"}
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    // The input is examined before the model is loaded, so a wrong file fails at once.
    let (format, fields) = (InputFormat::Jsonl, RecordFields::default());
    let source = match args.next() {
        Some(input) => Source::new(vec![Input::file(input.into())], Some(format), fields)?,
        None => Source::of_stream("texts", Cursor::new(TEXTS), format, fields)?,
    };
    let model = args.next().unwrap_or_else(|| "models/magistrate-nano.gguf".into());

    let engine = Engine::load(&EngineConfig::new(model))?;
    let policy = PolicyLibrary::shipped().get("spam")?;
    // Effort `none` is fastest: the model answers without reasoning. A better model deserves `Effort::Low`.
    let options = SessionOptions::from(Effort::None);
    let provenance = Provenance::new(policy, engine.model(), engine.templates(), Effort::None, options.rule());
    let judges = [Judge { session: engine.session(policy, options)?, provenance }];

    // A journal instead of `Rows` makes a run resumable: see `magistrate::label::journal`.
    let form = OutputForm { policies: vec![policy.id.clone()], ..OutputForm::default() };
    let mut rows = Rows { output: stdout(), form };
    let earlier = EarlierVerdicts { past: Past::none(), memo: Memo::in_memory() };
    let settings = Settings::default();
    let labeling = Run { engine: &engine, judges: &judges, settings: &settings, earlier };
    let summary = run(labeling, source, &mut rows, &mut |_| ())?;

    for (verdict, count) in &summary.verdicts {
        eprintln!("{}: {count}", verdict.word());
    }
    Ok(())
}
