//! `keys`: a wrong key is refused in the same time with each length of the prefix that it shares with the right one.

use std::collections::BTreeMap;
use std::time::Instant;

use magistrate::random::Random;
use serde_json::{Value, json};

use crate::Report;
use crate::figures::rounded;
use crate::flags::Flags;
use crate::http::Connection;
use crate::work::Work;

/// Parts of a run. Groups are compared within each part, because the speed of a machine drifts.
const PARTS: usize = 50;

/// The share of a group's fastest tries that counts. Other programs interrupt the others.
const FASTEST: f64 = 0.5;

/// Most standard errors between two groups. One of ten pairs exceeds four by chance in five hundred runs.
const MOST_ERRORS: f64 = 4.0;

/// Letters for wrong keys.
const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";

/// Tries wrong keys in random order on one connection.
pub fn run(mut flags: Flags) -> Result<Report, String> {
    let mut work = Work::new(&mut flags)?;
    let tries: usize = flags.value("tries", 100_000)?;
    if tries < 5_000 {
        return Err("--tries takes 5000 or more".to_owned());
    }
    let path = flags.value("path", "/v1/models".to_owned())?;
    flags.end()?;
    let right = work.target.key.take().ok_or("--key is missing: the right one")?;
    if right.len() < 8 || !right.is_ascii() {
        return Err("--key needs eight letters".to_owned());
    }
    let shared: Vec<usize> = [0, 1, right.len() / 2, right.len() * 3 / 4, right.len() - 1].to_vec();
    let mut groups: Vec<Group> = shared.into_iter().map(Group::new).collect();
    let mut random = Random::new(work.texts.seed);
    let mut connection = None;
    let mut statuses = BTreeMap::<String, u64>::new();
    // The first part warms up, and is not counted.
    for part in 0..=PARTS {
        for _ in 0..tries / PARTS {
            let group = random.below(groups.len());
            let group = &mut groups[group];
            work.target.key = Some(wrong(&right, group.shared, &mut random));
            let (time, status) = attempt(&work, &path, &mut connection)?;
            *statuses.entry(status.to_string()).or_default() += 1;
            group.part.push(time);
        }
        for group in &mut groups {
            group.end_part(part > 0);
        }
    }
    work.target.key = Some(right);
    let (_, status) = attempt(&work, &path, &mut None)?;
    if status != 200 {
        return Err(format!("the right key gets status {status}"));
    }
    let apart = farthest(&groups);
    let holds = statuses.keys().all(|status| status == "401") && apart <= MOST_ERRORS;
    let figures = json!({
        "tries": tries, "statuses": statuses, "groups": groups.iter().map(Group::report).collect::<Vec<_>>(),
        "farthest_in_standard_errors": rounded(apart), "holds": holds,
    });
    Ok(Report { figures, holds })
}

/// Returns a wrong key of the right length that shares a prefix of exactly this length with the right one.
fn wrong(right: &str, shared: usize, random: &mut Random) -> String {
    let mut key = right.as_bytes().to_vec();
    for letter in key.iter_mut().skip(shared) {
        let right = *letter;
        while *letter == right {
            *letter = LETTERS[random.below(LETTERS.len())];
        }
    }
    String::from_utf8(key).unwrap_or_default()
}

/// Sends one request, and returns the nanoseconds and the status.
fn attempt(work: &Work, path: &str, kept: &mut Option<Connection>) -> Result<(u64, u16), String> {
    let request = work.target.get(path);
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => work.target.connect().map_err(|failure| failure.to_string())?,
    };
    let begun = Instant::now();
    connection.send(&request).map_err(|failure| failure.to_string())?;
    let reply = connection.receive().map_err(|failure| failure.to_string())?;
    let time = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
    if reply.keeps {
        *kept = Some(connection);
    }
    Ok((time, reply.status))
}

/// Times of keys that share a prefix of one length with the right key, in microseconds.
struct Group {
    shared: usize,
    tries: usize,
    /// Times of the part that runs, in nanoseconds.
    part: Vec<u64>,
    /// The mean of the fastest tries of each part.
    means: Vec<f64>,
}

impl Group {
    fn new(shared: usize) -> Self {
        Self { shared, tries: 0, part: Vec::new(), means: Vec::new() }
    }

    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "few tries"
    )]
    fn end_part(&mut self, is_counted: bool) {
        let mut times = std::mem::take(&mut self.part);
        times.sort_unstable();
        let kept = &times[..(times.len() as f64 * FASTEST).ceil() as usize];
        if is_counted && !kept.is_empty() {
            self.tries += times.len();
            self.means.push(kept.iter().sum::<u64>() as f64 / 1e3 / kept.len() as f64);
        }
    }

    fn report(&self) -> Value {
        let (mean, error) = mean_and_error(&self.means);
        json!({
            "shared_prefix": self.shared, "tries": self.tries, "mean_us": rounded(mean),
            "standard_error_us": rounded(error),
        })
    }
}

/// Returns the mean of some figures, and its standard error.
#[allow(clippy::cast_precision_loss, reason = "few figures")]
fn mean_and_error(figures: &[f64]) -> (f64, f64) {
    let count = figures.len() as f64;
    let mean = figures.iter().sum::<f64>() / count;
    let variance = figures.iter().map(|figure| (figure - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, (variance / count).sqrt())
}

/// Returns the largest difference of two groups within the parts, in standard errors of the difference.
fn farthest(groups: &[Group]) -> f64 {
    let errors = |one: &Group, other: &Group| {
        let differences: Vec<f64> = one.means.iter().zip(&other.means).map(|(one, other)| one - other).collect();
        let (mean, error) = mean_and_error(&differences);
        (mean / error).abs()
    };
    let pairs = (0..groups.len()).flat_map(|one| (0..one).map(move |other| (one, other)));
    pairs.map(|(one, other)| errors(&groups[one], &groups[other])).fold(0.0, f64::max)
}
