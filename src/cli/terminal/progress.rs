//! A bar on a terminal, silence elsewhere, and nothing at all for what is over at once.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use magistrate::label::summary::Summary;

use super::output;

/// Runs something that tells how far it is.
pub fn shown<T>(what: &'static str, work: impl FnOnce(&mut (dyn FnMut(u64, u64) + Send)) -> T) -> T {
    let bar = ProgressBar::no_length().with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {percent}% {elapsed}") {
        bar.set_style(style);
    }
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

/// Runs something that cannot tell how far it is.
pub fn waiting<T>(what: &'static str, work: impl FnOnce() -> T) -> T {
    let spinner = ProgressBar::new_spinner().with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{msg} {spinner} {elapsed}") {
        spinner.set_style(style);
    }
    // Where nobody sees it, the thread that ticks would only take turns from those that work.
    if !spinner.is_hidden() {
        spinner.enable_steady_tick(Duration::from_millis(300));
    }
    let done = work();
    spinner.finish_and_clear();
    done
}

/// Rows that go by: a bar with rate and time left on a terminal, a line now and then elsewhere.
pub struct Rows {
    bar: ProgressBar,
    begun: Instant,
    /// When it was last told how far it is, where there is no terminal.
    told: Instant,
    sized: bool,
}

/// How often a log is told how far it is: rarely enough not to fill it.
const LOGGED: Duration = Duration::from_mins(1);

impl Rows {
    /// `size` is that of the input in bytes, if it is known. A quiet one draws nothing.
    pub fn new(size: Option<u64>, quiet: bool) -> Self {
        let bar = size.map_or_else(ProgressBar::no_length, ProgressBar::new);
        let template =
            if size.is_some() { "{msg} {wide_bar} {percent}% {eta} left" } else { "{msg} {spinner} {elapsed}" };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        if quiet {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        Self { bar, begun: Instant::now(), told: Instant::now(), sized: size.is_some() }
    }

    /// So far it has come.
    pub fn show(&mut self, summary: &Summary) {
        let rows = summary.rows();
        if rows == summary.resumed {
            // What an earlier run did says nothing of how long the rest will take.
            self.begun = Instant::now();
            self.bar.reset_eta();
        }
        #[allow(clippy::cast_precision_loss, reason = "rates for people")]
        let said = || {
            let seconds = self.begun.elapsed().as_secs_f64().max(1e-3);
            let rate = |count: u64| count as f64 / seconds;
            let (new, tokens) = (rate(rows - summary.resumed), rate(summary.tokens.all()));
            format!("{rows} rows, {new:.1}/s, {tokens:.0} tokens/s")
        };
        if !self.bar.is_hidden() {
            self.bar.set_message(said());
            if self.sized {
                self.bar.set_position(summary.bytes);
            } else {
                self.bar.tick();
            }
        } else if self.told.elapsed() >= LOGGED {
            output::say(&said());
            self.told = Instant::now();
        }
    }

    /// Lets something else be written to the terminal.
    pub fn aside(&self, write: impl FnOnce()) {
        self.bar.suspend(write);
    }

    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
