// Tensors between row-major order and the physical layouts, on the host.
#pragma once

#include <burnish/tensor.h>

#include <span>

#include "ir/type.h"

namespace burnish::device {

/// The bytes of `plain` in another layout, as a one-dimensional u8 tensor of storage_bytes(); padding is zero.
Tensor to_layout(const Tensor& plain, ir::Layout layout);
/// The inverse: `data` holds storage_bytes(dtype, shape, layout) bytes.
Tensor from_layout(const void* data, DType dtype, const Shape& shape, ir::Layout layout);

/// Whether a tensor of this shape lies alike in both layouts, byte for byte: no change of layout is needed then. True only
/// where the shape says so for every value of its symbols.
bool lies_alike(const std::vector<ir::Dim>& shape, ir::Layout a, ir::Layout b);

/// Whether parts laid one behind the other in memory make up their concatenation along `axis`: each dimension in front of it
/// is 1 and blocks of channels divide the parts. All have the layout `layout`; `parts` are shapes, `axis` counts from 0.
bool concatenates_in_memory(std::span<const std::vector<ir::Dim>> parts, int64_t axis, ir::Layout layout);

}  // namespace burnish::device
