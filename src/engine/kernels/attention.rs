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

use self::tile::{ROWS, States, TILE, Tile, larger, power, rounded};
use super::block::from_half;
use super::lanes::Lanes;
use super::pieces::{LINE, Pieces, Thread};

mod tile;

pub use self::tile::HEAD;

/// Most tokens that share an unpacked tile.
const TOKENS: usize = 16;

/// Minus infinity in F16: the mask of a cell that a token does not see.
const HIDDEN: u16 = 0xfc00;

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

    /// Numbers of a thread's working memory.
    fn memory(&self) -> usize {
        (TOKENS * self.rows() * States::SIZE).next_multiple_of(LINE / size_of::<f32>())
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
        // SAFETY: the parts of the memory are those that `work_size` counts. The counter is at their beginning.
        unsafe {
            let pieces = Pieces::new(work, thread);
            let memory = work.add(LINE).cast::<f32>().add(thread.index * self.memory());
            barrier();
            let mut piece = pieces.first();
            while piece < self.pieces() {
                attend(self, piece, memory);
                piece = pieces.next();
            }
        }
    }

    /// The stream, the key head and the tokens of a piece.
    fn place(&self, piece: usize) -> (usize, usize, Range<usize>) {
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

/// The rows of a key head and of some tokens.
struct Piece<'a> {
    attention: &'a Attention,
    stream: usize,
    head: usize,
    tokens: Range<usize>,
    states: States<'a>,
}

/// Cells that a token sees among many that it does not see. They wait until they fill a tile.
#[derive(Clone, Copy)]
struct Scattered {
    count: usize,
    cells: [usize; TILE],
    mask: [f32; TILE],
}

impl Scattered {
    const NONE: Self = Self { count: 0, cells: [0; TILE], mask: [f32::NEG_INFINITY; TILE] };
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
    let (stream, head, tokens) = attention.place(number);
    let rows = attention.rows();
    // SAFETY: the memory has room for TOKENS tokens, and there are at most as many. All operands exist.
    unsafe {
        let states = States::new(memory, rows, tokens.len());
        let mut piece = Piece { attention, stream, head, tokens, states };
        piece.read_queries();
        piece.add_cells::<L>();
        piece.write_results::<L>();
    }
}

impl Piece<'_> {
    /// The token and the head of queries of each row. `None` for a row that fills up a group.
    #[inline(always)]
    fn place(&self, row: usize) -> Option<(usize, usize)> {
        let used = self.attention.heads / self.attention.key_heads;
        let (token, row) = (self.tokens.start + row / self.states.rows, row % self.states.rows);
        (row < used).then(|| (token, self.head * used + row))
    }

    /// The key and the value of a cell.
    #[inline(always)]
    fn cell(&self, cell: usize) -> (*const u8, *const u8) {
        let Attention { keys, values, .. } = self.attention;
        (keys.at(cell, self.head, self.stream), values.at(cell, self.head, self.stream))
    }

    /// Reads the queries, scaled. Rows that fill up a group stay zero.
    #[inline(always)]
    unsafe fn read_queries(&mut self) {
        // Scores are powers of two, not of e.
        let scale = self.attention.scale * LOG2_E;
        for row in 0..self.states.queries.len() {
            if let Some((token, head)) = self.place(row) {
                let query = self.attention.queries.at(token, head, self.stream).cast::<[f32; HEAD]>();
                // SAFETY: the query exists.
                let values = unsafe { &*query };
                for place in 0..HEAD {
                    self.states.queries[row][place] = values[place] * scale;
                }
            }
        }
    }

    /// Adds all cells to the rows that see them.
    #[inline(always)]
    unsafe fn add_cells<L: Lanes>(&mut self) {
        let mut tile = Tile::EMPTY;
        let mut scattered = [Scattered::NONE; TOKENS];
        for first in (0..self.attention.cells).step_by(TILE) {
            let cells = first..self.attention.cells.min(first + TILE);
            let mut is_finite = None;
            for (token, waiting) in scattered[..self.tokens.len()].iter_mut().enumerate() {
                let mask = self.attention.mask.at(self.tokens.start + token, 0, self.stream).cast::<u16>();
                // SAFETY: the mask has a number for each token and cell.
                let mask = unsafe { std::slice::from_raw_parts(mask.add(first), cells.len()) };
                let seen = usize::from(mask.iter().map(|&bits| u16::from(bits != HIDDEN)).sum::<u16>());
                if seen == 0 {
                    continue;
                }
                // SAFETY: the cells exist.
                let mut unpack = || unsafe { tile.unpack(cells.clone().map(|cell| self.cell(cell))) };
                // Zero times infinity is no zero: a token must not see another's cells in that way either.
                if seen >= WHOLE && *is_finite.get_or_insert_with(&mut unpack) {
                    // Cells are added in their order.
                    // SAFETY: the cells exist.
                    unsafe { self.add_scattered::<L>(token, waiting) };
                    self.states.add::<L>(token, &tile, &widened(mask));
                } else {
                    for (cell, &bits) in mask.iter().enumerate().filter(|(_, bits)| **bits != HIDDEN) {
                        waiting.cells[waiting.count] = first + cell;
                        waiting.mask[waiting.count] = from_half(bits);
                        waiting.count += 1;
                        if waiting.count == TILE {
                            // SAFETY: the cells exist.
                            unsafe { self.add_scattered::<L>(token, waiting) };
                        }
                    }
                }
            }
        }
        for (token, waiting) in scattered[..self.tokens.len()].iter_mut().enumerate() {
            // SAFETY: the cells exist.
            unsafe { self.add_scattered::<L>(token, waiting) };
        }
    }

    /// Adds the cells that a token waits with, if any.
    #[inline(always)]
    unsafe fn add_scattered<L: Lanes>(&mut self, token: usize, waiting: &mut Scattered) {
        if waiting.count > 0 {
            let mut tile = Tile::EMPTY;
            let cells = waiting.cells[..waiting.count].iter().copied();
            // SAFETY: the cells exist.
            unsafe { tile.unpack(cells.map(|cell| self.cell(cell))) };
            self.states.add::<L>(token, &tile, &waiting.mask);
            *waiting = Scattered::NONE;
        }
    }

    /// Adds the sinks, divides by the totals, and writes the results.
    #[inline(always)]
    unsafe fn write_results<L: Lanes>(&mut self) {
        for row in 0..self.states.queries.len() {
            let Some((token, head)) = self.place(row) else { continue };
            // SAFETY: each head has a sink.
            let sink = unsafe { *self.attention.sinks.add(head) } * LOG2_E;
            let before = self.states.references[row];
            let now = larger(rounded(sink), before);
            let (factor, share) = (power::<L>(before, now), power::<L>(sink, now));
            let total = self.states.totals[row].mul_add(factor, share);
            let result = self.states.sums[row].map(|sum| sum * factor / total);
            let place = (self.stream * self.attention.tokens + token) * self.attention.heads + head;
            // SAFETY: each token and head has a result.
            unsafe { self.attention.results.add(place * HEAD).cast::<[f32; HEAD]>().write(result) };
        }
    }
}

/// Returns a tile's mask in F32. Cells beyond the last are hidden.
#[inline(always)]
fn widened(mask: &[u16]) -> [f32; TILE] {
    let mut wide = [f32::NEG_INFINITY; TILE];
    for (wide, &bits) in wide.iter_mut().zip(mask) {
        *wide = from_half(bits);
    }
    wide
}
