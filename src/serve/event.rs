//! The events of a server, for the person who started it.

/// An event of a server.
#[derive(Debug)]
pub enum Event {
    /// Policies were read again, from this place.
    Reloaded(String),
    /// Policies could not be read again from this place. The old policies stay.
    NotReloaded(String, String),
    /// The model is loaded, and the first policies are decoded.
    Ready,
    /// Texts could not be put into the review queue, for this reason. It is reported once.
    NotReviewed(String),
    /// Connections that were cut off at the end.
    CutOff(usize),
}
