//! Progress: a bar on a terminal, silence elsewhere, and nothing for quick work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use magistrate::label::summary::Summary;

use super::manner::manner;
use super::output;
use super::stop::Stop;
use super::units::grouped;

/// Runs work that reports its progress.
pub fn shown<T>(what: &'static str, work: impl FnOnce(&mut (dyn FnMut(u64, u64) + Send)) -> T) -> T {
    let bar = styled(ProgressBar::no_length(), "{msg} {wide_bar} {percent}% {elapsed}").with_message(what);
    // indicatif draws on stderr, and only on a terminal; a first draw after a while spares a flash.
    let begun = Instant::now();
    let done = work(&mut |done, all| {
        if begun.elapsed() > Duration::from_millis(300) {
            bar.set_length(all);
            bar.set_position(done);
        }
    });
    bar.finish_and_clear();
    done
}

/// Runs work that cannot report its progress.
pub fn waiting<T>(what: &'static str, work: impl FnOnce() -> T) -> T {
    let spinner = styled(ProgressBar::new_spinner(), "{msg} {spinner} {elapsed}").with_message(what);
    // If it is hidden, the thread that ticks would only take time from the others.
    if !spinner.is_hidden() {
        spinner.enable_steady_tick(Duration::from_millis(300));
    }
    let done = work();
    spinner.finish_and_clear();
    done
}

/// Returns a bar that is drawn by a template of indicatif.
pub fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    if is_hidden() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Reports whether the global flags hide all progress.
fn is_hidden() -> bool {
    let manner = manner();
    manner.quiet || manner.no_progress
}

/// The number of rows that a run will have.
#[derive(Clone, Debug)]
pub enum Total {
    /// Known before the run.
    Rows(u64),
    /// Counted by another thread, and 0 until then. The size of the input in bytes gives an estimate meanwhile.
    Counted(Arc<AtomicU64>, u64),
    /// The input has no end that is known.
    Unknown,
}

impl Total {
    /// Returns the number of rows, and true if it is an estimate.
    fn rows(&self, summary: &Summary) -> Option<(u64, bool)> {
        match self {
            Self::Rows(rows) => Some((*rows, false)),
            Self::Counted(counted, bytes) => match counted.load(Ordering::Relaxed) {
                0 if summary.bytes > 0 && *bytes > 0 => Some((estimate(summary, *bytes), true)),
                0 => None,
                rows => Some((rows, false)),
            },
            Self::Unknown => None,
        }
    }
}

/// Estimates the number of rows in an input of this many bytes, in two digits.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate for people"
)]
fn estimate(summary: &Summary, bytes: u64) -> u64 {
    let (rows, share) = (summary.rows(), bytes as f64 / summary.bytes as f64);
    let all = rows as f64 * share.max(1.0);
    let unit = 10_f64.powf(all.max(1.0).log10().floor() - 1.0).max(1.0);
    ((all / unit).round() * unit) as u64
}

/// Progress in rows: a bar with counts and time left on a terminal, a line now and then elsewhere.
pub struct Rows {
    bar: ProgressBar,
    total: Total,
    stop: Stop,
    begun: Instant,
    /// The last line in a log.
    logged: Instant,
}

/// The interval of lines in a log, which is too long to fill it.
const LOGGED: Duration = Duration::from_mins(1);

/// The time and the rows after which a rate says something about the rest. The first rows come together and late.
const MEASURED: (Duration, u64) = (Duration::from_secs(2), 16);

/// The time after which fewer rows do.
const SLOW: Duration = Duration::from_secs(30);

impl Rows {
    /// Starts a bar, which a stop removes. A quiet bar draws nothing.
    pub fn new(total: Total, stop: Stop, quiet: bool) -> Self {
        // A line that is too long for the terminal would be drawn again and again, so the counts are cut.
        let sized = !matches!(total, Total::Unknown);
        let bar = styled(ProgressBar::no_length(), if sized { "{bar:10} {wide_msg}" } else { "{spinner} {wide_msg}" });
        if quiet {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        Self { bar, total, stop, begun: Instant::now(), logged: Instant::now() }
    }

    /// Shows the progress.
    pub fn show(&mut self, summary: &Summary) {
        if summary.rows() == summary.resumed + summary.reused {
            // Rows of an earlier run give no rate for the rest.
            self.begun = Instant::now();
        }
        if self.stop.is_asked() {
            // The answer to the signal stands where the bar was.
            self.bar.set_draw_target(ProgressDrawTarget::hidden());
        } else if !self.bar.is_hidden() {
            if let Some((rows, _)) = self.total.rows(summary) {
                self.bar.set_length(rows);
                self.bar.set_position(summary.rows().min(rows));
            }
            self.bar.set_message(self.line(summary));
            self.bar.tick();
        } else if !is_hidden() && self.logged.elapsed() >= LOGGED {
            output::message(&self.line(summary));
            self.logged = Instant::now();
        }
    }

    fn line(&self, summary: &Summary) -> String {
        let elapsed = self.begun.elapsed();
        let mut line = line(summary, self.total.rows(summary), elapsed);
        if output::is_verbose() {
            #[allow(clippy::cast_precision_loss, reason = "rates for people")]
            let tokens = summary.tokens.all() as f64 / elapsed.as_secs_f64().max(1e-3);
            line.push_str(&format!(", {tokens:.0} tokens/s"));
        }
        line
    }

    /// Runs a function that writes to the terminal.
    pub fn aside(&self, write: impl FnOnce()) {
        self.bar.suspend(write);
    }

    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// Returns the progress in words, the most important first: `135 of 2,000 rows (7 %), 3m left, 9.2/s`.
fn line(summary: &Summary, total: Option<(u64, bool)>, elapsed: Duration) -> String {
    let rows = summary.rows();
    let new = rows - (summary.resumed + summary.reused).min(rows);
    #[allow(clippy::cast_precision_loss, reason = "rates for people")]
    let rate = new as f64 / elapsed.as_secs_f64().max(1e-3);
    let (soon, enough) = MEASURED;
    let measured = elapsed >= soon && (new >= enough || new > 0 && elapsed >= SLOW);
    let mut line = match total {
        None => format!("{} rows", grouped(rows)),
        Some((all, estimated)) => {
            let about = if estimated { "~" } else { "" };
            let all = all.max(rows);
            format!("{} of {about}{} ({} %)", grouped(rows), grouped(all), rows * 100 / all.max(1))
        }
    };
    if let Some((all, _)) = total.filter(|_| measured) {
        #[allow(clippy::cast_precision_loss, reason = "rates for people")]
        let left = all.saturating_sub(rows) as f64 / rate;
        line.push_str(&format!(", {} left", duration(left)));
    }
    if measured {
        line.push_str(&format!(", {rate:.1}/s"));
    }
    line
}

/// Returns a time in its largest unit: `45s`, `3m`, `2h`.
fn duration(seconds: f64) -> String {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time is not negative, and rounded")]
    let seconds = seconds.ceil() as u64;
    match seconds {
        0..=89 => format!("{seconds}s"),
        90..=5399 => format!("{}m", (seconds + 30) / 60),
        _ => format!("{}h", (seconds + 1800) / 3600),
    }
}

#[cfg(test)]
mod tests {
    use magistrate::label::row::RowVerdict;

    use super::*;

    fn done(rows: u64, resumed: u64, bytes: u64) -> Summary {
        let mut summary = Summary { resumed, bytes, ..Summary::default() };
        summary.verdicts.insert(RowVerdict::Safe, rows);
        summary
    }

    #[test]
    fn progress_tells_the_share_and_the_time_left_within_forty_columns() {
        let (minute, at_once) = (Duration::from_mins(1), Duration::from_millis(100));
        for (summary, total, elapsed, expect) in [
            (done(135, 0, 0), Some((2_000, false)), Duration::from_secs(15), "135 of 2,000 (6 %), 3m left, 9.0/s"),
            (done(135, 0, 0), Some((2_000, true)), at_once, "135 of ~2,000 (6 %)"),
            (done(400, 300, 0), Some((400, false)), minute, "400 of 400 (100 %), 0s left, 1.7/s"),
            (done(1_200, 0, 0), None, minute, "1,200 rows, 20.0/s"),
            (done(0, 0, 0), Some((10, false)), minute, "0 of 10 (0 %)"),
        ] {
            let line = line(&summary, total, elapsed);
            assert_eq!(line, expect);
            // The bar takes eleven columns before it. The rate may be cut.
            assert!(line.split(" left").next().unwrap().len() <= 29 - " left".len(), "{line}");
        }
    }

    #[test]
    fn a_total_is_estimated_from_bytes_until_the_rows_are_counted() {
        let counted = Arc::new(AtomicU64::new(0));
        let total = Total::Counted(Arc::clone(&counted), 1_000_000);
        assert_eq!(total.rows(&done(0, 0, 0)), None);
        assert_eq!(total.rows(&done(123, 0, 61_000)), Some((2_000, true)));
        counted.store(1_987, Ordering::Relaxed);
        assert_eq!(total.rows(&done(123, 0, 61_000)), Some((1_987, false)));
    }
}
