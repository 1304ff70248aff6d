// Flat indices and coordinates of row-major tensors.
#pragma once

#include <burnish/tensor.h>

#include <span>

namespace burnish::ops {

inline int64_t product_of(std::span<const int64_t> sizes) {
  int64_t product = 1;
  for (int64_t size : sizes) product *= size;
  return product;
}

/// The coordinates of element `index`.
inline Shape unravel(int64_t index, std::span<const int64_t> shape) {
  Shape coordinates(shape.size());
  for (size_t d = shape.size(); d-- > 0; index /= shape[d]) coordinates[d] = index % shape[d];
  return coordinates;
}

/// The spatial sizes of a tensor [N, C, spatial...].
inline Shape spatial_sizes(const Tensor& tensor) {
  return {tensor.shape().begin() + 2, tensor.shape().end()};
}

}  // namespace burnish::ops
