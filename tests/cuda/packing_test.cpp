// Weights in the order in which kernels/wgmma_window.cuh reads them; no GPU is needed.
#include <gtest/gtest.h>

#include <numeric>

#include "cuda/contraction.h"

namespace burnish::cuda {
namespace {

constexpr int64_t columns = 40, channels = 72, kernel_h = 3, kernel_w = 2;

uint16_t weight(int64_t n, int64_t channel, int64_t row, int64_t column) {
  if (n >= columns || channel >= channels) return 0;
  return static_cast<uint16_t>(1 + ((n * channels + channel) * kernel_h + row) * kernel_w + column);
}

/// Walks through the packed weights as they lie, and says what should be there.
void expect_order(int tile_n, int taps) {
  Contraction c;
  c.conv = true;
  c.columns = columns;
  c.channels = channels;
  c.kernel[0] = kernel_h;
  c.kernel[1] = kernel_w;
  c.inner = channels * kernel_h * kernel_w;
  Tensor weights(DType::f16, {columns, channels, kernel_h, kernel_w});
  auto* values = static_cast<uint16_t*>(weights.raw());
  std::iota(values, values + weights.size(), uint16_t{1});
  const Tensor packed = pack_window_tiles(c, tile_n, taps, weights);
  const auto* at = static_cast<const uint16_t*>(packed.raw());
  const auto* end = at + packed.size();
  for (int64_t n0 = 0; n0 < columns; n0 += tile_n)
    for (int64_t block = 0; block < channels; block += 64)
      for (int64_t rows = 0; rows < kernel_h; rows += taps)
        for (int64_t column = 0; column < kernel_w; ++column)
          for (int64_t row = rows; row < rows + taps; ++row)
            for (int64_t n = 0; n < tile_n; ++n)
              for (int64_t place = 0; place < 8; ++place)
                for (int64_t i = 0; i < 8; ++i, ++at) {
                  const int64_t channel = block + (place ^ (n % 8)) * 8 + i;
                  ASSERT_LT(at, end);
                  ASSERT_EQ(*at, weight(n0 + n, channel, row, column))
                      << n0 + n << " " << channel << " " << row << " " << column;
                }
  EXPECT_EQ(at, end);
}

TEST(Packing, RowsOfAWindowThatShareAStepLieTogether) { expect_order(32, 3); }
TEST(Packing, RowsOfAWindowOneAStep) { expect_order(48, 1); }

}  // namespace
}  // namespace burnish::cuda
