//! The run of batches, one after the other: their requests go to the routes of the server, a few at a time.
//!
//! Results are kept in the order of the requests, so a batch goes on at the first request without one.

mod request;

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Interval, interval, sleep};

use self::request::{Done, Sender};
use super::batches::journal::{self, Finished};
use super::batches::objects::{BatchError, BatchRecord, BatchStatus};
use super::batches::requests::{Request, Requests};
use super::batches::{Batches, now};
use super::route::Route;
use super::state::State;

/// The time between two writes of finished requests.
const WRITE: Duration = Duration::from_millis(500);
/// Bytes of finished requests that are written at once without waiting for that.
const PIECE: usize = 1 << 20;
/// Requests that are read at once, and their bytes.
const READ: (usize, usize) = (64, 1 << 20);
/// Results that wait for an earlier one, at most, for each request that runs.
const AHEAD: usize = 16;
/// The time between two looks at the model, which is being loaded.
const LOOK: Duration = Duration::from_millis(20);
/// The time after which a batch is tried again whose folder could not be written.
const AGAIN: Duration = Duration::from_secs(5);

/// Judges batches until the server ends. `routes` are those of the server.
pub async fn run(state: Arc<State>, routes: &'static [Route]) {
    let Some(batches) = &state.batches else { return };
    while !state.is_open() {
        if batches.is_ending() {
            return;
        }
        sleep(LOOK).await;
    }
    for id in batches.unread() {
        let _ = on_disk(&state, move |batches| batches.validate(&id)).await;
    }
    while !batches.is_ending() {
        if end_canceled(&state, None).await.is_err() {
            // The disk is full, perhaps.
            sleep(AGAIN).await;
            continue;
        }
        let next = batches.oldest(|batch| matches!(batch.status, BatchStatus::InProgress | BatchStatus::Finalizing));
        let Some(record) = next else {
            batches.changed().await;
            continue;
        };
        if let Err(error) = run_one(&state, routes, &record).await
            && (is_full(&error) || fail(&state, &record, storage(&error)).await.is_err())
        {
            sleep(AGAIN).await;
        }
    }
}

/// Reports whether an error means that there is no room. The batch stays as it is until there is some.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn storage(error: &io::Error) -> BatchError {
    BatchError::new("storage", format!("the folder of batches cannot be used: {}", error.kind()))
}

/// Ends a batch as failed. The results until then are kept, if the disk allows it.
async fn fail(state: &Arc<State>, record: &BatchRecord, error: BatchError) -> io::Result<()> {
    let record = record.clone();
    on_disk(state, move |batches| {
        batches.fail(&record.batch.id, vec![error])?;
        let _ = batches.end(&record);
        Ok(())
    })
    .await
}

/// Runs a batch to its end, if the server does not end before.
async fn run_one(state: &Arc<State>, routes: &'static [Route], record: &BatchRecord) -> io::Result<()> {
    let id = record.batch.id.clone();
    if record.batch.status == BatchStatus::InProgress {
        let sender = match Sender::new(state, routes, record) {
            Ok(sender) => sender,
            Err(error) => return fail(state, record, error).await,
        };
        if !Running::begin(state, sender, record).await?.send_all().await? {
            return Ok(());
        }
        on_disk(state, move |batches| batches.finalize(&id)).await?;
    }
    let record = record.clone();
    on_disk(state, move |batches| {
        // Its state has changed meanwhile.
        let now = batches.oldest(|batch| batch.id == record.batch.id);
        batches.end(&now.unwrap_or(record)).map(drop)
    })
    .await
}

/// Ends the batches that were canceled, apart from one.
async fn end_canceled(state: &Arc<State>, but: Option<&str>) -> io::Result<()> {
    let Some(batches) = &state.batches else { return Ok(()) };
    let is_canceled = |batch: &super::batches::objects::BatchObject| {
        batch.status == BatchStatus::Cancelling && but != Some(batch.id.as_str())
    };
    while let Some(record) = batches.oldest(is_canceled) {
        on_disk(state, move |batches| batches.end(&record)).await?;
    }
    Ok(())
}

/// Runs a function that waits for the disk on a thread of its own.
async fn on_disk<T: Send + 'static>(
    state: &Arc<State>,
    work: impl FnOnce(&Batches) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let state = Arc::clone(state);
    let off = || io::Error::from(io::ErrorKind::NotFound);
    let done = spawn_blocking(move || work(state.batches.as_ref().ok_or_else(off)?)).await;
    done.unwrap_or_else(|_| Err(io::Error::other("a fault")))
}

/// A batch whose requests are being sent.
struct Running {
    state: Arc<State>,
    sender: Arc<Sender>,
    record: BatchRecord,
    journal: Arc<File>,
    /// The requests, until the last one is read.
    requests: Option<Requests>,
    read: VecDeque<Request>,
    /// The numbers of the requests that were sent and are not in `piece` yet.
    sent: VecDeque<u64>,
    tasks: JoinSet<Done>,
    /// Results that wait for an earlier one.
    done: BTreeMap<u64, Done>,
    /// Lines for the journal.
    piece: Vec<u8>,
    finished: Finished,
}

impl Running {
    async fn begin(state: &Arc<State>, sender: Sender, record: &BatchRecord) -> io::Result<Self> {
        let batch = record.batch.clone();
        let opened = on_disk(state, move |batches| {
            let (journal, finished) = journal::open(&batches.journal(&batch.id))?;
            batches.tell(&batch.id, finished);
            Ok((batches.requests(&batch)?, journal, finished))
        });
        let (requests, journal, finished) = opened.await?;
        Ok(Self {
            state: Arc::clone(state),
            sender: Arc::new(sender),
            record: record.clone(),
            journal: Arc::new(journal),
            requests: Some(requests),
            read: VecDeque::new(),
            sent: VecDeque::new(),
            tasks: JoinSet::new(),
            done: BTreeMap::new(),
            piece: Vec::new(),
            finished,
        })
    }

    /// Sends the requests that have no result. Returns false if the batch stays in progress, or is being canceled.
    async fn send_all(mut self) -> io::Result<bool> {
        let state = Arc::clone(&self.state);
        let Some(batches) = &state.batches else { return Ok(false) };
        let mut tick = interval(WRITE);
        loop {
            let now_at = batches.oldest(|batch| batch.id == self.record.batch.id);
            let is_canceled = now_at.is_none_or(|record| record.batch.status != BatchStatus::InProgress);
            let is_over = self.record.batch.expires_at.is_some_and(|end| now() >= end);
            if is_canceled || is_over || batches.is_ending() {
                self.tasks.shutdown().await;
                if is_canceled {
                    // Nothing goes on after them, so they need not wait for earlier ones.
                    for done in std::mem::take(&mut self.done).into_values() {
                        self.take(&done);
                    }
                }
                self.write().await?;
                return Ok(is_over && !is_canceled && !batches.is_ending());
            }
            self.send().await?;
            if self.sent.is_empty() {
                self.write().await?;
                return Ok(true);
            }
            self.step(batches, &mut tick).await?;
        }
    }

    /// Sends as many requests as may run at once.
    async fn send(&mut self) -> io::Result<()> {
        let window = self.state.window();
        while self.tasks.len() < window && self.sent.len() < window * AHEAD {
            if self.read.is_empty() {
                self.read_some().await?;
            }
            let Some(request) = self.read.pop_front() else { return Ok(()) };
            self.sent.push_back(request.number);
            let sender = Arc::clone(&self.sender);
            self.tasks.spawn(async move { sender.send(request).await });
        }
        Ok(())
    }

    /// Reads further requests without a result.
    async fn read_some(&mut self) -> io::Result<()> {
        let last = self.finished.last;
        while self.read.is_empty() {
            let Some(mut requests) = self.requests.take() else { return Ok(()) };
            let some = on_disk(&self.state, move |_| {
                let (mut some, mut bytes) = (Vec::new(), 0);
                while some.len() < READ.0
                    && bytes < READ.1
                    && let Some(request) = requests.next().transpose()?
                {
                    bytes += request.body.as_ref().map_or(0, Bytes::len);
                    some.push(request);
                }
                Ok((requests, some))
            });
            let (requests, some) = some.await?;
            if some.is_empty() {
                return Ok(());
            }
            self.read.extend(some.into_iter().filter(|request| request.number > last));
            self.requests = Some(requests);
        }
        Ok(())
    }

    /// Waits for a result, for another state of a batch, or for the time to write.
    async fn step(&mut self, batches: &Batches, tick: &mut Interval) -> io::Result<()> {
        tokio::select! {
            Some(done) = self.tasks.join_next() => {
                let done = done.map_err(io::Error::other)?;
                self.done.insert(done.number, done);
                while let Some(done) = self.sent.front().and_then(|first| self.done.remove(first)) {
                    self.sent.pop_front();
                    self.take(&done);
                }
                if self.piece.len() >= PIECE {
                    self.write().await?;
                }
            }
            () = batches.changed() => end_canceled(&self.state, Some(&self.record.batch.id)).await?,
            _ = tick.tick() => self.write().await?,
        }
        Ok(())
    }

    /// Puts a result into the next piece of the journal.
    fn take(&mut self, done: &Done) {
        self.piece.extend_from_slice(&done.line);
        self.finished.last = done.number;
        self.finished.count(done.is_error);
    }

    /// Writes what is done. It counts from then on.
    async fn write(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let (journal, piece) = (Arc::clone(&self.journal), std::mem::take(&mut self.piece));
        let (id, finished) = (self.record.batch.id.clone(), self.finished);
        on_disk(&self.state, move |batches| {
            journal::append(&journal, &piece)?;
            batches.tell(&id, finished);
            Ok(())
        })
        .await
    }
}
