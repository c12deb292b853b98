//! The audit log: one line of JSON for each verdict, without the text and without keys.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::policies::Served;
use crate::calibration::certificate::Decision;
use crate::label::row::{Row, Status};
use crate::policy::Verdict;

/// The audit log, if there is one.
#[derive(Default)]
pub struct Audit(Option<Mutex<Box<dyn Write + Send>>>);

impl std::fmt::Debug for Audit {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Audit({})", self.0.is_some())
    }
}

/// The request that a verdict belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Request<'call> {
    /// The request's id.
    pub id: &'call str,
    /// The name of the key.
    pub key: Option<&'call str>,
    /// The route.
    pub route: &'call str,
    /// The trace id of the header `traceparent`.
    pub trace: Option<&'call str>,
}

#[derive(Serialize)]
struct Line<'line> {
    time: f64,
    request: &'line str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<&'line str>,
    key: Option<&'line str>,
    route: &'line str,
    policy: &'line str,
    digest: &'line str,
    model: &'line str,
    bytes: usize,
    status: Status,
    verdict: Option<Verdict>,
    category: Option<&'line str>,
    probability: Option<f64>,
    decision: Option<Decision>,
    error: Option<&'line str>,
    milliseconds: f64,
}

impl Audit {
    /// Returns a log in a file, which only this user may read. `-` is stderr.
    ///
    /// # Errors
    ///
    /// The file cannot be opened for appending.
    pub fn open(path: &Path) -> io::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self(Some(Mutex::new(Box::new(io::stderr())))));
        }
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Self(Some(Mutex::new(Box::new(options.open(path)?)))))
    }

    /// Writes the line of a verdict.
    pub fn write(&self, request: Request<'_>, served: &Served, row: &Row, bytes: usize, time: Duration) {
        let Some(log) = &self.0 else { return };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |now| now.as_secs_f64());
        let line = Line {
            time: (now * 1e3).round() / 1e3,
            request: request.id,
            trace: request.trace,
            key: request.key,
            route: request.route,
            policy: if served.is_named { &served.policy.id } else { "ad-hoc" },
            digest: &served.digest,
            model: &row.model.id,
            bytes,
            status: row.status,
            verdict: row.verdict,
            category: row.category.as_deref(),
            probability: row.probability,
            decision: row.decision,
            error: row.error_code(),
            milliseconds: (time.as_secs_f64() * 1e5).round() / 1e2,
        };
        let Ok(mut line) = serde_json::to_vec(&line) else { return };
        line.push(b'\n');
        // In one piece, so that lines of other processes do not cut it. A full disk must not stop the verdicts.
        let _ = log.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line);
    }
}
