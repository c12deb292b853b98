//! Files on disk: descriptions of accepted files, and messages for refused ones.

mod parts;

use crate::hint::Hints;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::Index;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::header::Value;
use super::sample::Sample;
use super::*;
use crate::tokenizer::Strings;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn write(folder: &TempDir, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).expect("written");
    path
}

/// Returns the problem and the hint of a file that must be refused. Only the error names the file.
fn refused(path: &Path) -> (String, String) {
    let error = inspect(path).expect_err("should have been refused");
    let text = error.to_string();
    assert_eq!(text, format!("{}: {}", error.path.display(), error.problem));
    let [hint] = error.hints().try_into().expect("one hint");
    (error.problem.to_string(), hint.to_string())
}

/// Returns the problem of a sample after a change.
fn changed(change: impl FnOnce(&mut Sample)) -> String {
    let mut sample = Sample::gpt_oss();
    change(&mut sample);
    let folder = folder();
    refused(&write(&folder, "model.gguf", sample.bytes())).0
}

#[test]
fn a_gpt_oss_file_is_described() {
    let folder = folder();
    let mut sample = Sample::gpt_oss();
    sample.set("general.name", Value::String("Tlhv_Osb Mini".into()));
    let bytes = sample.bytes();
    let path = write(&folder, "a.b.gguf", &bytes);
    let model = inspect(&path).expect("a good model");
    assert_eq!((&model.path, &model.parts, model.name.as_str()), (&path, &vec![path.clone()], "a.b"));
    assert_eq!(model.size, bytes.len() as u64);
    let shape = Shape {
        context_length: 131_072,
        blocks: 2,
        embedding_length: 32,
        heads: 4,
        kv_heads: 2,
        key_length: 8,
        sliding_window: 128,
        experts: 2,
        experts_used: 1,
        expert_length: 64,
    };
    assert_eq!((model.shape, model.expert_type.name), (shape, "MXFP4"));
    assert_eq!((model.general_name.as_deref(), model.description.as_deref()), (Some("Tlhv_Osb Mini"), None));
    assert_eq!(model.tokenizer().expect("a good vocabulary").len(), 264);
}

#[test]
fn a_model_for_trying_things_out_says_so() {
    let demonstration = |key: &str, value: Value| {
        let (folder, mut sample) = (folder(), Sample::gpt_oss());
        sample.set(key, value);
        inspect(&write(&folder, "model.gguf", sample.bytes())).expect("a good model").demonstration
    };
    let trained = Some(Demonstration::Trained);
    assert_eq!(demonstration("magistrate.demonstration", Value::Bool(true)), trained);
    assert_eq!(demonstration("magistrate.demonstration", Value::Bool(false)), None);
    let random = Value::String("random weights, no training".into());
    assert_eq!(demonstration("general.description", random), Some(Demonstration::Random));
    assert_eq!(demonstration("general.description", Value::String("a moderator".into())), None);
}

#[test]
fn what_is_not_a_model_file_is_refused_with_a_remedy() {
    let folder = folder();
    let (problem, hint) = refused(&folder.path().join("none.gguf"));
    assert!(problem.contains("no such file") && hint.contains("check the path"));
    let (problem, hint) = refused(folder.path());
    assert!(problem.contains("a folder") && hint.contains("has no such file"));
    write(&folder, "b.gguf", "");
    write(&folder, "a.gguf", "");
    assert!(refused(folder.path()).1.ends_with("a.gguf, b.gguf"));
    let (problem, hint) = refused(&folder.path().join("a.gguf"));
    assert!(problem.contains("ends at 0 bytes") && hint.contains("fetch it again"));
    let (problem, hint) = refused(&write(&folder, "c.gguf", "version https://git-lfs.github.com/spec/v1"));
    assert!(problem.contains("not a GGUF file") && hint.contains("git lfs pull"));
    let (_, hint) = refused(&write(&folder, "d.gguf", "<!DOCTYPE html>"));
    assert!(hint.contains("use the GGUF file"));
}

#[test]
fn another_architecture_is_named_and_that_of_ollama_explained() {
    let architecture = |name: &str| {
        let (folder, mut sample) = (folder(), Sample::gpt_oss());
        sample.set("general.architecture", Value::String(name.into()));
        refused(&write(&folder, "model.gguf", sample.bytes()))
    };
    assert!(architecture("llama").0.contains("`llama`, not `gpt-oss`"));
    let (problem, hint) = architecture("gptoss");
    assert!(problem.contains("Ollama") && hint.contains("model convert"));
    assert!(changed(|it| it.remove("general.architecture")).contains("`general.architecture` is missing"));
}

#[test]
fn a_file_cut_short_is_refused_with_both_sizes() {
    let bytes = Sample::gpt_oss().bytes();
    for missing in [1, 5000, bytes.len() / 2] {
        let folder = folder();
        let (problem, hint) = refused(&write(&folder, "model.gguf", &bytes[..bytes.len() - missing]));
        if missing < 10_000 {
            assert!(problem.contains(&format!("has {} bytes", bytes.len() - missing)), "{problem}");
            assert!(problem.contains(&format!("to byte {}", bytes.len())), "{problem}");
        }
        assert!(hint.contains("not complete"));
    }
}

#[test]
fn every_key_that_a_model_needs_must_be_there_and_have_its_type() {
    for (key, _) in Sample::gpt_oss().metadata {
        if key.ends_with(".feed_forward_length") {
            continue;
        }
        assert_eq!(changed(|it| it.remove(&key)), format!("the key `{key}` is missing"));
        let problem = changed(|it| it.set(&key, Value::U8(1)));
        assert!(problem.starts_with(&format!("the value of `{key}` is not a")), "{problem}");
    }
    for key in ["general.name", "tokenizer.ggml.bos_token_id", "gpt-oss.feed_forward_length", "tokenizer.ggml.scores"] {
        let problem = changed(|it| it.set(key, Value::U8(1)));
        assert!(problem.starts_with(&format!("the value of `{key}` is not a")), "{problem}");
    }
}

#[test]
fn numbers_that_llama_cpp_cannot_use_are_refused() {
    for (key, value) in [
        ("context_length", Value::U32(0)),
        ("block_count", Value::U32(0)),
        ("block_count", Value::U32(513)),
        ("attention.head_count", Value::U32(0)),
        ("attention.head_count_kv", Value::U32(0)),
        ("attention.head_count_kv", Value::U32(3)),
        ("attention.key_length", Value::U32(9)),
        ("attention.value_length", Value::U32(16)),
        ("rope.dimension_count", Value::U32(4)),
        ("attention.sliding_window", Value::U32(0)),
        ("expert_count", Value::U32(1025)),
        ("expert_used_count", Value::U32(0)),
        ("expert_used_count", Value::U32(3)),
        ("expert_used_count", Value::U32(33)),
        ("attention.layer_norm_rms_epsilon", Value::F32(0.0)),
        ("attention.layer_norm_rms_epsilon", Value::F32(-1e-5)),
        ("attention.layer_norm_rms_epsilon", Value::F32(f32::NAN)),
        ("rope.freq_base", Value::F32(f32::INFINITY)),
        ("rope.scaling.factor", Value::F32(0.0)),
        ("rope.scaling.type", Value::String("su".into())),
        ("rope.scaling.original_context_length", Value::U32(0)),
        ("attention.causal", Value::Bool(false)),
        ("attention.sliding_window_pattern", Value::U32(1)),
        ("attention.sliding_window_pattern", Value::Bools(vec![true, true])),
        ("expert_group_count", Value::U32(2)),
        ("nextn_predict_layers", Value::U32(1)),
    ] {
        let key = format!("gpt-oss.{key}");
        let problem = changed(|it| it.set(&key, value.clone()));
        assert!(problem.starts_with(&format!("the value of `{key}` is")), "{value:?}: {problem}");
    }
}

#[test]
fn every_tensor_must_be_there_in_its_shape_and_of_a_type_that_can_be_used() {
    let tensors = Sample::gpt_oss().tensors;
    for (number, (name, shape, kind)) in tensors.iter().enumerate() {
        let missing = changed(|it| drop(it.tensors.remove(number)));
        assert_eq!(missing, format!("the tensor `{name}` is missing"));
        let longer = changed(|it| it.tensors[number].1[shape.len() - 1] += 1);
        assert!(longer.starts_with(&format!("the tensor `{name}` has the shape")), "{longer}");
        let integers = changed(|it| it.tensors[number].2 = 26);
        assert!(integers.contains(&format!("`{name}` has values of type I32")), "{integers}");
        if shape.len() == 1 {
            assert_eq!(*kind, 0);
            let half = changed(|it| it.tensors[number].2 = 1);
            assert!(half.contains("of type F16, not F32"), "{half}");
        }
    }
    let more = changed(|it| it.tensors.push(("rope_freqs.weight".into(), vec![4], 0)));
    assert_eq!(more, "the tensor `rope_freqs.weight` does not belong to a gpt-oss model");
}

#[test]
fn a_key_that_says_what_holds_anyway_is_no_harm() {
    for (key, value) in [
        ("attention.sliding_window_pattern", Value::U32(2)),
        ("attention.sliding_window_pattern", Value::Bools(vec![true, false])),
        ("attention.causal", Value::Bool(true)),
        ("rope.dimension_count", Value::U32(8)),
        ("expert_group_count", Value::U32(0)),
    ] {
        let (folder, mut sample) = (folder(), Sample::gpt_oss());
        sample.set(&format!("gpt-oss.{key}"), value);
        inspect(&write(&folder, "model.gguf", sample.bytes())).expect("a good model");
    }
}

#[test]
fn the_embedding_has_a_row_for_every_token() {
    let problem = changed(|it| {
        it.set("tokenizer.ggml.tokens", Value::Strings(Strings::from_iter(["a", "b"])));
    });
    assert!(problem.contains("`token_embd.weight` has the shape"));
}

#[test]
fn a_vocabulary_that_is_not_of_gpt_oss_is_refused_with_the_name_of_the_file() {
    let (folder, mut sample) = (folder(), Sample::gpt_oss());
    sample.set("tokenizer.ggml.pre", Value::String("default".into()));
    let path = write(&folder, "model.gguf", sample.bytes());
    let error = inspect(&path).expect("good but for its vocabulary").tokenizer().expect_err("another pre-tokenizer");
    let text = error.to_string();
    assert!(text.starts_with(path.to_str().expect("UTF-8")) && text.contains("`default`") && !error.hints().is_empty());
}

#[test]
fn the_digest_covers_headers_sizes_and_small_tensors_to_their_last_byte() {
    let folder = folder();
    let digest = |bytes: &[u8]| inspect(&write(&folder, "model.gguf", bytes)).expect("a good model").digest;
    let mut sample = Sample::gpt_oss();
    let bytes = sample.bytes();
    let header = sample.header().len();
    let gguf = super::header::Header::read(&bytes[..], bytes.len() as u64).expect("a good header");

    let mut by_hand = Sha256::new();
    by_hand.update(&bytes[..header]);
    by_hand.update((bytes.len() as u64).to_le_bytes());
    for tensor in &gguf.tensors {
        // All tensors are small enough to be read whole.
        let start = usize::try_from(gguf.data + tensor.offset).expect("small");
        by_hand.update(&bytes[start..start + usize::try_from(tensor.size).expect("small")]);
    }
    let original = digest(&bytes);
    assert_eq!(original, format!("gguf2:{}", crate::text::hex(&by_hand.finalize())));

    let flipped = |place: usize| {
        let mut bytes = bytes.clone();
        bytes[place] ^= 1;
        digest(&bytes)
    };
    for place in (header.next_multiple_of(32)..bytes.len()).step_by(61) {
        let tensor = gguf.tensors.iter().find(|tensor| {
            let start = gguf.data + tensor.offset;
            (start..start + tensor.size).contains(&(place as u64))
        });
        // Padding between tensors does not count.
        assert_eq!(flipped(place) == original, tensor.is_none(), "byte {place}");
    }
    assert_ne!(digest(&[&bytes[..], b"\0"].concat()), original);
    sample.set("general.name", Value::String("other".into()));
    assert_ne!(digest(&sample.bytes()), original);
}

#[test]
fn a_large_tensor_that_changes_throughout_has_another_digest_and_one_change_between_two_pages_does_not_show() {
    const TOKENS: usize = 20_000;
    let (folder, mut sample) = (folder(), Sample::gpt_oss());
    let tokens: Vec<String> = (0..TOKENS).map(|token| format!("t{token}")).collect();
    sample.set("tokenizer.ggml.tokens", Value::Strings(tokens.iter().map(String::as_str).collect()));
    sample.set("tokenizer.ggml.token_type", Value::I32s(vec![1; TOKENS]));
    for (name, shape, _) in &mut sample.tensors {
        if name.starts_with("token_embd") || name == "output.weight" {
            shape[1] = TOKENS as u64;
        }
    }
    let bytes = sample.bytes();
    let digest = |bytes: &[u8]| inspect(&write(&folder, "model.gguf", bytes)).expect("a good model").digest;
    let original = digest(&bytes);
    let start = sample.header().len().next_multiple_of(32);
    let size = TOKENS * 34;
    // Another training changes all bytes except the first ones.
    let mut trained = bytes.clone();
    trained[start + 4096..start + size].iter_mut().step_by(1000).for_each(|byte| *byte ^= 1);
    assert_ne!(digest(&trained), original);
    let step = (size - 4096) / 63;
    for (place, shows) in [(0, true), (4096, false), (30 * step, true), (30 * step + 4096, false), (size - 1, true)] {
        let mut changed = bytes.clone();
        changed[start + place] ^= 1;
        assert_eq!(digest(&changed) != original, shows, "byte {place}");
    }
}

#[cfg(unix)]
#[test]
fn a_device_is_not_waited_for() {
    assert!(refused(Path::new("/dev/null")).0.contains("neither a file nor a folder"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_damage_to_a_header_makes_it_panic(places in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..4)) {
        let sample = Sample::gpt_oss();
        let (mut bytes, header) = (sample.bytes(), sample.header().len());
        for (place, byte) in places {
            bytes[place.index(header)] = byte;
        }
        let folder = folder();
        if let Ok(model) = inspect(&write(&folder, "model.gguf", bytes)) {
            let _ = model.tokenizer();
        }
    }
}
