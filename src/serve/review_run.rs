//! The task that writes texts into the review queue, and deletes old ones. A shadow policy judges texts before, at the
//! places of batches.

mod shadow;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::interval;

use super::event::Event;
use super::reviewing::{Reviewing, Taken};
use super::state::State;
use crate::review::item::{Item, Reason, Shadow};

/// The most texts that wait for a shadow policy.
const MOST_BESIDE: usize = 1024;
/// The most items that are written at once.
const PIECE: usize = 256;
/// The interval at which old items are deleted.
const HOUR: Duration = Duration::from_hours(1);

/// Texts at their shadow policies.
type Besides = JoinSet<(Taken, Option<Shadow>)>;

/// Reports the failures of the queue.
type Report<'report> = &'report (dyn Fn(Event) + Sync);

/// Writes texts into the queue, and deletes old ones, until the server ends.
pub async fn run(state: &Arc<State>, report: Report<'_>) {
    let Some(reviewing) = &state.reviewing else { return };
    let Some(mut inbox) = reviewing.inbox() else { return };
    let (mut hour, mut beside) = (interval(HOUR), Besides::new());
    let mut ended = std::pin::pin!(reviewing.ended());
    loop {
        let mut ready = Vec::new();
        tokio::select! {
            () = &mut ended => break,
            _ = hour.tick() => on_disk(state, report, Reviewing::expire).await,
            Some(done) = beside.join_next() => ready.extend(done.ok().and_then(finished)),
            Some(taken) = inbox.recv() => ready.extend(sent(state, taken, &mut beside)),
        }
        while ready.len() < PIECE
            && let Ok(taken) = inbox.try_recv()
        {
            ready.extend(sent(state, taken, &mut beside));
        }
        write(state, ready, report).await;
    }
    inbox.close();
    let mut rest = Vec::new();
    while let Ok(taken) = inbox.try_recv() {
        rest.extend(finished((taken, None)));
    }
    while let Some(done) = beside.join_next().await {
        rest.extend(done.ok().and_then(finished));
    }
    write(state, rest, report).await;
}

/// Sends a text to its shadow policy. Returns the text if it has none, or if there is no room.
fn sent(state: &Arc<State>, mut taken: Taken, beside: &mut Besides) -> Option<Taken> {
    let Some(asked) = taken.beside.take() else { return Some(taken) };
    if beside.len() >= MOST_BESIDE {
        state.metrics.review_lost("shadow");
        return Some(taken).filter(Taken::has_reason);
    }
    let state = Arc::clone(state);
    beside.spawn(async move {
        tokio::select! {
            shadow = shadow::judged(asked, &state) => (taken, shadow),
            () = ended(&state) => (taken, None),
        }
    });
    None
}

/// Waits for the end of the server.
async fn ended(state: &State) {
    if let Some(reviewing) = &state.reviewing {
        reviewing.ended().await;
    }
}

/// Adds the verdict of a shadow policy. Returns the text if a person should look at it.
fn finished((mut taken, shadow): (Taken, Option<Shadow>)) -> Option<Taken> {
    if let Some(shadow) = shadow {
        if shadow.verdict != taken.item.verdict {
            taken.item.reasons.push(Reason::Flip);
        }
        taken.item.shadow = Some(shadow);
    }
    Some(taken).filter(Taken::has_reason)
}

/// Writes texts.
async fn write(state: &Arc<State>, taken: Vec<Taken>, report: Report<'_>) {
    if taken.is_empty() {
        return;
    }
    let of_thread = Arc::clone(state);
    on_disk(state, report, move |reviewing| {
        let (items, _rooms): (Vec<Item>, Vec<_>) = taken.into_iter().map(Taken::split).unzip();
        reviewing.write(&items, &of_thread.metrics)
    })
    .await;
}

/// Runs a function that waits for the disk on a thread of its own. The first failure is reported. Metrics count the
/// others.
async fn on_disk(
    state: &Arc<State>,
    report: Report<'_>,
    work: impl FnOnce(&Reviewing) -> Result<(), String> + Send + 'static,
) {
    let of_thread = Arc::clone(state);
    let done = spawn_blocking(move || of_thread.reviewing.as_ref().map_or(Ok(()), work));
    let done = done.await.unwrap_or_else(|_| Err("a fault".to_owned()));
    if let Err(error) = done
        && state.reviewing.as_ref().is_some_and(Reviewing::fails_first)
    {
        report(Event::NotReviewed(error));
    }
}
