//! Journals that are damaged, cut or not ours.

use std::fs;
use std::path::Path;

use magistrate::label::export::OutputFormat;
use magistrate::label::journal::{Existing, beside};
use magistrate::label::merge::check;
use magistrate::label::run::Settings;
use proptest::prelude::*;

use super::{House, input, opened, short_and_long, terms};
use crate::support::scripted::engine;

#[test]
fn a_file_that_is_no_journal_is_left_as_it_is() {
    let house = House::new();
    let path = house.path("trip.journal");
    let old = "{\"journal\":1,\"terms\":{\"model\":\"m 1\"}}\n{\"n\":1}\n{\"n\":2";
    for (bytes, expected) in [
        ("my diary, the only copy", "is not a journal of magistrate, and is left as it is"),
        ("line one\nline two\nlast line", "is not a journal of magistrate"),
        ("{\"text\":\"not ours\"}\n", "is not a journal of magistrate"),
        ("{\"journal\":\"of my trip\"}\nand so on", "is not a journal of magistrate"),
        ("{\"journal\":3,\"sum", "is not a journal of magistrate"),
        ("{\"journal\":3,\"terms\":{}}\nhalf", "line 1 is damaged"),
        (old, "is a journal of format 1, and this version of magistrate reads format 3"),
    ] {
        fs::write(&path, bytes).unwrap();
        for existing in [Existing::Resume, Existing::Mix] {
            let error = opened(&path, &terms(None), existing).unwrap_err().to_string();
            assert!(error.contains(expected), "{bytes}: {error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), bytes);
        }
    }
    opened(&path, &terms(None), Existing::Restart).unwrap();
    assert_eq!(fs::read_to_string(house.path("trip.journal.1")).unwrap(), old, "set aside, not lost");
}

#[cfg(unix)]
#[test]
fn a_journal_is_its_users_alone_and_one_that_others_may_write_is_refused() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let house = House::new();
    let open = |name: &str| opened(&house.path(name), &terms(None), Existing::Resume).map(|_| ());
    let mode = |name: &str, mode| fs::set_permissions(house.path(name), fs::Permissions::from_mode(mode)).unwrap();
    for (wide, expected) in [(0o666, "can be written by other users"), (0o620, "can be written by other users")] {
        fs::write(house.path("a"), "").unwrap();
        mode("a", wide);
        let error = open("a").unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(fs::read(house.path("a")).unwrap(), b"");
    }
    house.whole("b");
    mode("b", 0o644);
    open("b").unwrap();
    assert_eq!(fs::metadata(house.path("b")).unwrap().permissions().mode() & 0o777, 0o600);
    fs::write(house.path("victim"), "").unwrap();
    symlink(house.path("victim"), house.path("link")).unwrap();
    symlink(house.path("nowhere"), house.path("dangling")).unwrap();
    fs::create_dir(house.path("folder")).unwrap();
    for (name, expected) in [("link", "is a link"), ("dangling", "is a link"), ("folder", "is not a regular file")] {
        let error = open(name).unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: {error}");
    }
    assert_eq!((fs::read(house.path("victim")).unwrap().len(), house.path("nowhere").exists()), (0, false));
    if std::os::unix::fs::chown(house.path("victim"), Some(65534), None).is_ok() {
        let error = open("victim").unwrap_err().to_string();
        assert!(error.contains("belongs to another user"), "{error}");
    }
}

#[test]
fn a_journal_without_rows_takes_the_terms_of_now() {
    let house = House::new();
    let journal = house.path("a");
    let mut other = terms(None);
    other.0.insert("model".into(), "m 2".into());
    opened(&journal, &other, Existing::Resume).unwrap();
    house.label(&journal, &input(), &Settings::default(), None).unwrap();
    assert_eq!(fs::read(&journal).unwrap(), fs::read(house.whole("b")).unwrap());
}

#[test]
fn a_first_line_that_is_torn_is_written_anew() {
    let house = House::new();
    let whole = fs::read(house.whole("whole")).unwrap();
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap();
    for (at, zeros) in [0, 1, first / 2, first].into_iter().flat_map(|at| [(at, 0), (at, 700)]) {
        let journal = house.path(&format!("{at}-{zeros}"));
        // After a power cut the blocks of a file may be there without their bytes.
        fs::write(&journal, [&whole[..at], &vec![0; zeros]].concat()).unwrap();
        house.label(&journal, &input(), &Settings::default(), None).unwrap();
        assert_eq!(fs::read(&journal).unwrap(), whole, "cut at {at}, {zeros} zeros behind it");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A journal that was killed at any moment is the beginning of the whole one. After a power cut its last line may be torn.
    #[test]
    fn cut_at_any_byte_it_is_gone_on_with_to_the_same_bytes(share in 0.0..1.0_f64, garbage in any::<bool>()) {
        let house = House::new();
        let whole = fs::read(house.whole("whole")).unwrap();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let at = (share * whole.len() as f64) as usize;
        let mut cut = whole[..at].to_vec();
        if garbage {
            cut.extend([0; 700]);
        }
        let journal = house.path("cut");
        fs::write(&journal, cut).unwrap();
        let summary = house.label(&journal, &input(), &Settings::default(), None).unwrap();
        prop_assert_eq!(summary.rows(), 200);
        prop_assert_eq!(fs::read(&journal).unwrap(), whole);
        prop_assert_eq!(beside(Path::new("a/b.csv")), Path::new("a/b.csv.journal"));
    }

    /// A record may change between two runs in any way: rows never show text that the input no longer has.
    #[test]
    fn an_edit_of_any_record_is_noticed_when_a_run_is_continued(row in 0..200_usize, place in 0..80_usize, with in "[ -~]") {
        let house = House::new();
        let journal = house.whole("a");
        let mut lines: Vec<String> = input().lines().map(str::to_owned).collect();
        let place = place % lines[row].len();
        let before = std::mem::take(&mut lines[row]);
        lines[row] = format!("{}{with}{}", &before[..place], &before[place + 1..]);
        let changed = lines[row] != before && !lines[row].trim().is_empty();
        let edited: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let done = house.label(&journal, &edited, &Settings::default(), None);
        match done {
            Ok(_) => prop_assert!(!changed),
            Err(error) => {
                prop_assert!(changed);
                prop_assert!(error.to_string().contains(&format!("record {} of input has changed", row + 1)), "{error}");
            }
        }
    }

    /// Damage to a journal is reported, or changes neither the output of a merge nor that of the resumed run.
    #[test]
    fn damage_to_any_byte_of_a_journal_is_named_or_changes_nothing(
        places in proptest::collection::vec((0.0..1.0_f64, any::<u8>()), 1..3),
    ) {
        let house = House::new();
        let journal = house.whole("a");
        let rows = house.export(&journal, OutputFormat::Jsonl);
        let mut bytes = fs::read(&journal).unwrap();
        for (share, byte) in places {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            let place = (share * bytes.len() as f64) as usize;
            bytes[place] = byte;
        }
        fs::write(&journal, &bytes).unwrap();
        if check(&journal, false).is_ok() {
            prop_assert_eq!(&house.export(&journal, OutputFormat::Jsonl), &rows);
        }
        match house.label(&journal, &input(), &Settings::default(), None) {
            Ok(_) => prop_assert_eq!(&house.export(&journal, OutputFormat::Jsonl), &rows),
            Err(error) => {
                let error = error.to_string();
                prop_assert!(error.contains(" is damaged") || error.contains("is not a journal"), "{}", error);
                prop_assert_eq!(fs::read(&journal).unwrap(), bytes, "and it is left as it is");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// The run may be killed at any moment while it judges texts again that had no room.
    #[test]
    fn cut_at_any_byte_a_journal_of_two_passes_is_continued_to_the_same_rows(share in 0.0..1.0_f64) {
        let mut house = House::new();
        let (input, roomy) = (short_and_long(), house.of("roomy", &short_and_long()));
        house.engine = engine(512);
        let journal = house.of("a", &input);
        house.engine = engine(2048);
        house.label(&journal, &input, &Settings::default(), None).unwrap();
        let whole = fs::read(&journal).unwrap();
        let passes = String::from_utf8_lossy(&whole).matches("{\"pass\":").count();
        prop_assert_eq!(passes, 1);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let at = (share * whole.len() as f64) as usize;
        fs::write(&journal, &whole[..at]).unwrap();
        let summary = house.label(&journal, &input, &Settings::default(), None).unwrap();
        prop_assert_eq!((summary.rows(), summary.reasons.len()), (40, 0));
        prop_assert_eq!(house.export(&journal, OutputFormat::Jsonl), house.export(&roomy, OutputFormat::Jsonl));
    }
}
