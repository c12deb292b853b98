//! A body that is sent piece by piece, as its pieces become known.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::Frame;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// A body of pieces that are sent one by one.
pub struct Pieces(Receiver<Bytes>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

/// Returns a body, and the end at which its pieces go in.
pub fn pieces() -> (Sender<Bytes>, Body) {
    let (sender, receiver) = channel(16);
    (sender, Body::new(Pieces(receiver)))
}
