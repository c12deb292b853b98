//! Headers of good, broken and hostile files.

use proptest::prelude::*;

use super::*;
use crate::gguf::limits::ENTRY;
use crate::gguf::sample::Sample;

fn read(bytes: &[u8]) -> Result<Header, GgufError> {
    Header::read(bytes, bytes.len() as u64)
}

/// Returns the message of a file that is refused.
fn refusal(bytes: &[u8]) -> String {
    read(bytes).expect_err("should have been refused").to_string()
}

/// Returns the message of a sample that is refused after a change.
fn changed(change: impl FnOnce(&mut Sample)) -> String {
    let mut sample = Sample::empty();
    sample.set("a", Value::U32(1));
    sample.tensors.push(("t".into(), vec![4, 2], 0));
    sample.tensors.push(("u".into(), vec![32], 8));
    change(&mut sample);
    refusal(&sample.bytes())
}

#[test]
fn every_type_of_value_comes_out_as_it_went_in() {
    let values = [
        Value::U8(200),
        Value::I8(-3),
        Value::U16(60_000),
        Value::I16(-300),
        Value::U32(4_000_000_000),
        Value::I32(-70_000),
        Value::F32(0.5),
        Value::Bool(true),
        Value::String("ü".into()),
        Value::U64(u64::MAX),
        Value::I64(i64::MIN),
        Value::F64(0.25),
        Value::Strings(Strings::from_iter(["a", "", "ßc"])),
        Value::I32s(vec![1, -1]),
        Value::Bools(vec![true, false]),
        Value::Array { kind: 0, count: 5 },
    ];
    let mut sample = Sample::empty();
    for (number, value) in values.iter().enumerate() {
        sample.set(&number.to_string(), value.clone());
    }
    for version in [2, 3] {
        sample.version = version;
        let bytes = sample.bytes();
        let header = read(&bytes).expect("a good header");
        assert_eq!(header.length, bytes.len() as u64);
        for (number, value) in values.iter().enumerate() {
            assert_eq!(header.get(&number.to_string()), Some(value));
        }
    }
}

#[test]
fn tensors_have_their_sizes_and_places() {
    let header = read(&Sample::gpt_oss().bytes()).expect("a good header");
    assert_eq!((header.tensors.len(), header.alignment), (41, 32));
    let [first, second, ..] = &header.tensors[..] else { panic!("41 tensors") };
    assert_eq!((first.name.as_str(), first.shape, first.kind.name), ("token_embd.weight", [32, 264, 1, 1], "Q8_0"));
    assert_eq!((first.offset, first.size, second.offset), (0, 264 * 34, 264 * 34 + 16));
    assert_eq!(header.data, header.length.next_multiple_of(32));
}

#[test]
fn what_is_not_gguf_of_version_2_or_3_is_refused() {
    assert!(refusal(b"").contains("ends at 0 bytes"));
    assert!(refusal(b"<!DOCTYPE html>").contains("not a GGUF file"));
    assert!(changed(|it| it.version = 1).contains("version is 1"));
    assert!(changed(|it| it.version = 4).contains("version is 4"));
    assert!(changed(|it| it.version = 3 << 24).contains("big-endian"));
}

#[test]
fn keys_and_tensors_stand_there_once() {
    assert!(changed(|it| it.metadata.push(it.metadata[0].clone())).contains("`a` occurs twice"));
    assert!(changed(|it| it.tensors.push(it.tensors[0].clone())).contains("`t` occurs twice"));
}

#[test]
fn names_are_text_that_llama_cpp_reads_the_same() {
    assert!(changed(|it| it.set("", Value::U8(0))).contains("an empty key is not text"));
    assert!(changed(|it| it.set("k\0", Value::U8(0))).contains("a key is not text"));
    assert!(changed(|it| it.tensors[0].0 = "t\0".into()).contains("a tensor is not text"));
    assert!(changed(|it| it.tensors[0].0 = "t".repeat(64)).contains("longer than 63 bytes"));
    let mut sample = Sample::empty();
    sample.set("k", Value::String("xyz".into()));
    let mut bytes = sample.bytes();
    *bytes.last_mut().expect("some bytes") = 0xFF;
    assert_eq!(refusal(&bytes), "the value of `k` is not text");
    sample.set("k", Value::Strings(Strings::from_iter(["xyz", "abc"])));
    let mut bytes = sample.bytes();
    *bytes.last_mut().expect("some bytes") = 0xFF;
    assert_eq!(refusal(&bytes), "string 1 of `k` is not text");
}

#[test]
fn unknown_types_and_arrays_of_arrays_are_refused() {
    assert!(changed(|it| it.set("k", Value::Array { kind: 9, count: 1 })).contains("`k` has the unknown type 9"));
    assert!(changed(|it| it.set("k", Value::Array { kind: 13, count: 1 })).contains("unknown type 13"));
    assert!(changed(|it| it.tensors[0].2 = 4).contains("`t` has the unknown type 4"));
}

#[test]
fn impossible_shapes_places_and_alignments_are_refused() {
    for shape in [vec![0], vec![3, 0], vec![1; 5], vec![1 << 40, 1 << 40], vec![u64::MAX]] {
        assert!(changed(|it| it.tensors[0].1 = shape).contains("shape that is not possible"));
    }
    assert!(changed(|it| it.tensors[1].1 = vec![33]).contains("shape that is not possible"));
    assert!(changed(|it| it.alignment = 64).contains("should begin at 32, not at 64"));
    for alignment in [Value::U32(0), Value::U32(48), Value::U64(32)] {
        assert!(changed(|it| it.set("general.alignment", alignment)).contains("power of two"));
    }
}

#[test]
fn a_count_that_the_file_cannot_hold_is_refused_before_anything_is_allocated() {
    let header = |tensors: u64, keys: u64, rest: &[u8]| {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend(tensors.to_le_bytes());
        bytes.extend(keys.to_le_bytes());
        bytes.extend(rest);
        bytes
    };
    let mut key = 1u64.to_le_bytes().to_vec();
    key.push(b'k');
    for huge in [u64::MAX, 1 << 63, 1 << 40, 1 << 20] {
        let huge = huge.to_le_bytes();
        let huge_number = u64::from_le_bytes(huge);
        assert!(refusal(&header(huge_number, 0, &[])).contains("within its header"));
        assert!(refusal(&header(0, huge_number, &[])).contains("within its header"));
        assert!(refusal(&header(0, 1, &huge)).contains("within its header"));
        let string = [&key[..], &8u32.to_le_bytes(), &huge].concat();
        assert!(refusal(&header(0, 1, &string)).contains("within its header"));
        for kind in [0u32, 2, 5, 6, 8, 10] {
            let array = [&key[..], &9u32.to_le_bytes(), &kind.to_le_bytes(), &huge].concat();
            assert!(refusal(&header(0, 1, &array)).contains("within its header"));
        }
    }
}

#[test]
fn a_header_longer_than_the_limit_is_refused_even_if_the_file_is_longer() {
    let array = [&1u64.to_le_bytes()[..], b"k", &9u32.to_le_bytes(), &0u32.to_le_bytes(), &(1u64 << 40).to_le_bytes()];
    let bytes = [b"GGUF\x03\0\0\0", &0u64.to_le_bytes()[..], &1u64.to_le_bytes(), &array.concat()].concat();
    assert!(matches!(Header::read(&bytes[..], u64::MAX), Err(GgufError::Long)));
}

#[test]
fn many_entries_are_a_long_header_however_short_they_are() {
    let keys = |count: u32| {
        let mut sample = Sample::empty();
        sample.metadata = (0..count).map(|key| (key.to_string(), Value::U8(0))).collect();
        read(&sample.bytes())
    };
    assert!(keys(40_000).is_ok());
    assert!(matches!(keys(100_000), Err(GgufError::Long)));
}

#[test]
fn headers_share_their_room() {
    let bytes = Sample::gpt_oss().bytes();
    let mut room = LIMIT;
    let header = Header::read_within(&bytes[..], bytes.len() as u64, &mut room).expect("a good header");
    let entries = (header.metadata.len() + header.tensors.len()) as u64;
    assert_eq!(room, LIMIT - header.length - entries * ENTRY);
    let mut little = header.length;
    let refused = Header::read_within(&bytes[..], bytes.len() as u64, &mut little);
    assert!(matches!(refused, Err(GgufError::Long)));
}

#[test]
fn what_a_message_shows_of_a_file_is_short_and_plain() {
    let long = changed(|it| it.metadata.extend([(); 2].map(|()| ("k".repeat(1000), Value::U8(0)))));
    assert_eq!(long, format!("the key `{}…` occurs twice", "k".repeat(80)));
    let odd = changed(|it| it.tensors[0] = ("\x1b[2J\n'ü'\u{202e}".into(), vec![0], 0));
    assert_eq!(odd, r"the tensor `\u{1b}[2J\n'ü'\u{202e}` has a shape that is not possible for its type");
}

#[test]
fn a_header_cut_anywhere_is_refused() {
    let sample = Sample::gpt_oss();
    let header = sample.header();
    for length in 0..header.len() {
        assert!(matches!(read(&header[..length]), Err(GgufError::Short { .. })), "{length}");
        // The file may become shorter after its size was read.
        let shrunk = Header::read(&header[..length], header.len() as u64);
        assert!(matches!(shrunk, Err(GgufError::Short { .. })), "{length}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), counts in any::<[u8; 2]>()) {
        let _ = read(&bytes);
        let [tensors, keys] = counts.map(|count| u64::from(count % 8).to_le_bytes());
        let _ = read(&[b"GGUF\x03\0\0\0", &tensors[..], &keys, &bytes].concat());
    }

    #[test]
    fn no_damage_makes_it_panic(places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = Sample::gpt_oss().header();
        for (place, byte) in places {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(header) = read(&bytes) {
            prop_assert!(header.length <= bytes.len() as u64);
        }
    }
}
