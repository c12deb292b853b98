//! The search for the fastest setting: hill climbing over the number of contents, the number of workers and the layout.
//!
//! One step at a time is compared with the best setting so far. It is taken only if it gains more than chance. The
//! measurement of speed is the caller's.

use serde::{Deserialize, Serialize};

use super::backend::Layout;

/// The settings that are searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tuning {
    /// Most contents in flight, of all workers together.
    pub parallel: usize,
    /// Number of workers.
    pub workers: usize,
    /// KV-cache layout.
    pub layout: Layout,
}

/// The least gain for which a step is taken, as a ratio of speeds. A smaller gain may be chance, and a step may take
/// memory.
pub const GAIN: f64 = 1.03;

/// Climbs from a setting to one that no single step improves by [`GAIN`].
///
/// `fits` reports whether a setting is possible. `faster` returns the speed of its second setting divided by that of
/// its first.
///
/// # Errors
///
/// The errors of `faster`.
pub fn climb<E>(
    start: Tuning,
    fits: impl Fn(Tuning) -> bool,
    mut faster: impl FnMut(Tuning, Tuning) -> Result<f64, E>,
) -> Result<Tuning, E> {
    let mut best = start;
    for [ahead, back] in STEPS {
        for step in [ahead, back] {
            let begun = best;
            while let Some(next) = step(best).filter(|next| fits(*next)) {
                if faster(best, next)? < GAIN {
                    break;
                }
                best = next;
            }
            // The opposite step would only lead back.
            if best != begun {
                break;
            }
        }
    }
    Ok(best)
}

type Step = fn(Tuning) -> Option<Tuning>;

/// For each dimension a step and its opposite, which is tried if the step gains nothing. The order matters: the best
/// number of contents depends on the workers, and the layout on both.
const STEPS: [[Step; 2]; 3] = [
    [
        |at| doubled(at.workers).map(|workers| Tuning { workers, ..at }),
        |at| halved(at.workers).map(|workers| Tuning { workers, ..at }),
    ],
    [
        |at| doubled(at.parallel).map(|parallel| Tuning { parallel, ..at }),
        |at| halved(at.parallel).map(|parallel| Tuning { parallel, ..at }),
    ],
    [
        |at| (at.layout == Layout::Unified).then_some(Tuning { layout: Layout::Split, ..at }),
        |at| (at.layout == Layout::Split).then_some(Tuning { layout: Layout::Unified, ..at }),
    ],
];

fn doubled(number: usize) -> Option<usize> {
    number.checked_mul(2)
}

fn halved(number: usize) -> Option<usize> {
    (number > 1).then_some(number / 2)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    const START: Tuning = Tuning { parallel: 8, workers: 1, layout: Layout::Unified };

    /// Returns the setting that is found for a speed function, and the number of comparisons.
    fn found(speed: impl Fn(Tuning) -> f64, fits: impl Fn(Tuning) -> bool) -> (Tuning, usize) {
        let mut pairs = 0;
        let best = climb(START, fits, |one, two| {
            pairs += 1;
            Ok::<_, Infallible>(speed(two) / speed(one))
        });
        (best.unwrap(), pairs)
    }

    fn logarithm(number: usize) -> f64 {
        f64::from(number.ilog2())
    }

    fn small(setting: Tuning) -> bool {
        setting.parallel <= 64 && setting.workers <= 4
    }

    #[test]
    fn the_peak_is_found_in_whichever_direction_it_lies() {
        for (parallel, workers, layout) in
            [(32, 1, Layout::Unified), (2, 2, Layout::Split), (8, 1, Layout::Unified), (64, 4, Layout::Split)]
        {
            let away = |one: usize, other: usize| f64::from(one.ilog2().abs_diff(other.ilog2()));
            let speed = |at: Tuning| {
                let off = away(at.parallel, parallel) + away(at.workers, workers);
                0.8_f64.powf(off) * if at.layout == layout { 1.0 } else { 0.9 }
            };
            assert_eq!(found(speed, small).0, Tuning { parallel, workers, layout });
        }
    }

    #[test]
    fn what_gains_hardly_anything_is_not_taken() {
        let speed = |at: Tuning| 1.02_f64.powf(logarithm(at.parallel) + logarithm(at.workers));
        assert_eq!(found(speed, small), (START, 4));
    }

    #[test]
    fn what_does_not_fit_is_not_tried() {
        let speed = |at: Tuning| {
            assert!(small(at), "{at:?}");
            2_f64.powf(logarithm(at.parallel) + logarithm(at.workers))
        };
        assert_eq!(found(speed, small).0, Tuning { parallel: 64, workers: 4, layout: Layout::Unified });
        assert_eq!(found(|_| panic!("nothing fits"), |_| false), (START, 0));
    }

    #[test]
    fn what_cannot_be_measured_ends_it() {
        assert_eq!(climb(START, |_| true, |_, _| Err("no memory")), Err("no memory"));
    }
}
