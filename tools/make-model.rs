//! Writes a gpt-oss model file with random weights, of any size: `make-model --help`.
//!
//! The tests' models come from the same generator. This program writes the large ones and `models/random.gguf`.

#[path = "../tests/support/synth.rs"]
mod synth;

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Instant;

use synth::{Shape, TensorType};

fn main() -> ExitCode {
    match Command::parse(std::env::args().skip(1)) {
        Ok(Command::Help) => {
            println!("{}", help());
            ExitCode::SUCCESS
        }
        Ok(Command::Write(path, shape)) => write(&path, &shape),
        Err(why) => {
            eprintln!("error: {why}\nhint: make-model --help lists the options");
            ExitCode::from(2)
        }
    }
}

fn write(path: &std::path::Path, shape: &Shape) -> ExitCode {
    let started = Instant::now();
    match synth::write(path, shape) {
        Ok(files) => {
            for file in files {
                let bytes = file.metadata().map_or(0, |found| found.len());
                println!("{} {bytes} bytes", file.display());
            }
            eprintln!("{:.2} s", started.elapsed().as_secs_f64());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

enum Command {
    Help,
    Write(PathBuf, Shape),
}

impl Command {
    /// Parses flags in any order. `--shape` is applied first, so that the others change it.
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = arguments;
        let (mut shape, mut path, mut changes) = (None, None, Vec::new());
        while let Some(argument) = arguments.next() {
            if argument == "--help" || argument == "-h" {
                return Ok(Self::Help);
            }
            let Some(flag) = argument.strip_prefix("--") else {
                if path.replace(PathBuf::from(&argument)).is_some() {
                    return Err(format!("one file is written, and '{argument}' is a second"));
                }
                continue;
            };
            let (flag, value) = match flag.split_once('=') {
                Some((flag, value)) => (flag.to_owned(), value.to_owned()),
                None => (flag.to_owned(), arguments.next().ok_or_else(|| format!("--{flag} needs a value"))?),
            };
            if flag == "shape" {
                shape = Some(Shape::named(&value).ok_or_else(|| format!("no shape is called '{value}'"))?);
            } else {
                changes.push((flag, value));
            }
        }
        let mut shape = shape.unwrap_or_else(Shape::demo);
        for (flag, value) in changes {
            change(&mut shape, &flag, &value)?;
        }
        shape.check()?;
        Ok(Self::Write(path.ok_or("no file is named")?, shape))
    }
}

fn change(shape: &mut Shape, flag: &str, value: &str) -> Result<(), String> {
    match flag {
        "ranks" if value == "all" => shape.ranks = None,
        "ranks" => shape.ranks = Some(number(flag, value)?),
        "embedding" => shape.embedding = number(flag, value)?,
        "layers" => shape.layers = number(flag, value)?,
        "heads" => shape.heads = number(flag, value)?,
        "kv-heads" => shape.kv_heads = number(flag, value)?,
        "head-dim" => shape.head_dim = number(flag, value)?,
        "feed-forward" => shape.feed_forward = number(flag, value)?,
        "experts" => shape.experts = number(flag, value)?,
        "experts-used" => shape.experts_used = number(flag, value)?,
        "sliding-window" => shape.sliding_window = number(flag, value)?,
        "attention-type" => shape.attention = tensor_type(flag, value)?,
        "embeddings-type" => shape.embeddings = tensor_type(flag, value)?,
        "expert-type" => shape.expert = tensor_type(flag, value)?,
        "seed" => shape.seed = number(flag, value)?,
        "parts" => shape.parts = number(flag, value)?,
        "name" => value.clone_into(&mut shape.name),
        "description" => value.clone_into(&mut shape.description),
        "without" => shape.absent.push(value.to_owned()),
        _ => return Err(format!("--{flag} is unknown")),
    }
    Ok(())
}

fn number<N: FromStr>(flag: &str, value: &str) -> Result<N, String> {
    value.replace(['_', ','], "").parse().map_err(|_| format!("--{flag} takes a whole number, not '{value}'"))
}

fn tensor_type(flag: &str, value: &str) -> Result<TensorType, String> {
    TensorType::named(value).ok_or_else(|| format!("--{flag} takes F32, F16, Q8_0 or MXFP4, not '{value}'"))
}

fn help() -> String {
    let shapes = Shape::NAMED.map(|(name, _, about)| format!("  {name:<16} {about}")).join("\n");
    format!(
        "\
Writes a gpt-oss model file (GGUF) with random weights. Its answers mean nothing.

Usage: make-model [OPTIONS] <FILE>

  --shape <NAME>            the shape to start from, see below [default: demo]
  --parts <N>               write <FILE> as N files, <stem>-00001-of-0000N.gguf and so on
  --seed <N>                the same seed and shape give the same bytes [default: 1]
  --name <TEXT>             general.name
  --description <TEXT>      general.description
  --without <TOKEN>         leave a control token out, such as '<|call|>'; may be repeated

Changes to the shape:
  --ranks <N|all>           number of o200k's ranks; all = 201,088 entries with their true ids
  --embedding <N>           length of a token's vector, a multiple of 32
  --layers <N>              even ones slide, odd ones see everything
  --heads <N>  --kv-heads <N>  --head-dim <N>
  --feed-forward <N>        width of an expert, a multiple of 32
  --experts <N>  --experts-used <N>
  --sliding-window <N>      tokens
  --attention-type <TYPE>  --embeddings-type <TYPE>  --expert-type <TYPE>
                            F32, F16, Q8_0 or MXFP4

Shapes:
{shapes}"
    )
}
