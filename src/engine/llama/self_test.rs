//! The test of our kernels at the start: one product of each kind, against llama.cpp's own.
//!
//! It finds a llama.cpp whose memory layout is not the one that `operations.cpp` repeats, and a CPU that computes
//! something else.

use std::ffi::c_void;
use std::sync::OnceLock;

use llama_cpp_sys_2 as sys;

use super::operations::{calls, mark};
use crate::random::Random;

/// Columns of the weights, a multiple of the blocks' size.
const COLUMNS: usize = 128;
const ROWS: usize = 32;
const EXPERTS: usize = 4;
const USED: usize = 2;
const TOKENS: usize = 5;

/// The largest difference of two sums that rounding explains, as a share of the largest sum.
const ROUNDING: f32 = 0.01;

/// Runs the test, once for each process.
///
/// # Errors
///
/// The first product that differs, in words.
pub fn passes() -> Result<(), &'static str> {
    static RESULT: OnceLock<Result<(), &str>> = OnceLock::new();
    // On a thread of its own: OpenMP keeps a team of threads for each thread that computes, until that one ends. With more
    // of them than CPUs, all threads of the process sleep at a barrier instead of spinning, which costs up to nine tenths
    // of the speed.
    *RESULT.get_or_init(|| {
        let thread = std::thread::Builder::new().name("self-test".to_owned()).spawn(run);
        thread.map_or(Err("any product"), |thread| thread.join().unwrap_or(Err("any product")))
    })
}

fn run() -> Result<(), &'static str> {
    for (kind, name) in [(sys::GGML_TYPE_MXFP4, "MXFP4"), (sys::GGML_TYPE_Q8_0, "Q8_0")] {
        for with_experts in [false, true] {
            if !agrees(kind, with_experts) {
                return Err(name);
            }
        }
    }
    Ok(())
}

/// Reports whether llama.cpp and our kernels compute the same product.
fn agrees(kind: sys::ggml_type, with_experts: bool) -> bool {
    let experts = if with_experts { EXPERTS } else { 1 };
    let mut random = Random::new(1);
    let mut number = || f32::from(u16::try_from(random.below(2001)).unwrap_or(0)) / 1e3 - 1.0;
    let mut numbers = |count: usize| -> Vec<f32> { (0..count).map(|_| number()).collect() };
    let weights = numbers(experts * ROWS * COLUMNS);
    let activations = numbers(TOKENS * COLUMNS);
    let choices: Vec<i32> = [0, 1, 2, 3].into_iter().cycle().take(TOKENS * USED).collect();
    // SAFETY: the graph's memory has room for its four tensors. All tensors are filled with as many bytes as they have,
    // and everything is freed at the end, in the reverse order.
    unsafe {
        let size = 8 * sys::ggml_tensor_overhead() + sys::ggml_graph_overhead();
        let params = sys::ggml_init_params { mem_size: size, mem_buffer: std::ptr::null_mut(), no_alloc: true };
        let memory = sys::ggml_init(params);
        let matrix = sys::ggml_new_tensor_3d(memory, kind, long(COLUMNS), long(ROWS), long(experts));
        let (columns, tokens) = if with_experts { (1, TOKENS) } else { (TOKENS, 1) };
        let columns = sys::ggml_new_tensor_3d(memory, sys::GGML_TYPE_F32, long(COLUMNS), long(columns), long(tokens));
        let chosen = sys::ggml_new_tensor_2d(memory, sys::GGML_TYPE_I32, long(USED), long(TOKENS));
        let product = if with_experts {
            sys::ggml_mul_mat_id(memory, matrix, columns, chosen)
        } else {
            sys::ggml_mul_mat(memory, matrix, columns)
        };
        let graph = sys::ggml_new_graph(memory);
        sys::ggml_build_forward_expand(graph, product);
        let backend = sys::ggml_backend_init_by_type(sys::GGML_BACKEND_DEVICE_TYPE_CPU, std::ptr::null());
        let buffer = sys::ggml_backend_alloc_ctx_tensors(memory, backend);
        fill(matrix, &quantized(kind, &weights, sys::ggml_nbytes(matrix)));
        fill(columns, &activations);
        fill(chosen, &choices);
        let sums = || {
            let status = sys::ggml_backend_graph_compute(backend, graph);
            let mut sums = vec![0.0f32; sys::ggml_nbytes(product) / size_of::<f32>()];
            sys::ggml_backend_tensor_get(product, sums.as_mut_ptr().cast(), 0, sys::ggml_nbytes(product));
            (status == sys::GGML_STATUS_SUCCESS).then_some(sums)
        };
        let theirs = sums();
        mark(matrix);
        let before = calls();
        let ours = sums();
        let called = calls() > before;
        sys::ggml_backend_buffer_free(buffer);
        sys::ggml_backend_free(backend);
        sys::ggml_free(memory);
        called && theirs.zip(ours).is_some_and(|(theirs, ours)| are_close(&theirs, &ours))
    }
}

/// Returns weights in a format, as llama.cpp rounds them.
///
/// # Safety
///
/// The weights take that many bytes in this format.
unsafe fn quantized(kind: sys::ggml_type, weights: &[f32], bytes: usize) -> Vec<u8> {
    let mut quantized = vec![0; bytes];
    let (to, rows) = (quantized.as_mut_ptr().cast(), weights.len() / COLUMNS);
    // SAFETY: as the caller says. There is no matrix of importances.
    unsafe { sys::ggml_quantize_chunk(kind, weights.as_ptr(), to, 0, long(rows), long(COLUMNS), std::ptr::null()) };
    quantized
}

fn long(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Writes the values of a tensor.
///
/// # Safety
///
/// The tensor has memory, for as many bytes as the values have or more.
unsafe fn fill<T>(tensor: *mut sys::ggml_tensor, values: &[T]) {
    // SAFETY: as the caller says.
    unsafe { sys::ggml_backend_tensor_set(tensor, values.as_ptr().cast::<c_void>(), 0, size_of_val(values)) }
}

fn are_close(theirs: &[f32], ours: &[f32]) -> bool {
    let most = theirs.iter().fold(0.0f32, |most, sum| most.max(sum.abs()));
    most > 0.0 && theirs.iter().zip(ours).all(|(theirs, ours)| (theirs - ours).abs() <= ROUNDING * most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_kernels_pass_the_test_at_the_start_where_the_cpu_can_run_them() {
        crate::engine::llama::start::initialized().expect("llama.cpp starts");
        if crate::engine::kernels::KernelSet::for_this_cpu().is_some() {
            assert_eq!(passes(), Ok(()));
        }
    }

    #[test]
    fn a_sum_that_differs_by_more_than_rounding_is_found() {
        assert!(are_close(&[1.0, -100.0], &[1.5, -100.0]));
        assert!(!are_close(&[1.0, -100.0], &[3.0, -100.0]));
        assert!(!are_close(&[1.0, -100.0], &[f32::NAN, -100.0]));
        assert!(!are_close(&[0.0], &[0.0]), "nothing was computed");
    }
}
