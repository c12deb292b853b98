//! The watch on the files of policies: a policy is read again when its file changes.

use std::convert::Infallible;
use std::time::Duration;

use super::event::Event;
use super::policies::{Origin, Stamp};
use super::state::State;

/// The interval at which files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Reads policies again when their files change. A file that cannot be used leaves its policy as it was.
pub async fn watch(state: &State, origins: &[Origin], report: &(dyn Fn(Event) + Sync)) -> Infallible {
    let mut stamps: Vec<Stamp> = origins.iter().map(Origin::stamp).collect();
    loop {
        tokio::time::sleep(LOOK).await;
        for (at, origin) in origins.iter().enumerate() {
            let stamp = origin.stamp();
            if stamp == stamps[at] {
                continue;
            }
            match state.policies.read_again(at, origin) {
                Ok(false) => {}
                Ok(true) => report(Event::Reloaded(origin.name.clone())),
                Err(error) => {
                    state.metrics.reload_error();
                    report(Event::NotReloaded(origin.name.clone(), error));
                }
            }
            stamps[at] = stamp;
        }
    }
}
