//! The arithmetic of attention: a tile of cells, and the states of the rows that it is added to.

use super::super::block::from_half;
use super::super::lanes::{LANES, Lanes, ROUNDER};

/// Length of a head's vectors.
pub const HEAD: usize = 64;

/// Cells of a tile.
pub const TILE: usize = 32;

/// Rows that are computed at once, in registers. A row is a head of queries of a token.
pub const ROWS: usize = 4;

/// The cells of a tile in F32. Keys lie cell beside cell, values one after the other.
pub struct Tile {
    keys: [[f32; TILE]; HEAD],
    values: [[f32; HEAD]; TILE],
}

impl Tile {
    pub const EMPTY: Self = Self { keys: [[0.0; TILE]; HEAD], values: [[0.0; HEAD]; TILE] };

    /// Unpacks at most [`TILE`] cells: a key and a value in F16 of each. The rest of the tile stays as it was: its mask
    /// hides it. Reports whether all numbers are finite.
    ///
    /// # Safety
    ///
    /// The pointers are those of [`HEAD`] numbers each.
    #[inline(always)]
    pub unsafe fn unpack(&mut self, cells: impl Iterator<Item = (*const u8, *const u8)>) -> bool {
        let mut is_finite = true;
        for (place, (key, value)) in cells.enumerate() {
            // SAFETY: as the caller says.
            let (key, value) =
                unsafe { (key.cast::<[u16; HEAD]>().read_unaligned(), value.cast::<[u16; HEAD]>().read_unaligned()) };
            is_finite &= are_finite(&key) && are_finite(&value);
            self.values[place] = floats(&value);
            for (row, key) in self.keys.iter_mut().zip(floats(&key)) {
                row[place] = key;
            }
        }
        is_finite
    }
}

/// Returns F16 numbers as F32.
#[inline(always)]
fn floats(bits: &[u16; HEAD]) -> [f32; HEAD] {
    let mut floats = [0.0; HEAD];
    for place in 0..HEAD {
        floats[place] = from_half(bits[place]);
    }
    floats
}

/// Reports whether F16 numbers are neither infinite nor NaN.
#[inline(always)]
fn are_finite(bits: &[u16; HEAD]) -> bool {
    let specials: u16 = bits.iter().map(|&bits| u16::from(bits & 0x7c00 == 0x7c00)).sum();
    specials == 0
}

/// The rows of some tokens, each with its query, the sum of values so far, the sum of its weights, and the integer that
/// its weights are relative to: the largest score so far, rounded.
pub struct States<'a> {
    /// Rows of a token, a multiple of [`ROWS`].
    pub rows: usize,
    pub queries: &'a mut [[f32; HEAD]],
    pub sums: &'a mut [[f32; HEAD]],
    pub references: &'a mut [f32],
    pub totals: &'a mut [f32],
}

impl States<'_> {
    /// Numbers of memory for a row.
    pub const SIZE: usize = 2 * HEAD + 2;

    /// Makes the states of tokens that have seen nothing. Their queries are zero.
    ///
    /// # Safety
    ///
    /// The memory has [`Self::SIZE`] numbers for each row, lives as long as the states, and has no other use.
    #[inline(always)]
    pub unsafe fn new(memory: *mut f32, rows: usize, tokens: usize) -> Self {
        let all = tokens * rows;
        // SAFETY: as the caller says.
        let states = unsafe {
            Self {
                rows,
                queries: std::slice::from_raw_parts_mut(memory.cast(), all),
                sums: std::slice::from_raw_parts_mut(memory.add(all * HEAD).cast(), all),
                references: std::slice::from_raw_parts_mut(memory.add(2 * all * HEAD), all),
                totals: std::slice::from_raw_parts_mut(memory.add(2 * all * HEAD + all), all),
            }
        };
        states.queries.fill([0.0; HEAD]);
        states.sums.fill([0.0; HEAD]);
        states.references.fill(f32::NEG_INFINITY);
        states.totals.fill(0.0);
        states
    }

    /// Adds a tile to the rows of a token.
    #[inline(always)]
    pub fn add<L: Lanes>(&mut self, token: usize, tile: &Tile, mask: &[f32; TILE]) {
        let groups = self.rows / ROWS;
        for group in token * groups..(token + 1) * groups {
            let queries = &self.queries.as_chunks().0[group];
            let sums = &mut self.sums.as_chunks_mut().0[group];
            let references = &mut self.references.as_chunks_mut().0[group];
            let totals = &mut self.totals.as_chunks_mut().0[group];
            add_tile::<L>(tile, mask, queries, sums, references, totals);
        }
    }
}

/// Adds a tile to the states of [`ROWS`] rows of a token.
#[inline(always)]
fn add_tile<L: Lanes>(
    tile: &Tile,
    mask: &[f32; TILE],
    queries: &[[f32; HEAD]; ROWS],
    sums: &mut [[f32; HEAD]; ROWS],
    references: &mut [f32; ROWS],
    totals: &mut [f32; ROWS],
) {
    let mut weights = scores::<L>(tile, mask, queries);
    let mut factors = [0.0; ROWS];
    for row in 0..ROWS {
        let parts = weights[row].as_chunks_mut().0;
        let mut largest = L::splat(f32::NEG_INFINITY);
        for part in parts.iter() {
            largest = L::load(part).larger(largest);
        }
        let before = references[row];
        let now = larger(rounded(largest.folded(|one, two| larger(two, one))), before);
        for part in parts {
            L::load(part).power(L::splat(now)).store(part);
        }
        // Sums so far count less if a score is larger than all before.
        factors[row] = if now > before { power::<L>(before, now) } else { 1.0 };
        references[row] = now;
        totals[row] *= factors[row];
    }
    for cell in 0..TILE {
        for row in 0..ROWS {
            totals[row] += weights[row][cell];
        }
    }
    for part in 0..HEAD / LANES {
        let mut added = [L::splat(0.0); ROWS];
        for row in 0..ROWS {
            added[row] = L::load(&sums[row].as_chunks().0[part]).mul(L::splat(factors[row]));
        }
        for cell in 0..TILE {
            let values = L::load(&tile.values[cell].as_chunks().0[part]);
            for row in 0..ROWS {
                added[row] = L::splat(weights[row][cell]).mul_add(values, added[row]);
            }
        }
        for row in 0..ROWS {
            added[row].store(&mut sums[row].as_chunks_mut().0[part]);
        }
    }
}

/// Returns the scores of a tile's cells for each row. They are minus infinity for hidden cells.
#[inline(always)]
fn scores<L: Lanes>(tile: &Tile, mask: &[f32; TILE], queries: &[[f32; HEAD]; ROWS]) -> [[f32; TILE]; ROWS] {
    let mut all = [[0.0; TILE]; ROWS];
    for part in 0..TILE / LANES {
        let mut scores = [L::splat(0.0); ROWS];
        for place in 0..HEAD {
            let keys = L::load(&tile.keys[place].as_chunks().0[part]);
            for row in 0..ROWS {
                scores[row] = L::splat(queries[row][place]).mul_add(keys, scores[row]);
            }
        }
        let mask = L::load(&mask.as_chunks().0[part]);
        for row in 0..ROWS {
            scores[row].add(mask).store(&mut all[row].as_chunks_mut().0[part]);
        }
    }
    all
}

/// Returns the larger number, or `other` if `one` is NaN.
#[inline(always)]
pub fn larger(one: f32, other: f32) -> f32 {
    if one > other { one } else { other }
}

/// Returns a score rounded to an integer. Minus infinity and NaN stay.
#[inline(always)]
pub fn rounded(score: f32) -> f32 {
    score + ROUNDER - ROUNDER
}

/// Returns 2 to the power of `score` - `reference`.
#[inline(always)]
pub fn power<L: Lanes>(score: f32, reference: f32) -> f32 {
    let mut powers = [0.0; LANES];
    L::splat(score).power(L::splat(reference)).store(&mut powers);
    powers[0]
}
