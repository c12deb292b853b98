//! The reference: the arithmetic of all kernels, one number at a time.

use super::attention;
use super::block::{Block8, MXFP4, from_half, half_power, quantize8};
use super::lanes::LANES;
use super::{BLOCK, Format, KernelSet, Panel, ROWS, Routine, Rows};

pub static KERNELS: KernelSet = KernelSet {
    name: "scalar",
    mxfp4: Routine { block: size_of::<Block8>(), quantize: quantize8::<0>, multiply: multiply::<false> },
    q8_0: Routine { block: size_of::<Block8>(), quantize: quantize8::<0>, multiply: multiply::<true> },
    attend: attention::attend::<[f32; LANES]>,
};

unsafe fn multiply<const Q8_0: bool>(rows: Rows, panel: Panel, sums: *mut f32) {
    let format = if Q8_0 { Format::Q8_0 } else { Format::Mxfp4 };
    for column in 0..panel.columns {
        for row in 0..ROWS {
            let mut sum = 0.0f32;
            for number in 0..rows.blocks {
                // SAFETY: the caller gives ROWS rows of that many blocks, a panel of that many columns, and room for
                // all sums.
                let (bytes, activations) = unsafe {
                    let bytes = rows.first.add(row * rows.stride + number * format.bytes());
                    let activations = panel.first.cast::<Block8>().add(number * panel.columns + column);
                    (std::slice::from_raw_parts(bytes, format.bytes()), activations.read_unaligned())
                };
                let (scale, weights) = if Q8_0 { q8_0(bytes) } else { mxfp4(bytes) };
                let products = weights.iter().zip(&activations.values);
                let product: i32 = products.map(|(&weight, &value)| i32::from(weight) * i32::from(value)).sum();
                sum = (product as f32).mul_add(scale * activations.scale, sum);
            }
            // SAFETY: as above.
            unsafe { sums.add(column * ROWS + row).write(sum) };
        }
    }
}

fn mxfp4(bytes: &[u8]) -> (f32, [i8; BLOCK]) {
    let mut weights = [0; BLOCK];
    for (place, &pair) in bytes[1..].iter().enumerate() {
        weights[place] = MXFP4[usize::from(pair & 15)];
        weights[place + BLOCK / 2] = MXFP4[usize::from(pair >> 4)];
    }
    (half_power(bytes[0]), weights)
}

fn q8_0(bytes: &[u8]) -> (f32, [i8; BLOCK]) {
    let mut weights = [0; BLOCK];
    for (weight, &byte) in weights.iter_mut().zip(&bytes[2..]) {
        *weight = byte as i8;
    }
    (from_half(u16::from_le_bytes([bytes[0], bytes[1]])), weights)
}
