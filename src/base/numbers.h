// Floats as integers and element types, also those that do not fit.
#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "base/dispatch.h"

namespace burnish {

/// A float's whole part. ONNX leaves out what does not fit; here NaN is 0, and the rest is clamped to 64
/// bits.
template <std::floating_point F>
int64_t whole_part(F value) {
  if (std::isnan(value)) return 0;
  if (value >= F(0x1p63)) return std::numeric_limits<int64_t>::max();
  if (value < F(-0x1p63)) return std::numeric_limits<int64_t>::min();
  return static_cast<int64_t>(value);
}

/// A number as an element of type T: rounded to a float, or its whole part, of which narrow integers keep the
/// low bits.
template <class T>
T element_of(double value) {
  if constexpr (std::is_integral_v<compute_t<T>> && !std::is_same_v<T, bool>)
    return static_cast<T>(static_cast<compute_t<T>>(whole_part(value)));
  else
    return static_cast<T>(static_cast<compute_t<T>>(value));
}

}  // namespace burnish
