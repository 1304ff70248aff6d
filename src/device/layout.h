// Tensors between row-major order and the physical layouts, on the host.
#pragma once

#include <burnish/tensor.h>

#include <array>
#include <span>

#include "ir/type.h"

namespace burnish::device {

/// The bytes of `plain` in another layout, as a one-dimensional u8 tensor of storage_bytes(); padding, and
/// what a pitch leaves between pixels, is zero.
Tensor to_layout(const Tensor& plain, ir::Layout layout, int64_t pitch = 0);
/// The inverse: `data` holds storage_bytes(dtype, shape, layout, pitch) bytes.
Tensor from_layout(const void* data, DType dtype, const Shape& shape, ir::Layout layout, int64_t pitch = 0);

/// Whether a tensor of this shape lies alike in both layouts, byte for byte: no change of layout is needed then. True only
/// where the shape says so for every value of its symbols.
bool lies_alike(const std::vector<ir::Dim>& shape, ir::Layout a, ir::Layout b);

/// Whether transposing a tensor of shape `shape` by `perm` (output dimension d is input dimension perm[d]) leaves every
/// element in its place, for the layouts of input and output: from nhwc, [0,2,3,1] gives what lies there already.
bool transposes_in_memory(const std::vector<ir::Dim>& shape, const std::vector<int64_t>& perm, ir::Layout from, ir::Layout to);

/// The layouts of input and output for which that is so.
std::vector<std::array<ir::Layout, 2>> layouts_without_moves(const std::vector<ir::Dim>& shape, const std::vector<int64_t>& perm);

/// Whether parts laid one behind the other in memory make up their concatenation along `axis`: each dimension in front of it
/// is 1 and blocks of channels divide the parts. All have the layout `layout`; `parts` are shapes, `axis` counts from 0.
bool concatenates_in_memory(std::span<const std::vector<ir::Dim>> parts, int64_t axis, ir::Layout layout);

}  // namespace burnish::device
