//! A request's body that is lent to a route, and comes back if the route does not read it to its end.
//!
//! A connection with an unread body cannot be used again. And if it were closed at once, the system could discard a
//! response that the client has not read. So the rest is read and dropped, within limits.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// The longest time in which the rest of a body is read.
const LONGEST: Duration = Duration::from_secs(1);

/// The most bytes of the rest that are read.
const MOST: usize = 8 << 20;

/// A body that is lent.
pub struct LentBody {
    body: Option<Incoming>,
    back: Option<oneshot::Sender<Incoming>>,
}

/// Lends a body. It comes back through the receiver if it is dropped before its end.
pub fn lend(body: Incoming) -> (LentBody, oneshot::Receiver<Incoming>) {
    let (back, returned) = oneshot::channel();
    (LentBody { body: Some(body), back: Some(back) }, returned)
}

/// Reads the rest of a body, and drops it.
pub async fn drain(mut body: Incoming) {
    let all = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > MOST {
                return;
            }
        }
    };
    let _ = timeout(LONGEST, all).await;
}

impl Body for LentBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Incoming::size_hint).unwrap_or_default()
    }
}

impl Drop for LentBody {
    fn drop(&mut self) {
        if let (Some(body), Some(back)) = (self.body.take(), self.back.take())
            && !body.is_end_stream()
        {
            let _ = back.send(body);
        }
    }
}
