//! Lies about keys, values and tensors, and headers with very many of them.

use magistrate::gguf::value::{array, kind, scalar, string, strings, text};
use magistrate::gguf::write::{RawHeader, RawTensor};

use super::{ALIGNMENT, Case, TERABYTE, changed};

const HUGE: [u64; 9] =
    [u64::MAX, u64::MAX / 2, 1 << 63, (1 << 63) - 1, 1 << 61, 1 << 40, 1 << 31, 500_000_000, 100_000_000];

/// Returns files that state impossible numbers of entries.
pub fn counts(raw: RawHeader) -> impl Iterator<Item = Case> {
    HUGE.into_iter().flat_map(move |huge| {
        let mut cases = Vec::new();
        let mut add = |name: String, change: &dyn Fn(&mut RawHeader)| {
            cases.push(changed(&raw, &name, change));
            // Here the file has as many bytes, all of them zeros.
            cases.push(changed(&raw, format!("{name}, in a terabyte"), change).sized(TERABYTE));
        };
        add(format!("{huge} tensors"), &|it| it.tensor_count = Some(huge));
        add(format!("{huge} keys"), &|it| it.key_count = Some(huge));
        add(format!("{huge} tensors and nothing else"), &|it| {
            *it = RawHeader { tensor_count: Some(huge), ..RawHeader::empty() };
        });
        let last = |it: &mut RawHeader, key: &str, value: Vec<u8>| {
            let place = it.keys.iter().position(|(known, _)| known == key.as_bytes());
            it.keys.truncate(place.unwrap_or(it.keys.len()));
            it.tensors.clear();
            it.keys.push((key.into(), value));
            it.tensor_count = Some(1);
            it.key_count = Some(it.keys.len() as u64 + 1);
        };
        for key in ["any", "tokenizer.ggml.tokens", "tokenizer.ggml.merges", "tokenizer.ggml.token_type"] {
            for id in 0..=12 {
                let value = array(id, huge);
                add(format!("{huge} elements of type {id} of {key}"), &|it| last(it, key, value.clone()));
            }
            let value = [&kind::STRING.to_le_bytes()[..], &huge.to_le_bytes()].concat();
            add(format!("{huge} letters of {key}"), &|it| last(it, key, value.clone()));
            let value = [&array(kind::STRING, 3)[..], &huge.to_le_bytes()].concat();
            add(format!("{huge} letters in the first of {key}"), &|it| last(it, key, value.clone()));
        }
        for place in 0..3 {
            add(format!("{huge} as dimension {place}"), &|it| {
                let tensor = it.tensors.iter_mut().find(|tensor| tensor.shape.len() > place).unwrap();
                tensor.shape[place] = huge;
            });
        }
        add(format!("{huge} as all dimensions"), &|it| it.tensors[0].shape = vec![huge; 4]);
        add(format!("{huge} as an offset"), &|it| it.tensors[1].offset = huge);
        add(format!("{huge} letters of a tensor's name"), &|it| {
            it.tensor_count = Some(it.tensors.len() as u64);
            it.tensors.clear();
            it.keys.push((b"z".to_vec(), [scalar(kind::U32, [0; 4]), huge.to_le_bytes().to_vec()].concat()));
            it.key_count = Some(it.keys.len() as u64);
        });
        add(format!("{huge} letters of a key"), &|it| {
            let rest = [scalar(kind::U32, [0; 4]), huge.to_le_bytes().to_vec()].concat();
            it.key_count = Some(it.keys.len() as u64 + 2);
            it.keys.push((b"z".to_vec(), rest));
        });
        cases
    })
}

/// Returns files with wrong keys and values.
pub fn values(raw: &RawHeader) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: String, change: &dyn Fn(&mut RawHeader)| cases.push(changed(raw, name, change));
    for (place, (key, value)) in raw.keys.iter().enumerate() {
        let shown = String::from_utf8_lossy(key);
        add(format!("{shown} twice"), &|it| it.keys.push((key.clone(), value.clone())));
        add(format!("an unknown type for {shown}"), &|it| it.keys[place].1[..4].copy_from_slice(&99_u32.to_le_bytes()));
        for id in (0..=12_u32).filter(|id| id.to_le_bytes() != value[..4]) {
            // A value of this type, which is wrong for the key.
            let other = match id {
                kind::STRING => text(b"1"),
                kind::ARRAY => [array(10, 1), vec![1; 8]].concat(),
                0 | 1 | 7 => [&id.to_le_bytes()[..], &[1]].concat(),
                2 | 3 => [&id.to_le_bytes()[..], &[1, 0]].concat(),
                4..=6 => [&id.to_le_bytes()[..], &[1, 0, 0, 0]].concat(),
                _ => [&id.to_le_bytes()[..], &[1, 0, 0, 0, 0, 0, 0, 0]].concat(),
            };
            if READ.iter().any(|read| shown.ends_with(read)) {
                add(format!("type {id} for {shown}"), &|it| it.keys[place].1.clone_from(&other));
            }
        }
        for id in [kind::STRING, kind::ARRAY, 13, u32::MAX] {
            if value.starts_with(&kind::ARRAY.to_le_bytes()) && value[4..8] != id.to_le_bytes() {
                add(format!("an array of type {id} for {shown}"), &|it| {
                    it.keys[place].1[4..8].copy_from_slice(&id.to_le_bytes());
                });
            }
        }
    }
    let deep =
        (0..100_000).flat_map(|_| [kind::ARRAY.to_le_bytes(), [1, 0, 0, 0], [0; 4]].concat()).collect::<Vec<u8>>();
    let deep = [&kind::ARRAY.to_le_bytes()[..], &deep].concat();
    add("arrays in arrays".into(), &|it| it.set("deep", deep.clone()));
    for alignment in [0, 3, 48, u32::MAX] {
        let value = scalar(kind::U32, alignment.to_le_bytes());
        add(format!("an alignment of {alignment}"), &|it| it.set("general.alignment", value.clone()));
    }
    let value = scalar(kind::U32, (1_u32 << 31).to_le_bytes());
    add("an alignment of 2^31".into(), &|it| it.set("general.alignment", value.clone()));
    add("an empty key".into(), &|it| it.keys[0].0.clear());
    add("a NUL in a key".into(), &|it| it.keys[0].0.push(0));
    add("a key that is no text".into(), &|it| it.keys[0].0 = vec![0xFF; 9]);
    add("a value that is no text".into(), &|it| it.set("general.name", text(&[0xFF; 9])));
    add("escapes as the architecture".into(), &|it| {
        it.set("general.architecture", text("\x1b[2J\nerror: gone\u{202e}".as_bytes()));
    });
    cases
}

/// Returns files with long texts. Some are longer than any header.
pub fn texts(raw: RawHeader) -> impl Iterator<Item = Case> {
    type Change = fn(&mut RawHeader, &[u8]);
    const CHANGES: [(&str, Change); 8] = [
        ("architecture", |it, long| it.set("general.architecture", text(long))),
        ("tokenizer", |it, long| it.set("tokenizer.ggml.model", text(long))),
        ("pre-tokenizer", |it, long| it.set("tokenizer.ggml.pre", text(long))),
        ("scaling", |it, long| it.set("gpt-oss.rope.scaling.type", text(long))),
        ("key twice", |it, long| it.keys.extend([(); 2].map(|()| (long.to_vec(), vec![0; 5])))),
        ("key of an unknown type", |it, long| it.keys.push((long.to_vec(), vec![99, 0, 0, 0, 0]))),
        ("key of a value that is no text", |it, long| it.keys.push((long.to_vec(), text(&[0xFF])))),
        ("tensor", |it, long| it.tensors[0].name = long.to_vec()),
    ];
    let description = |length: usize| {
        changed(&raw, format!("a description of {length} letters"), |it| {
            it.set("general.description", text(&vec![b'a'; length]));
        })
    };
    let descriptions = [description(22 << 20).fine(), description(40 << 20)];
    let long = [1 << 10, 10 << 20, 20 << 20, 60 << 20].into_iter().flat_map(move |length| {
        let raw = raw.clone();
        CHANGES.into_iter().map(move |(name, change)| {
            changed(&raw, format!("a {name} of {length} letters"), |it| change(it, &vec![b'a'; length]))
        })
    });
    descriptions.into_iter().chain(long)
}

/// Endings of the keys that are read.
const READ: [&str; 23] = [
    "general.architecture",
    "general.name",
    "general.file_type",
    ".context_length",
    ".block_count",
    ".embedding_length",
    ".feed_forward_length",
    ".head_count",
    ".head_count_kv",
    ".key_length",
    ".value_length",
    ".sliding_window",
    ".expert_count",
    ".expert_used_count",
    ".layer_norm_rms_epsilon",
    ".freq_base",
    ".factor",
    ".scaling.type",
    ".original_context_length",
    "ggml.model",
    "ggml.pre",
    "ggml.tokens",
    "ggml.merges",
];

/// Returns files with wrong tensors.
pub fn tensors(raw: &RawHeader) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: String, change: &dyn Fn(&mut RawHeader)| cases.push(changed(raw, name, change));
    for place in 0..raw.tensors.len() {
        let name = String::from_utf8_lossy(&raw.tensors[place].name).into_owned();
        add(format!("{name} missing"), &|it| {
            it.tensors.remove(place);
            it.lay_out(ALIGNMENT);
        });
        add(format!("{name} twice"), &|it| {
            it.tensors.push(it.tensors[place].clone());
            it.lay_out(ALIGNMENT);
        });
        add(format!("{name} one byte on"), &|it| it.tensors[place].offset += 1);
        add(format!("{name} with a gap before it"), &|it| it.tensors[place].offset += 32);
        for id in [2, 4, 5, 9, 24, 26, 28, 31, 36, 43, 1 << 16, u32::MAX] {
            add(format!("{name} of type {id}"), &|it| it.tensors[place].kind = id);
        }
        add(format!("{name} with a dimension of none"), &|it| it.tensors[place].shape[0] = 0);
        add(format!("{name} with one value more in a row"), &|it| it.tensors[place].shape[0] += 1);
        if place > 0 {
            add(format!("{name} over the one before"), &|it| it.tensors[place].offset = it.tensors[place - 1].offset);
            add(format!("{name} half over the one before"), &|it| it.tensors[place].offset -= 32);
            add(format!("{name} before the one before"), &|it| {
                let before = it.tensors[place - 1].offset;
                it.tensors[place - 1].offset = it.tensors[place].offset;
                it.tensors[place].offset = before;
            });
            add(format!("{name} far behind the end"), &|it| it.tensors[place].offset = TERABYTE);
        }
    }
    add("a tensor that does not belong".into(), &|it| {
        it.tensors.push(RawTensor { name: b"\x1b[2J\n".to_vec(), shape: vec![32], kind: 0, offset: 0 });
        it.lay_out(ALIGNMENT);
    });
    add("five dimensions".into(), &|it| it.tensors[0].shape = vec![1; 5]);
    add("two billion dimensions".into(), &|it| {
        it.tensors.clear();
        it.tensor_count = Some(1);
        let tensor = [&string(b"t")[..], &u32::MAX.to_le_bytes()].concat();
        it.keys.push((b"z".to_vec(), [scalar(kind::U32, [0; 4]), tensor].concat()));
    });
    for shape in [vec![1 << 32, 1 << 32], vec![1 << 21; 3], vec![1 << 16; 4], vec![1 << 62, 2], vec![(1 << 61) + 32]] {
        add(format!("a product that overflows, {shape:?}"), &|it| it.tensors[0].shape.clone_from(&shape));
    }
    add("an alignment that the offsets do not have".into(), &|it| {
        it.set("general.alignment", scalar(kind::U32, 4096_u32.to_le_bytes()));
    });
    cases
}

/// Returns files with very many entries of one kind.
pub fn crowds(raw: RawHeader) -> impl Iterator<Item = Case> {
    type Change = fn(&mut RawHeader);
    const BYTE: [u8; 5] = [0, 0, 0, 0, 7];
    let cases: [(&str, bool, Change); 19] = [
        ("100,000 keys", false, |it| keys(it, 100_000, 1, &BYTE)),
        ("1,000,000 keys", false, |it| keys(it, 1_000_000, 1, &BYTE)),
        ("100,000 long keys", false, |it| keys(it, 100_000, 1_000, &BYTE)),
        ("100,000 keys with an empty text", false, |it| keys(it, 100_000, 1, &text(b""))),
        ("100,000 keys with an empty array", false, |it| keys(it, 100_000, 1, &array(kind::STRING, 0))),
        ("40,000 keys", true, |it| keys(it, 40_000, 1, &BYTE)),
        ("29,000 keys with an empty array", true, |it| keys(it, 29_000, 1, &array(kind::STRING, 0))),
        ("100,000 tensors", false, |it| ones(it, 100_000, 1)),
        ("1,000,000 tensors", false, |it| ones(it, 1_000_000, 1)),
        ("40,000 tensors of long names", false, |it| ones(it, 40_000, 63)),
        ("29,000 tensors", false, |it| ones(it, 29_000, 1)),
        ("ten arrays of 2 MB of texts", true, |it| keys(it, 10, 1, &strings(&vec![vec![b'a'; 2040]; 1 << 10]))),
        ("an array of 22 MB of empty texts", true, |it| keys(it, 1, 1, &strings(&vec![Vec::new(); 22 << 17]))),
        ("an array of a text of 22 MB and one more", true, |it| {
            keys(it, 1, 1, &strings(&[vec![b'a'; 22 << 20], vec![b'a'; 1 << 10]]));
        }),
        ("an array of 22 MB of texts", true, |it| keys(it, 1, 1, &strings(&vec![vec![b'a'; 1 << 10]; 22 << 10]))),
        ("an array of 60 MB of texts", false, |it| keys(it, 1, 1, &strings(&vec![vec![b'a'; 1 << 10]; 60 << 10]))),
        ("22 MB of truths", true, |it| keys(it, 1, 1, &[array(7, 22 << 20), vec![1; 22 << 20]].concat())),
        ("22 MB of numbers", true, |it| keys(it, 1, 1, &[array(kind::I32, 11 << 19), vec![1; 22 << 20]].concat())),
        ("22 MB of bytes", true, |it| keys(it, 1, 1, &[array(0, 22 << 20), vec![1; 22 << 20]].concat())),
    ];
    cases.into_iter().map(move |(name, fine, change)| {
        let case = changed(&raw, name, change).sized(TERABYTE);
        if fine { case.fine() } else { case }
    })
}

/// Adds `count` keys of at least `length` bytes, all with the same value.
pub fn keys(raw: &mut RawHeader, count: usize, length: usize, value: &[u8]) {
    raw.keys.extend((0..count).map(|number| (named(number, length), value.to_vec())));
}

/// Adds `count` tensors of one value each.
pub fn ones(raw: &mut RawHeader, count: usize, length: usize) {
    let one = |number| RawTensor { name: named(number, length), shape: vec![1], kind: 0, offset: 0 };
    raw.tensors.extend((0..count).map(one));
    raw.lay_out(ALIGNMENT);
}

fn named(number: usize, length: usize) -> Vec<u8> {
    let mut name = format!("{number:x}").into_bytes();
    name.resize(name.len().max(length), b'~');
    name
}
