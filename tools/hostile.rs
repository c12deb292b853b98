//! Writes the hostile model files of `tests/hostile.rs`, as small as possible: the first corpus of `scripts/fuzz`.

#[path = "../tests/support/hostile.rs"]
mod hostile;

use std::collections::BTreeSet;
use std::path::Path;

/// Largest file in bytes. Longer ones would only slow down the fuzzer.
const LONGEST: usize = 1 << 14;

fn main() -> std::io::Result<()> {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("usage: hostile FOLDER");
        std::process::exit(2);
    };
    std::fs::create_dir_all(&folder)?;
    let good = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("models/random.gguf"))?;
    let good = hostile::smallest(&good);
    let heads = hostile::cases(&good).map(|case| case.head);
    let heads: BTreeSet<Vec<u8>> = heads.filter(|head| head.len() <= LONGEST).collect();
    for (number, head) in heads.iter().enumerate() {
        std::fs::write(Path::new(&folder).join(format!("{number:04}")), head)?;
    }
    println!("{} files", heads.len());
    Ok(())
}
