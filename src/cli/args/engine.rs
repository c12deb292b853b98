//! How the model runs: the flags that `check`, `label`, `bench` and `model fit` share.

use std::path::PathBuf;

use clap::Args;
use magistrate::cache;
use magistrate::engine::plan::Wishes;
use magistrate::engine::{self, EngineConfig};

#[derive(Debug, Args)]
#[command(next_help_heading = "Engine")]
pub struct EngineArgs {
    /// Texts, or pieces of one, that are judged at once [default: what bench --tune found, else 8; or as many as fit in memory]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    parallel: Option<usize>,

    /// Share the weights between so many workers, each with a cache of its own and a part of the threads and of the texts
    /// [default: what bench --tune found, else 1, or more for a very small model on a CPU, whose steps are too short for many
    /// threads]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    workers: Option<usize>,

    /// Tokens that fit in memory: policies, and of each text at once its own, reasoning and answers [default: the policies',
    /// and 8192, or 1024 for each text at once if that is more]. In the split layout those of one text and its policy
    #[arg(long, value_name = "TOKENS", value_parser = at_least_one)]
    context: Option<usize>,

    /// How what was read is kept: f16, or `q8_0` in half the memory, rounded [default: f16 if that fits]
    #[arg(long, value_name = "TYPE")]
    kv: Option<CacheType>,

    /// unified: all texts share the policy's memory. split: each has a copy [default: what bench --tune found, else unified]
    #[arg(long, value_name = "LAYOUT")]
    layout: Option<Layout>,

    /// Whether attention is computed in one fused step
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    flash_attention: FlashAttention,

    /// Tokens that are computed in one pass over the weights, at most [default: 512, or 128 for a very small model on a CPU]
    #[arg(long, value_name = "TOKENS", value_parser = at_least_one)]
    micro_batch: Option<usize>,

    /// Threads that compute [default: one for each core]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    threads: Option<usize>,

    /// Devices that may take layers, by name; cpu for none, list to see which there are [default: all GPUs]
    #[arg(long = "device", value_name = "NAME,...", value_delimiter = ',')]
    devices: Vec<String>,

    /// Layers that a GPU takes [default: as many as fit there]
    #[arg(long, value_name = "N")]
    gpu_layers: Option<u32>,

    /// Layers whose experts stay on the CPU though a GPU takes the rest of them [default: as few as make it fit]
    #[arg(long, value_name = "N")]
    cpu_experts: Option<u32>,

    /// Take this much of the CPU's memory at most, such as 8GB, rather than what is free. More than there is loads anyway
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    memory: Option<u64>,

    /// Judge one text after the other, each from the very same state, so that on this machine rows are the same to the last
    /// byte, whatever their order. Slower
    #[arg(long)]
    reproducible: bool,

    /// Decode policies anew, and do not keep them decoded in the cache folder
    #[arg(long)]
    no_prefix_store: bool,

    /// Rearrange the weights for this CPU: somewhat faster, for a copy of them in memory and a slow start
    #[arg(long)]
    repack: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum CacheType {
    #[value(name = "f16")]
    F16,
    #[value(name = "q8_0")]
    Q8_0,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FlashAttention {
    /// Where the device can
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

    /// Resolves the flags, for a model.
    pub fn resolve(&self, model: PathBuf) -> Wishes {
        let config = EngineConfig::new(model);
        Wishes {
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
            base: EngineConfig {
                threads: self.threads.unwrap_or(config.threads),
                flash_attention: match self.flash_attention {
                    FlashAttention::Auto => engine::FlashAttention::Auto,
                    FlashAttention::On => engine::FlashAttention::On,
                    FlashAttention::Off => engine::FlashAttention::Off,
                },
                // Without a home there is nowhere to keep them, which is only slower.
                prefixes: if self.no_prefix_store {
                    None
                } else {
                    cache::folder().ok().map(|folder| folder.join("prefixes"))
                },
                reproducible: self.reproducible,
                devices: self.devices.clone(),
                repack: self.repack,
                ..config
            },
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
