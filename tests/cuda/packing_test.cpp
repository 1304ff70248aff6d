// What the host packs of weights for the kernels; no GPU is needed.
#include <gtest/gtest.h>

#include "cuda/contraction.h"
#include "device/problem.h"

namespace burnish::cuda {
namespace {

/// The packed element that stands for element `at` of a column's inner index, in the only tiles of columns
/// and inner index.
float packed_at(const Tensor& packed, int64_t column, int64_t at) {
  const int64_t chunk = 8, tile_k = 64;
  return packed.data<Half>()[column * tile_k + ((at / chunk) ^ (column & 7)) * chunk + at % chunk];
}

// A window's row as one run: channels-last, its inner index is row, column, channel as ever; of planes,
// channel, row, column.
TEST(Packing, FollowsTheRunsThatAPatchIsReadBy) {
  constexpr int64_t filters = 3, channels = 2, rows = 2, columns = 8;
  Tensor weights(DType::f16, {filters, channels, rows, columns});
  for (int64_t i = 0; i < weights.size(); ++i) weights.data<Half>()[i] = Half(static_cast<float>(i));
  for (const bool channels_last : {true, false}) {
    const device::Problem problem = device::Problem::parse(
        std::string("graph problem(%x0: f16[1,2,4,16]") + (channels_last ? " nhwc" : "") +
        ", %w1: f16[3,2,2,8]) { %v0 = conv(%x0, %w1) {strides=[2,8], pads=[0,0,0,0]} : f16[1,3,2,2] nhwc "
        "yield %v0 }");
    const Tensor packed = pack_tiles(Contraction::of(problem).by_runs(), 64, weights);
    for (int64_t f = 0; f < filters; ++f)
      for (int64_t c = 0; c < channels; ++c)
        for (int64_t r = 0; r < rows; ++r)
          for (int64_t k = 0; k < columns; ++k) {
            const int64_t at =
                channels_last ? (r * columns + k) * channels + c : (c * rows + r) * columns + k;
            EXPECT_EQ(packed_at(packed, f, at),
                      static_cast<float>(((f * channels + c) * rows + r) * columns + k));
          }
  }
}

// A thread of a warpgroup's product gets columns 8 j + 2 q and the next; they are to be neighbours.
TEST(Packing, GivesThreadsNeighbouringColumns) {
  constexpr int64_t columns = 77, tile = 64, inner = 8;
  Tensor weights(DType::f16, {columns, inner});
  for (int64_t i = 0; i < weights.size(); ++i) weights.data<Half>()[i] = Half(static_cast<float>(i));
  const device::Problem problem = device::Problem::parse(
      "graph problem(%x0: f16[4,8], %w1: f16[77,8]) { %v0 = matmul(%x0, %w1) {transpose_b=true} : f16[4,77] "
      "yield %v0 "
      "}");
  const Tensor packed = pack_tiles(Contraction::of(problem), tile, weights, 8);
  ASSERT_EQ(packed.size(), 2 * tile * 64);
  for (int64_t group = 0; group < 4; ++group)
    for (int64_t q = 0; q < 4; ++q)
      for (int64_t i = 0; i < 8; ++i)
        for (int64_t k = 0; k < inner; ++k) {
          const int64_t place = group * 32 + i / 2 * 8 + q * 2 + i % 2, column = group * 32 + q * 8 + i;
          EXPECT_EQ(packed_at(packed, place, k),
                    column < columns ? static_cast<float>(column * inner + k) : 0.0f);
        }
}

// What an image of few channels is multiplied by: each weight once, at the place of the lane that takes it,
// and zeros.
TEST(Packing, GivesLanesPairsOfAWindowsRow) {
  constexpr int64_t columns = 37, channels = 3, height = 3, width = 5, tile = 32, row_pairs = 3;
  constexpr int64_t steps = (channels * height * row_pairs + 7) / 8, eights = tile / 8;
  Tensor weights(DType::f16, {columns, channels, height, width});
  for (int64_t i = 0; i < weights.size(); ++i) weights.data<Half>()[i] = Half(static_cast<float>(i + 1));
  const device::Problem problem = device::Problem::parse(
      "graph problem(%x0: f16[1,3,9,11], %w1: f16[37,3,3,5]) { %v0 = conv(%x0, %w1) : f16[1,37,7,7] nhwc "
      "yield "
      "%v0 }");
  Tensor packed = pack_pair_tiles(Contraction::of(problem), tile, weights);
  ASSERT_EQ(packed.size(), 2 * steps * eights * 128);
  for (int64_t n = 0; n < columns; ++n)
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t r = 0; r < height; ++r)
        for (int64_t s = 0; s < width; ++s) {
          const int64_t pair = (c * height + r) * row_pairs + s / 2, eight = n % tile / 8;
          const int64_t lane = n % 8 * 4 + pair % 4, second = pair % 8 / 4;
          const int64_t block = (n / tile * steps + pair / 8) * (eights / 2) + eight / 2;
          Half& at = packed.data<Half>()[(((block * 32 + lane) * 2 + eight % 2) * 2 + second) * 2 + s % 2];
          EXPECT_EQ(static_cast<float>(at),
                    static_cast<float>(((n * channels + c) * height + r) * width + s + 1));
          at = Half(0.0f);
        }
  for (int64_t i = 0; i < packed.size(); ++i)
    ASSERT_EQ(static_cast<float>(packed.data<Half>()[i]), 0.0f) << i;
}

}  // namespace
}  // namespace burnish::cuda
