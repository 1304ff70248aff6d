// SIMD kernels round products of eight-bit integers: floats into bytes, and sums into results.
#pragma once

#include <cstdint>

namespace burnish::cpu {

struct QuantizeKernels {
  /// Widens [low, high] to hold x[0], ..., x[n - 1]; NaN is passed over.
  void (*range)(const float* x, int64_t n, float& low, float& high);
  /// y[i] = x[i] / scale, rounded to even, plus zero, clamped to u8; NaN gives 0.
  void (*to_bytes)(const float* x, int64_t n, float scale, uint8_t zero, uint8_t* y);
  /// y[j] = sums[j] + shifts[j] - factor * zeros[j], where `zeros` may be null; y may be sums.
  void (*settle)(const int32_t* sums, const int32_t* shifts, const int32_t* zeros, int32_t factor, int64_t n,
                 int32_t* y);
  /// The same as floats, times `scale`.
  void (*settle_floats)(const int32_t* sums, const int32_t* shifts, const int32_t* zeros, int32_t factor,
                        float scale, int64_t n, float* y);
};

/// For the best instruction set here.
const QuantizeKernels& quantize_kernels();

}  // namespace burnish::cpu
