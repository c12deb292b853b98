//! The flags of `serve` for its review queue.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use magistrate::policy::{Policy, PolicySource};
use magistrate::review::store::Store;
use magistrate::serve::reviewing::ReviewConfig;

use crate::cli::args::judging::share;

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Server")]
pub struct ReviewArgs {
    /// Folder of the review queue, which contains texts. Without it no text is kept for review
    #[arg(long, value_name = "FOLDER")]
    review: Option<PathBuf>,

    /// Share of the texts that goes into the review queue at random, such as 1% [default: 0]
    #[arg(long, value_name = "SHARE", value_parser = part, requires = "review")]
    sample: Option<f64>,

    /// Width of doubt: probabilities within it around the threshold go into the review queue [default: 0.1]
    #[arg(long, value_name = "WIDTH", value_parser = share, requires = "review")]
    near: Option<f64>,

    /// Policy with the id of a served one. Texts with another verdict by it go into the review queue
    #[arg(long, value_name = "FILE", requires = "review")]
    shadow: Vec<String>,

    /// Days after which items of the review queue are deleted [default: 30]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500), requires = "review")]
    retain: Option<u32>,
}

/// The flags, with the shadow policies that they name.
pub struct Review {
    flags: ReviewArgs,
    pub shadows: Vec<Policy>,
}

/// Reads a share: 0.01 or 1%.
fn part(text: &str) -> Result<f64, String> {
    let read = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse(),
    };
    let is_share = |share: &f64| (0.0..=1.0).contains(share);
    read.ok().filter(is_share).ok_or_else(|| "not a share, such as 1% or 0.01".to_owned())
}

impl ReviewArgs {
    /// Reads the shadow policies.
    pub fn read(&self) -> anyhow::Result<Review> {
        let policy = |spec: &String| anyhow::Ok(PolicySource::open(spec)?.parse(None)?);
        let shadows = self.shadow.iter().map(policy).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Review { flags: self.clone(), shadows })
    }
}

impl Review {
    /// Opens the queue, if a folder is named.
    pub fn open(self) -> anyhow::Result<Option<ReviewConfig>> {
        let ReviewArgs { review: Some(folder), sample, near, retain, .. } = self.flags else { return Ok(None) };
        let store =
            Store::open(&folder).with_context(|| format!("{} cannot keep the review queue", folder.display()))?;
        Ok(Some(ReviewConfig {
            store,
            sample: sample.unwrap_or(0.0),
            near: near.unwrap_or(0.1),
            shadows: self.shadows,
            days: retain.unwrap_or(30).into(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn a_share_is_a_number_or_a_percentage() {
        for (text, share) in [("1%", 0.01), ("0.25", 0.25), ("0", 0.0), ("100 %", 1.0)] {
            assert_eq!(part(text), Ok(share));
        }
        for text in ["101%", "2", "-1%", "many", "%", "nan"] {
            assert!(part(text).is_err(), "{text}");
        }
    }
}
