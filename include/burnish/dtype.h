// Element types of tensors, and host representations of those C++ lacks.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace burnish {

/// Element types. Names follow the IR's text ("f32", "bf16", "i64").
/// Four-bit integers take one byte per element in memory; ONNX files and kernels may pack them.
enum class DType : uint8_t {
  f32, f16, bf16, f64, f8e4m3, f8e5m2,
  i8, u8, i16, u16, i32, u32, i64, u64,
  i4, u4, boolean,
};

inline constexpr int dtype_count = static_cast<int>(DType::boolean) + 1;

/// Bytes that one element takes in memory.
int64_t dtype_bytes(DType dtype);
/// "f32", "i64", "bool", ...
std::string_view dtype_name(DType dtype);
/// The inverse of dtype_name(); also takes NumPy's names ("float32", "int64").
std::optional<DType> parse_dtype(std::string_view name);

bool is_floating(DType dtype);   ///< f64, f32, f16, bf16 and the eight-bit floats.
bool is_integer(DType dtype);    ///< signed and unsigned integers, four-bit ones included; not bool.
bool is_signed_integer(DType dtype);

uint16_t float_to_half(float value);      ///< round to nearest even; IEEE 754 binary16
float half_to_float(uint16_t bits);
uint16_t float_to_bfloat16(float value);  ///< round to nearest even
float bfloat16_to_float(uint16_t bits);
/// ONNX's Cast to float8: round to nearest even; `saturate` clamps to the largest finite value,
/// otherwise an overflow becomes NaN (E4M3FN) or infinity (E5M2).
uint8_t float_to_f8e4m3(float value, bool saturate = true);
float f8e4m3_to_float(uint8_t bits);
uint8_t float_to_f8e5m2(float value, bool saturate = true);
float f8e5m2_to_float(uint8_t bits);

/// IEEE half precision; arithmetic goes through float.
struct Half {
  uint16_t bits = 0;
  Half() = default;
  Half(float value) : bits(float_to_half(value)) {}
  operator float() const { return half_to_float(bits); }
};

struct BFloat16 {
  uint16_t bits = 0;
  BFloat16() = default;
  BFloat16(float value) : bits(float_to_bfloat16(value)) {}
  operator float() const { return bfloat16_to_float(bits); }
};

struct Float8E4M3 {
  uint8_t bits = 0;
  Float8E4M3() = default;
  Float8E4M3(float value) : bits(float_to_f8e4m3(value)) {}
  operator float() const { return f8e4m3_to_float(bits); }
};

struct Float8E5M2 {
  uint8_t bits = 0;
  Float8E5M2() = default;
  Float8E5M2(float value) : bits(float_to_f8e5m2(value)) {}
  operator float() const { return f8e5m2_to_float(bits); }
};

/// A signed four-bit integer, -8 to 7, in one byte.
struct Int4 {
  int8_t value = 0;
  Int4() = default;
  Int4(int value) : value(static_cast<int8_t>(static_cast<int8_t>(value << 4) >> 4)) {}
  operator int() const { return value; }
};

/// An unsigned four-bit integer, 0 to 15, in one byte.
struct UInt4 {
  uint8_t value = 0;
  UInt4() = default;
  UInt4(int value) : value(static_cast<uint8_t>(value & 15)) {}
  operator int() const { return value; }
};

template <class T> struct DTypeOf;
template <> struct DTypeOf<float> { static constexpr DType value = DType::f32; };
template <> struct DTypeOf<double> { static constexpr DType value = DType::f64; };
template <> struct DTypeOf<Half> { static constexpr DType value = DType::f16; };
template <> struct DTypeOf<BFloat16> { static constexpr DType value = DType::bf16; };
template <> struct DTypeOf<Float8E4M3> { static constexpr DType value = DType::f8e4m3; };
template <> struct DTypeOf<Float8E5M2> { static constexpr DType value = DType::f8e5m2; };
template <> struct DTypeOf<int8_t> { static constexpr DType value = DType::i8; };
template <> struct DTypeOf<uint8_t> { static constexpr DType value = DType::u8; };
template <> struct DTypeOf<int16_t> { static constexpr DType value = DType::i16; };
template <> struct DTypeOf<uint16_t> { static constexpr DType value = DType::u16; };
template <> struct DTypeOf<int32_t> { static constexpr DType value = DType::i32; };
template <> struct DTypeOf<uint32_t> { static constexpr DType value = DType::u32; };
template <> struct DTypeOf<int64_t> { static constexpr DType value = DType::i64; };
template <> struct DTypeOf<uint64_t> { static constexpr DType value = DType::u64; };
template <> struct DTypeOf<Int4> { static constexpr DType value = DType::i4; };
template <> struct DTypeOf<UInt4> { static constexpr DType value = DType::u4; };
template <> struct DTypeOf<bool> { static constexpr DType value = DType::boolean; };

template <class T> inline constexpr DType dtype_of = DTypeOf<T>::value;

}  // namespace burnish
