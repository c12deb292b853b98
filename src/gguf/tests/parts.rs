//! Models in several files.

use super::*;

/// Returns a sample in parts as llama-gguf-split makes them: all metadata is in the first.
fn split(parts: u16) -> Vec<Sample> {
    let whole = Sample::gpt_oss();
    let each = whole.tensors.len().div_ceil(parts.into());
    let mut samples: Vec<Sample> =
        whole.tensors.chunks(each).map(|tensors| Sample { tensors: tensors.to_vec(), ..Sample::empty() }).collect();
    samples[0].metadata = whole.metadata;
    for (number, sample) in (0..).zip(&mut samples) {
        sample.set("split.no", Value::U16(number));
        sample.set("split.count", Value::U16(parts));
        sample.set("split.tensors.count", Value::I32(i32::try_from(whole.tensors.len()).expect("few")));
    }
    samples
}

fn part(number: usize, count: usize) -> String {
    format!("model-{number:05}-of-{count:05}.gguf")
}

/// Writes the parts and returns the path of the first.
fn write_parts(folder: &TempDir, parts: &[Sample]) -> PathBuf {
    for (number, sample) in parts.iter().enumerate() {
        write(folder, &part(number + 1, parts.len()), sample.bytes());
    }
    folder.path().join(part(1, parts.len()))
}

#[test]
fn a_model_in_parts_is_found_from_its_first() {
    let folder = folder();
    let parts = split(3);
    let model = inspect(&write_parts(&folder, &parts)).expect("a good model");
    assert_eq!(model.name, "model");
    assert_eq!(model.parts, [1, 2, 3].map(|number| folder.path().join(part(number, 3))));
    assert_eq!(model.size, parts.iter().map(|part| part.bytes().len() as u64).sum::<u64>());
    let (problem, hint) = refused(&folder.path().join(part(2, 3)));
    assert!(problem.contains("part 2 of a model in several files") && hint.ends_with(&part(1, 3)));
}

#[test]
fn a_part_that_is_missing_or_not_of_this_model_is_named() {
    let problem = |change: &dyn Fn(&mut Vec<Sample>)| {
        let folder = folder();
        let mut parts = split(3);
        change(&mut parts);
        refused(&write_parts(&folder, &parts)).0
    };
    assert!(problem(&|it| it[1].set("split.no", Value::U16(2))).contains("its header states part 3 of 3, not part 2"));
    assert!(problem(&|it| it[1].remove("split.no")).contains("its header states part ? of 3, not part 2"));
    assert!(problem(&|it| it[1].set("split.no", Value::U32(1))).contains("not a u16"));
    assert!(problem(&|it| it[2].set("split.count", Value::U16(4))).contains("not part 3"));
    assert!(problem(&|it| drop(it[2].tensors.pop())).contains("should have 41 tensors together, but have 40"));
    assert!(problem(&|it| it[2].tensors[0] = it[0].tensors[0].clone()).contains("in two parts"));
    assert!(problem(&|it| it[0].remove("split.tensors.count")).contains("is missing"));
    assert!(problem(&|it| it[0].remove("split.no")).contains("`split.no` is missing"));

    let folder = folder();
    let first = write_parts(&folder, &split(3));
    fs::rename(folder.path().join(part(2, 3)), folder.path().join("x.gguf")).expect("renamed");
    let (problem, _) = refused(&first);
    assert!(problem.contains("the part") && problem.contains(&part(2, 3)) && problem.contains("is missing"));
    fs::rename(&first, folder.path().join("y.gguf")).expect("renamed");
    let (problem, hint) = refused(&folder.path().join("y.gguf"));
    assert!(problem.contains("does not end with `-00001-of-00003.gguf`") && hint.contains("published under"));
}

#[test]
fn the_headers_of_all_parts_are_no_longer_than_one_may_be() {
    let folder = folder();
    let mut parts = split(3);
    for part in &mut parts {
        part.set("x", Value::String("x".repeat(10 << 20)));
    }
    assert!(refused(&write_parts(&folder, &parts)).0.contains("header is larger than 24 MB"));
}

#[cfg(unix)]
#[test]
fn links_with_the_names_of_parts_are_not_followed_to_names_without() {
    let (store, snapshot) = (folder(), folder());
    for (number, sample) in split(2).iter().enumerate() {
        let blob = write(&store, &format!("sha256-{number}"), sample.bytes());
        std::os::unix::fs::symlink(blob, snapshot.path().join(part(number + 1, 2))).expect("linked");
    }
    let model = inspect(&snapshot.path().join(part(1, 2))).expect("a good model");
    assert_eq!((model.name.as_str(), model.parts.len()), ("model", 2));
    assert_eq!(model.path, snapshot.path().join(part(1, 2)));
}
