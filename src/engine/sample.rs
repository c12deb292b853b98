//! Sampling: from logits to a token, or to the logarithm that a probability needs.
//!
//! The candidates are named beforehand: a range of ordinary tokens and a few control tokens. No other token can be
//! sampled. Probabilities are nevertheless over the whole vocabulary.

use std::ops::Range;

use super::backend::Fault;
use super::config::Sampling;
use crate::random::Random;
use crate::tokenizer::Token;

/// The sampler of one item.
#[derive(Clone, Debug)]
pub(super) struct Sampler {
    temperature: f32,
    random: Random,
}

impl Sampler {
    pub(super) fn new(sampling: Sampling) -> Self {
        Self { temperature: sampling.temperature, random: Random::new(sampling.seed) }
    }

    /// Returns a token from `ordinary` or `controls`.
    ///
    /// # Errors
    ///
    /// [`Fault::NotFinite`] if no candidate has a finite logit.
    pub(super) fn take(&mut self, logits: &[f32], ordinary: &Range<u32>, controls: &[Token]) -> Result<Token, Fault> {
        let words = &logits[ordinary.start as usize..ordinary.end as usize];
        let controls = controls.iter().map(|token| (token.0, logits[token.0 as usize]));
        let best = if self.temperature > 0.0 {
            // Gumbel's method: the largest of logit / T plus noise is a draw from the softmax, in one pass.
            let temperature = self.temperature;
            let words = ordinary.clone().zip(words.iter().copied());
            largest(words.chain(controls).map(|(id, logit)| (id, logit / temperature + self.gumbel())))
        } else {
            let word = first_largest(words).map(|(place, top)| (ordinary.start + place, top));
            largest(word.into_iter().chain(controls))
        };
        best.filter(|(_, logit)| logit.is_finite()).map(|(id, _)| Token(id)).ok_or(Fault::NotFinite)
    }

    /// Returns a number from the standard Gumbel distribution.
    fn gumbel(&mut self) -> f32 {
        -(-open_unit(self.random.bits()).ln()).ln()
    }
}

/// Returns the upper 23 bits as a number between 0 and 1, both excluded.
///
/// The number is in the middle of a step of 2^-23, as the logarithms of 0 and 1 are useless here.
fn open_unit(bits: u64) -> f32 {
    #[allow(clippy::cast_precision_loss, reason = "23 bits and a half are exact in an f32")]
    let steps = (bits >> 41) as f32 + 0.5;
    steps / 8_388_608.0
}

fn largest(candidates: impl Iterator<Item = (u32, f32)>) -> Option<(u32, f32)> {
    candidates.reduce(|best, other| if other.1 > best.1 || best.1.is_nan() { other } else { best })
}

/// Returns the place of the first of the largest values, and the value. It ignores NaN. `None` if there is no other value.
///
/// The values are read from memory once. Only the piece that has the largest is searched for the place.
fn first_largest(values: &[f32]) -> Option<(u32, f32)> {
    const PIECE: usize = 2048;
    let mut best = (0, f32::NEG_INFINITY);
    for (number, piece) in values.chunks(PIECE).enumerate() {
        let top = maximum(piece);
        if top > best.1 {
            best = (number * PIECE, top);
        }
    }
    let (begin, top) = best;
    let place = begin + values.get(begin..)?.iter().position(|value| *value >= top)?;
    Some((u32::try_from(place).ok()?, top))
}

/// Returns the largest value. It ignores NaN, and compares 64 lanes at a time, so that none waits for the one before.
fn maximum(values: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; 64];
    let (chunks, rest) = values.as_chunks::<64>();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = if *value > *lane { *value } else { *lane };
        }
    }
    lanes.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max)
}

/// Returns the natural logarithm of the sum by which the softmax divides.
///
/// # Errors
///
/// [`Fault::NotFinite`] if it is not a finite number.
pub(super) fn log_sum_exp(logits: &[f32]) -> Result<f64, Fault> {
    let largest = maximum(logits);
    // The processor adds eight independent sums at a time.
    let mut sums = [0f32; 8];
    let (chunks, rest) = logits.as_chunks::<8>();
    for chunk in chunks {
        for (sum, logit) in sums.iter_mut().zip(chunk) {
            *sum += exp(logit - largest);
        }
    }
    for (sum, logit) in sums.iter_mut().zip(rest) {
        *sum += exp(logit - largest);
    }
    let log = f64::from(largest) + sums.iter().copied().map(f64::from).sum::<f64>().ln();
    if log.is_finite() { Ok(log) } else { Err(Fault::NotFinite) }
}

/// Returns e to a power of at most 0, exact to six digits.
///
/// The standard library's function does not vectorize, and a softmax over the vocabulary calls it 201,088 times.
#[allow(clippy::excessive_precision, reason = "the constants as Cephes has them (Moshier, expf.c)")]
fn exp(power: f32) -> f32 {
    // Smaller results do not change a sum of at least 1. NaN passes through.
    let power = if power < -80.0 { -80.0 } else { power };
    // Adding 1.5 * 2^23 rounds to a whole number, which is then in the lowest bits.
    let shifted = power * std::f32::consts::LOG2_E + 12_582_912.0;
    let whole = shifted - 12_582_912.0;
    let rest = power - whole * 0.693_359_375 + whole * 2.121_944_4e-4;
    let series = ((((1.987_569_15e-4 * rest + 1.398_199_95e-3) * rest + 8.333_451_9e-3) * rest + 4.166_579_6e-2)
        * rest
        + 1.666_666_55e-1)
        * rest
        + 0.5;
    let scale = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    (series * rest * rest + rest + 1.0) * scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_candidates_come_out() {
        let mut logits = vec![0.0; 10];
        logits[9] = 100.0;
        logits[3] = 1.0;
        let mut sampler = Sampler::new(Sampling::default());
        assert_eq!(sampler.take(&logits, &(0..6), &[Token(7)]), Ok(Token(3)));
        logits[7] = 2.0;
        assert_eq!(sampler.take(&logits, &(0..6), &[Token(7)]), Ok(Token(7)));
        let mut sampler = Sampler::new(Sampling { temperature: 5.0, seed: 1 });
        for _ in 0..1000 {
            let token = sampler.take(&logits, &(0..6), &[Token(7)]).unwrap();
            assert!(token.0 < 6 || token.0 == 7);
        }
    }

    #[test]
    fn draws_follow_the_softmax_and_repeat_with_the_seed() {
        let logits = [0.0, 3f32.ln()];
        let draw = |seed| {
            let mut sampler = Sampler::new(Sampling { temperature: 1.0, seed });
            (0..4000).map(|_| sampler.take(&logits, &(0..2), &[]).unwrap().0).sum::<u32>()
        };
        assert!((2850..3150).contains(&draw(7)), "{}", draw(7));
        assert_eq!(draw(7), draw(7));
    }

    #[test]
    fn every_draw_is_a_number() {
        for bits in [0, 1, u64::MAX, u64::MAX - 1, 1 << 63] {
            let unit = open_unit(bits);
            assert!(unit > 0.0 && unit < 1.0, "{bits:x}: {unit}");
            assert!((-(-unit.ln()).ln()).is_finite());
        }
    }

    #[test]
    fn logits_that_are_no_numbers_are_a_fault() {
        let nan = [f32::NAN; 4];
        assert_eq!(Sampler::new(Sampling::default()).take(&nan, &(0..4), &[]), Err(Fault::NotFinite));
        assert_eq!(log_sum_exp(&nan), Err(Fault::NotFinite));
        assert_eq!(log_sum_exp(&[f32::NEG_INFINITY; 4]), Err(Fault::NotFinite));
        assert_eq!(log_sum_exp(&[0.0, f32::NAN]), Err(Fault::NotFinite));
    }

    #[test]
    fn powers_of_e_are_right_to_six_digits() {
        for step in 0..60_000u16 {
            let power = -f32::from(step) / 800.0;
            let (ours, theirs) = (exp(power), f64::from(power).exp());
            assert!((f64::from(ours) / theirs - 1.0).abs() < 1e-6, "{power}: {ours} {theirs}");
        }
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(f32::NEG_INFINITY) < 1e-30);
    }

    #[test]
    fn the_sum_is_that_of_the_whole_vocabulary() {
        let logits: Vec<f32> = (0..1003u16).map(|value| f32::from(value % 17) - 4.0).collect();
        let expected: f64 = logits.iter().map(|logit| f64::from(*logit).exp()).sum::<f64>().ln();
        assert!((log_sum_exp(&logits).unwrap() - expected).abs() < 1e-5);
    }
}
