//! Honest clients: each sends its next request when it has the reply to the last one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::figures::{Times, rounded};
use crate::http::Connection;
use crate::work::Work;

/// The wait of a client after a failure.
const PAUSE: Duration = Duration::from_millis(50);

/// Requests of some clients in a span of time.
pub struct Sample {
    pub times: Times,
    pub seconds: f64,
    /// Numbers of requests by the reason of their failure.
    pub failures: BTreeMap<String, u64>,
    /// The mean of all requests in milliseconds, those before and after the span included.
    pub whole_mean: Option<f64>,
}

impl Sample {
    /// Returns the answered requests a second.
    #[allow(clippy::cast_precision_loss, reason = "few requests")]
    pub fn rate(&self) -> f64 {
        self.times.count() as f64 / self.seconds
    }

    /// Returns the number of failed requests.
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// Returns the figures as JSON.
    pub fn report(&self) -> Value {
        let mut report = json!({
            "requests": self.times.count(), "failures": self.failures, "requests_per_s": rounded(self.rate()),
        });
        if let (Some(report), Value::Object(times)) = (report.as_object_mut(), self.times.summary()) {
            report.extend(times);
        }
        report
    }
}

/// A client with its connection.
pub struct Client<'a> {
    work: &'a Work,
    connection: Option<Connection>,
    /// Opens a connection for each request.
    is_fresh: bool,
}

impl<'a> Client<'a> {
    pub fn new(work: &'a Work, is_fresh: bool) -> Self {
        Self { work, connection: None, is_fresh }
    }

    /// Sends one request and waits for its answer. Returns the nanoseconds.
    pub fn ask(&mut self) -> Result<u64, String> {
        let request = self.work.request();
        let begun = Instant::now();
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.work.target.connect().map_err(|failure| failure.to_string())?,
        };
        connection.send(&request).map_err(|failure| failure.to_string())?;
        let reply = connection.receive().map_err(|failure| failure.to_string())?;
        let time = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        if reply.keeps && !self.is_fresh {
            self.connection = Some(connection);
        }
        self.work.judge(&reply).map(|()| time)
    }
}

/// Requests of one client.
#[derive(Default)]
struct Part {
    inside: Vec<u64>,
    outside: Vec<u64>,
    failures: BTreeMap<String, u64>,
}

/// Lets clients work, and counts the requests that are answered in a span behind a warm-up. All clients work in the whole
/// span, so neither its start nor its end favors short requests.
pub fn measure(work: &Work, clients: usize, warm_up: Duration, span: Duration, is_fresh: bool) -> Sample {
    let begun = Instant::now();
    let (from, to) = (begun + warm_up, begun + warm_up + span);
    let one = || {
        let mut part = Part::default();
        let mut client = Client::new(work, is_fresh);
        while Instant::now() < to {
            let answer = client.ask();
            let now = Instant::now();
            let is_inside = now >= from && now < to;
            match answer {
                Ok(time) if is_inside => part.inside.push(time),
                Ok(time) => part.outside.push(time),
                Err(why) => {
                    if is_inside {
                        *part.failures.entry(why).or_default() += 1;
                    }
                    thread::sleep(PAUSE);
                }
            }
        }
        part
    };
    let parts: Vec<Part> = thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a client does not panic")).collect()
    });
    let mut failures = BTreeMap::new();
    let (mut inside, mut all) = (Vec::new(), Vec::new());
    for part in parts {
        for (why, count) in part.failures {
            *failures.entry(why).or_default() += count;
        }
        all.extend_from_slice(&part.outside);
        all.extend_from_slice(&part.inside);
        inside.extend(part.inside);
    }
    Sample { times: Times::new(inside), seconds: span.as_secs_f64(), failures, whole_mean: Times::new(all).mean() }
}

/// Lets clients work until a flag is set, and calls `answered` for each result.
pub fn work_until(work: &Work, clients: usize, stop: &AtomicBool, answered: &(dyn Fn(Result<u64, String>) + Sync)) {
    thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let mut client = Client::new(work, false);
                while !stop.load(Ordering::Relaxed) {
                    let answer = client.ask();
                    let is_failure = answer.is_err();
                    answered(answer);
                    if is_failure {
                        thread::sleep(PAUSE);
                    }
                }
            });
        }
    });
}
