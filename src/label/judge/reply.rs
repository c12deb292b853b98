//! A content that was sent to the engine, and whose result goes to a function.

use std::sync::{Arc, Mutex, PoisonError};

use super::pending::Submission;
use super::result::{Chunking, Judged, combine};
use crate::content::Content;
use crate::engine::{Abandoned, Completion, EngineError, Plan};

/// The results of a content's pieces, until the last one is there.
struct Collector<F> {
    results: Vec<Option<Result<Completion, EngineError>>>,
    chunking: Option<Chunking>,
    done: Option<F>,
}

impl Submission<'_, '_> {
    /// Sends the content to be judged by a plan, in pieces if one is too small for it.
    ///
    /// The result goes to `done`, on a thread of the engine. `done` is dropped uncalled if the content was abandoned or
    /// the engine has ended.
    pub fn submit_with(self, plan: &Plan, abandoned: &Abandoned, done: impl FnOnce(Judged) + Send + 'static) {
        let cut = self.cut(plan);
        let chunking = cut.as_ref().map(|(chunking, _)| *chunking);
        let pieces = cut.map_or_else(
            || vec![self.content.clone()],
            |(_, pieces)| pieces.into_iter().map(Content::new).collect::<Vec<_>>(),
        );
        let collector = Collector { results: pieces.iter().map(|_| None).collect(), chunking, done: Some(done) };
        let collector = Arc::new(Mutex::new(collector));
        for (at, piece) in pieces.iter().enumerate() {
            let of_piece = Arc::clone(&collector);
            let sent = self.session.submit_with(piece, plan, abandoned, move |result| put(&of_piece, at, result));
            if let Err(error) = sent {
                put(&collector, at, Err(error));
            }
        }
    }
}

/// Puts in the result of a piece. The last one ends the content.
fn put<F: FnOnce(Judged)>(collector: &Mutex<Collector<F>>, at: usize, result: Result<Completion, EngineError>) {
    let mut collector = collector.lock().unwrap_or_else(PoisonError::into_inner);
    collector.results[at] = Some(result);
    if collector.results.iter().all(Option::is_some)
        && let Some(done) = collector.done.take()
    {
        let results = std::mem::take(&mut collector.results).into_iter().flatten().collect();
        done(combine(results, collector.chunking));
    }
}
