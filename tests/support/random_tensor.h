// Random tensors, and how far two lie apart.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "base/dispatch.h"
#include "burnish/tensor.h"

namespace burnish::testing {

/// Floats in [-2, 2] (or [0.1, 2] with `is_positive`), integers in [-3, 3] ([1, 3]), unsigned ones in [0, 6],
/// booleans.
inline Tensor random_tensor(DType dtype, const Shape& shape, bool is_positive, std::mt19937& random) {
  Tensor tensor(dtype, shape);
  std::uniform_real_distribution<float> real(is_positive ? 0.1f : -2.0f, 2.0f);
  std::uniform_int_distribution<int> integer(is_positive ? 1 : -3, 3);
  dispatch(AllTypes{}, dtype, [&]<class T>(Type<T>) {
    for (int64_t i = 0; i < tensor.size(); ++i) {
      if constexpr (std::is_same_v<T, bool>)
        tensor.data<T>()[i] = random() % 2 == 0;
      else if constexpr (std::is_unsigned_v<T>)
        tensor.data<T>()[i] = static_cast<T>(integer(random) + 3);
      else if constexpr (std::is_integral_v<T>)
        tensor.data<T>()[i] = static_cast<T>(integer(random));
      else
        tensor.data<T>()[i] = static_cast<T>(real(random));
    }
  });
  return tensor;
}

/// The largest |a - b| / (1 + |b|) over all elements; NaN equals NaN. Infinite where shapes or types differ.
inline double largest_difference(const Tensor& a, const Tensor& b) {
  constexpr double infinite = std::numeric_limits<double>::infinity();
  if (a.dtype() != b.dtype() || a.shape() != b.shape()) return infinite;
  double largest = 0;
  dispatch(AllTypes{}, a.dtype(), [&]<class T>(Type<T>) {
    for (int64_t i = 0; i < a.size(); ++i) {
      const double x = static_cast<double>(a.data<T>()[i]), y = static_cast<double>(b.data<T>()[i]);
      if (x == y || (std::isnan(x) && std::isnan(y))) continue;
      const double difference = std::abs(x - y) / (1 + std::abs(y));
      largest = std::max(largest, std::isnan(difference) ? infinite : difference);
    }
  });
  return largest;
}

}  // namespace burnish::testing
