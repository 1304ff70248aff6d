#include "cuda/tactics.h"

#include <algorithm>

#include "cuda/body_text.h"

namespace burnish::cuda {

std::span<const device::Tactic* const> all_tactics() {
  static const device::Tactic* const tactics[] = {
      &attention_tactic(),
      &wgmma_attention_tactic(),
      &depthwise_tactic(),
      &vector_product_tactic(),
      &cublaslt_tactic(),
      &wgmma_tactic(),
      &wgmma_conv_tactic(),
      &stem_tactic(),
      &implicit_gemm_tf32_tactic(),
      &implicit_gemm_tactic(),
      &cudnn_tactic(),
      &rows_tactic(),
      &reduce_tactic(),
      &pool_tactic(),
      &pointwise_tactic(),
      &concat_tactic(),
      &move_tactic(),
      &composed_move_tactic(),
      &gather_tactic(),
      &upsample_tactic(),
      &normalize_tactic(),
      &user_kernel_tactic(),
      &per_element_tactic(),
  };
  return tactics;
}

Support supports_layouts(const device::Problem& problem) {
  const auto check = [](const ir::TensorType& type) {
    const bool known =
        type.layout == ir::Layout::plain || (type.layout == ir::Layout::nhwc && type.rank() >= 3);
    return known ? Support::yes() : Support::no("{} has no CUDA kernel", type.str());
  };
  for (int i = 0; i < problem.input_count(); ++i)
    if (Support support = check(problem.input(i)); !support) return support;
  for (int i = 0; i < problem.output_count(); ++i)
    if (Support support = check(problem.output(i)); !support) return support;
  return Support::yes();
}

std::vector<std::vector<ir::Layout>> uniform_layouts(const device::Problem& problem) {
  std::vector<std::vector<ir::Layout>> sets;
  for (ir::Layout layout : {ir::Layout::nhwc, ir::Layout::plain}) {
    std::vector<ir::Layout> set;
    const auto add = [&](const ir::TensorType& type, bool weight) {
      set.push_back(type.rank() >= 3 && !weight ? layout : ir::Layout::plain);
    };
    for (int i = 0; i < problem.input_count(); ++i) add(problem.input(i), problem.is_weight(i));
    for (int i = 0; i < problem.output_count(); ++i) add(problem.output(i), false);
    if (std::find(sets.begin(), sets.end(), set) == sets.end()) sets.push_back(std::move(set));
  }
  return sets;
}

}  // namespace burnish::cuda
