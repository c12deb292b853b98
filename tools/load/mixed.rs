//! `mixed`: each request gets exactly one well-formed reply, no text is in a log, and the server's counters agree.

#[path = "mixed/cases.rs"]
mod cases;
#[path = "mixed/tally.rs"]
mod tally;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use magistrate::random::Random;
use serde_json::{Value, json};

use crate::Report;
use crate::figures::rounded;
use crate::flags::Flags;
use crate::http::Connection;
use crate::metrics::Metrics;
use crate::work::Work;
use cases::{Case, Mix, case};
use tally::Tally;

/// Reasons for which a request is refused before its texts are read.
const WITHOUT_TEXTS: &[&str] = &["too_large", "rate_limited", "unauthorized"];

/// Sends the requests, and compares the counts with the server's.
pub fn run(mut flags: Flags) -> Result<Report, String> {
    let mut work = Work::new(&mut flags)?;
    let secret = flags.value("secret", "quillwort7319".to_owned())?;
    let (clients, requests) = (flags.value("clients", 32)?, flags.value("requests", 10_000)?);
    let mix = Mix {
        cancelled: flags.value("cancelled", 12)?,
        long_words: flags.value("long-words", 60_000)?,
        large_bytes: flags.value("large-bytes", 4_000_000)?,
    };
    let logs: Vec<String> = flags.list("log", "")?;
    flags.end()?;
    work.texts.secret = Some(secret.clone());

    let earlier = Metrics::read(&work.target);
    let begun = Instant::now();
    let tally = send(&work, &mix, clients, requests);
    let seconds = begun.elapsed().as_secs_f64();
    let mut holds = tally.holds() && tally.answered + tally.cancelled == requests;
    let mut figures = tally.report();
    figures["requests"] = requests.into();
    figures["seconds"] = rounded(seconds).into();
    match earlier.and_then(|earlier| balance(&work, &earlier, &tally)) {
        Ok((counters, agrees)) => {
            figures["counters"] = counters;
            holds &= agrees;
        }
        Err(why) => {
            figures["counters"] = Value::String(why);
            holds = false;
        }
    }
    let mut lines = BTreeMap::new();
    for log in logs {
        let count = lines_with(&log, &secret)?;
        holds &= count == 0;
        lines.insert(log, count);
    }
    figures["log_lines_with_secret"] = json!(lines);
    figures["holds"] = holds.into();
    Ok(Report { figures, holds })
}

fn send(work: &Work, mix: &Mix, clients: usize, requests: u64) -> Tally {
    let next = AtomicU64::new(0);
    let one = || {
        let (mut tally, mut connection) = (Tally::default(), None);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= requests {
                return tally;
            }
            exchange(work, &case(work, mix, number), number, &mut connection, &mut tally);
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|_| scope.spawn(one)).collect();
        let mut sum = Tally::default();
        for thread in threads {
            sum.add(thread.join().expect("a client does not panic"));
        }
        sum
    })
}

/// Sends one request, on the kept connection if there is one. A cancelled request has a connection of its own.
fn exchange(work: &Work, case: &Case, number: u64, kept: &mut Option<Connection>, tally: &mut Tally) {
    if case.kind.is_cancelled() {
        return cancel(work, case, number, tally);
    }
    let mut opened = match kept.take() {
        Some(connection) => Ok(connection),
        None => work.target.connect(),
    };
    // A second reply may also arrive later than the check behind the first.
    if opened.as_mut().is_ok_and(Connection::has_more) {
        tally.note_extra(case);
        opened = work.target.connect();
    }
    let mut connection = match opened {
        Ok(connection) => connection,
        Err(failure) => return tally.lose(case, &failure),
    };
    // A server refuses a body that is too large before its end, and may stop reading. Its reply counts all the same.
    let sent = connection.send(&case.bytes);
    match connection.receive() {
        Ok(reply) => {
            tally.answer(case, &reply, work.texts.secret.as_deref().unwrap_or_default());
            if connection.has_more() {
                tally.note_extra(case);
            } else if reply.keeps && sent.is_ok() {
                *kept = Some(connection);
            }
        }
        Err(failure) => tally.lose(case, &failure),
    }
}

fn cancel(work: &Work, case: &Case, number: u64, tally: &mut Tally) {
    match work.target.connect() {
        Ok(mut connection) => {
            let _ = connection.send(&case.bytes);
            // Some clients leave at once, others while their text waits or is judged.
            let wait = Random::new(number).below(30);
            thread::sleep(Duration::from_millis(wait as u64));
            tally.leave(case);
        }
        Err(failure) => tally.lose(case, &failure),
    }
}

/// Compares the counts with the growth of the server's counters. Cancelled texts are judged, refused or dropped, hence the
/// sum may exceed the texts by their number.
fn balance(work: &Work, earlier: &Metrics, tally: &Tally) -> Result<(Value, bool), String> {
    // A cancelled text may still be judged.
    thread::sleep(Duration::from_secs(2));
    let now = Metrics::read(&work.target)?;
    let items = now.growth(earlier, "magistrate_items_total", "verdict");
    let rejected = now.growth(earlier, "magistrate_rejected_total", "reason");
    let counted: f64 = items.values().sum::<f64>()
        + rejected
            .iter()
            .filter(|(reason, _)| !WITHOUT_TEXTS.contains(&reason.as_str()))
            .map(|(_, count)| count)
            .sum::<f64>();
    #[allow(clippy::cast_precision_loss, reason = "few texts")]
    let (least, most) = (tally.texts as f64, (tally.texts + tally.cancelled_texts) as f64);
    let agrees = (least..=most).contains(&counted);
    let report = json!({
        "items": items, "rejected": rejected, "items_and_rejected": counted, "texts": tally.texts,
        "cancelled_texts": tally.cancelled_texts, "agrees": agrees,
    });
    Ok((report, agrees))
}

/// Returns the number of lines of a file that contain a word.
fn lines_with(path: &str, word: &str) -> Result<u64, String> {
    let file = std::fs::File::open(path).map_err(|error| format!("{path}: {error}"))?;
    let mut count = 0;
    for line in BufReader::new(file).split(b'\n') {
        let line = line.map_err(|error| format!("{path}: {error}"))?;
        count += u64::from(line.windows(word.len()).any(|window| window == word.as_bytes()));
    }
    Ok(count)
}
