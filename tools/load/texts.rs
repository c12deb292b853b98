//! Mild messages for a server, each of them unique.

use std::fs;

use magistrate::random::Random;

/// Words that a message begins with, separated by bars.
const OPENINGS: &str = "Hello|Dear neighbor|Good news|WINNER|Reminder|Quick question|Last chance|Hi all|Thanks|Update|\
    Free entry|Good morning|Sorry|Congratulations|Note|See you soon";

/// Words for the rest of a message.
const WORDS: &str = "\
    garden ticket Thursday claim prize meeting bring cake reply today offer train late window free sample book \
    library return call number team match evening discount shoes order parcel street coffee winner selected \
    holiday photo river bicycle repair price monthly letter school teacher concert seat voucher code weekend \
    market apples recipe kitchen paint blue green door key parking lot invoice Monday agenda room printer paper \
    website link visit store sale coupon music lesson piano neighbor dog walk park rain umbrella forecast bus \
    station ticketing loan rate credit card gift survey minutes answer questions lottery draw luck friend dinner \
    table reserve menu soup bread oven timer clock";

/// A source of messages. Equal seeds give equal messages.
pub struct Texts {
    pub seed: u64,
    words: usize,
    openings: Vec<&'static str>,
    vocabulary: Vec<&'static str>,
    /// Lines of a file, which replace the made-up messages.
    lines: Vec<String>,
    /// A word in every message.
    pub secret: Option<String>,
}

impl Texts {
    /// Makes messages of some words, or reads them from a file with one a line.
    pub fn new(seed: u64, words: usize, file: Option<String>) -> Result<Self, String> {
        let read = |path: String| fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"));
        let text = file.map(read).transpose()?;
        let lines: Vec<String> = text.iter().flat_map(|text| text.lines()).map(str::to_owned).collect();
        if text.is_some() && lines.is_empty() {
            return Err("the file of texts has no line".to_owned());
        }
        let (openings, vocabulary) = (OPENINGS.split('|').collect(), WORDS.split(' ').collect());
        Ok(Self { seed, words, openings, vocabulary, lines, secret: None })
    }

    /// Returns the message with a number.
    pub fn message(&self, number: u64) -> String {
        let mut text = if self.lines.is_empty() { self.made_up(number, self.words) } else { self.line(number) };
        if let Some(secret) = &self.secret {
            text.push(' ');
            text.push_str(secret);
        }
        text
    }

    /// Returns a message of another length.
    pub fn made_up(&self, number: u64, words: usize) -> String {
        let mut random = Random::new(self.seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut text = format!("{} {number}", self.openings[random.below(self.openings.len())]);
        for place in 2..words {
            let end = if place % 11 == 0 { ". " } else { " " };
            text.push_str(end);
            text.push_str(self.vocabulary[random.below(self.vocabulary.len())]);
        }
        text.push('.');
        text
    }

    fn line(&self, number: u64) -> String {
        let count = self.lines.len() as u64;
        let line = &self.lines[usize::try_from(number % count).unwrap_or_default()];
        // A line is unique in its second round, too.
        match number / count {
            0 => line.clone(),
            round => format!("{line} ({round})"),
        }
    }
}
