//! Digests of model files: a quick one that identifies a model, and the SHA-256 of a whole file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::error::{GgufError, ModelError, Problem};
use super::parts::Part;

/// Returns the SHA-256 of a whole file in hexadecimal. Reports its progress: bytes that were read, and all bytes.
///
/// # Errors
///
/// When the file cannot be read.
pub fn sha256(path: &Path, progress: &mut dyn FnMut(u64, u64)) -> io::Result<String> {
    let mut file = File::open(path)?;
    let (mut digest, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    let (mut done, all) = (0, file.metadata()?.len());
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(crate::text::hex(&digest.finalize()));
        }
        digest.update(&buffer[..read]);
        done += read as u64;
        progress(done, all);
    }
}

/// Returns the digest that [`super::inspect`] defines.
pub(super) fn digest(parts: &mut [Part]) -> Result<String, ModelError> {
    let mut digest = Sha256::new();
    for part in parts {
        add(part, &mut digest).map_err(|error| Problem::Gguf(GgufError::Io(error)).at(&part.path))?;
    }
    Ok(format!("gguf2:{}", crate::text::hex(&digest.finalize())))
}

fn add(part: &mut Part, digest: &mut Sha256) -> io::Result<()> {
    let Part { file, size, header, .. } = part;
    #[cfg(target_os = "linux")]
    if *size / PAGES > FAR * header.tensors.len() as u64 {
        // Advice that is not taken costs time only.
        let _ = rustix::fs::fadvise(&*file, 0, None, rustix::fs::Advice::Random);
    }
    let mut buffer = vec![0; 1 << 16];
    let mut take = |start: u64, length: u64, digest: &mut Sha256| -> io::Result<()> {
        file.seek(SeekFrom::Start(start))?;
        let mut left = file.by_ref().take(length);
        while left.limit() > 0 {
            match left.read(&mut buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => digest.update(&buffer[..read]),
            }
        }
        Ok(())
    };
    take(0, header.length, digest)?;
    digest.update(size.to_le_bytes());
    for tensor in &header.tensors {
        for (from, length) in pages(tensor.size, tensor.shape[2]) {
            take(header.data + tensor.offset + from, length, digest)?;
        }
    }
    Ok(())
}

/// Returns the ranges of a tensor that are read: the start and the length of each.
fn pages(size: u64, experts: u64) -> impl Iterator<Item = (u64, u64)> {
    let count = experts.clamp(PAGES, MOST_PAGES);
    let (count, length) = if size <= count * PAGE { (1, size) } else { (count, PAGE) };
    let last = size - length;
    let step = last / (count - 1).max(1);
    // The step is rounded down, so the last page is placed by the end of the tensor.
    (0..count - 1).map(move |page| page * step).chain([last]).map(move |from| (from, length))
}

/// Bytes between two pages, on average, from which on reading ahead is a waste. It would fetch 6.6 GB of the 20b instead of
/// 0.15, and take twice as long.
#[cfg(target_os = "linux")]
const FAR: u64 = 128 << 10;
/// Bytes in a page.
const PAGE: u64 = 4096;
/// Pages of a tensor that are read, at least.
const PAGES: u64 = 64;
/// Pages of a tensor that are read, at most. No model has more experts.
const MOST_PAGES: u64 = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_spread_from_the_first_byte_of_a_tensor_to_the_last_and_none_of_its_experts_is_left_out() {
        for (experts, count) in [(0, 64), (1, 64), (32, 64), (128, 128), (5000, 1024)] {
            for size in [1, 4096, count * PAGE] {
                assert_eq!(pages(size, experts).collect::<Vec<_>>(), [(0, size)], "read whole");
            }
            for size in [count * PAGE + 1, 1 << 20, 530_841_600, 1 << 53].map(|size: u64| size.max(count * PAGE + 1)) {
                let pages: Vec<(u64, u64)> = pages(size, experts).collect();
                assert_eq!(pages.len() as u64, count);
                assert_eq!((pages[0], pages[pages.len() - 1]), ((0, PAGE), (size - PAGE, PAGE)));
                assert!(pages.windows(2).all(|pair| pair[0].0 + PAGE <= pair[1].0), "{size}");
                let even = pages.windows(2).all(|pair| pair[1].0 - pair[0].0 <= size / (count - 1) + count);
                assert!(even, "{size}");
                for expert in 0..experts.min(1024) {
                    let share = size / experts;
                    let (from, to) = (expert * share, (expert + 1) * share);
                    let seen = |page: &(u64, u64)| page.0 < to && page.0 + PAGE > from;
                    assert!(experts > 1024 || pages.iter().any(seen), "expert {expert} of {experts} in {size}");
                }
            }
        }
    }
}
