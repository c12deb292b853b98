//! Calibration: the reliability of probabilities, and the verdicts that may be acted on without a person.

pub mod certificate;
pub mod interval;
pub mod map;
pub mod reliability;
pub mod setup;
pub mod stop;
pub mod terms;
