// SIMD kernels over rows of floats: sums, norms, softmax. Row kernels walk n contiguous elements; column
// kernels walk n rows of up to `most_columns` elements that lie `stride` apart, and treat each column by
// itself.
#pragma once

#include <cstdint>

namespace burnish::cpu {

inline constexpr int64_t most_columns = 128;

enum class Fold : uint8_t { sum, absolute_sum, square_sum, product, largest, smallest };

/// What a fold starts with.
float fold_start(Fold fold);

struct RowKernels {
  /// y may be x. `logarithm`: log_softmax.
  void (*softmax)(const float* x, float* y, int64_t n, bool logarithm);
  void (*softmax_columns)(const float* x, float* y, int64_t n, int64_t stride, int64_t columns,
                          bool logarithm);
  /// The mean (0 if not `centred`) and the mean square of deviations from it.
  void (*moments)(const float* x, int64_t n, bool centred, float& mean, float& variance);
  /// y[i] = (x[i] - mean) * factor * scale[i] + bias[i]; no bias where null.
  void (*affine_rows)(const float* x, float* y, int64_t n, float mean, float factor, const float* scale,
                      const float* bias);
  /// y[i] = (x[i] - mean) * factor + shift
  void (*affine)(const float* x, float* y, int64_t n, float mean, float factor, float shift);
  /// x[i] = x[i] * scale + added[i]; nothing is added where null.
  void (*scale_add)(float* x, int64_t n, float scale, const float* added);
  /// y[i] = (first ? 0 : y[i]) + x[i] * factor
  void (*add_scaled)(const float* x, float* y, int64_t n, float factor, bool first);
  /// The fold of `start` and x[0], ..., x[n - 1].
  float (*fold)(Fold fold, const float* x, int64_t n, float start);
  /// state[i] = fold(state[i], x[i])
  void (*fold_into)(Fold fold, const float* x, float* state, int64_t n);
  /// The first index (the last, if `last`) of `value` in x, or of NaN if `value` is NaN.
  int64_t (*find)(const float* x, int64_t n, float value, bool last);
};

/// For the best instruction set here.
const RowKernels& row_kernels();

}  // namespace burnish::cpu
