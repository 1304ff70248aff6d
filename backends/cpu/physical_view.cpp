#include "backends/cpu/physical_view.h"

#include "base/error.h"

namespace burnish::cpu {

int64_t block_size(ir::Layout layout) {
  return layout == ir::Layout::c8 ? 8 : layout == ir::Layout::c16 ? 16 : 1;
}

namespace {

/// Elements between neighbours along each dimension of a tensor; along channels of a blocked one, between
/// blocks.
std::vector<int64_t> logical_strides(const device::BoundTensor& tensor) {
  const size_t rank = tensor.shape.size();
  std::vector<int64_t> strides(rank);
  int64_t stride = block_size(tensor.layout);
  if (tensor.layout == ir::Layout::nhwc && rank > 1) {
    strides[1] = 1;
    stride = tensor.shape[1];
  }
  for (size_t d = rank; d-- > 0;) {
    if (d == 1 && tensor.layout == ir::Layout::nhwc) continue;
    strides[d] = stride;
    stride *= d == 1 ? tensor.shape[d] / block_size(tensor.layout) : tensor.shape[d];
  }
  return strides;
}

}  // namespace

PhysicalView physical_view(const Shape& space, ir::Layout layout, const device::BoundTensor& tensor) {
  const size_t rank = space.size(), missing = rank - tensor.shape.size();
  const int64_t block = block_size(layout), own_block = block_size(tensor.layout);
  require(own_block == 1 || own_block == block,
          "internal: a tensor in blocks of {} channels beside one in blocks of {}", own_block, block);
  require(tensor.layout == ir::Layout::plain || missing == 0,
          "internal: a tensor of lower rank must be plain");
  const std::vector<int64_t> own = logical_strides(tensor);
  std::vector<int64_t> strides(rank, 0);
  for (size_t d = missing; d < rank; ++d) {
    const int64_t dim = tensor.shape[d - missing];
    require(dim == 1 || dim == space[d], "a tensor of shape {} does not broadcast to {}",
            shape_text(tensor.shape), shape_text(space));
    strides[d] = dim == 1 ? 0 : own[d - missing];
  }
  PhysicalView view;
  const auto add = [&](int64_t size, int64_t stride) {
    view.sizes.push_back(size);
    view.strides.push_back(stride);
  };
  if (layout == ir::Layout::plain || rank < 2) {
    for (size_t d = 0; d < rank; ++d) add(space[d], strides[d]);
    return view;
  }
  add(space[0], strides[0]);
  if (block > 1) {
    require(space[1] % block == 0, "internal: {} channels are not whole blocks of {}", space[1], block);
    add(space[1] / block, own_block > 1 ? strides[1] : strides[1] * block);
  }
  for (size_t d = 2; d < rank; ++d) add(space[d], strides[d]);
  if (block > 1)
    add(block, own_block > 1 ? (strides[1] != 0 ? 1 : 0) : strides[1]);
  else
    add(space[1], strides[1]);
  return view;
}

void merge_dimensions(Shape& sizes, std::vector<std::vector<int64_t>*> strides) {
  size_t kept = 0;
  for (size_t d = 0; d < sizes.size(); ++d) {
    if (sizes[d] == 1) continue;
    bool merge = kept > 0;
    for (const auto* operand : strides) merge = merge && (*operand)[kept - 1] == (*operand)[d] * sizes[d];
    if (!merge) ++kept;
    sizes[kept - 1] = merge ? sizes[kept - 1] * sizes[d] : sizes[d];
    for (auto* operand : strides) (*operand)[kept - 1] = (*operand)[d];
  }
  if (kept == 0) {  // one element
    kept = 1;
    sizes.assign(1, 1);
    for (auto* operand : strides) operand->assign(1, 0);
  }
  sizes.resize(kept);
  for (auto* operand : strides) operand->resize(kept);
}

bool is_dense(const Shape& sizes, const std::vector<int64_t>& strides) {
  int64_t expected = 1;
  for (size_t d = sizes.size(); d-- > 0; expected *= sizes[d])
    if (sizes[d] != 1 && strides[d] != expected) return false;
  return true;
}

}  // namespace burnish::cpu
