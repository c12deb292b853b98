//! The accept loop: connections in, each served by the routes, until the server drains.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::connection::{Connection, Phase};
use super::lent_body::{drain, lend};
use super::state::{CountedConnection, State};

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// TCP.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// A socket that is bound and not listened to yet.
#[derive(Debug)]
pub enum Bound {
    /// TCP.
    Tcp(std::net::TcpListener),
    /// A Unix socket, and its path.
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener, PathBuf),
}

/// Connections that wait to be accepted.
#[cfg(unix)]
const WAITING: i32 = 4096;

/// The interval at which the loop looks whether it should end.
const LOOK: Duration = Duration::from_millis(50);

impl Address {
    /// Reads `HOST:PORT`, `PORT` or `unix:PATH`.
    ///
    /// # Errors
    ///
    /// A message for another text.
    pub fn read(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() { Err("unix: needs a path".to_owned()) } else { Ok(Self::Unix(path.into())) };
        }
        let text =
            if text.bytes().all(|byte| byte.is_ascii_digit()) { format!("127.0.0.1:{text}") } else { text.to_owned() };
        let named = text.replace("localhost:", "127.0.0.1:");
        named
            .parse()
            .map(Self::Tcp)
            .map_err(|_| "not of the form ADDRESS:PORT, such as 127.0.0.1:8787, or unix:PATH".to_owned())
    }

    /// Reports whether only this machine can reach the address.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().is_loopback(),
            Self::Unix(_) => true,
        }
    }

    /// Binds the address.
    ///
    /// # Errors
    ///
    /// The address is in use, or belongs to another machine.
    pub fn bind(&self) -> io::Result<Bound> {
        match self {
            Self::Tcp(address) => {
                let listener = std::net::TcpListener::bind(address)?;
                #[cfg(unix)]
                // The standard library lets 128 connections wait. A burst of clients is larger.
                rustix::net::listen(&listener, WAITING)?;
                listener.set_nonblocking(true)?;
                Ok(Bound::Tcp(listener))
            }
            #[cfg(unix)]
            Self::Unix(path) => bind_unix(path),
            #[cfg(not(unix))]
            Self::Unix(_) => Err(io::Error::other("this system has no Unix sockets")),
        }
    }
}

/// Binds a Unix socket that only this user can reach. A socket that nobody listens on makes room.
#[cfg(unix)]
fn bind_unix(path: &Path) -> io::Result<Bound> {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    if is_socket && std::os::unix::net::UnixStream::connect(path).is_err() {
        std::fs::remove_file(path)?;
    }
    let listener = std::os::unix::net::UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(Bound::Unix(listener, path.to_owned()))
}

impl Bound {
    /// Returns the address as a client writes it.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Tcp(listener) => {
                listener.local_addr().map_or_else(|_| "http://?".to_owned(), |address| format!("http://{address}"))
            }
            #[cfg(unix)]
            Self::Unix(_, path) => format!("unix:{}", path.display()),
        }
    }
}

/// A connection of any kind.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A socket that is listened to.
enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener, #[allow(dead_code, reason = "the path is removed when it is dropped")] Removed),
}

impl Listener {
    fn of(bound: Bound) -> io::Result<Self> {
        Ok(match bound {
            Bound::Tcp(listener) => Self::Tcp(TcpListener::from_std(listener)?),
            #[cfg(unix)]
            Bound::Unix(listener, path) => Self::Unix(UnixListener::from_std(listener)?, Removed(path)),
        })
    }

    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // Without it, small replies may wait for more of them.
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            #[cfg(unix)]
            Self::Unix(listener, _) => Ok(Box::new(listener.accept().await?.0)),
        }
    }
}

/// Serves connections until `stop` is set and the requests of then have ended, or the time for that is over. Returns the
/// number of connections that were cut off.
///
/// # Errors
///
/// The socket cannot be listened on.
pub async fn serve(bound: Bound, router: Router, state: Arc<State>, stop: &AtomicBool) -> io::Result<usize> {
    #[cfg(unix)]
    raise_limit();
    let (ending, ended) = watch::channel(false);
    let mut open = JoinSet::new();
    let places = Arc::new(Semaphore::new(state.limits.connections));
    let listener = Listener::of(bound)?;
    let accepting = async {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            match listener.accept().await {
                Ok(stream) => {
                    let serving = connection(stream, router.clone(), Arc::clone(&state), ended.clone());
                    open.spawn(async move {
                        serving.await;
                        drop(place);
                    });
                }
                // No file descriptor is left, or the client has gone already.
                Err(_) => sleep(LOOK).await,
            }
            while open.try_join_next().is_some() {}
        }
    };
    let stopping = async {
        // A server without an engine answers nothing more: its owner can start it again.
        while !stop.load(Ordering::Relaxed) && !state.has_failed() {
            sleep(LOOK).await;
        }
        // Balancers see `/ready` say no, and send no more requests here.
        state.draining_begins();
        sleep(state.limits.drain_delay).await;
    };
    tokio::select! {
        () = accepting => {}
        () = stopping => {}
    }
    drop(listener);
    state.refuse_texts();
    let _ = ending.send(true);
    let all = async { while open.join_next().await.is_some() {} };
    let _ = timeout(state.limits.drain, all).await;
    let left = open.len();
    open.abort_all();
    Ok(left)
}

/// Serves one connection.
async fn connection(stream: Box<dyn Stream>, router: Router, state: Arc<State>, mut ended: watch::Receiver<bool>) {
    let _count = CountedConnection::of(&state);
    let phase = Arc::new(Phase::default());
    let inner = TowerToHyperService::new(router);
    let of_service = Arc::clone(&phase);
    let service = service_fn(move |request: Request<Incoming>| {
        of_service.begin();
        let phase = Arc::clone(&of_service);
        let (parts, body) = request.into_parts();
        let (body, returned) = lend(body);
        let answering = inner.call(Request::from_parts(parts, Body::new(body)));
        async move { answering.await.map(|response| watched(finished(response, returned), phase)) }
    });
    // The time limits are those of the stream.
    let serving = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(64 << 10)
        .serve_connection(TokioIo::new(Connection::new(stream, phase)), service);
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        // A client that breaks a connection, or is too slow, is its own matter.
        _ = serving.as_mut() => return,
        _ = ended.wait_for(|ended| *ended) => serving.as_mut().graceful_shutdown(),
    }
    let _ = serving.await;
}

/// Closes the connection behind a response to a request whose body was not read to its end.
fn finished(mut response: Response<Body>, mut returned: oneshot::Receiver<Incoming>) -> Response<Body> {
    if let Ok(body) = returned.try_recv() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        tokio::spawn(drain(body));
    }
    response
}

/// Ends the request's phase once its response is sent, or given up.
fn watched(response: Response<Body>, phase: Arc<Phase>) -> Response<Body> {
    struct End(Arc<Phase>);
    impl Drop for End {
        fn drop(&mut self) {
            self.0.end();
        }
    }
    let end = End(phase);
    response.map(|body| Body::new(Watched { body, _end: end }))
}

/// A body, and a value that lives as long.
struct Watched<B, E> {
    body: B,
    _end: E,
}

impl<B: hyper::body::Body + Unpin, E: Unpin> hyper::body::Body for Watched<B, E> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        std::pin::Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}

/// Raises the number of files that this process may open, as each connection is one.
#[cfg(unix)]
fn raise_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    /// Files that are enough.
    const ENOUGH: u64 = 65_536;
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.map_or(ENOUGH, |maximum| maximum.min(ENOUGH));
    if limit.current.is_some_and(|current| current < most) {
        // With fewer files, further connections wait to be accepted.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum });
    }
}

/// A path that is removed at the end.
#[cfg(unix)]
struct Removed(PathBuf);

#[cfg(unix)]
impl Drop for Removed {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_port_an_address_with_a_port_or_a_path() {
        for (text, shown) in [
            ("8787", "127.0.0.1:8787"),
            ("localhost:1", "127.0.0.1:1"),
            ("[::1]:80", "[::1]:80"),
            ("0.0.0.0:80", "0.0.0.0:80"),
        ] {
            assert_eq!(Address::read(text), Ok(Address::Tcp(shown.parse().unwrap())), "{text}");
        }
        assert_eq!(Address::read("unix:/run/a.sock"), Ok(Address::Unix("/run/a.sock".into())));
        for wrong in ["", "unix:", "example.org:80", "127.0.0.1", "127.0.0.1:99999"] {
            assert!(Address::read(wrong).is_err(), "{wrong}");
        }
        let local = |text: &str| Address::read(text).unwrap().is_local();
        assert!(local("8787") && local("unix:a") && local("[::1]:1") && !local("0.0.0.0:1") && !local("10.0.0.1:1"));
    }
}
