//! The counts of a mixed run, and the check of each reply.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::cases::{Case, Kind};
use crate::http::{Failure, Reply};

/// Most descriptions of faults that are printed.
const SHOWN: usize = 10;

/// Counts of requests, replies and texts.
#[derive(Default)]
pub struct Tally {
    /// Numbers of replies by kind and status.
    replies: BTreeMap<String, BTreeMap<String, u64>>,
    pub answered: u64,
    pub cancelled: u64,
    /// Requests that got no reply.
    pub lost: u64,
    /// Replies that break a rule: HTTP, JSON, the shape of a row or of an error, or the expected status.
    pub malformed: u64,
    /// Replies that no request asked for.
    pub extra: u64,
    /// Replies that contain the secret word.
    pub with_secret: u64,
    /// Texts in requests that got a reply and whose texts can be read.
    pub texts: u64,
    /// Texts in cancelled requests, which the server judges or not.
    pub cancelled_texts: u64,
    pub verdicts: BTreeMap<String, u64>,
    pub refusals: BTreeMap<String, u64>,
    shown: Vec<String>,
}

impl Tally {
    /// Adds the counts of another client.
    pub fn add(&mut self, other: Self) {
        for (kind, statuses) in other.replies {
            merge(self.replies.entry(kind).or_default(), statuses);
        }
        self.answered += other.answered;
        self.cancelled += other.cancelled;
        self.lost += other.lost;
        self.malformed += other.malformed;
        self.extra += other.extra;
        self.with_secret += other.with_secret;
        self.texts += other.texts;
        self.cancelled_texts += other.cancelled_texts;
        merge(&mut self.verdicts, other.verdicts);
        merge(&mut self.refusals, other.refusals);
        self.shown.extend(other.shown);
    }

    /// Reports whether each request got one good reply.
    pub fn holds(&self) -> bool {
        self.lost + self.malformed + self.extra + self.with_secret == 0
    }

    /// Counts a request whose client leaves.
    pub fn leave(&mut self, case: &Case) {
        self.cancelled += 1;
        self.cancelled_texts += case.texts as u64;
        self.count(case.kind, "cancelled".to_owned());
    }

    /// Counts a request without a reply.
    pub fn lose(&mut self, case: &Case, failure: &Failure) {
        let is_malformed = matches!(failure, Failure::Malformed(_));
        *(if is_malformed { &mut self.malformed } else { &mut self.lost }) += 1;
        self.count(case.kind, failure.to_string());
    }

    /// Counts a reply, and checks it.
    pub fn answer(&mut self, case: &Case, reply: &Reply, secret: &str) {
        self.answered += 1;
        self.count(case.kind, reply.status.to_string());
        if reply.body.windows(secret.len()).any(|window| window == secret.as_bytes()) {
            self.with_secret += 1;
            self.note(format!("{:?}: the reply with status {} contains the secret", case.kind, reply.status));
        }
        let fault = match self.check(case, reply) {
            Ok(()) if !case.kind.allows(reply.status) => Some("an unexpected status".to_owned()),
            Ok(()) => None,
            Err(why) => Some(why),
        };
        if let Some(why) = fault {
            self.malformed += 1;
            let body = String::from_utf8_lossy(&reply.body).chars().take(300).collect::<String>();
            self.note(format!("{:?}: status {}, {why}: {body}", case.kind, reply.status));
        }
    }

    /// Counts a reply too many.
    pub fn note_extra(&mut self, case: &Case) {
        self.extra += 1;
        self.note(format!("{:?}: more bytes behind the reply", case.kind));
    }

    fn check(&mut self, case: &Case, reply: &Reply) -> Result<(), String> {
        if !reply.header("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
            return Err("not application/json".to_owned());
        }
        let body = reply.json()?;
        if reply.status == 503 && reply.header("retry-after").and_then(|wait| wait.parse::<u32>().ok()).is_none() {
            return Err("no Retry-After".to_owned());
        }
        // A body that is no JSON has no texts.
        self.texts += if reply.status == 400 { 0 } else { case.texts as u64 };
        if reply.status != 200 {
            let code = word(&body["error"], &["code", "message", "type"])?;
            *self.refusals.entry(code).or_default() += case.texts.max(1) as u64;
            return Ok(());
        }
        match case.kind {
            Kind::Array | Kind::ArrayWithLong => {
                let rows = body["rows"].as_array().ok_or("no rows")?;
                if rows.len() != case.texts {
                    return Err(format!("{} rows for {} texts", rows.len(), case.texts));
                }
                rows.iter().try_for_each(|row| self.row(row))
            }
            _ => self.row(&body),
        }
    }

    /// Counts a row: one with a verdict and a probability, or one with the reason for no verdict.
    fn row(&mut self, row: &Value) -> Result<(), String> {
        let count = match row["status"].as_str().ok_or("a row without a status")? {
            "ok" => {
                let probability = row["probability"].as_f64().ok_or("a verdict without a probability")?;
                if !(0.0..=1.0).contains(&probability) {
                    return Err(format!("a probability of {probability}"));
                }
                row["verdict"].as_str().ok_or("a row without a verdict")?
            }
            status @ ("unresolved" | "error") => {
                if !row["verdict"].is_null() || !row["probability"].is_null() && status == "error" {
                    return Err(format!("status {status} with a verdict"));
                }
                word(&row["error"], &["code", "message"])?;
                status
            }
            other => return Err(format!("the status {other}")),
        };
        *self.verdicts.entry(count.to_owned()).or_default() += 1;
        Ok(())
    }

    fn count(&mut self, kind: Kind, result: String) {
        *self.replies.entry(format!("{kind:?}")).or_default().entry(result).or_default() += 1;
    }

    fn note(&mut self, fault: String) {
        if self.shown.len() < SHOWN {
            self.shown.push(fault);
        }
    }

    /// Returns the counts as JSON.
    pub fn report(&self) -> Value {
        let shown: Vec<&String> = self.shown.iter().take(SHOWN).collect();
        json!({
            "replies": self.replies, "answered": self.answered, "cancelled": self.cancelled, "lost": self.lost,
            "malformed": self.malformed, "extra": self.extra, "replies_with_secret": self.with_secret,
            "verdicts": self.verdicts, "refusals": self.refusals, "faults": shown,
        })
    }
}

/// Returns the code of an error that has these fields, the first of them the code.
fn word(error: &Value, fields: &[&str]) -> Result<String, String> {
    match fields.iter().find(|field| !error[**field].is_string()) {
        Some(field) => Err(format!("an error without {field}")),
        None => Ok(error[fields[0]].as_str().unwrap_or_default().to_owned()),
    }
}

fn merge(sums: &mut BTreeMap<String, u64>, others: BTreeMap<String, u64>) {
    for (name, count) in others {
        *sums.entry(name).or_default() += count;
    }
}
