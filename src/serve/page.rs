//! The page: its files, which are part of the program, and the content security policy under which they run.

use std::io::Write;
use std::sync::OnceLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use crate::label::report::{SCRIPT, STYLE};
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
    "views.css",
    "adding.js",
    "api.js",
    "diff.js",
    "document.js",
    "dom.js",
    "draft.js",
    "editor.js",
    "figures.js",
    "head.js",
    "judge.js",
    "label-run.js",
    "label-setup.js",
    "label-upload.js",
    "label.js",
    "main.js",
    "opening.js",
    "reports.js",
    "results.js",
    "review-card.js",
    "review-keys.js",
    "review-queue.js",
    "review.js",
    "rows.js",
    "runs.js",
    "saving.js",
    "session.js",
    "table.js",
    "texts.js",
    "threshold.js",
    "try.js",
    "write.js",
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

    /// Returns the file, packed by gzip.
    #[must_use]
    pub fn packed(&'static self) -> &'static [u8] {
        static PACKED: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
        let all = PACKED.get_or_init(|| FILES.iter().map(|file| packed(file.text.as_bytes())).collect());
        let place = FILES.iter().position(|file| file.name == self.name);
        place.map_or(&[], |place| &all[place])
    }

    /// Returns the tag of the file's content, packed or not.
    #[must_use]
    pub fn tag(&self) -> String {
        format!("W/\"{}\"", &hex(&Sha256::digest(self.text))[..32])
    }
}

/// Reports whether a header `If-None-Match` names a tag.
#[must_use]
pub fn names_tag(header: &str, tag: &str) -> bool {
    let strong = |tag| str::strip_prefix(tag, "W/").unwrap_or(tag);
    header.split(',').map(str::trim).any(|named| named == "*" || strong(named) == strong(tag))
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    // Memory takes every byte.
    let _ = packer.write_all(bytes);
    packer.finish().unwrap_or_default()
}

/// Returns the content security policy of the page. A report runs under it too, inside a frame of the page, so the
/// policy names the digests of a report's script and style.
pub fn security_policy() -> &'static str {
    static POLICY: OnceLock<String> = OnceLock::new();
    POLICY.get_or_init(|| {
        let [script, style] = [SCRIPT, STYLE].map(|text| base64(&Sha256::digest(text)));
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
        let run = Report::default().html("").unwrap();
        for page in [report::html(&[empty]).unwrap(), two, run] {
            assert_eq!(elements(&page, "style"), [STYLE]);
            assert_eq!(elements(&page, "script"), [SCRIPT]);
            assert_eq!(page.matches("<script").count(), 2, "the other one is data");
            assert!(!page.contains(" style=") && !page.contains(" onclick="), "{page}");
        }
    }

    #[test]
    fn the_page_is_small_and_has_no_script_in_its_text() {
        let size: usize = FILES.iter().map(|file| file.packed().len()).sum();
        assert!((1..=100_000).contains(&size), "{size} bytes");
        let index = PageFile::named("index.html").unwrap().text;
        assert!(!index.contains("<script>") && !index.contains("<style") && !index.contains(" style="));
        assert!(PageFile::named("../Cargo.toml").is_none());
    }
}
