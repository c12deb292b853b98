//! Attention of queries to the cells of a KV cache, with several heads of queries for each head of keys.
//!
//! Texts behind the same policy see the same cells. So the cells of a tile are unpacked once for the queries of several
//! tokens, and tiles that no token sees are skipped. Each row keeps its own maximum and total (Milakov and Gimelshein
//! 2018).
//!
//! Weights are powers of two relative to an integer, so a larger maximum scales sums without rounding. Cells are added
//! one by one, in order. So a result depends on the cells that its token sees and on their order, to the last bit: not
//! on their places in the cache, on tiles, or on other tokens.

use std::f32::consts::LOG2_E;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::block::from_half;
use super::lanes::{LANES, Lanes, ROUNDER};
use super::product::Thread;

/// Length of a head's vectors.
pub const HEAD: usize = 64;

/// Cells of a tile.
const TILE: usize = 32;

/// Most tokens that share an unpacked tile.
const TOKENS: usize = 16;

/// Rows that are computed at once, in registers. A row is a head of queries of a token.
const ROWS: usize = 4;

/// A tensor of vectors: one for each place, head and stream. Strides are in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Vectors {
    /// The first number.
    pub first: *const u8,
    /// From a token or cell to the next.
    pub stride: usize,
    /// From a head to the next.
    pub head_stride: usize,
    /// From a stream of the cache to the next.
    pub stream_stride: usize,
}

/// The operands of attention.
#[derive(Clone, Copy, Debug)]
pub struct Attention {
    /// Tokens of each stream.
    pub tokens: usize,
    /// Streams of the cache.
    pub streams: usize,
    /// Cells of each stream.
    pub cells: usize,
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and of values. The heads of queries are a multiple.
    pub key_heads: usize,
    /// Factor of all scores.
    pub scale: f32,
    /// Queries in F32.
    pub queries: Vectors,
    /// Keys in F16.
    pub keys: Vectors,
    /// Values in F16.
    pub values: Vectors,
    /// A number in F16 for each token and cell, which is added to their score. One for all heads.
    pub mask: Vectors,
    /// The score of each head's sink, in F32. A sink takes its share and has no value.
    pub sinks: *const f32,
    /// The results in F32: a vector for each stream, token and head, one after the other.
    pub results: *mut f32,
}

/// The function of a kernel: computes one piece, for a key head and some tokens, in working memory.
pub type Attend = unsafe fn(attention: &Attention, piece: usize, memory: *mut f32);

const LINE: usize = 64;

impl Attention {
    /// Rows of a token for each key head, filled up to whole groups.
    fn rows(&self) -> usize {
        (self.heads / self.key_heads).next_multiple_of(ROWS)
    }

    /// The number of groups of tokens.
    fn groups(&self) -> usize {
        self.tokens.div_ceil(TOKENS)
    }

    fn pieces(&self) -> usize {
        self.streams * self.groups() * self.key_heads
    }

    /// Numbers of a thread's working memory: two vectors, a maximum and a total for each row.
    fn memory(&self) -> usize {
        (TOKENS * self.rows() * (2 * HEAD + 2)).next_multiple_of(LINE / size_of::<f32>())
    }

    /// Bytes of memory that [`Self::compute`] needs.
    #[must_use]
    pub fn work_size(&self, threads: usize) -> usize {
        LINE + threads * self.memory() * size_of::<f32>()
    }

    /// Computes this thread's part. All threads call it, and return when no piece is left to begin.
    ///
    /// # Safety
    ///
    /// The operands are as the fields say, and nothing else changes them. `work` has [`Self::work_size`] bytes, is
    /// aligned to 64 bytes, and is shared by all threads. `barrier` returns after all threads have called it.
    pub unsafe fn compute(&self, attend: Attend, thread: Thread, work: *mut u8, barrier: impl FnOnce()) {
        // SAFETY: the parts of the memory are those that `work_size` counts. The counter is aligned as `work` is.
        unsafe {
            let next = &*work.cast::<AtomicUsize>();
            let memory = work.add(LINE).cast::<f32>().add(thread.index * self.memory());
            if thread.index == 0 {
                next.store(thread.count, Ordering::Relaxed);
            }
            barrier();
            let mut piece = thread.index;
            while piece < self.pieces() {
                attend(self, piece, memory);
                piece = next.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// The stream, the key head and the tokens of a piece.
    fn piece(&self, piece: usize) -> (usize, usize, Range<usize>) {
        let (head, rest) = (piece % self.key_heads, piece / self.key_heads);
        let (group, stream) = (rest % self.groups(), rest / self.groups());
        let groups = self.groups();
        (stream, head, self.tokens * group / groups..self.tokens * (group + 1) / groups)
    }
}

impl Vectors {
    fn at(&self, place: usize, head: usize, stream: usize) -> *const u8 {
        self.first.wrapping_add(place * self.stride + head * self.head_stride + stream * self.stream_stride)
    }
}

/// The cells of a tile in F32. Keys lie cell beside cell, values one after the other.
struct Tile {
    keys: [[f32; TILE]; HEAD],
    values: [[f32; HEAD]; TILE],
}

impl Tile {
    const EMPTY: Self = Self { keys: [[0.0; TILE]; HEAD], values: [[0.0; HEAD]; TILE] };
}

/// The rows of a piece, each with the sum of values so far, the sum of its weights, and the integer that its weights are
/// relative to: the largest score so far, rounded.
struct Piece<'a> {
    /// Rows of a token.
    rows: usize,
    queries: &'a mut [[f32; HEAD]],
    sums: &'a mut [[f32; HEAD]],
    references: &'a mut [f32],
    totals: &'a mut [f32],
}

/// Cells that a token sees among many that it does not see. They wait until they fill a tile.
#[derive(Clone, Copy)]
struct Scattered {
    count: usize,
    cells: [usize; TILE],
    mask: [f32; TILE],
}

/// Tiles of which a token sees fewer cells are not computed whole.
const WHOLE: usize = TILE / 4;

/// Computes a piece. Each instruction set compiles it anew.
///
/// # Safety
///
/// The operands are as the fields say, and the memory has the size that `memory` counts.
#[inline(always)]
pub unsafe fn attend<L: Lanes>(attention: &Attention, number: usize, memory: *mut f32) {
    let (stream, head, tokens) = attention.piece(number);
    let rows = attention.rows();
    let all = tokens.len() * rows;
    // SAFETY: the parts are those that `memory` counts, and there are at most TOKENS tokens.
    let mut piece = unsafe {
        Piece {
            rows,
            queries: std::slice::from_raw_parts_mut(memory.cast(), all),
            sums: std::slice::from_raw_parts_mut(memory.add(all * HEAD).cast(), all),
            references: std::slice::from_raw_parts_mut(memory.add(2 * all * HEAD), all),
            totals: std::slice::from_raw_parts_mut(memory.add(2 * all * HEAD + all), all),
        }
    };
    // SAFETY: as the caller says.
    unsafe {
        begin(&mut piece, attention, stream, head, tokens.clone());
        add_cells::<L>(&mut piece, attention, stream, head, tokens.clone());
        finish::<L>(&mut piece, attention, stream, head, tokens);
    }
}

/// Reads the queries, scaled. Rows that fill up a group are zero.
#[inline(always)]
unsafe fn begin(piece: &mut Piece<'_>, attention: &Attention, stream: usize, head: usize, tokens: Range<usize>) {
    let used = attention.heads / attention.key_heads;
    // Scores are powers of two, not of e.
    let scale = attention.scale * LOG2_E;
    for (number, query) in piece.queries.iter_mut().enumerate() {
        let (token, row) = (tokens.start + number / piece.rows, number % piece.rows);
        *query = [0.0; HEAD];
        if row < used {
            // SAFETY: the query exists.
            let values = unsafe { &*attention.queries.at(token, head * used + row, stream).cast::<[f32; HEAD]>() };
            for place in 0..HEAD {
                query[place] = values[place] * scale;
            }
        }
    }
    piece.sums.fill([0.0; HEAD]);
    piece.references.fill(f32::NEG_INFINITY);
    piece.totals.fill(0.0);
}

/// Adds all cells to the rows that see them.
#[inline(always)]
unsafe fn add_cells<L: Lanes>(
    piece: &mut Piece<'_>,
    attention: &Attention,
    stream: usize,
    head: usize,
    tokens: Range<usize>,
) {
    const NOTHING: Scattered = Scattered { count: 0, cells: [0; TILE], mask: [f32::NEG_INFINITY; TILE] };
    let mut tile = Tile::EMPTY;
    let mut scattered = [NOTHING; TOKENS];
    for first in (0..attention.cells).step_by(TILE) {
        let cells = TILE.min(attention.cells - first);
        let mut is_finite = None;
        for (number, token) in tokens.clone().enumerate() {
            // SAFETY: the mask has a number for each token and cell.
            let mask = unsafe {
                let mask = attention.mask.at(token, 0, stream).cast::<u16>().add(first);
                std::slice::from_raw_parts(mask, cells)
            };
            let seen = usize::from(mask.iter().map(|&bits| u16::from(bits != HIDDEN)).sum::<u16>());
            if seen == 0 {
                continue;
            }
            // Zero times infinity is no zero: a token must not see another's cells in that way either.
            let mut whole = || {
                // SAFETY: the cells exist.
                *is_finite
                    .get_or_insert_with(|| unsafe { unpack(&mut tile, attention, stream, head, first..first + cells) })
            };
            let waiting = &mut scattered[number];
            if seen >= WHOLE && whole() {
                // Cells are added in their order.
                if waiting.count > 0 {
                    // SAFETY: the cells exist.
                    unsafe { add_scattered::<L>(piece, attention, stream, head, waiting, number) };
                    *waiting = NOTHING;
                }
                piece.add::<L>(&tile, &widened(mask), number);
            } else {
                for (cell, &bits) in mask.iter().enumerate().filter(|(_, bits)| **bits != HIDDEN) {
                    waiting.cells[waiting.count] = first + cell;
                    waiting.mask[waiting.count] = from_half(bits);
                    waiting.count += 1;
                    if waiting.count == TILE {
                        // SAFETY: the cells exist.
                        unsafe { add_scattered::<L>(piece, attention, stream, head, waiting, number) };
                        *waiting = NOTHING;
                    }
                }
            }
        }
    }
    for (number, waiting) in scattered.iter().enumerate().filter(|(_, waiting)| waiting.count > 0) {
        // SAFETY: the cells exist.
        unsafe { add_scattered::<L>(piece, attention, stream, head, waiting, number) };
    }
}

/// Adds scattered cells to the rows of a token.
#[inline(always)]
unsafe fn add_scattered<L: Lanes>(
    piece: &mut Piece<'_>,
    attention: &Attention,
    stream: usize,
    head: usize,
    scattered: &Scattered,
    token: usize,
) {
    let mut tile = Tile::EMPTY;
    // SAFETY: the cells exist.
    unsafe { unpack(&mut tile, attention, stream, head, scattered.cells[..scattered.count].iter().copied()) };
    piece.add::<L>(&tile, &scattered.mask, token);
}

/// Adds the sinks, divides by the totals, and writes the results.
#[inline(always)]
unsafe fn finish<L: Lanes>(
    piece: &mut Piece<'_>,
    attention: &Attention,
    stream: usize,
    head: usize,
    tokens: Range<usize>,
) {
    let used = attention.heads / attention.key_heads;
    for (number, sums) in piece.sums.iter_mut().enumerate() {
        let (token, row) = (tokens.start + number / piece.rows, number % piece.rows);
        if row < used {
            let query_head = head * used + row;
            // SAFETY: each head has a sink, and each token and head a result.
            unsafe {
                let (sink, before) = (*attention.sinks.add(query_head) * LOG2_E, piece.references[number]);
                let now = larger(rounded(sink), before);
                let (factor, share) = (power::<L>(before, now), power::<L>(sink, now));
                let total = piece.totals[number].mul_add(factor, share);
                for sum in sums.iter_mut() {
                    *sum = *sum * factor / total;
                }
                let place = (stream * attention.tokens + token) * attention.heads + query_head;
                attention.results.add(place * HEAD).cast::<[f32; HEAD]>().write(*sums);
            }
        }
    }
}

impl Piece<'_> {
    /// Adds a tile to the rows of a token.
    #[inline(always)]
    fn add<L: Lanes>(&mut self, tile: &Tile, mask: &[f32; TILE], token: usize) {
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

/// Minus infinity in F16: the mask of a cell that a token does not see.
const HIDDEN: u16 = 0xfc00;

/// Returns a tile's mask in F32. Cells beyond the last are hidden.
#[inline(always)]
fn widened(mask: &[u16]) -> [f32; TILE] {
    let mut wide = [f32::NEG_INFINITY; TILE];
    for (wide, &bits) in wide.iter_mut().zip(mask) {
        *wide = from_half(bits);
    }
    wide
}

/// Unpacks the keys and values of at most [`TILE`] cells. The rest of the tile stays as it was: its mask hides it.
/// Reports whether all numbers are finite.
///
/// # Safety
///
/// The cells exist.
#[inline(always)]
unsafe fn unpack(
    tile: &mut Tile,
    attention: &Attention,
    stream: usize,
    head: usize,
    cells: impl Iterator<Item = usize>,
) -> bool {
    let mut is_finite = true;
    for (place, cell) in cells.enumerate() {
        // SAFETY: as the caller says.
        let (keys, values) = unsafe {
            let keys = attention.keys.at(cell, head, stream).cast::<[u16; HEAD]>().read_unaligned();
            (keys, attention.values.at(cell, head, stream).cast::<[u16; HEAD]>().read_unaligned())
        };
        let (keys, finite_keys) = floats(&keys);
        let (values, finite_values) = floats(&values);
        is_finite &= finite_keys && finite_values;
        tile.values[place] = values;
        for (row, key) in tile.keys.iter_mut().zip(keys) {
            row[place] = key;
        }
    }
    is_finite
}

/// Returns F16 numbers as F32, and whether all are finite. In a form that compilers vectorize.
#[inline(always)]
fn floats(bits: &[u16; HEAD]) -> ([f32; HEAD], bool) {
    let mut floats = [0.0; HEAD];
    let mut specials = 0;
    for place in 0..HEAD {
        let bits = u32::from(bits[place]);
        // The exponent's bias differs by 112. The product is exact, for denormal numbers too.
        let magnitude = f32::from_bits((bits & 0x7fff) << 13) * f32::from_bits(0x7780_0000);
        let special = if bits & 0x7c00 == 0x7c00 { 0x7f80_0000 } else { 0 };
        specials |= special;
        floats[place] = f32::from_bits(magnitude.to_bits() | special | (bits & 0x8000) << 16);
    }
    (floats, specials == 0)
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

/// Returns the larger number, or `other` if `one` is NaN.
#[inline(always)]
fn larger(one: f32, other: f32) -> f32 {
    if one > other { one } else { other }
}

/// Returns a score rounded to an integer. Minus infinity and NaN stay.
#[inline(always)]
fn rounded(score: f32) -> f32 {
    score + ROUNDER - ROUNDER
}

/// Returns 2 to the power of `score` - `reference`.
#[inline(always)]
fn power<L: Lanes>(score: f32, reference: f32) -> f32 {
    let mut powers = [0.0; LANES];
    L::splat(score).power(L::splat(reference)).store(&mut powers);
    powers[0]
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
