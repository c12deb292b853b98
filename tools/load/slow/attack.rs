//! Connections that waste a server's time: slow, half-closed, huge and unread ones.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::work::Work;

/// Turns in a second. In each one, the next connections have their turn, so that their bytes do not arrive at once.
const TURNS: u32 = 20;

/// Bytes that a huge body gets in a turn.
const PIECE: usize = 256 << 10;

/// The kind of a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Kind {
    /// A byte of the head each second.
    Head,
    /// A whole head, then a byte of the body each second.
    Body,
    /// Some of a request, and then the end of the client's side.
    HalfClosed,
    /// A whole request without a text, then the end of the client's side. It deserves its reply.
    HalfClosedWhole,
    /// A body of 2 GB, as its length claims, in pieces.
    Huge,
    /// A body in chunks without an end.
    Endless,
    /// Many requests, whose replies are never read.
    Unread,
}

impl Kind {
    /// Returns the kind of a connection by its place.
    fn of(place: usize) -> Self {
        match place % 100 {
            0 if place < 500 => Self::Huge,
            1 if place < 500 => Self::Endless,
            2 if place < 500 => Self::Unread,
            3..=9 => Self::HalfClosed,
            10..=14 => Self::HalfClosedWhole,
            other if other % 2 == 0 => Self::Head,
            _ => Self::Body,
        }
    }

    /// Returns the bytes that are sent at once, and the bytes that follow one by one.
    fn bytes(self, work: &Work) -> (Vec<u8>, Vec<u8>) {
        let text = work.texts.message(work.next());
        let whole = work.target.post("/v1/check", work.check(&json!({ "text": text })).as_bytes());
        let body = whole.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |place| place + 4);
        let json = "Content-Type: application/json\r\n";
        let head = |length: &str| work.target.head("POST", "/v1/check", &format!("{json}{length}\r\n")).into_bytes();
        match self {
            Self::Head => (Vec::new(), whole),
            Self::Body => (whole[..body].to_vec(), whole[body..].to_vec()),
            Self::HalfClosed => (whole[..whole.len() / 2].to_vec(), Vec::new()),
            Self::HalfClosedWhole => (work.target.get("/health"), Vec::new()),
            Self::Huge => (head("Content-Length: 2147483648"), Vec::new()),
            Self::Endless => (head("Transfer-Encoding: chunked"), Vec::new()),
            Self::Unread => (work.target.get("/openapi.json").repeat(200), Vec::new()),
        }
    }

    /// Returns the bytes of a turn, for a body without an end.
    fn piece(self) -> Vec<u8> {
        match self {
            Self::Huge => vec![b' '; PIECE],
            Self::Endless => [format!("{PIECE:x}\r\n").into_bytes(), vec![b' '; PIECE], b"\r\n".to_vec()].concat(),
            _ => Vec::new(),
        }
    }
}

/// A connection with the bytes that it has still to send.
struct Slow {
    kind: Kind,
    stream: TcpStream,
    slowly: Vec<u8>,
    sent: usize,
    /// The first bytes of the reply.
    reply: Vec<u8>,
}

/// The end of a connection.
enum End {
    /// The server closed it, behind a reply with this status or without one.
    Closed(Option<u16>),
}

impl Slow {
    fn open(work: &Work, kind: Kind) -> Option<Self> {
        let (at_once, slowly) = kind.bytes(work);
        let mut stream = work.target.connect_unblocked().ok()?;
        // The system's buffer takes a head at once. Of the unread requests it takes as many as fit.
        let _ = stream.write(&at_once);
        if matches!(kind, Kind::HalfClosed | Kind::HalfClosedWhole) {
            let _ = stream.shutdown(Shutdown::Write);
        }
        Some(Self { kind, stream, slowly, sent: 0, reply: Vec::new() })
    }

    /// Sends the next byte or piece, and notices the server's end of the connection.
    fn turn(&mut self) -> Option<End> {
        let piece = self.kind.piece();
        let is_slow = piece.is_empty();
        if !is_slow && self.sent == self.slowly.len() {
            (self.slowly, self.sent) = (piece, 0);
        }
        let rest = &self.slowly[self.sent..];
        if let Ok(count) = self.stream.write(if is_slow { &rest[..rest.len().min(1)] } else { rest }) {
            self.sent += count;
        }
        if self.kind == Kind::Unread {
            // Reading would make room. A failed write shows the end.
            let is_open = self.stream.write(b"G").is_ok_and(|count| count > 0)
                || self.stream.take_error().is_ok_and(|error| error.is_none());
            return (!is_open).then_some(End::Closed(None));
        }
        let mut some = [0; 4096];
        loop {
            match self.stream.read(&mut some) {
                Ok(0) => return Some(End::Closed(self.status())),
                Ok(count) if self.reply.len() < 64 => self.reply.extend_from_slice(&some[..count]),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return None,
                Err(_) => return Some(End::Closed(self.status())),
            }
        }
    }

    /// Returns the status of the reply, if one has begun.
    fn status(&self) -> Option<u16> {
        std::str::from_utf8(self.reply.get(9..12)?).ok()?.parse().ok()
    }
}

/// Counts of an attack.
#[derive(Default)]
pub struct Counts {
    opened: u64,
    refused: u64,
    /// Most connections that were open at a time.
    most: usize,
    /// Numbers of ends by kind and status.
    ends: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Counts {
    /// Returns the counts as JSON.
    pub fn report(&self) -> Value {
        json!({ "opened": self.opened, "refused": self.refused, "most_at_once": self.most, "closed_by_server": self.ends })
    }
}

/// Holds connections open until a flag is set. A connection that the server closes is opened again. `ready` is set once
/// each place has had its first connection.
pub fn attack(work: &Work, connections: usize, ready: &AtomicBool, stop: &AtomicBool) -> Counts {
    let mut counts = Counts::default();
    let mut places: Vec<Option<Slow>> = (0..connections).map(|_| None).collect();
    let pause = Duration::from_secs(1) / TURNS;
    let (mut turn, mut next) = (0, Instant::now());
    while !stop.load(Ordering::Relaxed) {
        for place in (turn..connections).step_by(TURNS as usize) {
            take_turn(work, &mut places[place], Kind::of(place), &mut counts);
        }
        counts.most = counts.most.max(places.iter().flatten().count());
        turn = (turn + 1) % TURNS as usize;
        if turn == 0 {
            ready.store(true, Ordering::Relaxed);
        }
        next += pause;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    counts
}

fn take_turn(work: &Work, place: &mut Option<Slow>, kind: Kind, counts: &mut Counts) {
    match place {
        Some(slow) => {
            if let Some(End::Closed(status)) = slow.turn() {
                let status = status.map_or("no reply".to_owned(), |status| status.to_string());
                *counts.ends.entry(format!("{kind:?}")).or_default().entry(status).or_default() += 1;
                *place = None;
            }
        }
        None => {
            *place = Slow::open(work, kind);
            let is_open = place.is_some();
            *(if is_open { &mut counts.opened } else { &mut counts.refused }) += 1;
        }
    }
}
