// SIMD kernels that slide a window over rows of pixels whose channels lie side by side: depthwise convolution
// and pooling in channels-last and blocked layouts.
#pragma once

#include <cstdint>

namespace burnish::cpu {

inline constexpr int64_t most_window_rows = 16;

/// Output columns [begin, end) of one row, for `channels` channels.
struct WindowCall {
  int64_t rows = 0;                             ///< kernel rows that lie inside the image
  const float* inputs[most_window_rows] = {};   ///< for each its image row, from column 0
  const float* weights[most_window_rows] = {};  ///< and its weights, [kernel][weight_step]; convolution only
  const float* bias = nullptr;                  ///< per channel, or null; convolution only
  const float* column_factors = nullptr;        ///< per output column; average only
  float row_factor = 1;                         ///< average only
  float* output = nullptr;                      ///< output column `begin`
  int64_t begin = 0, end = 0;
  int64_t width = 0;                                      ///< columns of the image
  int64_t kernel = 1, stride = 1, dilation = 1, pad = 0;  ///< along a row
  int64_t pixel = 0;  ///< elements from pixel to pixel, in input and output
  int64_t weight_step = 0;
  int64_t channels = 0;
};

struct WindowKernels {
  void (*depthwise)(const WindowCall&);
  void (*largest)(const WindowCall&);  ///< -inf where no pixel lies inside; NaN wins
  void (*average)(const WindowCall&);  ///< sum * row_factor * column_factors[column]
};

const WindowKernels& window_kernels();

}  // namespace burnish::cpu
