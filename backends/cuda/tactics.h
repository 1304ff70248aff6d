// The CUDA backend's tactics, and what many of them ask of a problem.
#pragma once

#include "cuda/generated.h"

namespace burnish::cuda {

const device::Tactic& attention_tactic();
const device::Tactic& wgmma_attention_tactic();
const device::Tactic& pointwise_tactic();
const device::Tactic& move_tactic();
const device::Tactic& composed_move_tactic();
const device::Tactic& concat_tactic();
const device::Tactic& gather_tactic();
const device::Tactic& upsample_tactic();
const device::Tactic& wgmma_tactic();
const device::Tactic& wgmma_conv_tactic();
const device::Tactic& stem_tactic();
const device::Tactic& implicit_gemm_tactic();
const device::Tactic& implicit_gemm_tf32_tactic();
const device::Tactic& depthwise_tactic();
const device::Tactic& vector_product_tactic();
const device::Tactic& pool_tactic();
const device::Tactic& rows_tactic();
const device::Tactic& reduce_tactic();
const device::Tactic& per_element_tactic();
const device::Tactic& normalize_tactic();
const device::Tactic& user_kernel_tactic();
const device::Tactic& cublaslt_tactic();
const device::Tactic& cudnn_tactic();

/// Yes if every tensor is plain or, at rank 3 or more, nhwc.
Support supports_layouts(const device::Problem& problem);
/// All tensors plain, then all of rank 3 and more nhwc; weights stay plain.
std::vector<std::vector<ir::Layout>> uniform_layouts(const device::Problem& problem);

}  // namespace burnish::cuda
