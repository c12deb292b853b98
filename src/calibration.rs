//! Calibration: how far a probability can be relied on, and which verdicts may be acted on without a person.

pub mod certificate;
pub mod interval;
pub mod map;
pub mod provenance;
