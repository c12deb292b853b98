//! Metrics in the text format of Prometheus.
//!
//! Labels come from closed lists: routes, codes, served policies and reasons. So no client can add series.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

use crate::label::row::{Row, Status};

/// The counters of a server.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<Counters>);

#[derive(Debug, Default)]
struct Counters {
    requests: BTreeMap<(&'static str, u16), u64>,
    request_seconds: BTreeMap<&'static str, Histogram>,
    items: BTreeMap<(String, &'static str), u64>,
    item_seconds: BTreeMap<String, Histogram>,
    tokens: BTreeMap<&'static str, u64>,
    rejected: BTreeMap<&'static str, u64>,
    reload_errors: u64,
    reviewed: BTreeMap<&'static str, u64>,
    review_lost: BTreeMap<&'static str, u64>,
}

/// The upper ends of a histogram's buckets, in seconds.
const BUCKETS: [f64; 13] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 120.0];

#[derive(Debug, Default)]
struct Histogram {
    buckets: [u64; BUCKETS.len()],
    count: u64,
    sum: f64,
}

/// The values that are read when metrics are asked for.
#[derive(Debug)]
pub struct Gauges {
    /// Texts that wait.
    pub queue_items: usize,
    /// Texts that there is room for.
    pub queue_limit: usize,
    /// Texts that are being judged.
    pub running_items: usize,
    /// Labels of the build, the model and the policies: the series, and its labels with their values.
    pub info: Vec<(&'static str, Vec<(&'static str, String)>)>,
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// Open connections.
    pub connections: usize,
}

impl Metrics {
    /// Counts a request.
    pub fn request(&self, route: &'static str, code: u16, seconds: f64) {
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counters.requests.entry((route, code)).or_default() += 1;
        counters.request_seconds.entry(route).or_default().add(seconds);
    }

    /// Counts the row of a text under a policy. `policy` is the id of a served policy, or `ad-hoc`.
    pub fn item(&self, policy: &str, row: &Row, seconds: f64) {
        self.row(policy, row);
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counters.item_seconds.entry(policy.to_owned()).or_default().add(seconds);
    }

    /// Counts a row whose time is not known, as that of a file's.
    pub fn row(&self, policy: &str, row: &Row) {
        let verdict = match (row.status, row.verdict) {
            (Status::Ok, Some(verdict)) => verdict.as_str(),
            (Status::Unresolved, _) => "unresolved",
            _ => "error",
        };
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counters.items.entry((policy.to_owned(), verdict)).or_default() += 1;
        if let Some(usage) = row.usage {
            for (kind, tokens) in [
                ("content", usage.content_tokens),
                ("reasoning", usage.reasoning_tokens),
                ("answer", usage.answer_tokens),
                ("rationale", usage.rationale_tokens),
            ] {
                *counters.tokens.entry(kind).or_default() += tokens as u64;
            }
        }
    }

    /// Counts texts that were refused without a row.
    pub fn rejected(&self, reason: &'static str, texts: usize) {
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counters.rejected.entry(reason).or_default() += texts as u64;
    }

    /// Counts a text in the review queue, by a reason.
    pub fn reviewed(&self, reason: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).reviewed.entry(reason).or_default() += 1;
    }

    /// Counts a text that could not be put into the review queue, or not be judged by a shadow policy.
    pub fn review_lost(&self, reason: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).review_lost.entry(reason).or_default() += 1;
    }

    /// Counts a policy that could not be read again.
    pub fn reload_error(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).reload_errors += 1;
    }

    /// Returns all metrics as text.
    #[must_use]
    pub fn text(&self, gauges: &Gauges) -> String {
        let counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = Text(String::new());
        out.head("magistrate_requests_total", "counter", "Requests by route and status.");
        for ((route, code), count) in &counters.requests {
            out.line("magistrate_requests_total", &[("route", route), ("code", &code.to_string())], count);
        }
        out.head("magistrate_request_seconds", "histogram", "Time from a request's head to its response.");
        for (route, histogram) in &counters.request_seconds {
            out.histogram("magistrate_request_seconds", &[("route", route)], histogram);
        }
        out.head("magistrate_items_total", "counter", "Texts by policy and verdict.");
        for ((policy, verdict), count) in &counters.items {
            out.line("magistrate_items_total", &[("policy", policy), ("verdict", verdict)], count);
        }
        out.head("magistrate_item_seconds", "histogram", "Time of a text from its admission to its row.");
        for (policy, histogram) in &counters.item_seconds {
            out.histogram("magistrate_item_seconds", &[("policy", policy), ("phase", "total")], histogram);
        }
        out.head("magistrate_tokens_total", "counter", "Tokens by their use.");
        for (kind, count) in &counters.tokens {
            out.line("magistrate_tokens_total", &[("kind", kind)], count);
        }
        out.head("magistrate_rejected_total", "counter", "Texts that were refused without a row, by reason.");
        for (reason, count) in &counters.rejected {
            out.line("magistrate_rejected_total", &[("reason", reason)], count);
        }
        out.head("magistrate_policy_reload_errors_total", "counter", "Changed policies that could not be read.");
        out.line("magistrate_policy_reload_errors_total", &[], counters.reload_errors);
        out.head("magistrate_review_items_total", "counter", "Texts in the review queue, by each of their reasons.");
        for (reason, count) in &counters.reviewed {
            out.line("magistrate_review_items_total", &[("reason", reason)], count);
        }
        out.head("magistrate_review_lost_total", "counter", "Texts that the review queue had no room for, by reason.");
        for (reason, count) in &counters.review_lost {
            out.line("magistrate_review_lost_total", &[("reason", reason)], count);
        }
        out.gauges(gauges);
        out.0
    }
}

impl Histogram {
    fn add(&mut self, seconds: f64) {
        self.count += 1;
        self.sum += seconds;
        if let Some(bucket) = BUCKETS.iter().position(|end| seconds <= *end) {
            self.buckets[bucket] += 1;
        }
    }
}

struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.0.push_str(name);
        for (at, (label, value)) in labels.iter().enumerate() {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{}{label}=\"{value}\"", if at == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    fn histogram(&mut self, name: &str, labels: &[(&str, &str)], histogram: &Histogram) {
        let mut sum = 0;
        for (end, count) in BUCKETS.iter().zip(histogram.buckets) {
            sum += count;
            let end = end.to_string();
            self.line(&format!("{name}_bucket"), &[labels, &[("le", end.as_str())]].concat(), sum);
        }
        self.line(&format!("{name}_bucket"), &[labels, &[("le", "+Inf")]].concat(), histogram.count);
        self.line(&format!("{name}_sum"), labels, histogram.sum);
        self.line(&format!("{name}_count"), labels, histogram.count);
    }

    fn gauges(&mut self, gauges: &Gauges) {
        for (name, help, value) in [
            ("magistrate_queue_items", "Texts that wait.", gauges.queue_items),
            ("magistrate_queue_limit", "Texts that there is room for.", gauges.queue_limit),
            ("magistrate_running_items", "Texts that are being judged.", gauges.running_items),
            ("magistrate_connections", "Open connections.", gauges.connections),
        ] {
            self.head(name, "gauge", help);
            self.line(name, &[], value);
        }
        if let Some(memory) = gauges.memory {
            self.head("process_resident_memory_bytes", "gauge", "Memory of the process.");
            self.line("process_resident_memory_bytes", &[], memory);
        }
        let mut last = "";
        for (name, labels) in &gauges.info {
            if *name != last {
                self.head(name, "gauge", "Names and versions, as labels.");
                last = name;
            }
            let labels: Vec<(&str, &str)> = labels.iter().map(|(label, value)| (*label, value.as_str())).collect();
            self.line(name, &labels, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_text_with_escaped_labels_and_cumulative_buckets() {
        let metrics = Metrics::default();
        metrics.request("/v1/check", 200, 0.004);
        metrics.request("/v1/check", 200, 0.3);
        metrics.rejected("overloaded", 3);
        let info = vec![("magistrate_policy_info", vec![("policy", "a\"b".to_owned())])];
        let gauges = Gauges { queue_items: 1, queue_limit: 2, running_items: 1, info, memory: Some(7), connections: 4 };
        let text = metrics.text(&gauges);
        for line in [
            "magistrate_requests_total{route=\"/v1/check\",code=\"200\"} 2",
            "magistrate_request_seconds_bucket{route=\"/v1/check\",le=\"0.005\"} 1",
            "magistrate_request_seconds_bucket{route=\"/v1/check\",le=\"0.5\"} 2",
            "magistrate_request_seconds_count{route=\"/v1/check\"} 2",
            "magistrate_rejected_total{reason=\"overloaded\"} 3",
            "magistrate_policy_info{policy=\"a\\\"b\"} 1",
            "magistrate_queue_limit 2",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
    }
}
