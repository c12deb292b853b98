//! A bar on a terminal, silence elsewhere, and nothing at all for what is over at once.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Runs something that tells how far it is.
pub fn shown<T>(what: &'static str, work: impl FnOnce(&mut (dyn FnMut(u64, u64) + Send)) -> T) -> T {
    let bar = ProgressBar::no_length().with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {percent}% {elapsed}") {
        bar.set_style(style);
    }
    // indicatif draws on stderr, and only on a terminal; a first draw after a while spares a flash.
    let begun = std::time::Instant::now();
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
    spinner.enable_steady_tick(Duration::from_millis(300));
    let done = work();
    spinner.finish_and_clear();
    done
}
