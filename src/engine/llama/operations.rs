//! Operations of llama.cpp's CPU backend that our own kernels compute.
//!
//! The weights that they can multiply are marked when a model is loaded. llama.cpp asks about each operation, and the
//! mark is the answer. So engines with and without our kernels can share a process.

use std::ffi::{c_int, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use llama_cpp_sys_2 as sys;

use crate::engine::kernels::attention::{Attention, HEAD, Vectors};
use crate::engine::kernels::pieces::Thread;
use crate::engine::kernels::product::{Choices, Product};
use crate::engine::kernels::{BLOCK, Format, KernelSet, ROWS};

unsafe extern "C" {
    fn magistrate_add_operations();
    fn magistrate_each_tensor(model: *const sys::llama_model, show: extern "C" fn(*mut sys::ggml_tensor));
    fn magistrate_wait(pool: *mut c_void);
}

/// The mark of a tensor: this static's address.
static MARK: u8 = 0;

/// The number of operations that our kernels have computed, counted by the first thread of each.
static CALLS: AtomicUsize = AtomicUsize::new(0);

/// Returns the number of operations that our kernels have computed in this process.
pub(super) fn calls() -> usize {
    CALLS.load(Ordering::Relaxed)
}

/// The alignment of the memory that kernels work in.
const ALIGNMENT: usize = 64;

/// Returns the kernels for this CPU.
fn kernels() -> Option<&'static KernelSet> {
    static KERNELS: OnceLock<Option<&KernelSet>> = OnceLock::new();
    *KERNELS.get_or_init(KernelSet::for_this_cpu)
}

/// Makes llama.cpp ask about its operations. The caller calls this once, before a model is loaded.
pub fn add_operations() {
    if kernels().is_some() {
        // SAFETY: nothing else uses llama.cpp yet, as the caller promises.
        unsafe { magistrate_add_operations() }
    }
}

/// Marks the weights of a model that our kernels can multiply.
pub fn mark_weights(model: *const sys::llama_model) {
    if kernels().is_some() {
        // SAFETY: the model is valid, and no context uses it yet.
        unsafe { magistrate_each_tensor(model, mark) }
    }
}

/// Marks a tensor if our kernels can multiply it.
pub(super) extern "C" fn mark(tensor: *mut sys::ggml_tensor) {
    // SAFETY: llama.cpp shows valid tensors, and nothing else uses them.
    unsafe {
        if (*tensor).extra.is_null()
            && !(*tensor).buffer.is_null()
            && sys::ggml_backend_buffer_is_host((*tensor).buffer)
            && (is_multipliable(&*tensor) || is_sinks(&*tensor))
        {
            (*tensor).extra = (&raw const MARK).cast_mut().cast();
        }
    }
}

fn format(tensor: &sys::ggml_tensor) -> Option<Format> {
    match tensor.type_ {
        sys::GGML_TYPE_MXFP4 => Some(Format::Mxfp4),
        sys::GGML_TYPE_Q8_0 => Some(Format::Q8_0),
        _ => None,
    }
}

fn is_multipliable(weights: &sys::ggml_tensor) -> bool {
    format(weights).is_some_and(|format| {
        size(weights.ne[0]).is_multiple_of(BLOCK)
            && size(weights.ne[1]).is_multiple_of(ROWS)
            && weights.ne[3] == 1
            && weights.nb[0] == format.bytes()
    })
}

/// Reports whether a tensor has the sinks of a layer's attention. Its mark is that of the attention.
fn is_sinks(tensor: &sys::ggml_tensor) -> bool {
    const NAME: &[u8] = b".attn_sinks.weight\0";
    // `c_char` is signed on some systems.
    let name = tensor.name.map(|character| character.to_ne_bytes()[0]);
    name.windows(NAME.len()).any(|part| part == NAME) && is_f32(tensor)
}

fn is_f32(tensor: &sys::ggml_tensor) -> bool {
    tensor.type_ == sys::GGML_TYPE_F32 && tensor.nb[0] == size_of::<f32>()
}

fn is_f16(tensor: &sys::ggml_tensor) -> bool {
    tensor.type_ == sys::GGML_TYPE_F16 && tensor.nb[0] == size_of::<u16>()
}

fn is_marked(tensor: &sys::ggml_tensor) -> bool {
    std::ptr::eq(tensor.extra.cast(), &raw const MARK)
}

/// Returns a size of a tensor, which llama.cpp never makes negative.
fn size(number: i64) -> usize {
    usize::try_from(number).unwrap_or(0)
}

/// Returns the product that an operation asks for, if its weights are marked.
///
/// # Safety
///
/// The operation and its sources are valid.
unsafe fn product(operation: &sys::ggml_tensor) -> Option<Product> {
    let with_experts = match operation.op {
        sys::GGML_OP_MUL_MAT => false,
        sys::GGML_OP_MUL_MAT_ID => true,
        _ => return None,
    };
    // SAFETY: both operations have two sources, and the latter has a third.
    let (weights, activations) = unsafe { (&*operation.src[0], &*operation.src[1]) };
    if !is_marked(weights)
        || !is_f32(activations)
        || !is_f32(operation)
        || activations.ne[3] != 1
        || (!with_experts && (weights.ne[2] != 1 || activations.ne[2] != 1))
    {
        return None;
    }
    let choices = with_experts.then(|| {
        // SAFETY: as above.
        let choices = unsafe { &*operation.src[2] };
        Choices { first: choices.data.cast(), stride: choices.nb[0], token_stride: choices.nb[1] }
    });
    Some(Product {
        format: format(weights)?,
        blocks: size(weights.ne[0]) / BLOCK,
        rows: size(weights.ne[1]),
        experts: size(weights.ne[2]),
        weights: weights.data.cast(),
        row_stride: weights.nb[1],
        expert_stride: weights.nb[2],
        tokens: size(operation.ne[2]),
        used: size(operation.ne[1]),
        columns: size(activations.ne[1]),
        activations: activations.data.cast(),
        column_stride: activations.nb[1],
        token_stride: activations.nb[2],
        choices,
        sums: operation.data.cast(),
        sums_column_stride: operation.nb[1],
        sums_token_stride: operation.nb[2],
    })
}

/// Returns the attention that an operation asks for, if its sinks are marked.
///
/// # Safety
///
/// The operation and its sources are valid.
unsafe fn attention(operation: &sys::ggml_tensor) -> Option<Attention> {
    if operation.op != sys::GGML_OP_FLASH_ATTN_EXT {
        return None;
    }
    // SAFETY: the operation has five sources, of which the last two may be missing.
    let (queries, keys, values, mask, sinks) = unsafe {
        let [queries, keys, values, mask, sinks, ..] = operation.src;
        (&*queries, &*keys, &*values, mask.as_ref()?, sinks.as_ref()?)
    };
    let [scale, bias, cap] = [0, 1, 2].map(|place| f32::from_bits(operation.op_params[place].cast_unsigned()));
    let heads = size(queries.ne[2]);
    let streams = size(queries.ne[3]);
    let supported = is_marked(sinks)
        && is_f32(queries)
        && is_f16(keys)
        && is_f16(values)
        && is_f16(mask)
        && is_f32(operation)
        && [queries, keys, values].iter().all(|tensor| size(tensor.ne[0]) == HEAD && tensor.ne[3] == queries.ne[3])
        && keys.ne[1] == values.ne[1]
        && keys.ne[2] == values.ne[2]
        && heads.is_multiple_of(size(keys.ne[2]).max(1))
        && mask.ne[2] == 1
        && [1, streams].contains(&size(mask.ne[3]))
        && (bias, cap) == (0.0, 0.0)
        && operation.nb[1] == HEAD * size_of::<f32>()
        && operation.nb[2] == heads * operation.nb[1];
    supported.then(|| Attention {
        tokens: size(queries.ne[1]),
        streams,
        cells: size(keys.ne[1]),
        heads,
        key_heads: size(keys.ne[2]),
        scale,
        queries: vectors(queries),
        keys: vectors(keys),
        values: vectors(values),
        mask: Vectors { stream_stride: if mask.ne[3] == 1 { 0 } else { mask.nb[3] }, ..vectors(mask) },
        sinks: sinks.data.cast(),
        results: operation.data.cast(),
    })
}

fn vectors(tensor: &sys::ggml_tensor) -> Vectors {
    let [_, stride, head_stride, stream_stride] = tensor.nb;
    Vectors { first: tensor.data.cast(), stride, head_stride, stream_stride }
}

/// An operation that our kernels compute.
enum Operation {
    Product(Product),
    Attention(Attention),
}

impl Operation {
    /// Returns what an operation of llama.cpp asks for. `None` if our kernels do not compute it.
    ///
    /// # Safety
    ///
    /// The operation and its sources are valid.
    unsafe fn of(operation: *const sys::ggml_tensor) -> Option<Self> {
        // SAFETY: as the caller says.
        unsafe {
            let operation = &*operation;
            product(operation).map(Self::Product).or_else(|| attention(operation).map(Self::Attention))
        }
    }
}

/// Reports whether our kernels compute an operation. For C++.
#[unsafe(no_mangle)]
extern "C" fn magistrate_operation_is_ours(operation: *const sys::ggml_tensor) -> bool {
    // SAFETY: llama.cpp passes a valid operation.
    unsafe { Operation::of(operation) }.is_some()
}

/// Returns the bytes of memory that an operation of ours needs. For C++.
#[unsafe(no_mangle)]
extern "C" fn magistrate_operation_size(operation: *const sys::ggml_tensor, threads: c_int) -> usize {
    let threads = usize::try_from(threads).unwrap_or(1);
    // SAFETY: llama.cpp passes a valid operation.
    let size = match (unsafe { Operation::of(operation) }, kernels()) {
        (Some(Operation::Product(product)), Some(kernels)) => product.work_size(kernels, threads),
        (Some(Operation::Attention(attention)), _) => attention.work_size(threads),
        _ => 0,
    };
    size + ALIGNMENT
}

/// Computes a thread's part of an operation of ours. For C++.
#[unsafe(no_mangle)]
extern "C" fn magistrate_operation_compute(
    operation: *const sys::ggml_tensor,
    thread: c_int,
    threads: c_int,
    work: *mut u8,
    pool: *mut c_void,
) {
    // SAFETY: llama.cpp passes a valid operation, and changes none of its operands before all threads return. The
    // memory has the size that was asked for. The pool is the one of these threads.
    unsafe {
        let (Some(operation), Some(kernels)) = (Operation::of(operation), kernels()) else { return };
        let thread =
            Thread { index: usize::try_from(thread).unwrap_or(0), count: usize::try_from(threads).unwrap_or(1) };
        if thread.index == 0 {
            CALLS.fetch_add(1, Ordering::Relaxed);
        }
        let work = work.add(work.align_offset(ALIGNMENT));
        let barrier = || magistrate_wait(pool);
        match operation {
            Operation::Product(product) => product.compute(kernels, thread, work, barrier),
            Operation::Attention(attention) => attention.compute(kernels.attend, thread, work, barrier),
        }
    }
}
