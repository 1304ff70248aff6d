// Whole numbers out of JSON that may be damaged.
#pragma once

#include <burnish/tensor.h>

#include <concepts>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"

namespace burnish::engine {

/// The number that `value` is. nlohmann's get() casts any number to any type; here a fraction, and what a T
/// cannot hold, is an Error.
template <std::integral T>
T whole_number(const nlohmann::json& value) {
  const bool fits = value.is_number_unsigned()
                        ? std::in_range<T>(value.get<uint64_t>())
                        : value.is_number_integer() && std::in_range<T>(value.get<int64_t>());
  require(fits, "{} is no whole number in its range",
          value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  return value.get<T>();
}

/// A shape whose elements can be counted. Throws Error for anything else.
inline Shape shape_of(const nlohmann::json& dims) {
  require(dims.is_array(), "a shape is a list of dimensions");
  Shape shape;
  for (const nlohmann::json& dim : dims) shape.push_back(whole_number<int64_t>(dim));
  element_count(shape);
  return shape;
}

}  // namespace burnish::engine
