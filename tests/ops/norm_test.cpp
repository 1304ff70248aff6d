#include "ops/norm.h"

#include "op_testing.h"
#include "ops/contraction.h"
#include "ops/reduce.h"

namespace burnish::ops::testing {
namespace {

/// (x - mean) / sqrt(variance + epsilon) of one row, by two formulas other than the kernel's: E[x^2] -
/// E[x]^2.
std::vector<double> normalized(const std::vector<double>& row, double epsilon) {
  double sum = 0, squares = 0;
  for (double x : row) {
    sum += x;
    squares += x * x;
  }
  const double n = static_cast<double>(row.size()), mean = sum / n, variance = squares / n - mean * mean;
  std::vector<double> result;
  for (double x : row) result.push_back((x - mean) / std::sqrt(variance + epsilon));
  return result;
}

/// Rows of `size` numbers each normalised, then times scale plus bias as index_of(i) says.
template <class IndexOf>
std::vector<double> expected_norm(const Tensor& x, size_t size, double epsilon, const Tensor& scale,
                                  const Tensor& bias, IndexOf index_of) {
  const std::vector<double> numbers = numbers_of(x), scales = numbers_of(scale), biases = numbers_of(bias);
  std::vector<double> expected;
  for (size_t row = 0; row < numbers.size(); row += size)
    for (double value : normalized({numbers.begin() + static_cast<int64_t>(row),
                                    numbers.begin() + static_cast<int64_t>(row + size)},
                                   epsilon)) {
      const size_t at = index_of(expected.size());
      expected.push_back(value * scales[at] + biases[at]);
    }
  return expected;
}

TEST(LayerNorm, NormalisesFromItsAxisOn) {
  std::mt19937 random(1);
  const Tensor x = random_tensor({3, 4, 5}, random), scale = random_tensor({4, 5}, random),
               bias = random_tensor({4, 5}, random);
  const auto expected = expected_norm(x, 20, 1e-3, scale, bias, [](size_t i) { return i % 20; });
  const auto made =
      run_all(def::layer_norm, ir::Attributes(LayerNormAttributes{-2, 1e-3}), {x, scale, bias}, 3);
  expect_close(made[0], {3, 4, 5}, expected, 1e-4);
  EXPECT_EQ(made[1].shape(), (Shape{3, 1, 1}));
  const Tensor mean = run(def::reduce_mean, ReduceAttributes{{1, 2}}, {x});
  expect_close(made[1], {3, 1, 1}, numbers_of(mean));
}

TEST(LayerNorm, BroadcastsItsScale) {
  std::mt19937 random(2);
  const Tensor x = random_tensor({2, 3, 4}, random), scale = random_tensor({3, 1}, random),
               bias = Tensor::of<float>({1}, {0.5f});
  Tensor wide_bias = Tensor::of<float>({3}, {0.5f, 0.5f, 0.5f});
  expect_close(run(def::layer_norm, LayerNormAttributes{}, {x, scale, bias}), {2, 3, 4},
               expected_norm(x, 4, 1e-5, scale, wide_bias, [](size_t i) { return i / 4 % 3; }), 1e-4);
  EXPECT_THROW(run(def::layer_norm, LayerNormAttributes{}, {x, random_tensor({5}, random)}), Error);
}

TEST(RmsNorm, HasMeanSquareOne) {
  const Tensor x = Tensor::of<float>({1, 2}, {3, 4}), scale = Tensor::of<float>({2}, {1, 2});
  expect_close(run(def::rms_norm, LayerNormAttributes{-1, 0}, {x, scale}), {1, 2},
               {3 / std::sqrt(12.5), 8 / std::sqrt(12.5)});
}

TEST(GroupNorm, NormalisesGroupsOfChannels) {
  std::mt19937 random(3);
  const Tensor x = random_tensor({2, 6, 3, 2}, random), scale = random_tensor({6}, random),
               bias = random_tensor({6}, random);
  const auto channel = [](size_t i) { return i / 6 % 6; };
  expect_close(run(def::group_norm, GroupNormAttributes{2}, {x, scale, bias}), x.shape(),
               expected_norm(x, 18, 1e-5, scale, bias, channel), 1e-4);
  expect_close(run(def::instance_norm, EpsilonAttributes{}, {x, scale, bias}), x.shape(),
               expected_norm(x, 6, 1e-5, scale, bias, channel), 1e-4);
  EXPECT_THROW(run(def::group_norm, GroupNormAttributes{4}, {x, scale, bias}), Error);
}

TEST(BatchNorm, UsesTheGivenStatistics) {
  const Tensor x = Tensor::of<float>({1, 2, 2}, {1, 2, 3, 4});
  const auto pair = [](float a, float b) { return Tensor::of<float>({2}, {a, b}); };
  const std::vector<Tensor> inputs = {x, pair(2, 1), pair(0, 10), pair(1, 3), pair(3, 8)};
  expect_close(run(def::batch_norm, EpsilonAttributes{1}, inputs), {1, 2, 2}, {0, 1, 10, 10 + 1 / 3.0});
  EXPECT_THROW(run(def::batch_norm, EpsilonAttributes{}, {x, x, x, x, x}), Error);
}

TEST(Lrn, DividesByItsNeighboursSquares) {
  const Tensor x = Tensor::of<float>({1, 3, 1}, {1, 2, 3});
  expect_close(run(def::lrn, LrnAttributes{2, 1, 1, 2}, {x}), {1, 3, 1}, {1 / 6.0, 2 / 14.0, 3 / 10.0});
}

TEST(Softmax, SumsToOneAlongItsAxis) {
  std::mt19937 random(4);
  const Tensor x = random_tensor({3, 5, 4}, random, -90, 90);
  for (int64_t axis : {0, 1, -1}) {
    const Tensor y = run(def::softmax, SoftmaxAttributes{axis}, {x}),
                 logarithm = run(def::log_softmax, SoftmaxAttributes{axis}, {x});
    for (double sum : numbers_of(run(def::reduce_sum, ReduceAttributes{{axis}}, {y})))
      EXPECT_NEAR(sum, 1, 1e-5);
    expect_close(run(def::exp, ir::NoAttributes{}, {logarithm}), x.shape(), numbers_of(y), 2e-5);
    // Differences of x along the axis are those of log_softmax.
    const Tensor shift = run(def::sub, ir::NoAttributes{}, {x, logarithm});
    const Tensor largest = run(def::reduce_max, ReduceAttributes{{axis}}, {shift}),
                 smallest = run(def::reduce_min, ReduceAttributes{{axis}}, {shift});
    expect_close(largest, smallest.shape(), numbers_of(smallest), 1e-5, 1e-4);
  }
  EXPECT_THROW(run(def::softmax, SoftmaxAttributes{3}, {x}), Error);
}

TEST(Hardmax, TakesTheFirstLargest) {
  expect_close(run(def::hardmax, SoftmaxAttributes{}, {Tensor::of<float>({2, 3}, {1, 3, 3, 0, -1, -2})}),
               {2, 3}, {0, 1, 0, 1, 0, 0});
}

TEST(Norms, TakeNarrowFloats) {
  std::mt19937 random(6);
  const Tensor x = random_tensor({2, 4, 3}, random), scale = random_tensor({3}, random);
  const Tensor expected = run(def::rms_norm, LayerNormAttributes{}, {x, scale});
  for (DType dtype : {DType::f16, DType::bf16, DType::f64}) {
    const Tensor y = run(def::rms_norm, LayerNormAttributes{}, {as_type(x, dtype), as_type(scale, dtype)});
    EXPECT_EQ(y.dtype(), dtype);
    expect_close(y, x.shape(), numbers_of(expected), 0.02, 0.02);
  }
}

}  // namespace
}  // namespace burnish::ops::testing
