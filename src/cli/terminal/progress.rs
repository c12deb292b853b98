//! Progress: a bar on a terminal, silence elsewhere, and nothing for quick work.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use magistrate::label::summary::Summary;

use super::manner::manner;
use super::output;

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

/// Progress in rows: a bar with rate and time left on a terminal, a line now and then elsewhere.
pub struct Rows {
    bar: ProgressBar,
    begun: Instant,
    /// The last line in a log.
    logged: Instant,
    sized: bool,
}

/// The interval of lines in a log, which is too long to fill it.
const LOGGED: Duration = Duration::from_mins(1);

impl Rows {
    /// Starts a bar. `size` is the size of the input in bytes. A quiet bar draws nothing.
    pub fn new(size: Option<u64>, quiet: bool) -> Self {
        let bar = size.map_or_else(ProgressBar::no_length, ProgressBar::new);
        let template =
            if size.is_some() { "{msg} {wide_bar} {percent}% {eta} left" } else { "{msg} {spinner} {elapsed}" };
        let bar = styled(bar, template);
        if quiet {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        Self { bar, begun: Instant::now(), logged: Instant::now(), sized: size.is_some() }
    }

    /// Shows the progress.
    pub fn show(&mut self, summary: &Summary) {
        let rows = summary.rows();
        if rows == summary.resumed {
            // Rows of an earlier run give no rate for the rest.
            self.begun = Instant::now();
            self.bar.reset_eta();
        }
        #[allow(clippy::cast_precision_loss, reason = "rates for people")]
        let message = || {
            let seconds = self.begun.elapsed().as_secs_f64().max(1e-3);
            let rate = |count: u64| count as f64 / seconds;
            let (new, tokens) = (rate(rows - summary.resumed), rate(summary.tokens.all()));
            format!("{rows} rows, {new:.1}/s, {tokens:.0} tokens/s")
        };
        if !self.bar.is_hidden() {
            self.bar.set_message(message());
            if self.sized {
                self.bar.set_position(summary.bytes);
            } else {
                self.bar.tick();
            }
        } else if !is_hidden() && self.logged.elapsed() >= LOGGED {
            output::message(&message());
            self.logged = Instant::now();
        }
    }

    /// Runs a function that writes to the terminal.
    pub fn aside(&self, write: impl FnOnce()) {
        self.bar.suspend(write);
    }

    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
