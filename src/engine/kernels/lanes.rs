//! Sixteen numbers at a time, in as many registers as an instruction set needs for them.

use std::f32::consts::LN_2;

/// Numbers that are computed at once.
pub const LANES: usize = 16;

/// 1.5 * 2^23. In a sum with this number the lowest bits are the other's integer part, rounded.
pub const ROUNDER: f32 = 12_582_912.0;

/// Sixteen numbers in F32. The same operations give the same bits on every instruction set.
///
/// Methods are inlined into a function that is compiled for the instruction set, and may be called from there only.
pub trait Lanes: Copy {
    /// Returns a number in all lanes.
    fn splat(number: f32) -> Self;
    /// Returns the numbers of an array.
    fn load(numbers: &[f32; LANES]) -> Self;
    /// Writes the numbers to an array.
    fn store(self, numbers: &mut [f32; LANES]);
    /// Returns the sum.
    fn add(self, other: Self) -> Self;
    /// Returns the product.
    fn mul(self, other: Self) -> Self;
    /// Returns `self` * `factor` + `summand`, rounded once.
    fn mul_add(self, factor: Self, summand: Self) -> Self;
    /// Returns `self` where it is larger, else `other`.
    fn larger(self, other: Self) -> Self;
    /// Returns 2 to the power of the integers in the lowest bits of the numbers, as a sum with [`ROUNDER`] has them.
    fn power_of_two(self) -> Self;
    /// Returns zero where `self` is below `least`, `self` where it is NaN, else `result`.
    fn if_above(self, least: Self, result: Self) -> Self;

    /// Returns 2 to the power of `self` - `reference`, with an error of at most 2 units in the last place.
    ///
    /// `reference` is an integer, and not below the numbers by more than 1. With another reference the result differs by
    /// a power of two exactly. A result that would be denormal is zero.
    #[inline(always)]
    fn power(self, reference: Self) -> Self {
        let least = reference.add(Self::splat(-126.0));
        let bounded = self.larger(least);
        let integer = bounded.add(Self::splat(ROUNDER)).add(Self::splat(-ROUNDER));
        let rest = bounded.add(integer.mul(Self::splat(-1.0)));
        // The powers of the logarithm of 2, each divided by its factorial.
        let mut sum = Self::splat(1.525_273_4e-5);
        for factor in [1.540_353e-4, 1.333_355_8e-3, 9.618_129e-3, 5.550_411e-2, 0.240_226_5, LN_2, 1.0] {
            sum = rest.mul_add(sum, Self::splat(factor));
        }
        let exponent = integer.add(reference.mul(Self::splat(-1.0)));
        self.if_above(least, sum.mul(exponent.add(Self::splat(ROUNDER)).power_of_two()))
    }

    /// Combines the lanes: halves with halves, then quarters, and so on.
    #[inline(always)]
    fn folded(self, combine: impl Fn(f32, f32) -> f32) -> f32 {
        let mut lanes = [0.0; LANES];
        self.store(&mut lanes);
        let mut half = LANES / 2;
        while half > 0 {
            for lane in 0..half {
                lanes[lane] = combine(lanes[lane], lanes[lane + half]);
            }
            half /= 2;
        }
        lanes[0]
    }
}

/// The reference: one number at a time.
impl Lanes for [f32; LANES] {
    fn splat(number: f32) -> Self {
        [number; LANES]
    }

    fn load(numbers: &[f32; LANES]) -> Self {
        *numbers
    }

    fn store(self, numbers: &mut [f32; LANES]) {
        *numbers = self;
    }

    fn add(self, other: Self) -> Self {
        std::array::from_fn(|lane| self[lane] + other[lane])
    }

    fn mul(self, other: Self) -> Self {
        std::array::from_fn(|lane| self[lane] * other[lane])
    }

    fn mul_add(self, factor: Self, summand: Self) -> Self {
        std::array::from_fn(|lane| self[lane].mul_add(factor[lane], summand[lane]))
    }

    fn larger(self, other: Self) -> Self {
        std::array::from_fn(|lane| if self[lane] > other[lane] { self[lane] } else { other[lane] })
    }

    fn power_of_two(self) -> Self {
        self.map(|number| f32::from_bits((number.to_bits() << 23).wrapping_add(127 << 23)))
    }

    fn if_above(self, least: Self, result: Self) -> Self {
        std::array::from_fn(|lane| match self[lane] {
            power if power.is_nan() => power,
            power if power < least[lane] => 0.0,
            _ => result[lane],
        })
    }
}
