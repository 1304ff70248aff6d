// The tactics of our own kernels, one function per file.
#pragma once

#include "device/tactic.h"

namespace burnish::cpu {

const device::Tactic& direct_tactic();
const device::Tactic& pointwise_tactic();
const device::Tactic& simd_reformat_tactic();
const device::Tactic& transpose_tactic();
const device::Tactic& arg_tactic();
const device::Tactic& attention_tactic();
const device::Tactic& byte_product_tactic();
const device::Tactic& dynamic_quantize_tactic();
const device::Tactic& composed_move_tactic();
const device::Tactic& concat_tactic();
const device::Tactic& lstm_tactic();
const device::Tactic& norm_tactic();
const device::Tactic& fused_norm_tactic();
const device::Tactic& pad_tactic();
const device::Tactic& slice_tactic();
const device::Tactic& product_tactic();
const device::Tactic& pixel_conv_tactic();
const device::Tactic& reduce_tactic();
const device::Tactic& resize_tactic();
const device::Tactic& simd_softmax_tactic();
const device::Tactic& window_tactic();

}  // namespace burnish::cpu
