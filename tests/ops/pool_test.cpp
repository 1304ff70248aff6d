#include "ops/pool.h"

#include "op_testing.h"
#include "ops/contraction.h"
#include "ops/indexing.h"

namespace burnish::ops::testing {
namespace {

MaxPoolAttributes max_pool_of(std::vector<int64_t> kernel) {
  MaxPoolAttributes attributes;
  attributes.kernel_shape = std::move(kernel);
  return attributes;
}

WindowAttributes random_window(std::mt19937& random, size_t rank, const std::vector<int64_t>& kernel) {
  WindowAttributes window;
  for (size_t d = 0; d < rank; ++d) {
    window.strides.push_back(random_integer(random, 1, 3));
    window.dilations.push_back(random_integer(random, 1, 2));
  }
  for (size_t d = 0; d < 2 * rank; ++d)
    window.pads.push_back(random_integer(random, 0, kernel[d % rank] - 1));
  return window;
}

/// The mean with padding counted is a depthwise convolution with equal weights.
TEST(AveragePool, IsAConvolutionWithEqualWeights) {
  for (unsigned seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    AveragePoolAttributes attributes;
    attributes.kernel_shape = {random_integer(random, 1, 3), random_integer(random, 1, 4)};
    static_cast<WindowAttributes&>(attributes) = random_window(random, 2, attributes.kernel_shape);
    attributes.count_include_pad = true;
    const Tensor x =
        random_tensor({2, 3, random_integer(random, 7, 12), random_integer(random, 7, 12)}, random);
    Tensor w(DType::f32, {3, 1, attributes.kernel_shape[0], attributes.kernel_shape[1]});
    std::fill_n(w.data<float>(), w.size(), 3.0f / static_cast<float>(w.size()));
    const Tensor expected = run(def::conv, ConvAttributes{attributes, 3}, {x, w});
    expect_close(run(def::average_pool, attributes, {x}), expected.shape(), numbers_of(expected));
  }
}

TEST(AveragePool, CountsWhatLiesInside) {
  const Tensor x = Tensor::of<float>({1, 1, 5}, {1, 2, 3, 4, 5});
  AveragePoolAttributes attributes;
  attributes.kernel_shape = {3};
  attributes.strides = {2};
  attributes.pads = {1, 0};
  expect_close(run(def::average_pool, attributes, {x}), {1, 1, 2}, {1.5, 3});
  attributes.ceil_mode = true;  // one more window, over 4 and 5 and beyond the end
  expect_close(run(def::average_pool, attributes, {x}), {1, 1, 3}, {1.5, 3, 4.5});
  attributes.count_include_pad = true;  // what is beyond the padding never counts
  expect_close(run(def::average_pool, attributes, {x}), {1, 1, 3}, {1, 3, 4.5});
}

TEST(MaxPool, GivesTheLargestAndItsIndex) {
  for (unsigned seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    MaxPoolAttributes attributes = max_pool_of({random_integer(random, 1, 3), random_integer(random, 1, 4)});
    static_cast<WindowAttributes&>(attributes) = random_window(random, 2, attributes.kernel_shape);
    attributes.storage_order = random() % 2;
    const Tensor x =
        random_tensor({2, 3, random_integer(random, 7, 12), random_integer(random, 7, 12)}, random);
    const auto made = run_all(def::max_pool, ir::Attributes(attributes), {x}, 2);
    const int64_t height = x.shape()[2], width = x.shape()[3];
    for (int64_t i = 0; i < made[0].size(); ++i) {
      const Shape at = unravel(i, made[0].shape());
      float largest = -1e30f;
      int64_t place = -1;
      for (int64_t row = 0; row < height; ++row)
        for (int64_t column = 0; column < width; ++column) {
          const int64_t down = row + attributes.pads[0] - at[2] * attributes.strides[0];
          const int64_t right = column + attributes.pads[1] - at[3] * attributes.strides[1];
          const auto hit = [&](int64_t offset, size_t d) {
            return offset >= 0 && offset % attributes.dilations[d] == 0 &&
                   offset / attributes.dilations[d] < attributes.kernel_shape[d];
          };
          const int64_t plane = (at[0] * 3 + at[1]) * height * width;
          const float value = x.data<float>()[plane + row * width + column];
          if (!hit(down, 0) || !hit(right, 1) || value <= largest) continue;
          largest = value;
          place = plane + (attributes.storage_order ? column * height + row : row * width + column);
        }
      if (place < 0) continue;  // only padding
      ASSERT_EQ(made[0].data<float>()[i], largest);
      ASSERT_EQ(made[1].data<int64_t>()[i], place);
    }
  }
}

TEST(MaxPool, LeavesOutAWindowThatStartsInThePaddingBehind) {
  const Tensor x = Tensor::of<float>({1, 1, 4}, {1, 2, 3, 4});
  MaxPoolAttributes attributes = max_pool_of({1});
  attributes.strides = {2};
  attributes.ceil_mode = true;
  expect_close(run(def::max_pool, attributes, {x}), {1, 1, 2}, {1, 3});
  EXPECT_EQ(Inferred().input({"n", "c", "h"}).apply(def::max_pool, attributes).type(),
            "f32[n,c,min(ceil_div(h - 1, 2) + 1, ceil_div(h, 2))]");
}

TEST(MaxUnpool, PutsBackWhatMaxPoolTook) {
  std::mt19937 random(4);
  const Tensor x = random_tensor({2, 3, 6, 8}, random, 1, 2);
  MaxPoolAttributes attributes = max_pool_of({2, 2});
  attributes.strides = {2, 2};
  const auto pooled = run_all(def::max_pool, ir::Attributes(attributes), {x}, 2);
  const Tensor back = run(def::max_unpool, MaxUnpoolAttributes{attributes, {2, 2}}, {pooled[0], pooled[1]});
  ASSERT_EQ(back.shape(), x.shape());
  const auto again = run_all(def::max_pool, ir::Attributes(attributes), {back}, 2);
  EXPECT_EQ(values_of<float>(again[0]), values_of<float>(pooled[0]));
  EXPECT_EQ(values_of<int64_t>(again[1]), values_of<int64_t>(pooled[1]));
  const Tensor wrong = Tensor::of<int64_t>({1, 1, 1}, {9});
  EXPECT_THROW(run(def::max_unpool, MaxUnpoolAttributes{{}, {2}}, {Tensor::of<float>({1, 1, 1}, {1}), wrong}),
               Error);
}

TEST(LpPool, IsAPNorm) {
  LpPoolAttributes attributes;
  attributes.kernel_shape = {2};
  attributes.p = 2;
  expect_close(run(def::lp_pool, attributes, {Tensor::of<float>({1, 1, 3}, {3, -4, 0})}), {1, 1, 2}, {5, 4});
  attributes.p = 1;
  expect_close(run(def::lp_pool, attributes, {Tensor::of<float>({1, 1, 3}, {3, -4, 0})}), {1, 1, 2}, {7, 4});
}

}  // namespace
}  // namespace burnish::ops::testing
