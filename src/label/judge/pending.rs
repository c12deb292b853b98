//! A content that was sent to the engine, whole or in pieces.

use std::time::Duration;

use super::result::{Chunking, Judged, combine};
use crate::content::Content;
use crate::engine::{Completion, Engine, EngineError, Pending, Plan, Session};
use crate::label::pieces::pieces;

/// A content that is to be judged by one policy.
#[derive(Clone, Copy, Debug)]
pub struct Submission<'session, 'content> {
    /// The engine, whose tokenizer measures the pieces.
    pub engine: &'session Engine,
    /// The decoded policy.
    pub session: &'session Session<'session>,
    /// The content.
    pub content: &'content Content,
    /// The pieces of a long content. `None`: whole, or refused.
    pub chunking: Option<Chunking>,
}

/// A content that is being judged by one policy.
#[derive(Debug)]
pub struct PendingVerdict<'session> {
    pieces: Vec<Piece<'session>>,
    chunking: Option<Chunking>,
}

#[derive(Debug)]
enum Piece<'session> {
    Sent(Pending<'session>),
    Done(Box<Result<Completion, EngineError>>),
}

impl<'session> Submission<'session, '_> {
    /// Sends the content with `send`, in pieces if one is too small for it.
    pub fn submit(
        self,
        mut send: impl FnMut(&'session Session<'session>, &Content) -> Result<Pending<'session>, EngineError>,
    ) -> PendingVerdict<'session> {
        let mut send = |content: &Content| {
            send(self.session, content).map_or_else(|error| Piece::Done(Box::new(Err(error))), Piece::Sent)
        };
        match self.cut(self.session.own_plan()) {
            Some((chunking, pieces)) => PendingVerdict {
                pieces: pieces.into_iter().map(|piece| send(&Content::new(piece))).collect(),
                chunking: Some(chunking),
            },
            None => PendingVerdict { pieces: vec![send(self.content)], chunking: None },
        }
    }

    /// Returns the pieces of a content that is longer than one piece.
    ///
    /// A content over the session's limit stays whole: its pieces would pass the limit, and it must not.
    pub(super) fn cut(&self, plan: &Plan) -> Option<(Chunking, Vec<&str>)> {
        let (text, chunking) = (self.content.text(), self.chunking?);
        // A token has at least one byte, so a short text needs no tokenizer to be known as one piece.
        if text.len() <= chunking.size {
            return None;
        }
        let pieces = pieces(self.engine.tokenizer(), text, chunking.size, chunking.overlap);
        (pieces.len() > 1 && self.session.allows(self.content, plan).is_ok()).then_some((chunking, pieces))
    }
}

impl PendingVerdict<'_> {
    /// Waits for the result, at most for this time. `None` if that was too short.
    #[must_use]
    pub fn wait_for(&mut self, time: Duration) -> Option<Judged> {
        for piece in &mut self.pieces {
            if let Piece::Sent(pending) = piece {
                let result = pending.wait_for(time)?;
                *piece = Piece::Done(Box::new(result));
            }
        }
        let results = self.pieces.drain(..).map(|piece| match piece {
            Piece::Done(result) => *result,
            Piece::Sent(_) => Err(EngineError::Stopped),
        });
        Some(combine(results.collect(), self.chunking))
    }

    /// Waits for the result.
    #[must_use]
    pub fn wait(mut self) -> Judged {
        loop {
            if let Some(judged) = self.wait_for(Duration::MAX) {
                return judged;
            }
        }
    }
}
