//! `model inspect`: the properties of a model's file, from its header.

use std::process::ExitCode;

use clap::Args;
use magistrate::gguf::{self, ModelFile};
use serde_json::{Value, json};

use crate::cli::models::path;
use crate::cli::terminal::units::megabytes;
use crate::cli::terminal::{exit, output};

#[derive(Debug, Args)]
pub struct Inspect {
    /// A file, a name of `model list`, or a source of `model pull`
    model: String,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        let file = gguf::inspect(&path(&self.model)?)?;
        // A vocabulary that cannot be used is a fault of the file, too.
        file.tokenizer()?;
        if self.json {
            output::data(&format!("{}\n", object(&file)))?;
        } else {
            output::print(&table(&file))?;
        }
        Ok(ExitCode::from(exit::DONE))
    }
}

fn table(file: &ModelFile) -> String {
    let shape = &file.shape;
    let or_unknown = |text: &Option<String>| text.clone().unwrap_or_else(|| "not stated".to_owned());
    let mut text = format!(
        "file        {}, {} in {} {}\n\
         digest      {}\n\
         called      {} (what a file calls itself may be nonsense)\n\
         license     {}\n\
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
        or_unknown(&file.general_name),
        or_unknown(&file.licence),
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
        text.push_str(&format!("description {description}\n"));
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
