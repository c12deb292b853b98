//! The test models: the same bytes every time, in the layout of GGUF.

use crate::support::synth;

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::slice;

use synth::{Shape, TensorType, Value};

#[test]
fn the_same_shape_and_seed_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = |name: &str, shape: &Shape| {
        let path = folder.path().join(name);
        assert_eq!(synth::write(&path, shape).unwrap(), slice::from_ref(&path));
        fs::read(path).unwrap()
    };
    let first = bytes("first.gguf", &Shape::tiny());
    assert!(first == bytes("second.gguf", &Shape::tiny()));
    let other = bytes("other.gguf", &Shape { seed: 2, ..Shape::tiny() });
    assert_eq!(first.len(), other.len());
    assert!(first != other);
}

#[test]
fn the_file_in_this_repository_is_what_its_command_makes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("random.gguf");
    synth::write(&path, &Shape::demo()).unwrap();
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/random.gguf");
    assert!(fs::read(path).unwrap() == fs::read(kept).unwrap(), "write it again: see models/README.md");
}

#[test]
fn tensors_fill_the_file_without_gaps() {
    for expert in [TensorType::F32, TensorType::F16, TensorType::Q8_0, TensorType::Mxfp4] {
        let shape = Shape { expert, ..Shape::tiny() };
        let file = written(&shape).remove(0);
        let expected = shape.tensors(shape.vocabulary().tokens.len() as u64);
        assert_eq!(file.tensors.len(), expected.len());
        assert_eq!(file.data % 32, 0);
        let mut offset = 0;
        for (tensor, expected) in file.tensors.iter().zip(&expected) {
            assert_eq!((&tensor.name, &tensor.dimensions), (&expected.name, &expected.dimensions));
            assert_eq!(tensor.kind, expected.kind as u32, "{}", tensor.name);
            assert_eq!(tensor.offset, offset, "{}", tensor.name);
            offset += expected.bytes().next_multiple_of(32);
        }
        assert_eq!(file.bytes.len() as u64, file.data + offset);
    }
}

#[test]
fn parts_hold_the_tensors_of_the_whole() {
    let whole = written(&Shape::tiny()).remove(0);
    let parts = written(&Shape { parts: 3, ..Shape::tiny() });
    assert_eq!(parts.len(), 3);

    let mut names = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        assert_eq!(part.keys["split.no"], u16::try_from(number).unwrap().to_le_bytes());
        assert_eq!(part.keys["split.count"], 3_u16.to_le_bytes());
        assert_eq!(part.keys["split.tensors.count"], i32::try_from(whole.tensors.len()).unwrap().to_le_bytes());
        for tensor in &part.tensors {
            let twin = whole.tensors.iter().find(|twin| twin.name == tensor.name).unwrap();
            assert!(part.bytes_of(tensor) == whole.bytes_of(twin), "{}", tensor.name);
            names.push(&tensor.name);
        }
    }
    assert!(names.into_iter().eq(whole.tensors.iter().map(|tensor| &tensor.name)));

    let described: Vec<usize> = parts.iter().map(|part| part.keys.len()).collect();
    assert_eq!(described, [whole.keys.len() + 3, 3, 3]);
}

#[test]
fn the_parts_are_named_as_llama_cpp_looks_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let files = synth::write(&folder.path().join("some.model.gguf"), &Shape { parts: 2, ..Shape::tiny() }).unwrap();
    let names = ["some.model-00001-of-00002.gguf", "some.model-00002-of-00002.gguf"];
    assert_eq!(files, names.map(|name| folder.path().join(name)));
    assert!(!folder.path().join("some.model.gguf").exists());
}

#[test]
fn metadata_can_be_replaced_added_and_taken_away() {
    let changes = [
        ("tokenizer.ggml.pre", Some(Value::String("llama-bpe".to_owned()))),
        ("something.new", Some(Value::Bool(false))),
        ("magistrate.demonstration", None),
    ];
    let metadata = changes.map(|(key, change)| (key.to_owned(), change)).to_vec();
    let file = written(&Shape { metadata, ..Shape::tiny() }).remove(0);
    assert!(file.keys["tokenizer.ggml.pre"].ends_with(b"llama-bpe"));
    assert_eq!(file.keys["something.new"], [0]);
    assert!(!file.keys.contains_key("magistrate.demonstration"));
    assert!(file.keys.contains_key("tokenizer.chat_template"));
}

#[test]
fn a_small_vocabulary_holds_every_control_token_once() {
    let vocabulary = Shape::tiny().vocabulary();
    assert_eq!((vocabulary.tokens.len(), vocabulary.kinds.len()), (2_016, 2_016));
    for control in magistrate::harmony::Control::ALL {
        assert_eq!(vocabulary.tokens.iter().filter(|token| *token == control.name()).count(), 1);
        assert_eq!(vocabulary.kinds[vocabulary.id(control.name()).unwrap() as usize], 3);
    }
    assert_eq!(vocabulary.merges.len(), 2_532);

    let absent = vec!["<|call|>".to_owned()];
    let without = Shape { absent, ..Shape::tiny() }.vocabulary();
    assert_eq!((without.tokens.len(), without.id("<|call|>")), (2_016, None));
    assert_eq!(without.id("<|end|>"), vocabulary.id("<|end|>"));
}

#[test]
fn the_full_vocabulary_has_the_true_ids() {
    let vocabulary = Shape::full_vocabulary().vocabulary();
    assert_eq!((vocabulary.tokens.len(), vocabulary.merges.len()), (201_088, 446_189));
    let harmony = tiktoken_rs::o200k_harmony_singleton();
    for name in harmony.special_tokens() {
        let [id] = harmony.encode_with_special_tokens(name)[..] else {
            panic!("{name} is not one token");
        };
        // The reference has a second name for this id.
        if name != "<|reserved_200018|>" {
            assert_eq!(vocabulary.id(name), Some(id), "{name}");
        }
    }
}

#[test]
fn what_llama_cpp_cannot_load_is_refused() {
    for (shape, word) in [
        (Shape { ranks: Some(256), ..Shape::tiny() }, "ranks"),
        (Shape { embedding: 33, ..Shape::tiny() }, "embedding"),
        (Shape { kv_heads: 3, ..Shape::tiny() }, "kv heads"),
        (Shape { experts: 2, ..Shape::tiny() }, "experts used"),
        (Shape { layers: 0, ..Shape::tiny() }, "layers"),
        (Shape { absent: vec!["<|stop|>".to_owned()], ..Shape::tiny() }, "control token"),
        (Shape { parts: 999, ..Shape::tiny() }, "parts"),
    ] {
        let error = synth::write(Path::new("/nowhere/model.gguf"), &shape).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn weights_spread_as_they_should() {
    let shape = Shape { expert: TensorType::F32, ..Shape::tiny() };
    let file = written(&shape).remove(0);
    for (name, mean, deviation) in
        [("blk.1.ffn_up_exps.weight", 0.0, 1.0 / 32_f64.sqrt()), ("output_norm.weight", 1.0, 0.1)]
    {
        let tensor = file.tensors.iter().find(|tensor| tensor.name == name).unwrap();
        let values: Vec<f64> =
            file.bytes_of(tensor).as_chunks().0.iter().map(|raw| f32::from_le_bytes(*raw).into()).collect();
        let count = f64::from(u32::try_from(values.len()).unwrap());
        let found = values.iter().sum::<f64>() / count;
        let spread = (values.iter().map(|value| (value - found).powi(2)).sum::<f64>() / count).sqrt();
        let error = 4.0 * deviation / count.sqrt();
        assert!((found - mean).abs() < error && (spread - deviation).abs() < error, "{name}: {found} ± {spread}");
    }
}

/// Writes a model and reads its files back.
fn written(shape: &Shape) -> Vec<Gguf> {
    let folder = tempfile::tempdir().unwrap();
    let files = synth::write(&folder.path().join("model.gguf"), shape).unwrap();
    files.into_iter().map(|file| Gguf::parse(fs::read(file).unwrap())).collect()
}

/// A file, read by a parser that shares no code with the writer.
struct Gguf {
    bytes: Vec<u8>,
    /// The raw bytes of each value.
    keys: BTreeMap<String, Vec<u8>>,
    tensors: Vec<Entry>,
    /// Start of the tensors' bytes.
    data: u64,
}

struct Entry {
    name: String,
    dimensions: Vec<u64>,
    kind: u32,
    offset: u64,
}

impl Gguf {
    fn parse(bytes: Vec<u8>) -> Self {
        let mut at = Cursor { bytes: &bytes, at: 0 };
        assert_eq!(at.take(4), b"GGUF");
        assert_eq!(at.u32(), 3);
        let (tensors, keys) = (at.u64(), at.u64());
        let keys: BTreeMap<_, _> = (0..keys).map(|_| (at.string(), at.value())).collect();
        let tensors = (0..tensors).map(|_| {
            let name = at.string();
            let dimensions = (0..at.u32()).map(|_| at.u64()).collect();
            Entry { name, dimensions, kind: at.u32(), offset: at.u64() }
        });
        let tensors = tensors.collect();
        let data = at.at.next_multiple_of(32) as u64;
        Self { bytes, keys, tensors, data }
    }

    fn bytes_of(&self, tensor: &Entry) -> &[u8] {
        let (values, bytes) = match tensor.kind {
            0 => (1, 4),
            1 => (1, 2),
            8 => (32, 34),
            39 => (32, 17),
            other => panic!("type {other}"),
        };
        let start = self.data + tensor.offset;
        let end = start + tensor.dimensions.iter().product::<u64>() / values * bytes;
        let Range { start, end } = usize::try_from(start).unwrap()..usize::try_from(end).unwrap();
        &self.bytes[start..end]
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        self.at += count;
        &self.bytes[self.at - count..self.at]
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take(4).try_into().unwrap())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take(8).try_into().unwrap())
    }

    fn string(&mut self) -> String {
        let length = usize::try_from(self.u64()).unwrap();
        String::from_utf8(self.take(length).to_vec()).unwrap()
    }

    fn value(&mut self) -> Vec<u8> {
        let kind = self.u32();
        self.value_of(kind)
    }

    fn value_of(&mut self, kind: u32) -> Vec<u8> {
        match kind {
            7 => self.take(1).to_vec(),
            2 => self.take(2).to_vec(),
            4..=6 => self.take(4).to_vec(),
            8 => self.string().into_bytes(),
            9 => {
                let kind = self.u32();
                (0..self.u64()).flat_map(|_| self.value_of(kind)).collect()
            }
            other => panic!("type {other}"),
        }
    }
}
