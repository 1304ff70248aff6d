// Tensors of any layout seen along the physical order of another, with broadcasting.
#pragma once

#include <vector>

#include "device/tactic.h"

namespace burnish::cpu {

/// Channels that lie side by side in a blocked layout; 1 for the others.
int64_t block_size(ir::Layout layout);

/// Sizes of a space in its physical order, and one tensor's strides along it, in elements; 0 repeats.
struct PhysicalView {
  Shape sizes;
  std::vector<int64_t> strides;
};

/// How `tensor`, broadcast to `space`, lies along the order of a tensor of shape `space` and layout `layout`.
/// Blocks must divide the channels; a tensor of lower rank must be plain.
PhysicalView physical_view(const Shape& space, ir::Layout layout, const device::BoundTensor& tensor);

/// Drops dimensions of size 1 and merges neighbours that all operands walk as one; at least one dimension is
/// left. Each of `strides` has one entry per entry of `sizes`.
void merge_dimensions(Shape& sizes, std::vector<std::vector<int64_t>*> strides);
/// Whether the strides are row-major without gaps.
bool is_dense(const Shape& sizes, const std::vector<int64_t>& strides);

}  // namespace burnish::cpu
