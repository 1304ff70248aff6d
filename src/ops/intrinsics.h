// The functions that pointwise expressions may call. Code generators provide the same names on their side, so
// an expression's text means the same everywhere. Float semantics are IEEE's: NaN and infinity pass through
// as ONNX asks; integer division by zero gives 0 (C++ leaves it undefined).
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace burnish::ops::intrinsics {

template <class T> concept Float = std::floating_point<T>;
template <class T> concept Integer = std::integral<T>;

// Unary functions of <cmath>, in the argument's own precision.
template <Float T> T erf(T x) { return std::erf(x); }
template <Float T> T exp(T x) { return std::exp(x); }
template <Float T> T expm1(T x) { return std::expm1(x); }
template <Float T> T log(T x) { return std::log(x); }
template <Float T> T log1p(T x) { return std::log1p(x); }
template <Float T> T sqrt(T x) { return std::sqrt(x); }
template <Float T> T rsqrt(T x) { return T(1) / std::sqrt(x); }
template <Float T> T tanh(T x) { return std::tanh(x); }
template <Float T> T sin(T x) { return std::sin(x); }
template <Float T> T cos(T x) { return std::cos(x); }
template <Float T> T tan(T x) { return std::tan(x); }
template <Float T> T asin(T x) { return std::asin(x); }
template <Float T> T acos(T x) { return std::acos(x); }
template <Float T> T atan(T x) { return std::atan(x); }
template <Float T> T sinh(T x) { return std::sinh(x); }
template <Float T> T cosh(T x) { return std::cosh(x); }
template <Float T> T asinh(T x) { return std::asinh(x); }
template <Float T> T acosh(T x) { return std::acosh(x); }
template <Float T> T atanh(T x) { return std::atanh(x); }
template <Float T> T floor(T x) { return std::floor(x); }
template <Float T> T ceil(T x) { return std::ceil(x); }
template <Float T> T trunc(T x) { return std::trunc(x); }
template <Float T> T round_even(T x) { return std::nearbyint(x); }  ///< ties to even
template <Float T> bool is_nan(T x) { return std::isnan(x); }
template <Float T> bool is_inf(T x) { return std::isinf(x); }
template <Float T> T sigmoid(T x) { return T(1) / (T(1) + std::exp(-x)); }

template <class T> T abs(T x) {
  if constexpr (Float<T>) return std::fabs(x);
  else if constexpr (std::is_signed_v<T>) return x < 0 ? T(0) - x : x;
  else return x;
}
template <class T> T sign(T x) {
  if constexpr (Float<T>) { if (x != x) return x; }
  return x > T(0) ? T(1) : x < T(0) ? T(-1) : T(0);
}

/// The larger / smaller one; NaN if either is NaN.
template <class T> T max_nan(T a, T b) {
  if constexpr (Float<T>) { if (a != a) return a; if (b != b) return b; }
  return a > b ? a : b;
}
template <class T> T min_nan(T a, T b) {
  if constexpr (Float<T>) { if (a != a) return a; if (b != b) return b; }
  return a < b ? a : b;
}

// Arithmetic that wraps on integers (C++ leaves signed overflow undefined).
template <class T> T wrap_add(T a, T b) {
  if constexpr (Integer<T>) return T(std::make_unsigned_t<T>(a) + std::make_unsigned_t<T>(b));
  else return a + b;
}
template <class T> T wrap_sub(T a, T b) {
  if constexpr (Integer<T>) return T(std::make_unsigned_t<T>(a) - std::make_unsigned_t<T>(b));
  else return a - b;
}
template <class T> T wrap_mul(T a, T b) {
  if constexpr (Integer<T>) return T(uint64_t(a) * uint64_t(b));
  else return a * b;
}
/// Division; truncates on integers as ONNX's Div does.
template <class T> T divide(T a, T b) {
  if constexpr (Integer<T>) {
    if (b == 0) return 0;
    if constexpr (std::is_signed_v<T>) { if (b == T(-1)) return wrap_sub(T(0), a); }
    return T(a / b);
  } else {
    return a / b;
  }
}
/// The remainder with the divisor's sign (Python's %); ONNX Mod with fmod=0.
template <class T> T mod_floor(T a, T b) {
  if constexpr (Integer<T>) {
    if (b == 0) return 0;
    if constexpr (std::is_signed_v<T>) {
      if (b == T(-1)) return 0;
      const T r = T(a % b);
      return r != 0 && ((r < 0) != (b < 0)) ? T(r + b) : r;
    } else {
      return T(a % b);
    }
  } else {
    const T r = std::fmod(a, b);
    if (r == 0) return std::copysign(r, b);
    return (r < 0) != (b < 0) ? r + b : r;
  }
}
/// The remainder with the dividend's sign (C's fmod).
template <class T> T mod_trunc(T a, T b) {
  if constexpr (Integer<T>) {
    if (b == 0) return 0;
    if constexpr (std::is_signed_v<T>) { if (b == T(-1)) return 0; }
    return T(a % b);
  } else {
    return std::fmod(a, b);
  }
}
template <Float T> T pow(T a, T b) { return std::pow(a, b); }
template <Integer T> T pow(T a, T b) {
  if constexpr (std::is_signed_v<T>) {
    if (b < 0) return a == 1 ? T(1) : a == T(-1) ? (b & 1 ? T(-1) : T(1)) : T(0);
  }
  T result = 1;
  for (; b > 0; b = T(b >> 1), a = wrap_mul(a, a))
    if (b & 1) result = wrap_mul(result, a);
  return result;
}
/// Shifts; by a negative count, or the width and more, everything but the sign is shifted out.
template <Integer T> T shift_left(T a, T b) {
  return b < T(0) || uint64_t(b) >= sizeof(T) * 8 ? T(0) : T(std::make_unsigned_t<T>(a) << b);
}
template <Integer T> T shift_right(T a, T b) {
  if (b < T(0) || uint64_t(b) >= sizeof(T) * 8) return a < T(0) ? T(-1) : T(0);
  return T(a >> b);
}

}  // namespace burnish::ops::intrinsics

/// Brings the intrinsics into a function's scope, where they hide ops of the same names.
#define BURNISH_USE_INTRINSICS \
  using ::burnish::ops::intrinsics::erf; using ::burnish::ops::intrinsics::exp; \
  using ::burnish::ops::intrinsics::expm1; using ::burnish::ops::intrinsics::log; \
  using ::burnish::ops::intrinsics::log1p; using ::burnish::ops::intrinsics::sqrt; \
  using ::burnish::ops::intrinsics::rsqrt; using ::burnish::ops::intrinsics::tanh; \
  using ::burnish::ops::intrinsics::sin; using ::burnish::ops::intrinsics::cos; \
  using ::burnish::ops::intrinsics::tan; using ::burnish::ops::intrinsics::asin; \
  using ::burnish::ops::intrinsics::acos; using ::burnish::ops::intrinsics::atan; \
  using ::burnish::ops::intrinsics::sinh; using ::burnish::ops::intrinsics::cosh; \
  using ::burnish::ops::intrinsics::asinh; using ::burnish::ops::intrinsics::acosh; \
  using ::burnish::ops::intrinsics::atanh; using ::burnish::ops::intrinsics::floor; \
  using ::burnish::ops::intrinsics::ceil; using ::burnish::ops::intrinsics::trunc; \
  using ::burnish::ops::intrinsics::round_even; using ::burnish::ops::intrinsics::is_nan; \
  using ::burnish::ops::intrinsics::is_inf; using ::burnish::ops::intrinsics::sigmoid; \
  using ::burnish::ops::intrinsics::abs; using ::burnish::ops::intrinsics::sign; \
  using ::burnish::ops::intrinsics::max_nan; using ::burnish::ops::intrinsics::min_nan; \
  using ::burnish::ops::intrinsics::wrap_add; using ::burnish::ops::intrinsics::wrap_sub; \
  using ::burnish::ops::intrinsics::wrap_mul; using ::burnish::ops::intrinsics::divide; \
  using ::burnish::ops::intrinsics::mod_floor; using ::burnish::ops::intrinsics::mod_trunc; \
  using ::burnish::ops::intrinsics::pow; using ::burnish::ops::intrinsics::shift_left; \
  using ::burnish::ops::intrinsics::shift_right;
