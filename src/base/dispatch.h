// From a run-time DType to a C++ type.
#pragma once

#include <burnish/dtype.h>

#include "base/error.h"

namespace burnish {

template <class T>
struct Type {
  using type = T;
};

template <class... Ts>
struct Types {};

using FloatTypes = Types<float, Half, BFloat16, double>;
using IntegerTypes = Types<int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t, int64_t, uint64_t>;
using NumberTypes = Types<float, Half, BFloat16, double, int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t,
                          int64_t, uint64_t>;
using NumberAndBoolTypes = Types<float, Half, BFloat16, double, int8_t, uint8_t, int16_t, uint16_t, int32_t,
                                 uint32_t, int64_t, uint64_t, bool>;
using AllTypes = Types<float, Half, BFloat16, double, int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t,
                       int64_t, uint64_t, bool, Float8E4M3, Float8E5M2, Int4, UInt4>;

/// Calls body(Type<T>{}) for the T among `Ts` that `dtype` names; throws Error for any other.
template <class... Ts, class Body>
void dispatch(Types<Ts...>, DType dtype, Body&& body) {
  const bool found = ((dtype == dtype_of<Ts> ? (body(Type<Ts>{}), true) : false) || ...);
  if (!found) fail("element type {} is not supported here", dtype_name(dtype));
}

/// Calls body(Type<T>{}) with an unsigned integer of the element's width: for code that only moves data.
template <class Body>
void dispatch_bytes(DType dtype, Body&& body) {
  switch (dtype_bytes(dtype)) {
    case 1: return body(Type<uint8_t>{});
    case 2: return body(Type<uint16_t>{});
    case 4: return body(Type<uint32_t>{});
    default: return body(Type<uint64_t>{});
  }
}

/// The type in which arithmetic on T is done: float for the narrow floats, T otherwise.
template <class T> struct ComputeType { using type = T; };
template <> struct ComputeType<Half> { using type = float; };
template <> struct ComputeType<BFloat16> { using type = float; };
template <> struct ComputeType<Float8E4M3> { using type = float; };
template <> struct ComputeType<Float8E5M2> { using type = float; };
template <> struct ComputeType<Int4> { using type = int32_t; };
template <> struct ComputeType<UInt4> { using type = int32_t; };
template <class T> using compute_t = typename ComputeType<T>::type;

}  // namespace burnish
