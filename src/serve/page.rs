//! The page: its files, which are part of the program, and the content security policy under which they run.

use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use crate::eval::report::{page_script, page_style};
use crate::text::hex;

/// A file of the page.
#[derive(Debug)]
pub struct PageFile {
    /// Its name in the address.
    pub name: &'static str,
    /// Its bytes.
    pub text: &'static str,
}

/// Includes the files of these names.
macro_rules! included {
    ($($name:literal),* $(,)?) => {
        &[$(PageFile { name: $name, text: include_str!(concat!("../../page/", $name)) }),*]
    };
}

/// The files of the page.
pub const FILES: &[PageFile] = included![
    "index.html",
    "page.css",
    "main.js",
    "api.js",
    "dom.js",
    "table.js",
    "plot.js",
    "write.js",
    "editor.js",
    "texts.js",
    "figures.js",
    "diff.js",
    "try.js",
    "review.js",
    "label.js",
    "reports.js",
];

impl PageFile {
    /// Returns the file of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        FILES.iter().find(|file| file.name == name)
    }

    /// Returns the media type.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.name.rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            _ => "text/javascript; charset=utf-8",
        }
    }

    /// Returns the tag of the file's content, in quotes.
    #[must_use]
    pub fn tag(&self) -> String {
        format!("\"{}\"", &hex(&Sha256::digest(self.text))[..32])
    }
}

/// Reports whether a header `If-None-Match` or `If-Match` names a tag.
#[must_use]
pub fn names_tag(header: &str, tag: &str) -> bool {
    header.split(',').map(str::trim).any(|named| named == "*" || named.strip_prefix("W/").unwrap_or(named) == tag)
}

/// Returns the content security policy of the page. A report runs under it too, inside a frame of the page, so the
/// policy names the digests of a report's script and style.
pub fn security_policy() -> &'static str {
    static POLICY: OnceLock<String> = OnceLock::new();
    POLICY.get_or_init(|| {
        let [script, style] = [page_script(), page_style()].map(|text| base64(&Sha256::digest(text)));
        format!(
            "default-src 'none'; script-src 'self' 'sha256-{script}'; style-src 'self' 'sha256-{style}'; \
             connect-src 'self'; img-src 'self' data:; frame-src 'self'; base-uri 'none'; frame-ancestors 'none'; \
             form-action 'none'"
        )
    })
}

/// Returns bytes in base64, as a content security policy has digests.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = char::from(LETTERS[(bits >> (18 - 6 * place)) as usize & 63]);
            text.push(if place <= three.len() { letter } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibration::setup::EvaluationSetup;
    use crate::eval::evaluation::Evaluation;
    use crate::eval::report;
    use crate::label::report::Report;

    #[test]
    fn base64_is_that_of_the_standard() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn a_tag_is_found_in_a_header_of_several() {
        assert!(names_tag("\"a\", W/\"b\"", "\"b\"") && names_tag("*", "\"b\""));
        assert!(!names_tag("\"ab\"", "\"b\"") && !names_tag("", "\"b\""));
    }

    /// Returns the contents of the elements of a name without attributes, as a browser sees them.
    fn elements<'page>(page: &'page str, name: &str) -> Vec<&'page str> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        page.split(open.as_str()).skip(1).filter_map(|rest| rest.split(close.as_str()).next()).collect()
    }

    #[test]
    fn every_report_has_the_style_and_the_script_that_the_policy_allows_and_no_other() {
        let empty = Evaluation::of_rows(EvaluationSetup::default(), Vec::new());
        let two = report::html(&[empty.clone(), empty.clone()]).unwrap();
        for (page, scripts) in [
            (report::html(&[empty]).unwrap(), vec![page_script()]),
            (two, vec![page_script()]),
            (Report::default().html("").unwrap(), vec![]),
        ] {
            assert_eq!(elements(&page, "style"), [page_style()]);
            assert_eq!(elements(&page, "script"), scripts);
            let data = usize::from(!scripts.is_empty());
            assert_eq!(page.matches("<script").count(), scripts.len() + data, "the other one is data");
            assert!(!page.contains(" style=") && !page.contains(" onclick="), "{page}");
        }
    }

    #[test]
    fn the_page_is_small_and_has_no_script_in_its_text() {
        let size: usize = FILES.iter().map(|file| file.text.len()).sum();
        assert!(size <= 150_000, "{size} bytes");
        let index = PageFile::named("index.html").unwrap().text;
        assert!(!index.contains("<script>") && !index.contains("<style") && !index.contains(" style="));
        assert!(PageFile::named("../Cargo.toml").is_none());
    }
}
