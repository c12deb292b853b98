//! Any bytes as the header of a GGUF file.
#![no_main]

use std::io::{self, Read};

use libfuzzer_sys::fuzz_target;
use magistrate::gguf::GgufError;
use magistrate::gguf::header::Header;

fuzz_target!(|bytes: &[u8]| {
    check(Header::read(bytes, bytes.len() as u64), bytes.len() as u64);
    // The same at the beginning of a terabyte, so that no number is refused for want of bytes.
    let file = bytes.chain(io::repeat(0));
    check(Header::read(file, 1 << 40), 1 << 40);
});

fn check(found: Result<Header, GgufError>, size: u64) {
    match found {
        Ok(header) => {
            assert!(header.length <= size && header.data >= header.length);
            assert!(header.alignment.is_power_of_two() && header.data.is_multiple_of(header.alignment));
            let mut end = 0;
            for tensor in &header.tensors {
                assert!(tensor.offset >= end && tensor.size > 0, "{tensor:?}");
                end = tensor.offset + tensor.size;
            }
        }
        Err(error) => {
            let text = error.to_string();
            assert!((10..400).contains(&text.len()) && !text.contains(char::is_control), "{text:?}");
        }
    }
}
