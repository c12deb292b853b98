//! The separator of a table, found from its beginning.
//!
//! Fields are cut as the records will be, so separators and commas in quotes do not mislead. The names of wanted columns
//! decide before the number of fields does.

use super::format::BYTE_ORDER_MARK;
use super::lines::without_ending;
use super::record_fields::RecordFields;
use super::separated::{Separated, Taken};
use super::text::Text;

/// The separators that are looked for.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The records that are looked at, after the header.
const LOOKED_AT: u64 = 200;

/// Returns the separator of a table that begins like this, which is `own` unless another is evident. `whole`: nothing
/// follows.
pub(in crate::label) fn separator(start: &[u8], whole: bool, own: u8, wanted: &RecordFields) -> u8 {
    let start = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start);
    if let Some(named) = named_separator(start) {
        return named;
    }
    let this = Shape::of(start, whole, own, wanted);
    if this.has_names(wanted) {
        return own;
    }
    let others = || SEPARATORS.into_iter().filter(|other| *other != own);
    let shapes: Vec<Shape> = others().map(|other| Shape::of(start, whole, other, wanted)).collect();
    let best = |fits: &dyn Fn(&&Shape) -> bool| {
        shapes.iter().filter(|shape| shape.header.len() > 1).filter(fits).max_by_key(|shape| shape.rank())
    };
    // A name that a flag gives cannot be there by chance, even if texts hold the separator, too.
    let is_given = wanted.text != Text::Unsaid;
    if let Some(shape) = best(&|shape| shape.has_names(wanted) && (is_given || shape.fits())) {
        return shape.separator;
    }
    // Without a header, the text is the only column unless a flag names another.
    let other = match this.header.len() {
        0 | 1 if wanted.no_header && wanted.text == Text::Unsaid => None,
        0 | 1 => best(&|shape| shape.fits()),
        _ if this.fits() => None,
        _ => best(&|shape| shape.records > 1 && shape.equal == shape.records),
    };
    other.map_or(own, |shape| shape.separator)
}

/// Returns the separator of a stream that is evidently a table with a header: half of its records have the columns of the
/// header, and these are the wanted ones.
pub(in crate::label) fn evident_table(start: &[u8], whole: bool, wanted: &RecordFields) -> Option<u8> {
    let start = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start);
    if let Some(named) = named_separator(start) {
        return Some(named);
    }
    let shapes = SEPARATORS.into_iter().map(|separator| Shape::of(start, whole, separator, wanted));
    let tables = shapes.filter(|shape| shape.header.len() > 1 && shape.equal > 0 && shape.fits());
    // A flag that names a column tells that there are columns.
    let is_named = wanted.text != Text::Unsaid || wanted.id.is_some();
    let fits = |shape: &Shape| shape.has_names(wanted) || is_named;
    let best = tables.filter(fits).max_by_key(|shape| (shape.has_names(wanted), shape.rank()));
    best.map(|shape| shape.separator)
}

/// Reports whether all lines have the same number of fields between semicolons, tabs or vertical bars. Commas occur in
/// every text.
pub(super) fn is_regular(start: &[u8], whole: bool) -> bool {
    let start = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start);
    let shapes = [b';', b'\t', b'|'].map(|separator| Shape::of(start, whole, separator, &RecordFields::default()));
    shapes.iter().any(|shape| shape.header.len() > 1 && shape.records > 0 && shape.equal == shape.records)
}

/// Returns the separator that a first line names for spreadsheets: `sep=;`.
pub(super) fn named_separator(start: &[u8]) -> Option<u8> {
    let line = start.split_inclusive(|byte| *byte == b'\n').next()?;
    let line = without_ending(line);
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    match line.get(..4).is_some_and(|word| word.eq_ignore_ascii_case(b"sep=")).then(|| &line[4..])? {
        // The line may itself be a record of a program that knows no better: the rest is empty fields.
        [separator, rest @ ..] if separator.is_ascii() && rest.iter().all(|byte| byte == separator) => Some(*separator),
        _ => None,
    }
}

/// Returns a separator in words.
pub(in crate::label) fn in_words(separator: u8) -> String {
    match separator {
        b'\t' => "tabs".to_owned(),
        b' ' => "blanks".to_owned(),
        other => format!("\"{}\"", char::from(other).escape_default()),
    }
}

/// The beginning of a table, cut by one separator.
struct Shape {
    separator: u8,
    /// The fields of the first record.
    header: Vec<String>,
    /// The number of records after it, and of those with as many fields.
    records: u64,
    equal: u64,
}

impl Shape {
    fn of(start: &[u8], whole: bool, separator: u8, wanted: &RecordFields) -> Self {
        let mut shape = Self { separator, header: Vec::new(), records: 0, equal: 0 };
        let mut fields = Separated::new(separator, wanted.quote.byte());
        let (mut skip, mut open, mut begun) = (wanted.skip, false, false);
        for line in start.split_inclusive(|byte| *byte == b'\n') {
            if shape.records == LOOKED_AT || !whole && !line.ends_with(b"\n") {
                break;
            }
            if !open && without_ending(line).is_empty() {
                continue;
            }
            let taken = fields.take(line);
            open = taken == Taken::Open;
            match taken {
                Taken::Open => {}
                _ if skip > 0 => skip -= 1,
                Taken::Complete if begun => {
                    shape.records += 1;
                    shape.equal += u64::from(fields.count() == shape.header.len());
                }
                Taken::Complete => {
                    let name = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
                    shape.header = fields.fields().map(name).collect();
                    begun = true;
                }
                Taken::Damaged => {
                    shape.records += u64::from(begun);
                    begun = true;
                }
            }
        }
        shape
    }

    /// Reports whether the header has all wanted columns by name. Numbers fit any header.
    fn has_names(&self, wanted: &RecordFields) -> bool {
        if wanted.no_header {
            return false;
        }
        let is_default = wanted.text == Text::Unsaid;
        let has = |name: &str| {
            let is = |field: &String| field == name || is_default && field.trim().eq_ignore_ascii_case(name);
            self.header.iter().any(is)
        };
        let names: Vec<&str> = wanted.text.columns().into_iter().chain(wanted.id.as_deref()).collect();
        let is_number = |name: &str| name.parse::<usize>().is_ok();
        names.iter().any(|name| !is_number(name)) && names.into_iter().all(|name| has(name) || is_number(name))
    }

    /// Reports whether at least half of the records have the fields of the header.
    fn fits(&self) -> bool {
        self.equal * 2 >= self.records
    }

    fn rank(&self) -> (u64, usize) {
        (self.equal, self.header.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(start: &str, wanted: &RecordFields) -> char {
        char::from(separator(start.as_bytes(), true, b',', wanted))
    }

    fn column(name: &str) -> RecordFields {
        RecordFields { text: Text::Column(name.to_owned()), ..RecordFields::default() }
    }

    #[test]
    fn another_separator_is_found_where_it_is_evident() {
        for (start, expect) in [
            ("id;text\n1;a\n2;b\n", ';'),
            ("\u{FEFF}id\ttext\r\n1\ta, b\r\n", '\t'),
            ("id|text", '|'),
            ("id;price;text\n1;2,50;a\n2;3,10;b, c\n", ';'),
            ("id;price, net;text\n1;2,50;a\n2;3;b\n", ';'),
            ("sep=;\nid;text\n1;a\n", ';'),
            ("\"sep=|\"\r\nid|text\n", '|'),
            ("sep=;;\nid;text;n\n", ';'),
            ("\"id\";\"text\"\n1;\"a, \"\"b\"\";\nc\"\n", ';'),
            // The comma stays where it fits.
            ("id,text\n1,a;b;c\n2,d;e;f\n", ','),
            ("id,text\n\"1;2;3\",\"a;b\"\n\"4;5;6\",\"c;d\"\n", ','),
            ("text\na;b\nc\n", ','),
            ("text; or a note\na\nb\n", ','),
            ("\"text; or a note\"\na;b\n", ','),
            ("body\na;b\nc;d\n", ','),
            ("", ','),
        ] {
            assert_eq!(of(start, &RecordFields::default()), expect, "{start:?}");
        }
        assert_eq!(of("Post ID;Post\n1;a; b; c\n2;d; e\n", &column("Post")), ';', "the wanted column decides");
        assert_eq!(of("Post ID;Post\n1;a\n", &column("2")), ';');
        assert_eq!(of("a;b,Post\n1;2,x\n3;4,y\n", &column("Post")), ',');
    }

    #[test]
    fn without_a_header_a_column_that_is_named_tells_that_there_are_several() {
        let headless = RecordFields { no_header: true, ..RecordFields::default() };
        assert_eq!(of("hello; you\nbye; you\n", &headless), ',');
        assert_eq!(of("1;hello\n2;bye\n", &RecordFields { no_header: true, ..column("2") }), ';');
        let above = RecordFields { skip: 1, ..RecordFields::default() };
        assert_eq!(of("Exported today, by me\nid;text\n1;a\n", &above), ';');
    }

    #[test]
    fn a_stream_is_a_table_only_if_that_is_evident() {
        let table = |start: &str, wanted: &RecordFields| evident_table(start.as_bytes(), true, wanted);
        let (any, post) = (RecordFields::default(), column("Post"));
        assert_eq!(table("id,text,label\n1,\"a, b\",x\n", &any), Some(b','));
        assert_eq!(table("ID\tText\n1\ta\n", &any), Some(b'\t'));
        assert_eq!(table("Post;n\na;1\n", &post), Some(b';'));
        assert_eq!(table("Pots;n\na;1\n", &post), Some(b';'), "the table is to name its columns");
        for prose in ["id,text\n", "Hello, text, me\nand so on\nand on\n", "text\na\n", "one, two\nthree, four\n", ""] {
            assert_eq!(table(prose, &any), None, "{prose:?}");
        }
        assert_eq!(table("no columns\nat all\n", &post), None);
    }

    #[test]
    fn lines_of_equally_many_fields_are_regular() {
        for (start, expect) in [
            ("Post ID\tPost\n1\ta, b\n2\tc\n", true),
            ("a;b\nc;d\n", true),
            ("a;b\nc\n", false),
            ("a;b\n", false),
            ("a, b\nc, d\n", false),
            ("", false),
        ] {
            assert_eq!(is_regular(start.as_bytes(), true), expect, "{start:?}");
        }
    }

    fn quoted(field: &str, separator: char) -> String {
        let special = |letter| matches!(letter, '"' | '\n' | '\r') || letter == separator;
        if field.contains(special) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.to_owned() }
    }

    fn written(rows: &[Vec<String>], separator: char) -> String {
        let line = |fields: &Vec<String>| {
            let fields: Vec<String> = fields.iter().map(|field| quoted(field, separator)).collect();
            fields.join(&separator.to_string()) + "\n"
        };
        rows.iter().map(line).collect()
    }

    proptest! {
        #[test]
        fn a_table_that_is_written_by_the_rules_is_cut_by_its_separator(
            separator in prop::sample::select(vec![',', ';', '\t', '|']),
            rows in prop::collection::vec(prop::collection::vec("[a-z ,;|\t\"\n0-9.]{0,12}", 3), 0..20),
        ) {
            let with = |header: [&str; 3]| [vec![header.map(str::to_owned).to_vec()], rows.clone()].concat();
            // Names that a flag gives decide, even if other names hold separators.
            let text = written(&with(["id", "price, net; all", "Post body"]), separator);
            prop_assert_eq!(of(&text, &column("Post body")), separator);
            // Without such a name the header and the number of fields do.
            let text = written(&with(["Nr.", "Preis (EUR)", "Beitrag"]), separator);
            for wanted in [column("3"), column("text"), RecordFields::default()] {
                prop_assert_eq!(of(&text, &wanted), separator);
            }
        }

        #[test]
        fn any_beginning_has_a_separator(start in prop::collection::vec(any::<u8>(), 0..60), whole in any::<bool>()) {
            let wanted = RecordFields::default();
            prop_assert!(separator(&start, whole, b',', &wanted).is_ascii());
            let _ = (evident_table(&start, whole, &wanted), is_regular(&start, whole));
        }
    }
}
