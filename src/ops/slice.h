// The arithmetic of ONNX's Slice, shared by inference, the reference and backends.
#pragma once

#include <burnish/tensor.h>

#include <span>
#include <vector>

namespace burnish::ops {

/// Elements start, start + step, ... of one dimension.
struct SliceWindow {
  int64_t start = 0, count = 0, step = 1;
};

/// Clamps as ONNX does: negative starts and ends count from the back, and what lies outside is cut off.
/// Throws Error when step is 0.
SliceWindow slice_window(int64_t dim, int64_t start, int64_t end, int64_t step);

/// One window per dimension of `shape`, from the op's inputs 1 to 4 (starts, ends, axes, steps).
std::vector<SliceWindow> slice_windows(const Shape& shape, std::span<const Tensor> inputs);

}  // namespace burnish::ops
