//! The flags that set how the model runs, shared by all verbs that load a model, and by `model fit`.

use std::path::PathBuf;

use clap::Args;
use magistrate::cache;
use magistrate::engine::memory_plan::LoadOptions;
use magistrate::engine::{self, EngineConfig};

#[derive(Debug, Args)]
#[command(next_help_heading = "Engine")]
pub struct EngineArgs {
    /// Number of texts, or pieces of one, judged at once [default: the result of bench --tune, else 8, or fewer if
    /// memory is short]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    parallel: Option<usize>,

    /// Number of workers. Workers share the weights; each has its own KV cache and an equal share of threads and texts
    /// [default: the result of bench --tune, else 1, or more for a very small model on a CPU]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    workers: Option<usize>,

    /// Size of the KV cache in tokens, shared by policies and all texts in flight; with --layout split, the size for
    /// one text and its policy [default: the policies, and 8192 or 1024 for each text at once, whichever is more]
    #[arg(long, value_name = "TOKENS", value_parser = at_least_one)]
    context: Option<usize>,

    /// Type of the KV cache: f16, or `q8_0` in half the memory, rounded [default: f16 if that fits]
    #[arg(long, value_name = "TYPE")]
    kv: Option<CacheType>,

    /// Layout of the KV cache. unified: all texts share the policy. split: each text has a copy [default: the result of
    /// bench --tune, else unified]
    #[arg(long, value_name = "LAYOUT")]
    layout: Option<Layout>,

    /// Compute attention in one fused step
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    flash_attention: FlashAttention,

    /// Most tokens computed in one pass over the weights [default: 512, or 128 for a very small model on a CPU]
    #[arg(long, value_name = "TOKENS", value_parser = at_least_one)]
    micro_batch: Option<usize>,

    /// Number of threads that compute [default: one for each core]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    threads: Option<usize>,

    /// Devices for the model's layers, by name. `cpu` uses no GPU, `list` prints the names [default: all GPUs]
    #[arg(long = "device", value_name = "NAME,...", value_delimiter = ',')]
    devices: Vec<String>,

    /// Number of layers on GPUs [default: as many as fit]
    #[arg(long, value_name = "N")]
    gpu_layers: Option<u32>,

    /// Number of layers whose experts stay on the CPU while a GPU has the rest [default: as few as make the model fit]
    #[arg(long, value_name = "N")]
    cpu_experts: Option<u32>,

    /// Most CPU memory to use, such as 8GB, instead of the free memory. With a value above it the model is loaded
    /// anyway
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    memory: Option<u64>,

    /// Judge one text after the other, each from the same state, so that on this machine rows are equal to the last
    /// byte in any order. Slower
    #[arg(long)]
    reproducible: bool,

    /// Decode policies anew, and do not store them in the cache folder
    #[arg(long)]
    no_prefix_store: bool,

    /// Rearrange the weights for this CPU: somewhat faster, but with a copy of them in memory and a slow start
    #[arg(long)]
    repack: bool,

    /// Kernels that compute on the CPU: magistrate's own, for weights in MXFP4 and `Q8_0`, or llama.cpp's [default: own]
    #[arg(long, value_name = "WHOSE")]
    kernels: Option<Kernels>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum CacheType {
    #[value(name = "f16")]
    F16,
    #[value(name = "q8_0")]
    Q8_0,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Kernels {
    Own,
    Llama,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FlashAttention {
    /// If the device supports it
    Auto,
    On,
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Layout {
    Unified,
    Split,
}

impl EngineArgs {
    /// Reports whether the devices are to be listed.
    pub fn lists_devices(&self) -> bool {
        self.devices == ["list"]
    }

    /// Returns the number of texts at once, if it is given.
    #[cfg(feature = "remote")]
    pub fn parallel(&self) -> Option<usize> {
        self.parallel
    }

    /// Reports whether rows are to be equal to the last byte.
    pub fn is_reproducible(&self) -> bool {
        self.reproducible
    }

    /// Resolves the flags, for a model.
    pub fn resolve(&self, model: PathBuf) -> LoadOptions {
        let mut config = EngineConfig::new(model)
            .with_reproducible(self.reproducible)
            .with_devices(self.devices.clone())
            .with_repack(self.repack)
            .with_flash_attention(match self.flash_attention {
                FlashAttention::Auto => engine::FlashAttention::Auto,
                FlashAttention::On => engine::FlashAttention::On,
                FlashAttention::Off => engine::FlashAttention::Off,
            });
        match self.kernels {
            Some(Kernels::Own) => config.kernels = engine::Kernels::Own,
            Some(Kernels::Llama) => config.kernels = engine::Kernels::Llama,
            None => {}
        }
        if let Some(threads) = self.threads {
            config.threads = threads;
        }
        if !self.no_prefix_store {
            // Without a home there is no place for them, which is only slower.
            config.prefixes = cache::folder().ok().map(|folder| folder.join("prefixes"));
        }
        LoadOptions {
            parallel: self.parallel,
            workers: self.workers,
            layout: self.layout.map(|layout| match layout {
                Layout::Unified => engine::Layout::Unified,
                Layout::Split => engine::Layout::Split,
            }),
            context: self.context,
            cache: self.kv.map(|kv| match kv {
                CacheType::F16 => engine::CacheType::F16,
                CacheType::Q8_0 => engine::CacheType::Q8_0,
            }),
            micro_batch: self.micro_batch,
            gpu_layers: self.gpu_layers,
            cpu_experts: self.cpu_experts,
            memory: self.memory,
            base: config,
        }
    }
}

/// Parses a count that is not zero.
pub fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.parse().map_err(|_| "not a whole number".to_owned())?;
    if number > 0 { Ok(number) } else { Err("it is at least 1".to_owned()) }
}

/// Parses a size in bytes, with or without a unit. A size too small for any model lacks its unit.
fn bytes(text: &str) -> Result<u64, String> {
    const LEAST: u64 = 1_000_000;
    let bytes = size(text)?;
    if bytes < LEAST {
        return Err(format!("{bytes} bytes hold no model: is the unit missing, as in 8GB?"));
    }
    Ok(bytes)
}

fn size(text: &str) -> Result<u64, String> {
    let wrong = || "not a size such as 8GB, 500MB or 12GiB".to_owned();
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "mb" | "m" => 1e6,
        "mib" => 1024.0 * 1024.0,
        "gb" | "g" => 1e9,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err(wrong()),
    };
    let bytes = number.parse::<f64>().map_err(|_| wrong())? * unit;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
    if (1.0..1e18).contains(&bytes) { Ok(bytes as u64) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_with_or_without_a_unit() {
        for (text, wanted) in
            [("1000000", 1_000_000), ("8GB", 8_000_000_000), ("1.5 gb", 1_500_000_000), ("12GiB", 12 << 30)]
        {
            assert_eq!(bytes(text), Ok(wanted), "{text}");
        }
        for text in ["", "GB", "-1GB", "8TBs", "0", "8", "999999", "1e30", "1.2.3GB", "inf"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_count_is_at_least_one() {
        assert_eq!(at_least_one("1"), Ok(1));
        for text in ["0", "-1", "", "1.5", "many"] {
            assert!(at_least_one(text).is_err(), "{text}");
        }
    }
}
