// What every kernel of Burnish starts with: element types, the intrinsics of pointwise expressions (src/ops/intrinsics.h
// says what they mean), and thin names for PTX. It includes nothing, so NVRTC needs no CUDA headers.
using int8_t = signed char;
using uint8_t = unsigned char;
using int16_t = short;
using uint16_t = unsigned short;
using int32_t = int;
using uint32_t = unsigned;
using int64_t = long long;
using uint64_t = unsigned long long;
#define BURNISH_DEVICE __device__ __forceinline__

namespace burnish {

// --- element types: what lies in memory, and what arithmetic is done in ---
struct alignas(2) f16 { uint16_t bits; };
struct alignas(2) bf16 { uint16_t bits; };
struct alignas(1) f8e4m3 { uint8_t bits; };
struct alignas(1) f8e5m2 { uint8_t bits; };
struct alignas(1) i4 { signed char bits; };   // one to a byte
struct alignas(1) u4 { uint8_t bits; };

template <class T> struct ComputeOf { using type = T; };
template <> struct ComputeOf<f16> { using type = float; };
template <> struct ComputeOf<bf16> { using type = float; };
template <> struct ComputeOf<f8e4m3> { using type = float; };
template <> struct ComputeOf<f8e5m2> { using type = float; };
template <> struct ComputeOf<i4> { using type = int32_t; };
template <> struct ComputeOf<u4> { using type = int32_t; };
template <class T> using compute_t = typename ComputeOf<T>::type;

template <class T> BURNISH_DEVICE compute_t<T> widen(T x) { return x; }
template <> BURNISH_DEVICE float widen<f16>(f16 x) { float y; asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits)); return y; }
template <> BURNISH_DEVICE float widen<bf16>(bf16 x) { return __uint_as_float(uint32_t(x.bits) << 16); }

template <class T> BURNISH_DEVICE T narrow(compute_t<T> x) { return x; }
template <> BURNISH_DEVICE f16 narrow<f16>(float x) { f16 y; asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x)); return y; }
template <> BURNISH_DEVICE bf16 narrow<bf16>(float x) { bf16 y; asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x)); return y; }

// Eight-bit floats, of MANTISSA bits and a bias; LARGEST is the code of the largest finite value.
template <int MANTISSA, int BIAS> BURNISH_DEVICE float decode_float8(int code) {
  const int exponent = code >> MANTISSA, mantissa = code & ((1 << MANTISSA) - 1);
  if (exponent == 0) return mantissa * __int_as_float((127 + 1 - BIAS - MANTISSA) << 23);
  return __int_as_float(((exponent - BIAS + 127) << 23) | (mantissa << (23 - MANTISSA)));
}
/// Rounds to even; beyond the largest finite value comes that one, or OVERFLOW_CODE where not saturated.
template <int MANTISSA, int BIAS, int LARGEST, int OVERFLOW_CODE> BURNISH_DEVICE uint8_t encode_float8(float x, bool saturate) {
  const uint32_t bits = __float_as_uint(x), sign = bits >> 31 << 7;
  if (x != x) return sign | 0x7f;
  const int beyond = saturate ? LARGEST : OVERFLOW_CODE, lowest = 1 - BIAS, exponent = int(bits >> 23 & 255) - 127;
  const int scale = (exponent > lowest ? exponent : lowest) - MANTISSA;  // the binade's values are multiples of 2^scale
  if (exponent > 64) return sign | beyond;
  const float magnitude = __uint_as_float(bits & 0x7fffffffu), units = ::rintf(magnitude * __int_as_float((127 - scale) << 23));
  const int code = exponent >= lowest ? ((exponent + BIAS - 1) << MANTISSA) + int(units) : int(units);  // a carry moves on to the next binade
  return sign | (code > LARGEST ? beyond : code);
}
template <> BURNISH_DEVICE float widen<f8e4m3>(f8e4m3 x) {
  const int code = x.bits & 0x7f;
  const float magnitude = code == 0x7f ? __int_as_float(0x7fc00000) : decode_float8<3, 7>(code);
  return x.bits & 0x80 ? -magnitude : magnitude;
}
template <> BURNISH_DEVICE float widen<f8e5m2>(f8e5m2 x) {
  const int code = x.bits & 0x7f;
  const float magnitude = code > 0x7c ? __int_as_float(0x7fc00000) : code == 0x7c ? __int_as_float(0x7f800000) : decode_float8<2, 15>(code);
  return x.bits & 0x80 ? -magnitude : magnitude;
}
BURNISH_DEVICE f8e4m3 to_f8e4m3(float x, bool saturate) { return {encode_float8<3, 7, 0x7e, 0x7f>(x, saturate)}; }
BURNISH_DEVICE f8e5m2 to_f8e5m2(float x, bool saturate) { return {encode_float8<2, 15, 0x7b, 0x7c>(x, saturate)}; }
template <> BURNISH_DEVICE f8e4m3 narrow<f8e4m3>(float x) { return to_f8e4m3(x, false); }
template <> BURNISH_DEVICE f8e5m2 narrow<f8e5m2>(float x) { return to_f8e5m2(x, false); }
template <> BURNISH_DEVICE int32_t widen<i4>(i4 x) { return x.bits; }
template <> BURNISH_DEVICE int32_t widen<u4>(u4 x) { return x.bits; }
template <> BURNISH_DEVICE i4 narrow<i4>(int32_t x) { return {(signed char)(int32_t(uint32_t(x) << 28) >> 28)}; }
template <> BURNISH_DEVICE u4 narrow<u4>(int32_t x) { return {uint8_t(x & 15)}; }

/// Two narrowed values in one register, the first in its low half.
template <class T> BURNISH_DEVICE uint32_t narrow_pair(float low, float high);
template <> BURNISH_DEVICE uint32_t narrow_pair<f16>(float low, float high) { uint32_t y; asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low)); return y; }
template <> BURNISH_DEVICE uint32_t narrow_pair<bf16>(float low, float high) { uint32_t y; asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low)); return y; }


/// N elements as one access of memory; their address is a multiple of their size (16 bytes at most).
template <class T, int N> struct alignas(N * sizeof(T) > 16 ? 16 : N * sizeof(T)) Vector { T element[N]; };

template <class T, int N> BURNISH_DEVICE void load(compute_t<T> (&into)[N], const T* from) {
  const Vector<T, N> loaded = *reinterpret_cast<const Vector<T, N>*>(from);
#pragma unroll
  for (int i = 0; i < N; ++i) into[i] = widen<T>(loaded.element[i]);
}
template <class T, int N> BURNISH_DEVICE void store(T* to, const compute_t<T> (&from)[N]) {
  Vector<T, N> stored;
#pragma unroll
  for (int i = 0; i < N; ++i) stored.element[i] = narrow<T>(from[i]);
  *reinterpret_cast<Vector<T, N>*>(to) = stored;
}

// --- intrinsics ---
template <class T> struct IsFloat { static constexpr bool value = false; };
template <> struct IsFloat<float> { static constexpr bool value = true; };
template <> struct IsFloat<double> { static constexpr bool value = true; };
template <class T> constexpr bool is_float = IsFloat<T>::value;
template <class T> constexpr bool is_signed = T(-1) < T(0);
/// A float's whole part in 64 bits: NaN is 0, the rest is clamped.
template <class T> BURNISH_DEVICE int64_t whole_part(T x) {
  if (x != x) return 0;
  if (x >= T(9223372036854775808.0)) return 9223372036854775807ll;
  if (x < T(-9223372036854775808.0)) return -9223372036854775807ll - 1;
  return int64_t(x);
}
/// ONNX's Cast between arithmetic types (ops/cast.cpp): integers keep the low bits of what does not fit.
template <class To, class From> BURNISH_DEVICE To convert(From x) {
  if constexpr (is_float<From> && !is_float<To>) {
    if constexpr (sizeof(To) == 8 && !is_signed<To>) {
      if (x >= From(9223372036854775808.0) && x < From(18446744073709551616.0)) return To(x);
    }
    return To(whole_part(x));
  } else return To(x);
}
template <class T> struct Unsigned { using type = T; };
template <> struct Unsigned<int8_t> { using type = uint8_t; };
template <> struct Unsigned<int16_t> { using type = uint16_t; };
template <> struct Unsigned<int32_t> { using type = uint32_t; };
template <> struct Unsigned<int64_t> { using type = uint64_t; };

#define BURNISH_FUNCTION(NAME)                                        \
  BURNISH_DEVICE float NAME(float x) { return ::NAME##f(x); }         \
  BURNISH_DEVICE double NAME(double x) { return ::NAME(x); }
BURNISH_FUNCTION(erf) BURNISH_FUNCTION(expm1) BURNISH_FUNCTION(log) BURNISH_FUNCTION(log1p) BURNISH_FUNCTION(sqrt)
BURNISH_FUNCTION(sin) BURNISH_FUNCTION(cos) BURNISH_FUNCTION(tan) BURNISH_FUNCTION(asin) BURNISH_FUNCTION(acos)
BURNISH_FUNCTION(atan) BURNISH_FUNCTION(sinh) BURNISH_FUNCTION(cosh) BURNISH_FUNCTION(asinh) BURNISH_FUNCTION(acosh)
BURNISH_FUNCTION(atanh) BURNISH_FUNCTION(floor) BURNISH_FUNCTION(ceil) BURNISH_FUNCTION(trunc)
#undef BURNISH_FUNCTION
BURNISH_DEVICE double exp(double x) { return ::exp(x); }
BURNISH_DEVICE double tanh(double x) { return ::tanh(x); }
BURNISH_DEVICE double sigmoid(double x) { return 1 / (1 + ::exp(-x)); }
#if __CUDA_ARCH__ >= 800
BURNISH_DEVICE float max_nan(float a, float b) { float y; asm("max.NaN.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b)); return y; }
BURNISH_DEVICE float min_nan(float a, float b) { float y; asm("min.NaN.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b)); return y; }
#endif
template <class T> BURNISH_DEVICE T max_nan(T a, T b) {
  if constexpr (is_float<T>) { if (a != a) return a; if (b != b) return b; }
  return a > b ? a : b;
}
template <class T> BURNISH_DEVICE T min_nan(T a, T b) {
  if constexpr (is_float<T>) { if (a != a) return a; if (b != b) return b; }
  return a < b ? a : b;
}
#ifdef BURNISH_FAST  // every result is rounded to 16 bits, beside which the errors of these are nothing
BURNISH_DEVICE float exp(float x) { return __expf(x); }
BURNISH_DEVICE float sigmoid(float x) { return __fdividef(1.0f, 1.0f + __expf(-x)); }
BURNISH_DEVICE float tanh(float x) { return 1.0f - __fdividef(2.0f, 1.0f + __expf(2.0f * x)); }
/// max(x, 0) - t Phi(-t) with t = |x|; Phi(-t) = 2^(t p(t) - 1), p by a minimax fit over t <= 6: 5e-5 of a result above -5, 8e-6 of any.
BURNISH_DEVICE float gelu(float x) {
  const float t = ::fminf(::fabsf(x), 8.0f);
  float p = 0x1.8924fp-16f;
  p = p * t - 0x1.44ebf4p-11f;
  p = p * t + 0x1.dbd076p-8f;
  p = p * t - 0x1.a538ap-5f;
  p = p * t - 0x1.d7ec9ep-2f;
  p = p * t - 0x1.2685e2p+0f;
  float tail;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(tail) : "f"(p * t - 1.0f));
  return max_nan(x, 0.0f) - t * tail;
}
#else
BURNISH_DEVICE float gelu(float x) { return 0.5f * x * (1.0f + ::erff(x * 0.70710678f)); }
BURNISH_DEVICE float exp(float x) { return ::expf(x); }
BURNISH_DEVICE float sigmoid(float x) { return 1.0f / (1.0f + ::expf(-x)); }
BURNISH_DEVICE float tanh(float x) { return ::tanhf(x); }
#endif
BURNISH_DEVICE float rsqrt(float x) { return 1.0f / ::sqrtf(x); }
BURNISH_DEVICE double rsqrt(double x) { return 1.0 / ::sqrt(x); }
BURNISH_DEVICE float round_even(float x) { return ::rintf(x); }
BURNISH_DEVICE double round_even(double x) { return ::rint(x); }
template <class T> BURNISH_DEVICE bool is_nan(T x) { return x != x; }
template <class T> BURNISH_DEVICE bool is_inf(T x) { return x == x && x - x != x - x; }

template <class T> BURNISH_DEVICE T abs(T x) {
  if constexpr (sizeof(T) == 4 && is_float<T>) return ::fabsf(x);
  else if constexpr (is_float<T>) return ::fabs(x);
  else if constexpr (is_signed<T>) return x < 0 ? T(0) - x : x;
  else return x;
}
template <class T> BURNISH_DEVICE T sign(T x) {
  if constexpr (is_float<T>) { if (x != x) return x; }
  return x > T(0) ? T(1) : x < T(0) ? T(-1) : T(0);
}
template <class T> BURNISH_DEVICE T wrap_add(T a, T b) {
  if constexpr (is_float<T>) return a + b;
  else return T(typename Unsigned<T>::type(a) + typename Unsigned<T>::type(b));
}
template <class T> BURNISH_DEVICE T wrap_sub(T a, T b) {
  if constexpr (is_float<T>) return a - b;
  else return T(typename Unsigned<T>::type(a) - typename Unsigned<T>::type(b));
}
template <class T> BURNISH_DEVICE T wrap_mul(T a, T b) {
  if constexpr (is_float<T>) return a * b;
  else return T(uint64_t(a) * uint64_t(b));
}
BURNISH_DEVICE float remainder_of(float a, float b) { return ::fmodf(a, b); }
BURNISH_DEVICE double remainder_of(double a, double b) { return ::fmod(a, b); }
BURNISH_DEVICE float copy_sign(float a, float b) { return ::copysignf(a, b); }
BURNISH_DEVICE double copy_sign(double a, double b) { return ::copysign(a, b); }
template <class T> BURNISH_DEVICE T divide(T a, T b) {
  if constexpr (is_float<T>) return a / b;
  else {
    if (b == 0) return 0;
    if constexpr (is_signed<T>) { if (b == T(-1)) return wrap_sub(T(0), a); }
    return T(a / b);
  }
}
template <class T> BURNISH_DEVICE T mod_trunc(T a, T b) {
  if constexpr (is_float<T>) return remainder_of(a, b);
  else {
    if (b == 0) return 0;
    if constexpr (is_signed<T>) { if (b == T(-1)) return 0; }
    return T(a % b);
  }
}
template <class T> BURNISH_DEVICE T mod_floor(T a, T b) {
  const T r = mod_trunc(a, b);
  if constexpr (is_float<T>) return r == 0 ? copy_sign(r, b) : (r < 0) != (b < 0) ? r + b : r;
  else if constexpr (is_signed<T>) return r != 0 && ((r < 0) != (b < 0)) ? T(r + b) : r;
  else return r;
}
BURNISH_DEVICE float pow(float a, float b) { return ::powf(a, b); }
BURNISH_DEVICE double pow(double a, double b) { return ::pow(a, b); }
template <class T> BURNISH_DEVICE T pow(T a, T b) {
  if constexpr (is_signed<T>) {
    if (b < 0) return a == 1 ? T(1) : a == T(-1) ? (b & 1 ? T(-1) : T(1)) : T(0);
  }
  T result = 1;
  for (; b > 0; b = T(b >> 1), a = wrap_mul(a, a))
    if (b & 1) result = wrap_mul(result, a);
  return result;
}
template <class T> BURNISH_DEVICE T shift_left(T a, T b) { return b < T(0) || uint64_t(b) >= sizeof(T) * 8 ? T(0) : T(typename Unsigned<T>::type(a) << b); }
template <class T> BURNISH_DEVICE T shift_right(T a, T b) {
  if (b < T(0) || uint64_t(b) >= sizeof(T) * 8) return a < T(0) ? T(-1) : T(0);
  return T(a >> b);
}

// --- programmatic dependent launch: what comes before wait_for_inputs() must read nothing that kernels before it wrote ---
BURNISH_DEVICE void wait_for_inputs() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
/// Asks L2 for the line that holds this.
BURNISH_DEVICE void fetch_line(const void* pointer) { asm volatile("prefetch.global.L2 [%0];" ::"l"(__cvta_generic_to_global(pointer))); }
/// Asks L2 for this block's share of bytes that nothing writes any more. For one thread.
struct Ahead {
  const char *at, *end;
  uint32_t slice;  // what one fetch() asks for: a multiple of 16 bytes

  /// So that `fetches` of them ask for all.
  BURNISH_DEVICE Ahead(const char* from, uint64_t bytes, int fetches) : at(from), end(from), slice(0) {
    if (from == nullptr) return;
    const uint32_t blocks = gridDim.x * gridDim.y * gridDim.z, block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    const uint64_t each = (bytes / 16 + blocks - 1) / blocks * 16, first = each * block, whole = bytes / 16 * 16;
    at = from + (first < whole ? first : whole);
    end = from + (first + each < whole ? first + each : whole);
    slice = (uint32_t(end - at) / 16 + fetches - 1) / fetches * 16;
  }
  BURNISH_DEVICE void fetch() {
#if __CUDA_ARCH__ >= 900
    constexpr uint32_t piece = 16 << 10;  // of one copy
    for (uint32_t left = slice; left > 0 && at < end;) {
      uint32_t size = left < piece ? left : piece;
      if (end - at < size) size = uint32_t(end - at);
      asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(__cvta_generic_to_global(at)), "r"(size) : "memory");
      at += size;
      left -= size;
    }
#endif
  }
};
/// From here on, once every block has said so, the next kernel's blocks may start (up to their own wait_for_inputs()).
BURNISH_DEVICE void let_next_start() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;");
#endif
}

BURNISH_DEVICE uint32_t shared_address(const void* pointer) { return static_cast<uint32_t>(__cvta_generic_to_shared(pointer)); }

/// The sum (or maximum) over a warp, in every lane.
BURNISH_DEVICE float warp_sum(float x) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(0xffffffffu, x, offset);
  return x;
}
BURNISH_DEVICE float warp_max(float x) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) x = max_nan(x, __shfl_xor_sync(0xffffffffu, x, offset));
  return x;
}

}  // namespace burnish
