//! The server's own counters, as `/metrics` prints them.

use std::collections::BTreeMap;

use crate::http::Target;

/// Values by name and labels, such as `magistrate_items_total{policy="spam",verdict="safe"}`.
#[derive(Default)]
pub struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    /// Reads all counters. An error if the server has no such page.
    pub fn read(target: &Target) -> Result<Self, String> {
        let reply = target.once(&target.get("/metrics")).map_err(|failure| format!("/metrics: {failure}"))?;
        if reply.status != 200 {
            return Err(format!("/metrics: status {}", reply.status));
        }
        let text = String::from_utf8(reply.body).map_err(|_| "/metrics is not text".to_owned())?;
        let values = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Ok(Self(values.collect()))
    }

    /// Returns the growth of a counter since earlier, by the value of one of its labels.
    pub fn growth(&self, earlier: &Self, name: &str, label: &str) -> BTreeMap<String, f64> {
        let mut sums = BTreeMap::new();
        for (series, value) in &self.0 {
            let Some(labels) = series.strip_prefix(name).and_then(|rest| rest.strip_prefix('{')) else { continue };
            let start = format!("{label}=\"");
            let Some((_, rest)) = labels.split_once(&start) else { continue };
            let label = rest.split('"').next().unwrap_or_default();
            let growth = value - earlier.0.get(series).unwrap_or(&0.0);
            if growth != 0.0 {
                *sums.entry(label.to_owned()).or_default() += growth;
            }
        }
        sums
    }
}
