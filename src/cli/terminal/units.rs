//! Numbers with units, for people.

/// Returns a size in megabytes, or in gigabytes from 1 GB on.
pub fn megabytes(bytes: u64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "a size for people")]
    let size = bytes as f64;
    if size < 1e9 { format!("{:.1} MB", size / 1e6) } else { format!("{:.2} GB", size / 1e9) }
}
