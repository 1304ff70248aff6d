#include "cuda/access.h"

namespace burnish::cuda {

using ir::Dim;

std::vector<int> physical_order(int64_t rank, ir::Layout layout) {
  std::vector<int> order;
  for (int d = 0; d < rank; ++d) order.push_back(d);
  if (layout == ir::Layout::nhwc && rank > 2) {
    order.erase(order.begin() + 1);
    order.push_back(1);
  }
  return order;
}

Strides logical_strides(const ir::TensorType& type) {
  Strides strides(type.shape.size());
  Dim stride = 1;
  const std::vector<int> order = physical_order(type.rank(), type.layout);
  for (size_t i = order.size(); i-- > 0;) {
    const size_t d = static_cast<size_t>(order[i]);
    strides[d] = stride;
    const bool pixel = type.pitch && i + 1 == order.size();  // its channels, last in memory
    stride = pixel ? Dim(type.pitch) : stride * type.shape[d];
  }
  return strides;
}

std::optional<Strides> broadcast_strides(const ir::TensorType& operand, const std::vector<Dim>& shape) {
  const Strides own = logical_strides(operand);
  if (own.size() > shape.size()) return std::nullopt;
  Strides strides(shape.size(), Dim(0));
  const size_t missing = shape.size() - own.size();
  for (size_t d = 0; d < own.size(); ++d) {
    const Dim& size = operand.shape[d];
    if (size.is(1)) continue;
    if (!(size == shape[d + missing])) return std::nullopt;
    strides[d + missing] = own[d];
  }
  return strides;
}

std::optional<Dim> joint_stride(const Strides& strides, const std::vector<Dim>& sizes, size_t first,
                                size_t last) {
  std::optional<Dim> inner;  // the stride and the extent of what has been joined so far
  Dim expected = 0;
  for (size_t axis = last; axis-- > first;) {
    if (sizes[axis].is(1)) continue;
    if (!inner)
      inner = strides[axis];
    else if (!(strides[axis] == expected))
      return std::nullopt;
    expected = strides[axis] * sizes[axis];
  }
  return inner ? inner : Dim(0);
}

void Walk::merge() {
  Walk merged;
  merged.operands.resize(operands.size());
  for (size_t axis = 0; axis < sizes.size(); ++axis) {
    if (sizes[axis].is(1)) continue;
    bool join = !merged.sizes.empty();
    for (size_t i = 0; i < operands.size() && join; ++i)
      join = merged.operands[i].back() == operands[i][axis] * sizes[axis];
    if (join)
      merged.sizes.back() = merged.sizes.back() * sizes[axis];
    else
      merged.sizes.push_back(sizes[axis]);
    for (size_t i = 0; i < operands.size(); ++i) {
      if (join)
        merged.operands[i].back() = operands[i][axis];
      else
        merged.operands[i].push_back(operands[i][axis]);
    }
  }
  if (merged.sizes.empty()) {
    merged.sizes.push_back(1);
    for (Strides& strides : merged.operands) strides.push_back(0);
  }
  *this = std::move(merged);
}

}  // namespace burnish::cuda
