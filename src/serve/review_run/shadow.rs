//! A shadow policy: it judges a text after the served one, at the places of batches, and answers nobody.

use tokio::sync::oneshot;

use crate::engine::Abandoned;
use crate::label::row::{Row, Status};
use crate::review::item::{Found, Shadow};
use crate::serve::judges::{Answer, Job, Message};
use crate::serve::reviewing::Beside;
use crate::serve::state::State;

/// Cancels a text that nobody waits for any more.
struct Cancel(Abandoned);

impl Drop for Cancel {
    fn drop(&mut self) {
        self.0.set();
    }
}

/// Judges a text. `None` if it could not be judged.
pub async fn judged(beside: Beside, state: &State) -> Option<Shadow> {
    let Beside { policy, options, content } = beside;
    // The first text of another request shares the engine with these.
    state.queue.limit_batches(state.model().ok()?.parallel / 4);
    let place = state.queue.wait_for_batch().await.ok()?;
    let (reply, answer) = oneshot::channel();
    let cancel = Cancel(Abandoned::default());
    let (content, abandoned) = (Ok(content), cancel.0.clone());
    let job = Job { served: policy, options, content, abandoned, reply, place };
    state.messages.send(Message::Job(Box::new(job))).ok()?;
    match answer.await.ok()? {
        Answer::Judged(provenance, judged) => found(&provenance.row(&judged, false)),
        Answer::Defect(..) | Answer::Refused(_) => None,
    }
}

/// Returns the verdict of a row. `None` for a text that was not judged.
fn found(row: &Row) -> Option<Shadow> {
    let Row { status, verdict, category, probability, .. } = row;
    (*status != Status::Error).then(|| Shadow {
        verdict: Found::from(*verdict),
        category: category.clone(),
        probability: *probability,
    })
}
