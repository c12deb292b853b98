//! A connection with time limits: for the head of a request, for silence between requests, and for writing.
//!
//! The limits of a body are in [`super::call`], as only a route knows whether a body is a stream.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// The time for the head of a request to arrive.
const HEAD: Duration = Duration::from_secs(10);
/// The silence between two requests.
const IDLE: Duration = Duration::from_secs(75);
/// The time in which a client must take some bytes of a response.
const WRITE: Duration = Duration::from_mins(1);

/// The phase of a connection.
#[derive(Debug, Default)]
pub struct Phase(AtomicU8);

const WAITING: u8 = 0;
const HEADING: u8 = 1;
const ANSWERING: u8 = 2;

impl Phase {
    /// Begins a request: its head is there.
    pub fn begin(&self) {
        self.0.store(ANSWERING, Ordering::Relaxed);
    }

    /// Ends a request: its response was sent.
    pub fn end(&self) {
        self.0.store(WAITING, Ordering::Relaxed);
    }

    fn now(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A stream with time limits.
pub struct Connection<S> {
    stream: S,
    phase: Arc<Phase>,
    reading: Timer,
    writing: Timer,
}

/// A time limit that may be set.
struct Timer {
    sleep: Pin<Box<Sleep>>,
    of: Option<u8>,
}

impl Timer {
    fn new() -> Self {
        Self { sleep: Box::pin(sleep_until(Instant::now())), of: None }
    }

    /// Sets the limit, unless it runs for the same phase already. Returns true once it is over.
    fn is_over(&mut self, phase: u8, time: Duration, context: &mut Context<'_>) -> bool {
        if self.of != Some(phase) {
            self.of = Some(phase);
            self.sleep.as_mut().reset(Instant::now() + time);
        }
        self.sleep.as_mut().poll(context).is_ready()
    }
}

impl<S> Connection<S> {
    /// Wraps a stream whose service tells the phase.
    pub fn new(stream: S, phase: Arc<Phase>) -> Self {
        Self { stream, phase, reading: Timer::new(), writing: Timer::new() }
    }

    fn written<T>(&mut self, polled: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.writing.of = None;
            return polled;
        }
        if self.writing.is_over(0, WRITE, context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(context, buffer) {
            if buffer.filled().len() > before && self.phase.now() == WAITING {
                self.phase.0.store(HEADING, Ordering::Relaxed);
            }
            return Poll::Ready(read);
        }
        let limit = match self.phase.now() {
            WAITING => IDLE,
            HEADING => HEAD,
            _ => {
                self.reading.of = None;
                return Poll::Pending;
            }
        };
        let phase = self.phase.now();
        if self.reading.is_over(phase, limit, context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(polled, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.written(polled, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        self.written(polled, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(context);
        self.written(polled, context)
    }
}
