//! The report of a run as a page.

use minijinja::Environment;
use minijinja::value::{Serde, Value};
use serde::Serialize;

use super::bins::Histogram;
use super::least::ShownRow;
use super::page::{SCRIPT, STYLE};
use super::{MIDDLE, PolicyReport, Report, TABLE};
use crate::hint::{Hint, Hints};
use crate::label::records::date;
use crate::label::row::Row;
use crate::label::summary::Summary;

/// The page's template cannot be filled.
#[derive(Debug, thiserror::Error)]
#[error("the report cannot be made")]
pub struct ReportError(#[from] minijinja::Error);

impl Hints for ReportError {
    fn hints(&self) -> Vec<Hint> {
        Vec::new()
    }
}

/// The values that the page's template is filled with.
#[derive(Serialize)]
struct Page<'report> {
    style: &'static str,
    script: &'static str,
    title: String,
    date: &'report str,
    rows: u64,
    /// The number of rows with each verdict over all policies.
    verdicts: Vec<(&'static str, u64)>,
    policies: Vec<Section<'report>>,
    /// The rows in the table of each policy.
    table: usize,
    data: String,
}

/// The part of the page about one policy.
#[derive(Serialize)]
struct Section<'report> {
    id: &'report str,
    /// A row, for the settings that all rows share.
    row: &'report Row,
    categories: Vec<Category>,
    reasons: Vec<(&'report str, u64, &'report str)>,
    /// The count of each bin, and the height of its bar from 0 to 1.
    histogram: Vec<(u64, f64)>,
    threshold: f64,
    timeline: Timeline<'report>,
    nearest: Vec<&'report ShownRow>,
    violations: Vec<&'report ShownRow>,
}

/// The verdicts over the input or over time.
#[derive(Serialize)]
struct Timeline<'report> {
    /// The column with the time. `None` for the order of the input.
    column: Option<&'report str>,
    /// The length of a stretch, in words.
    length: String,
    stretches: Vec<Stretch>,
    /// The rows of the longest stretch.
    most: u64,
}

/// A stretch of the input, or of time.
#[derive(Serialize)]
struct Stretch {
    /// Where it begins.
    label: String,
    /// Rows with the verdicts violation, review, safe and undecided.
    counts: [u64; 4],
    /// The shares of these counts.
    shares: [f64; 4],
    all: u64,
}

/// A line of the table of categories.
#[derive(Serialize)]
struct Category {
    verdict: String,
    code: String,
    title: String,
    count: u64,
    percent: f64,
}

impl Report {
    /// Returns the report as an HTML page, which needs no other file. `date` is printed as the day of the report.
    ///
    /// # Errors
    ///
    /// [`ReportError`] if the template is wrong, which the tests rule out.
    pub fn html(&self, date: &str) -> Result<String, ReportError> {
        let mut environment = Environment::new();
        for (name, source) in [
            ("label.html", include_str!("../../../templates/label.html.jinja")),
            ("listed.html", include_str!("../../../templates/page/listed.html.jinja")),
        ] {
            environment.add_template(name, source)?;
        }
        let page = Page::new(self, date);
        Ok(environment.get_template("label.html")?.render(Value::from(Serde(&page)))?)
    }
}

impl<'report> Page<'report> {
    fn new(report: &'report Report, date: &'report str) -> Self {
        let policies: Vec<&str> = report.policies.keys().map(String::as_str).collect();
        let inputs = match report.inputs.as_slice() {
            [] => "no records".to_owned(),
            [one] => one.clone(),
            [first, others @ ..] => format!("{first} and {} more", others.len()),
        };
        let verdicts = &report.summary.verdicts;
        // A page with many policies is not longer than that of one.
        let table = TABLE / policies.len().max(1);
        let sets: Vec<Vec<&ShownRow>> = report.policies.values().map(|policy| policy.rows.in_order(table)).collect();
        Self {
            style: STYLE,
            script: SCRIPT,
            title: format!("{} on {inputs}", policies.join(", ")),
            date,
            rows: report.summary.rows(),
            verdicts: verdicts.iter().map(|(verdict, count)| (verdict.word(), *count)).collect(),
            policies: report.policies.iter().map(|(id, policy)| Section::new(id, policy, report)).collect(),
            table,
            // Only `<` could end the element.
            data: serde_json::to_string(&sets).unwrap_or_default().replace('<', "\\u003c"),
        }
    }
}

impl<'report> Section<'report> {
    fn new(id: &'report str, policy: &'report PolicyReport, report: &'report Report) -> Self {
        let reasons = policy.reasons.iter();
        Self {
            id,
            row: &policy.row,
            categories: categories(id, &report.summary),
            reasons: reasons.map(|(code, (count, message))| (code.as_str(), *count, message.as_str())).collect(),
            histogram: bars(&policy.histogram),
            threshold: policy.row.threshold.unwrap_or(MIDDLE),
            timeline: Timeline::new(policy, report),
            nearest: policy.nearest.rows(),
            violations: policy.violations.rows(),
        }
    }
}

impl<'report> Timeline<'report> {
    /// Returns the verdicts over time if nearly all records have one, else over the input.
    fn new(policy: &'report PolicyReport, report: &'report Report) -> Self {
        let (times, order) = (&policy.times, &policy.timeline);
        let spans = times.all();
        let is_over_time = spans.len() > 1 && times.records * 10 >= report.summary.rows() * 9;
        let stretches: Vec<Stretch> = if is_over_time {
            spans.into_iter().map(|(begin, counts)| Stretch::new(moment(begin, times.length()), counts)).collect()
        } else {
            let first = (0..).map(|at| (at * order.length + 1).to_string());
            first.zip(&order.stretches).map(|(label, counts)| Stretch::new(label, *counts)).collect()
        };
        let records = |count: u64| if count == 1 { "1 record".to_owned() } else { format!("{count} records") };
        Self {
            column: report.clock.column().filter(|_| is_over_time),
            length: if is_over_time { span(times.length()) } else { records(order.length) },
            most: stretches.iter().map(|stretch| stretch.all).max().unwrap_or(0),
            stretches,
        }
    }
}

impl Stretch {
    #[allow(clippy::cast_precision_loss, reason = "shares for people")]
    fn new(label: String, counts: [u64; 4]) -> Self {
        let all: u64 = counts.iter().sum();
        Self { label, counts, shares: counts.map(|count| count as f64 / all.max(1) as f64), all }
    }
}

/// Returns the begin of a span of time: a date, with the time of day for spans shorter than a day.
fn moment(begin: i64, length: i64) -> String {
    let (day, seconds) = (date(begin.div_euclid(86_400)), begin.rem_euclid(86_400));
    if length >= 86_400 { day } else { format!("{day} {:02}:{:02}", seconds / 3600, seconds / 60 % 60) }
}

/// Returns a length of time in words.
fn span(seconds: i64) -> String {
    let (count, unit) = match seconds {
        86_400.. => (seconds / 86_400, "day"),
        3_600.. => (seconds / 3_600, "hour"),
        _ => (seconds / 60, "minute"),
    };
    if count == 1 { format!("1 {unit}") } else { format!("{count} {unit}s") }
}

/// Returns the verdicts and categories of a policy, the most frequent first.
#[allow(clippy::cast_precision_loss, reason = "shares for people")]
fn categories(policy: &str, summary: &Summary) -> Vec<Category> {
    let Some(counts) = summary.policies.get(policy) else { return Vec::new() };
    let all: u64 = counts.values().sum();
    let category = |(key, count): (&String, &u64)| {
        let (verdict, code) = key.split_once(' ').unwrap_or((key, ""));
        Category {
            verdict: verdict.to_owned(),
            code: code.to_owned(),
            title: summary.title(policy, code).unwrap_or_default().to_owned(),
            count: *count,
            percent: *count as f64 * 100.0 / all as f64,
        }
    };
    let mut categories: Vec<Category> = counts.iter().map(category).collect();
    categories.sort_by_key(|category| std::cmp::Reverse(category.count));
    categories
}

/// Returns the bars of a histogram. Most probabilities are near 0 and 1, so heights are logarithms.
#[allow(clippy::cast_precision_loss, reason = "heights of bars")]
fn bars(histogram: &Histogram) -> Vec<(u64, f64)> {
    let most = histogram.bins.iter().copied().max().unwrap_or(0) as f64;
    let height = |count: u64| if count == 0 { 0.0 } else { (count as f64).ln_1p() / most.ln_1p() };
    histogram.bins.iter().map(|count| (*count, height(*count))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label::entry::Entry;
    use crate::label::row;

    fn entry(number: u64, text: &str, row: &str) -> Entry {
        let hash = crate::digest::Hash::of(text.as_bytes());
        let text = serde_json::to_string(text).unwrap();
        let json = format!(
            r#"{{"n":{number},"input":"posts.csv","row":{number},"record":"{hash}","hash":"{hash}","id":"{number}","verdicts":[{row}],"columns":{{"note":"x","text":{text}}}}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn a_page_shows_counts_probabilities_and_the_nearest_rows_with_their_texts_escaped() {
        let mut report = Report::default();
        for number in 1..=250 {
            let (verdict, share) = if number % 5 == 0 { ("violation", 0.9) } else { ("safe", 0.1) };
            let share = if number == 77 { 0.48 } else { share };
            let category =
                if verdict == "violation" { r#""category":"A1","category_title":"Bait & more","# } else { "" };
            let row = format!(
                r#"{{"status":"ok","verdict":"{verdict}",{category}"probability":{share},"threshold":0.5,"policy":{{"id":"p"}},"model":{{"id":"m"}}}}"#
            );
            let entry = entry(number, &format!("Text {number} <b>&</b> {{{{ x }}}}"), &row);
            report.add(&entry, &row::rows(&entry.verdicts));
        }
        let defect = r#"{"status":"error","policy":{"id":"p"},"error":{"code":"empty","message":"posts.csv: line 252: <empty>"}}"#;
        let defect = entry(251, "", defect);
        report.add(&defect, &row::rows(&defect.verdicts));
        let page = report.html("2026-11-29").unwrap();
        for part in [
            "<title>p on posts.csv</title>",
            "2026-11-29",
            "251 rows",
            "Bait &amp; more",
            "Text 77 &lt;b&gt;&amp;&lt;&#x2f;b&gt; {{ x }}",
            r"Text 77 \u003cb>&\u003c/b> {{ x }}",
            "P(violation) 0.480",
            "line 252: &lt;empty&gt;",
            "threshold 0.5",
            "stretches of 8 records",
        ] {
            assert!(page.contains(part), "{part} is missing in\n{page}");
        }
        let first = page.find("Text 77").unwrap();
        assert!(page.find("Text 5 ").is_none_or(|at| first < at), "the nearest comes first");
        assert!(!page.contains("<b>&") && !page.contains("src=") && !page.contains("://"), "{page}");
        // A server allows the style and the script by their digests.
        assert_eq!(page.matches("<style").count() + page.matches("<script").count(), 3);
        assert!(
            page.contains(&format!("<style>{STYLE}</style>")) && page.contains(&format!("<script>{SCRIPT}</script>"))
        );
        assert!(!page.contains("style="), "no attribute has a style");
        assert!(Report::default().html("").unwrap().contains("0 rows"));
    }
}
