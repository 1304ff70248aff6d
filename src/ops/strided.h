// Copies of grids of elements: what transpose, slice, expand, tile, concat, split and their kin come down to.
#pragma once

#include <burnish/tensor.h>

#include <span>
#include <vector>

namespace burnish::ops {

/// Where the elements of a grid lie: element (i0, i1, ...) at offset + sum of i_d * strides[d], in elements.
/// A stride may be 0 (repeats) or negative (reverses).
struct Strided {
  int64_t offset = 0;
  std::vector<int64_t> strides;
};

/// Row-major strides of `shape`.
std::vector<int64_t> dense_strides(const Shape& shape);

/// Copies a grid of `sizes` elements of `dtype` from `source` to `destination`, in parallel. The memories
/// must not overlap, and no two grid points may share a place in the destination.
void copy_strided(DType dtype, const Shape& sizes, const void* source, const Strided& from, void* destination,
                  const Strided& to);

/// Says for each index of one output axis which input index it comes from; -1 takes the fill value.
using AxisMap = std::vector<int64_t>;

/// output[i0, i1, ...] = input[maps[0][i0], maps[1][i1], ...], or a fill value where any map says -1.
class MappedCopy {
 public:
  /// Of an input of this type and shape; each map has the output's size along its dimension.
  MappedCopy(DType dtype, const Shape& input, std::vector<AxisMap> maps);
  /// In parallel; allocates nothing. `fill` points at one element of the type; null: zero.
  void run(const void* input, const void* fill, void* output) const;

 private:
  DType dtype_;
  std::vector<AxisMap> maps_;
  std::vector<int64_t> strides_;  ///< of the input
};

}  // namespace burnish::ops
