// Places that tensors of indices name, for gathers and scatters.
#pragma once

#include "base/function_ref.h"
#include "ops/op_def.h"

namespace burnish::ops {

/// Throws Error unless input `i` is of i32 or i64.
void check_indices(const InferContext& context, int i);

/// -size <= index < size, counted from the end where negative; throws Error otherwise.
int64_t checked_index(int64_t index, int64_t size);

/// For each element of `indices` in order (GatherElements, ScatterElements): calls `body` with the element of
/// a tensor of `shape` that stands at the same coordinates but for dimension `axis`, where the index tells.
/// Throws Error for one out of range. Allocates nothing.
void for_each_element_place(const Shape& shape, const Tensor& indices, int64_t axis,
                            FunctionRef<void(int64_t)> body);

/// For each vector along the last dimension of `indices` in order (GatherND, ScatterND): calls `body` with
/// the element where the slice begins that it names in a tensor of `shape`, behind `batch_dims` dimensions
/// that both share. Throws Error for an index out of range. Allocates nothing.
void for_each_slice_place(const Shape& shape, const Tensor& indices, int64_t batch_dims,
                          FunctionRef<void(int64_t)> body);

}  // namespace burnish::ops
