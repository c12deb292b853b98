use std::sync::atomic::{AtomicUsize, Ordering};

use super::golden::Case;
use super::save::{Draft as ToSave, Replaced, Saved};
use super::source::Source;
use super::*;
use crate::policy::PolicyLibrary;
use crate::serve::api_error::ApiError;
use crate::serve::policies::Policies;

const PROSE: &str = "Answer VALID or INVALID. INVALID is spam.\n";

struct Place {
    folder: tempfile::TempDir,
    workspace: Workspace,
    policies: Policies,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::open(&folder.path().join("w")).unwrap();
        let policies = Policies::read(&[Origin::shipped("spam"), workspace.origin()], true).unwrap();
        Self { folder, workspace, policies }
    }

    fn save(&self, id: &str, text: &str, replaces: Replaced) -> Result<Saved, ApiError> {
        self.save_with(id, text, None, replaces)
    }

    fn save_with(
        &self,
        id: &str,
        text: &str,
        golden: Option<Vec<Case>>,
        replaces: Replaced,
    ) -> Result<Saved, ApiError> {
        let notation = if text.contains("id: ") { Notation::Yaml } else { Notation::Plain };
        let (id, text, by) = (id.to_owned(), text.to_owned(), Some("ana".to_owned()));
        self.workspace.save(&self.policies, &ToSave { id, notation, text, golden, by, replaces, time: 7 })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("w").join(name)
    }

    fn source(&self, id: &str) -> Source {
        Source::open(Some(&self.workspace), &self.policies, id).unwrap().unwrap()
    }
}

fn is(source: &Source) -> Replaced {
    Replaced::Known(format!("\"{}\"", source.tag()))
}

fn case(text: &str, expected: &str) -> Case {
    Case { text: text.into(), expected: expected.into(), note: None, near_miss: false }
}

#[test]
fn a_new_folder_is_for_its_user_alone_and_has_one_server() {
    let place = Place::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |name: &str| fs::metadata(place.path(name)).unwrap().permissions().mode() & 0o777;
        place.save_with("house", PROSE, Some(vec![case("a", "violation")]), Replaced::New).unwrap();
        for (name, expect) in
            [("", 0o700), ("golden/house.yaml", 0o600), ("history/house", 0o700), ("history/house/000001.json", 0o600)]
        {
            assert_eq!(mode(name), expect, "{name}");
        }
    }
    assert_eq!(Workspace::open(&place.path("")).unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn the_policies_of_a_folder_are_those_at_its_top_that_are_named_after_their_ids() {
    let place = Place::new();
    let yaml = PolicyLibrary::shipped().source("spam").unwrap();
    for (name, text) in [
        ("security-threats.md", PROSE),
        ("spam.yaml", yaml),
        ("README.md", PROSE),
        ("notes.md", "Buy milk."),
        ("golden/spam.yaml", yaml),
        ("Other.yaml", yaml),
    ] {
        put(&place.path(name), text.as_bytes()).unwrap();
    }
    let ids = |policies: Vec<Policy>| policies.into_iter().map(|policy| policy.id).collect::<Vec<_>>();
    assert_eq!(ids((place.workspace.origin().read)().unwrap()), ["security-threats", "spam"]);
    put(&place.path("other.yaml"), yaml.as_bytes()).unwrap();
    let error = (place.workspace.origin().read)().unwrap_err();
    assert!(error.contains("has the id `spam`"), "{error}");
}

#[test]
fn a_save_is_served_at_once_and_every_version_is_kept() {
    let place = Place::new();
    let first = place.save("house", PROSE, Replaced::New).unwrap();
    assert_eq!((first.number, first.is_new), (1, true));
    let served = || place.policies.now().find("house").unwrap().digest.clone();
    assert_eq!(served(), first.policy.digest());
    // Somebody edits the file by hand.
    let by_hand = "Answer VALID or INVALID. INVALID is by hand.";
    fs::write(place.path("house.md"), by_hand).unwrap();
    let late = place.save("house", "Answer VALID or INVALID. INVALID is late.", is(&first.source)).unwrap_err();
    assert_eq!((late.status.as_u16(), late.code), (412, "conflict"));
    let now = place.source("house");
    assert!(late.message.contains(&now.digest()), "{late:?}");
    let third = place.save("house", PROSE, is(&now)).unwrap();
    assert_eq!((third.number, third.is_new), (3, false));
    let versions = place.workspace.versions("house").unwrap();
    let texts: Vec<_> = versions.iter().map(|version| (version.text.as_str(), version.by.as_deref())).collect();
    assert_eq!(texts, [(PROSE, Some("ana")), (by_hand, None), (PROSE, Some("ana"))]);
    let again = place.save("house", PROSE, is(&place.source("house"))).unwrap();
    assert_eq!(again.number, 3, "nothing has changed");
    assert_eq!(place.workspace.version("house", 2).unwrap().unwrap().text, by_hand);
    assert!(place.workspace.version("house", 4).unwrap().is_none());
}

#[test]
fn a_shipped_policy_is_copied_with_its_first_version_and_hides_the_shipped_one() {
    let place = Place::new();
    let shipped = place.source("spam");
    assert_eq!((shipped.is_own, shipped.cases().len() > 30), (false, true));
    let text = shipped.text.replace("title: ", "title: House ") + "# the end\n";
    let by_digest = Replaced::Known(shipped.digest());
    let saved = place.save("spam", &text, by_digest).unwrap();
    assert_eq!((saved.number, saved.is_new), (2, false));
    assert_eq!(place.workspace.version("spam", 1).unwrap().unwrap().text, shipped.text);
    let own = place.source("spam");
    assert_eq!((own.text.as_str(), own.is_own, own.cases() == shipped.cases()), (text.as_str(), true, true));
    assert_eq!(place.policies.now().find("spam").unwrap().digest, own.digest());
    assert_eq!(place.policies.now().iter().count(), 1);
}

#[test]
fn a_golden_set_goes_out_as_it_came_and_keeps_its_file_if_no_case_has_changed() {
    let place = Place::new();
    let cases = vec![case("Buy now: \"#1\"", "violation"), Case { note: Some("a joke".into()), ..case("Hi", "safe") }];
    let first = place.save_with("house", PROSE, Some(cases.clone()), Replaced::New).unwrap();
    let of = |source: &Source| source.cases().iter().map(Case::of).collect::<Vec<_>>();
    assert_eq!(of(&place.source("house")), cases);
    let file = fs::read_to_string(place.path("golden/house.yaml")).unwrap();
    let commented = format!("# by ana\n{file}");
    fs::write(place.path("golden/house.yaml"), &commented).unwrap();
    let late = place.save_with("house", PROSE, Some(Vec::new()), is(&first.source)).unwrap_err();
    assert_eq!(late.code, "conflict", "the golden set has changed");
    place.save_with("house", PROSE, Some(cases), is(&place.source("house"))).unwrap();
    assert_eq!(fs::read_to_string(place.path("golden/house.yaml")).unwrap(), commented);
    place.save_with("house", PROSE, Some(Vec::new()), is(&place.source("house"))).unwrap();
    assert!(!place.path("golden/house.yaml").exists());
    let kept = place.workspace.versions("house").unwrap();
    assert_eq!(kept[1].golden.as_deref(), Some(commented.as_str()), "the history has it");
}

#[test]
fn what_is_wrong_is_refused_and_nothing_is_written() {
    let place = Place::new();
    let yaml = PolicyLibrary::shipped().source("spam").unwrap();
    let broken = yaml.replace("  - code: SP3.b", "  - code: SP 3.b");
    let elsewhere = format!("{yaml}golden: ../../secret.yaml\n");
    for (id, text, golden, code, words) in [
        ("spam", broken.as_str(), None, "invalid_policy", "line "),
        ("other", yaml, None, "invalid_policy", "they must be equal"),
        ("spam", elsewhere.as_str(), None, "invalid_policy", "golden/spam.yaml"),
        ("../spam", yaml, None, "invalid_policy", "an id has"),
        ("spam", yaml, Some(vec![case("a", "SP99")]), "invalid_golden", "case 1"),
    ] {
        let error = place.save_with(id, text, golden, Replaced::Known("*".into())).unwrap_err();
        assert_eq!((error.status.as_u16(), error.code), (422, code), "{error:?}");
        assert!(error.message.contains(words), "{error:?}");
    }
    let exists = place.save("spam", yaml, Replaced::New).unwrap_err();
    assert_eq!(exists.code, "conflict");
    let names: Vec<_> = fs::read_dir(place.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["lock"]);
}

#[test]
fn a_policy_that_changes_its_notation_leaves_one_file() {
    let place = Place::new();
    let first = place.save("spam", PROSE, Replaced::Known("*".into())).unwrap();
    assert!(place.path("spam.md").exists());
    let yaml = PolicyLibrary::shipped().source("spam").unwrap();
    place.save("spam", yaml, is(&first.source)).unwrap();
    assert!(place.path("spam.yaml").exists() && !place.path("spam.md").exists());
    assert_eq!((place.workspace.origin().read)().unwrap().len(), 1);
}

#[test]
fn of_saves_at_once_that_replace_the_same_version_one_wins() {
    let place = Place::new();
    let first = place.save("house", PROSE, Replaced::New).unwrap();
    let (won, lost) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (place, first, won, lost) = (&place, &first, &won, &lost);
            let save = move || {
                let text = format!("Answer VALID or INVALID. INVALID is number {number}.");
                let counter = if place.save("house", &text, is(&first.source)).is_ok() { won } else { lost };
                counter.fetch_add(1, Ordering::Relaxed);
            };
            std::thread::Builder::new().spawn_scoped(scope, save).unwrap();
        }
    });
    assert_eq!((won.into_inner(), lost.into_inner()), (1, 7));
    assert_eq!(place.workspace.versions("house").unwrap().len(), 2);
}
