#include "ops/signal.h"

#include <complex>
#include <numbers>

#include "op_testing.h"

namespace burnish::ops::testing {
namespace {

TEST(Dft, OfAWaveIsALine) {
  // Two turns in eight samples: all of it in frequency 2 (and its mirror 6).
  Tensor x(DType::f32, {1, 8, 1});
  for (int64_t i = 0; i < 8; ++i)
    x.data<float>()[i] = static_cast<float>(std::cos(2 * std::numbers::pi * 2 * static_cast<double>(i) / 8));
  std::vector<double> expected(16);
  expected[4] = expected[12] = 4;
  expect_close(run(def::dft, DftAttributes{}, {x}), {1, 8, 2}, expected, 1e-5, 1e-5);
  expect_close(run(def::dft, DftAttributes{1, false, true}, {x}), {1, 5, 2}, {0, 0, 0, 0, 4, 0, 0, 0, 0, 0},
               1e-5, 1e-5);
}

TEST(MelWeightMatrix, OfAnUnevenRateEnds) {
  // Every edge but the first lies further right than there are rows, or integers.
  const std::vector<Tensor> inputs = {Tensor::scalar<int64_t>(3), Tensor::scalar<int64_t>(16),
                                      Tensor::scalar(1e-30f), Tensor::scalar(0.f), Tensor::scalar(1e6f)};
  const Tensor y = run(def::mel_weight_matrix, MelWeightMatrixAttributes{}, inputs);
  EXPECT_EQ(y.shape(), (Shape{9, 3}));
  for (int64_t i = 0; i < y.size(); ++i) EXPECT_LT(std::abs(y.data<float>()[i]), 1e-6f);
}

TEST(Dft, IsUndoneByItsInverse) {
  std::mt19937 random(1);
  for (int64_t axis : {0, 1}) {
    const Tensor x = random_tensor({5, 6, 2}, random), forward = run(def::dft, DftAttributes{axis}, {x});
    expect_close(run(def::dft, DftAttributes{axis, true}, {forward}), x.shape(), numbers_of(x), 1e-4, 1e-5);
    const Tensor real = random_tensor({5, 6, 1}, random),
                 half = run(def::dft, DftAttributes{axis, false, true}, {real});
    const Tensor length = Tensor::scalar<int64_t>(real.shape()[static_cast<size_t>(axis)]);
    expect_close(run(def::dft, DftAttributes{axis, true, true}, {half, length}), real.shape(),
                 numbers_of(real), 1e-4, 1e-5);
  }
  EXPECT_THROW(run(def::dft, DftAttributes{2}, {random_tensor({5, 6, 2}, random)}), Error);
}

TEST(Dft, PadsOrCutsToItsLength) {
  const Tensor x = Tensor::of<float>({3, 1}, {1, 2, 3});
  const auto with = [&](int64_t length) {
    return run(def::dft, DftAttributes{0}, {x, Tensor::scalar<int64_t>(length)});
  };
  expect_close(with(2), {2, 2}, {3, 0, -1, 0}, 1e-5, 1e-6);
  expect_close(with(4), {4, 2}, {6, 0, -2, -2, 2, 0, -2, 2}, 1e-5, 1e-5);
}

TEST(Stft, TransformsEachFrame) {
  std::mt19937 random(2);
  const Tensor x = random_tensor({2, 11, 1}, random), window = random_tensor({4}, random),
               step = Tensor::scalar<int64_t>(3);
  const Tensor y = run(def::stft, StftAttributes{}, {x, step, window});
  ASSERT_EQ(y.shape(), (Shape{2, 3, 3, 2}));
  for (int64_t frame = 0; frame < 6; ++frame) {
    Tensor cut(DType::f32, {4, 1});
    for (int64_t i = 0; i < 4; ++i)
      cut.data<float>()[i] = x.data<float>()[frame / 3 * 11 + frame % 3 * 3 + i] * window.data<float>()[i];
    const Tensor part = Tensor::view(DType::f32, {3, 2}, const_cast<float*>(y.data<float>()) + frame * 6);
    expect_close(part, {3, 2}, numbers_of(run(def::dft, DftAttributes{0, false, true}, {cut})), 1e-4, 1e-5);
  }
  EXPECT_THROW(run(def::stft, StftAttributes{}, {x, Tensor::scalar<int64_t>(0), window}), Error);
}

TEST(Det, OfTriangularAndSwappedMatrices) {
  const Tensor x = Tensor::of<float>(
      {3, 3, 3}, {2, 5, 1, 0, 3, 7, 0, 0, 4, 0, 3, 7, 2, 5, 1, 0, 0, 4, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  expect_close(run(def::det, ir::NoAttributes{}, {x}), {3}, {24, -24, 0}, 1e-5, 1e-5);
}

}  // namespace
}  // namespace burnish::ops::testing
