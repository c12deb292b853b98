//! `model`: what models there are on this machine, and what each is.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use magistrate::files::Files;
use magistrate::gguf::{self, ModelFile, rewrite, sha256};
use magistrate::models::stores::{Found, Places, named, to_be_had};
use serde_json::{Value, json};

use super::{exit, output, progress};

#[derive(Debug, Args)]
pub struct ModelVerb {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the gpt-oss models that are on this machine already, whatever fetched them
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the path of a model's file
    Path {
        /// A name of `model list`, or a file
        model: String,
    },
    /// Tell what a model file is, or what is wrong with it; only its header is read
    Inspect {
        /// A name of `model list`, or a file
        model: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell whether a model fits on this machine, and how it will be loaded; exit 1 if it does not
    Fit(super::fit::Fit),
    /// Read the whole file and tell its sha256; exit 1 if the store says another
    Verify {
        /// A name of `model list`, or a file
        model: String,
    },
    /// Fetch a model: 20b, 120b, hf:ORG/REPO:FILE, docker:ai/NAME:TAG, ollama:NAME:TAG or https://...
    #[cfg(feature = "hub")]
    Pull(super::pull::Pull),
    /// Make a plain GGUF of a file that was made for Ollama's own engine
    Convert {
        /// A name of `model list`, or a file
        model: String,
        /// Where it goes
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
}

impl ModelVerb {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        match self.verb {
            Verb::List { json } => list(json),
            Verb::Path { model } => {
                let path = path(&model)?;
                anyhow::ensure!(
                    path.exists(),
                    "{model}: there is no such file, and no model of this name\nhint: magistrate model list"
                );
                output::data(&format!("{}\n", path.display()))?;
                Ok(ExitCode::from(exit::DONE))
            }
            Verb::Inspect { model, json } => {
                let file = gguf::inspect(&path(&model)?)?;
                file.tokenizer()?;
                if json {
                    output::data(&format!("{}\n", object(&file)))?;
                } else {
                    output::print(&told(&file))?;
                }
                Ok(ExitCode::from(exit::DONE))
            }
            Verb::Fit(fit) => fit.run(),
            Verb::Verify { model } => verify(&model),
            #[cfg(feature = "hub")]
            Verb::Pull(pull) => pull.run(),
            Verb::Convert { model, output: to } => {
                anyhow::ensure!(to.as_os_str() != "-", "a model is not written to stdout\nhint: name a file with -o");
                let there = std::fs::symlink_metadata(&to).is_ok();
                anyhow::ensure!(!there, "{} is there already\nhint: name another file with -o", to.display());
                let from = path(&model)?;
                Files::new().write("the model", "-o", &to)?;
                let made = progress::waiting("writing", || rewrite::convert(&from, &to))?;
                output::say(&format!("{} is written: {} ({})", to.display(), made.name, megabytes(made.size)));
                Ok(ExitCode::from(exit::DONE))
            }
        }
    }
}

/// Where this user's models are.
pub fn places() -> Places {
    Places::new(std::env::home_dir().unwrap_or_default(), |name| std::env::var_os(name))
}

/// Returns the file that a name stands for. A file of that name comes first, then a model in a store, then the built-in
/// model.
pub fn path(name: &str) -> Result<PathBuf, anyhow::Error> {
    if Path::new(name).exists() {
        return Ok(name.into());
    }
    let found = places().find();
    match named(&found, name) {
        Ok(Some(model)) => Ok(model.path.clone()),
        Ok(None) if name == BUILT_IN => super::built_in(),
        Ok(None) => match to_be_had(name) {
            Some(Some(size)) => anyhow::bail!("{name} is not on this machine: magistrate model pull {name} ({size})"),
            Some(None) => anyhow::bail!("{name} is not on this machine: magistrate model pull {name}"),
            // An error in the path is reported where the file is opened.
            None => Ok(name.into()),
        },
        Err(several) => {
            anyhow::bail!("`{name}` could be one of several: {}\nhint: give the whole name", several.join(", "))
        }
    }
}

/// The built-in model's name in rows.
const BUILT_IN: &str = "magistrate-nano";

fn list(as_json: bool) -> Result<ExitCode, anyhow::Error> {
    let places = places();
    let found = places.find();
    if as_json {
        output::data(&format!("{}\n", serde_json::to_string(&found)?))?;
        return Ok(ExitCode::from(exit::DONE));
    }
    if found.is_empty() {
        let mut text = "no gpt-oss model was found in\n".to_owned();
        for (store, folder) in places.folders() {
            text.push_str(&format!("  {store:<12}  {}\n", folder.display()));
        }
        text.push_str(
            "hint: `magistrate model pull 20b` fetches one (12 GB), or name a file with --model; MAGISTRATE_MODELS names a folder of your own",
        );
        output::say(&text);
        return Ok(ExitCode::from(exit::DONE));
    }
    let width = found.iter().map(|model| model.name.len()).max().unwrap_or(0);
    let row = |Found { name, store, size, unusable, .. }: &Found| {
        let note = unusable.map_or(String::new(), |why| format!("  ({why})"));
        format!("{name:width$}  {:>10}  {store}{note}\n", megabytes(*size))
    };
    output::print(&found.iter().map(row).collect::<String>())?;
    Ok(ExitCode::from(exit::DONE))
}

fn verify(name: &str) -> Result<ExitCode, anyhow::Error> {
    let path = path(name)?;
    let known = places().find().into_iter().find(|found| found.path == path).and_then(|found| found.sha256);
    let parts = gguf::inspect(&path).map_or_else(|_| vec![path.clone()], |file| file.parts);
    let mut text = String::new();
    let mut digests = Vec::new();
    for part in &parts {
        let digest = progress::shown("reading", |progress| sha256(part, progress));
        let digest = digest.with_context(|| format!("{} cannot be read", part.display()))?;
        text.push_str(&format!("{digest}  {}\n", part.display()));
        digests.push(digest);
    }
    output::print(&text)?;
    match known {
        Some(known) if digests != [known.clone()] => {
            output::say(&format!(
                "error: the store says {known}\nhint: the file is damaged: remove it and fetch it again"
            ));
            Ok(ExitCode::from(exit::DIFFERENT))
        }
        Some(_) => {
            output::say("it is what the store says");
            Ok(ExitCode::from(exit::DONE))
        }
        None => {
            output::say("no store says what it should be");
            Ok(ExitCode::from(exit::DONE))
        }
    }
}

pub fn megabytes(bytes: u64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "a size for people")]
    let size = bytes as f64;
    if size < 1e9 { format!("{:.1} MB", size / 1e6) } else { format!("{:.2} GB", size / 1e9) }
}

fn told(file: &ModelFile) -> String {
    let shape = &file.shape;
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "not said".to_owned());
    let mut text = format!(
        "file        {}, {} in {} {}\n\
         digest      {}\n\
         called      {} (what a file calls itself may be nonsense)\n\
         licence     {}\n\
         parameters  {:.2} million\n\
         layers      {}, of which every second sees {} tokens back\n\
         width       {}; {} heads of {}, {} of keys and values\n\
         experts     {} in a layer, {} used, of width {}, as {}\n\
         context     {} tokens\n\
         vocabulary  {} tokens, of o200k\n",
        file.path.display(),
        megabytes(file.size),
        file.parts.len(),
        if file.parts.len() == 1 { "file" } else { "files" },
        file.digest,
        or_none(&file.general_name),
        or_none(&file.licence),
        millions(file.parameters),
        shape.blocks,
        shape.sliding_window,
        shape.embedding_length,
        shape.heads,
        shape.key_length,
        shape.kv_heads,
        shape.experts,
        shape.experts_used,
        shape.expert_length,
        file.expert_type,
        shape.context_length,
        file.vocabulary.tokens.len(),
    );
    for (name, (count, bytes)) in &file.types {
        text.push_str(&format!("{name:<10}  {count} tensors, {}\n", megabytes(*bytes)));
    }
    if file.expert_type.name != "MXFP4" {
        text.push_str("note: the experts were quantized again: those of gpt-oss are MXFP4 by origin\n");
    }
    if let Some(description) = &file.description {
        text.push_str(&format!("says        {description}\n"));
    }
    text
}

fn millions(count: u64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a count for people")]
    let millions = count as f64 / 1e6;
    millions
}

fn object(file: &ModelFile) -> Value {
    let shape = &file.shape;
    let types: serde_json::Map<String, Value> = file
        .types
        .iter()
        .map(|(name, (count, bytes))| ((*name).to_owned(), json!({ "tensors": count, "bytes": bytes })))
        .collect();
    json!({
        "path": file.path,
        "parts": file.parts,
        "name": file.name,
        "digest": file.digest,
        "bytes": file.size,
        "general_name": file.general_name,
        "description": file.description,
        "licence": file.licence,
        "parameters": file.parameters,
        "layers": shape.blocks,
        "sliding_window": shape.sliding_window,
        "width": shape.embedding_length,
        "heads": shape.heads,
        "kv_heads": shape.kv_heads,
        "head": shape.key_length,
        "experts": shape.experts,
        "experts_used": shape.experts_used,
        "expert_width": shape.expert_length,
        "expert_type": file.expert_type.name,
        "context": shape.context_length,
        "vocabulary": file.vocabulary.tokens.len(),
        "types": types,
    })
}
