//! A product of weights and activations, parted between threads.
//!
//! Activations are grouped by the expert that they go to, and become panels. Then the threads take pieces of some rows
//! and one panel, until none is left.

use super::pieces::{LINE, Pieces, Thread};
use super::{COLUMNS, Format, KernelSet, Panel, ROWS, Rows};

/// The operands of a product. Sizes are in numbers, strides in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Product {
    /// Format of the weights.
    pub format: Format,
    /// Blocks of a row of weights.
    pub blocks: usize,
    /// Rows of an expert's weights, a multiple of [`ROWS`].
    pub rows: usize,
    /// Number of experts. A product without experts has one.
    pub experts: usize,
    /// The first weight.
    pub weights: *const u8,
    /// From a row of weights to the next.
    pub row_stride: usize,
    /// From an expert's weights to the next.
    pub expert_stride: usize,
    /// Tokens, or 1 for a product without experts.
    pub tokens: usize,
    /// Experts that each token goes to, or the number of columns of a product without experts.
    pub used: usize,
    /// Columns of activations of a token: `used`, or 1 if all its experts get the same.
    pub columns: usize,
    /// The first activation, in F32.
    pub activations: *const u8,
    /// From a column of activations to the next.
    pub column_stride: usize,
    /// From a token's activations to the next.
    pub token_stride: usize,
    /// The experts of each token. `None` for a product without experts.
    pub choices: Option<Choices>,
    /// The first sum, in F32.
    pub sums: *mut u8,
    /// From a column of sums to the next.
    pub sums_column_stride: usize,
    /// From a token's sums to the next.
    pub sums_token_stride: usize,
}

/// The numbers of the experts that each token goes to, as 32-bit integers.
#[derive(Clone, Copy, Debug)]
pub struct Choices {
    /// The first token's first choice.
    pub first: *const u8,
    /// From a choice to the token's next.
    pub stride: usize,
    /// From a token's choices to the next token's.
    pub token_stride: usize,
}

/// Rows of a piece of work, at most.
const PIECE: usize = 8 * ROWS;

/// Pieces for each thread, at least, if there are rows enough. A thread that is late then delays the others little.
const PIECES: usize = 8;

impl Product {
    /// Bytes of memory that [`Self::compute`] needs.
    #[must_use]
    pub fn work_size(&self, kernels: &KernelSet, threads: usize) -> usize {
        LINE + self.panels_size(kernels) + threads * self.grouping_size()
    }

    fn slots(&self) -> usize {
        self.tokens * self.used
    }

    fn panels_size(&self, kernels: &KernelSet) -> usize {
        (self.slots() * self.blocks * kernels.routine(self.format).block).next_multiple_of(LINE)
    }

    fn grouping_size(&self) -> usize {
        ((self.experts + 1 + self.slots()) * size_of::<u32>()).next_multiple_of(LINE)
    }

    /// Computes this thread's part. All threads of the product call it, and return when no work is left to begin.
    ///
    /// # Safety
    ///
    /// The operands are as the fields say, and nothing else changes them. `work` has [`Self::work_size`] bytes, is
    /// aligned to 64 bytes, and is shared by all threads. `barrier` returns after all threads have called it.
    pub unsafe fn compute(&self, kernels: &KernelSet, thread: Thread, work: *mut u8, barrier: impl FnOnce()) {
        // SAFETY: the parts of the memory are those that `work_size` counts. The counter is at their beginning.
        unsafe {
            let pieces = Pieces::new(work, thread);
            let panels = work.add(LINE);
            let own = panels.add(self.panels_size(kernels) + thread.index * self.grouping_size());
            let own = std::slice::from_raw_parts_mut(own.cast::<u32>(), self.experts + 1 + self.slots());
            let (starts, slots) = own.split_at_mut(self.experts + 1);
            self.group(starts, slots);
            let groups = Groups { starts, slots };
            self.quantize(kernels, thread, groups, panels);
            barrier();
            self.multiply(kernels, thread, groups, panels, pieces);
        }
    }

    /// Sorts the slots by expert. An expert that does not exist gets none.
    unsafe fn group(&self, starts: &mut [u32], slots: &mut [u32]) {
        let expert = |slot: usize| match &self.choices {
            None => 0,
            Some(choices) => {
                let (token, choice) = (slot / self.used, slot % self.used);
                // SAFETY: each token has `used` choices.
                let number = unsafe { choices.first.add(token * choices.token_stride + choice * choices.stride) };
                unsafe { number.cast::<i32>().read_unaligned() as usize }
            }
        };
        starts.fill(0);
        for slot in 0..slots.len() {
            if let Some(count) = starts.get_mut(expert(slot).wrapping_add(1)).filter(|_| expert(slot) < self.experts) {
                *count += 1;
            }
        }
        for expert in 0..self.experts {
            starts[expert + 1] += starts[expert];
        }
        // Each start moves to its end, which is the next one's start.
        for slot in 0..slots.len() {
            let expert = expert(slot);
            if expert < self.experts {
                slots[starts[expert] as usize] = slot as u32;
                starts[expert] += 1;
            }
        }
        starts.copy_within(0..self.experts, 1);
        starts[0] = 0;
    }

    /// The column and the token of a slot.
    fn place(&self, slot: u32) -> (usize, usize) {
        (slot as usize % self.used, slot as usize / self.used)
    }

    /// Makes this thread's part of the blocks of activations.
    unsafe fn quantize(&self, kernels: &KernelSet, thread: Thread, groups: Groups<'_>, panels: *mut u8) {
        let routine = kernels.routine(self.format);
        // With fewer columns than threads, each column is parted.
        let parts = if self.slots() < thread.count { thread.count.min(self.blocks) } else { 1 };
        let mut unit = 0;
        for (_, panel) in groups.panels(self.experts) {
            for position in panel.clone() {
                for part in 0..parts {
                    unit += 1;
                    if (unit - 1) % thread.count != thread.index {
                        continue;
                    }
                    let (first, end) = (self.blocks * part / parts, self.blocks * (part + 1) / parts);
                    let (column, token) = self.place(groups.slots[position]);
                    let column = column % self.columns;
                    let block = panel.start * self.blocks + first * panel.len() + position - panel.start;
                    // SAFETY: the column has `blocks` blocks of values, and the panels have room for each slot's.
                    unsafe {
                        let values = self.activations.add(column * self.column_stride + token * self.token_stride);
                        let values = values.cast::<f32>().add(first * super::BLOCK);
                        let to = panels.add(block * routine.block);
                        (routine.quantize)(values, end - first, to, panel.len() * routine.block);
                    }
                }
            }
        }
    }

    /// Computes pieces until none is left.
    unsafe fn multiply(
        &self,
        kernels: &KernelSet,
        thread: Thread,
        groups: Groups<'_>,
        panels: *const u8,
        pieces: Pieces<'_>,
    ) {
        let routine = kernels.routine(self.format);
        let tiles = groups.panels(self.experts).count() * self.rows / ROWS;
        let rows = (tiles / (PIECES * thread.count) * ROWS).clamp(ROWS, PIECE);
        let parts = self.rows.div_ceil(rows);
        let mut sums = Sums([0.0; ROWS * COLUMNS]);
        let mut piece = pieces.first();
        let mut passed = 0;
        // An expert's pieces follow each other, and among them those of the same rows, for all its panels.
        for expert in 0..self.experts {
            let count = groups.count(expert);
            let all = count * parts;
            while piece - passed < all {
                let (panel, first) = ((piece - passed) % count, (piece - passed) / count * rows);
                let panel = groups.panel(expert, panel);
                for row in (first..self.rows.min(first + rows)).step_by(ROWS) {
                    // SAFETY: the rows, the panel's blocks and its sums are within the operands.
                    unsafe {
                        let bytes = self.weights.add(expert * self.expert_stride + row * self.row_stride);
                        let blocks = panels.add(panel.start * self.blocks * routine.block);
                        (routine.multiply)(
                            Rows { first: bytes, stride: self.row_stride, blocks: self.blocks },
                            Panel { first: blocks, columns: panel.len() },
                            sums.0.as_mut_ptr(),
                        );
                        for (sums, slot) in sums.0.chunks_exact(ROWS).zip(&groups.slots[panel.clone()]) {
                            let (column, token) = self.place(*slot);
                            let to = column * self.sums_column_stride + token * self.sums_token_stride;
                            let to = self.sums.add(to).cast::<f32>().add(row);
                            std::ptr::copy_nonoverlapping(sums.as_ptr(), to, ROWS);
                        }
                    }
                }
                piece = pieces.next();
            }
            passed += all;
        }
    }
}

/// The sums of a panel, each column within one line of the cache.
#[repr(align(64))]
struct Sums([f32; ROWS * COLUMNS]);

/// The slots of each expert. A slot is a column of a token.
#[derive(Clone, Copy)]
struct Groups<'a> {
    starts: &'a [u32],
    slots: &'a [u32],
}

impl<'a> Groups<'a> {
    /// The number of an expert's panels.
    fn count(self, expert: usize) -> usize {
        ((self.starts[expert + 1] - self.starts[expert]) as usize).div_ceil(COLUMNS)
    }

    /// The positions of a panel's slots. An expert's panels are of about the same size.
    fn panel(self, expert: usize, number: usize) -> std::ops::Range<usize> {
        let (start, end) = (self.starts[expert] as usize, self.starts[expert + 1] as usize);
        let count = self.count(expert);
        start + (end - start) * number / count..start + (end - start) * (number + 1) / count
    }

    /// All panels, each with its expert.
    fn panels(self, experts: usize) -> impl Iterator<Item = (usize, std::ops::Range<usize>)> + 'a {
        (0..experts)
            .flat_map(move |expert| (0..self.count(expert)).map(move |number| (expert, self.panel(expert, number))))
    }
}
