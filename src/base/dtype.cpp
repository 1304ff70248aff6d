#include <burnish/dtype.h>

#include <array>
#include <bit>
#include <cmath>

namespace burnish {
namespace {

struct DTypeInfo {
  std::string_view name, numpy;
  int bytes;
};

constexpr std::array<DTypeInfo, dtype_count> infos = {{
    {"f32", "float32", 4}, {"f16", "float16", 2},  {"bf16", "bfloat16", 2},      {"f64", "float64", 8},
    {"f8e4m3", "float8_e4m3fn", 1}, {"f8e5m2", "float8_e5m2", 1}, {"i8", "int8", 1}, {"u8", "uint8", 1},
    {"i16", "int16", 2},   {"u16", "uint16", 2},   {"i32", "int32", 4},          {"u32", "uint32", 4},
    {"i64", "int64", 8},   {"u64", "uint64", 8},   {"i4", "int4", 1},            {"u4", "uint4", 1},
    {"bool", "bool", 1},
}};

const DTypeInfo& info(DType dtype) { return infos[static_cast<size_t>(dtype)]; }

/// A float format of eight bits: how many mantissa bits, the exponent bias, the largest finite code.
struct Float8Format {
  int mantissa_bits, bias;
  uint8_t largest, overflow;
};
constexpr Float8Format e4m3{3, 7, 0x7e, 0x7f};
constexpr Float8Format e5m2{2, 15, 0x7b, 0x7c};

/// Decodes the magnitude `code` (sign bit clear) of a finite value.
float decode_finite(uint8_t code, const Float8Format& format) {
  const int exponent = code >> format.mantissa_bits;
  const int mantissa = code & ((1 << format.mantissa_bits) - 1);
  if (exponent == 0) return std::ldexp(static_cast<float>(mantissa), 1 - format.bias - format.mantissa_bits);
  return std::ldexp(static_cast<float>(mantissa + (1 << format.mantissa_bits)),
                    exponent - format.bias - format.mantissa_bits);
}

uint8_t encode_float8(float value, bool saturate, const Float8Format& format) {
  const uint8_t sign = std::signbit(value) ? 0x80 : 0;
  if (std::isnan(value)) return sign | 0x7f;
  const float magnitude = std::fabs(value);
  if (std::isinf(magnitude)) return sign | (saturate ? format.largest : format.overflow);
  int exponent = 0;
  std::frexp(magnitude, &exponent);  // magnitude = f * 2^exponent, f in [0.5, 1)
  const int lowest = 1 - format.bias;
  const int scale = std::max(exponent - 1, lowest) - format.mantissa_bits;
  // Multiples of 2^scale are the representable values of this binade; nearbyint rounds to even.
  const float rounded = std::ldexp(std::nearbyint(std::ldexp(magnitude, -scale)), scale);
  if (rounded > decode_finite(format.largest, format)) return sign | (saturate ? format.largest : format.overflow);
  if (rounded == 0) return sign;
  std::frexp(rounded, &exponent);
  const int biased = exponent - 1 + format.bias;
  const int shift = std::max(exponent - 1, lowest) - format.mantissa_bits;
  const int units = static_cast<int>(std::ldexp(rounded, -shift));
  if (biased <= 0) return sign | static_cast<uint8_t>(units);
  return sign | static_cast<uint8_t>((biased << format.mantissa_bits) | (units - (1 << format.mantissa_bits)));
}

}  // namespace

int64_t dtype_bytes(DType dtype) { return info(dtype).bytes; }
std::string_view dtype_name(DType dtype) { return info(dtype).name; }

std::optional<DType> parse_dtype(std::string_view name) {
  for (int i = 0; i < dtype_count; ++i) {
    if (infos[static_cast<size_t>(i)].name == name || infos[static_cast<size_t>(i)].numpy == name)
      return static_cast<DType>(i);
  }
  return std::nullopt;
}

bool is_floating(DType dtype) { return dtype <= DType::f8e5m2; }
bool is_integer(DType dtype) { return dtype >= DType::i8 && dtype <= DType::u4; }
bool is_signed_integer(DType dtype) {
  return dtype == DType::i8 || dtype == DType::i16 || dtype == DType::i32 || dtype == DType::i64 ||
         dtype == DType::i4;
}

uint16_t float_to_half(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return static_cast<uint16_t>(sign | 0x7e00 | ((magnitude >> 13) & 0x3ff));
  if (magnitude >= 0x477ff000) return sign | 0x7c00;  // rounds to 65536 or beyond
  if (magnitude < 0x38800000) {                       // subnormal half, or zero
    if (magnitude < 0x33000000) return sign;
    const int shift = 126 - static_cast<int>(magnitude >> 23);
    const uint32_t mantissa = (magnitude & 0x7fffff) | 0x800000;
    const uint32_t half = mantissa >> shift;
    const uint32_t rest = mantissa & ((1u << shift) - 1), middle = 1u << (shift - 1);
    return static_cast<uint16_t>(sign | (half + (rest > middle || (rest == middle && (half & 1)))));
  }
  const uint32_t rounded = magnitude + 0xfff + ((magnitude >> 13) & 1);
  return static_cast<uint16_t>(sign | ((rounded - 0x38000000) >> 13));
}

float half_to_float(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1f, mantissa = bits & 0x3ff;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000 | (mantissa << 13));
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

uint16_t float_to_bfloat16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>((bits >> 16) | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

float bfloat16_to_float(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

uint8_t float_to_f8e4m3(float value, bool saturate) { return encode_float8(value, saturate, e4m3); }
uint8_t float_to_f8e5m2(float value, bool saturate) { return encode_float8(value, saturate, e5m2); }

float f8e4m3_to_float(uint8_t bits) {
  const uint8_t code = bits & 0x7f;
  const float magnitude = code == 0x7f ? std::nanf("") : decode_finite(code, e4m3);
  return bits & 0x80 ? -magnitude : magnitude;
}

float f8e5m2_to_float(uint8_t bits) {
  const uint8_t code = bits & 0x7f;
  const float magnitude = code > 0x7c ? std::nanf("") : code == 0x7c ? INFINITY : decode_finite(code, e5m2);
  return bits & 0x80 ? -magnitude : magnitude;
}

}  // namespace burnish
