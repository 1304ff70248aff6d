// Tensors between row-major order and the physical layouts, on the host.
#pragma once

#include <burnish/tensor.h>

#include "ir/type.h"

namespace burnish::device {

/// The bytes of `plain` in another layout, as a one-dimensional u8 tensor of storage_bytes(); padding is zero.
Tensor to_layout(const Tensor& plain, ir::Layout layout);
/// The inverse: `data` holds storage_bytes(dtype, shape, layout) bytes.
Tensor from_layout(const void* data, DType dtype, const Shape& shape, ir::Layout layout);

}  // namespace burnish::device
