#include "op_testing.h"
#include "ops/contraction.h"
#include "ops/indexing.h"

namespace burnish::ops::testing {
namespace {

std::vector<double> multiply_slowly(const Tensor& a, const Tensor& b, int64_t m, int64_t n, int64_t k,
                                    bool transpose_a, bool transpose_b) {
  std::vector<double> result;
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t l = 0; l < k; ++l)
        sum += static_cast<double>(a.data<float>()[transpose_a ? l * m + i : i * k + l]) *
               static_cast<double>(b.data<float>()[transpose_b ? j * k + l : l * n + j]);
      result.push_back(sum);
    }
  return result;
}

TEST(MatMul, AgreesWithItsDefinition) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const int64_t m = random_integer(random, 1, 90), n = random_integer(random, 1, 300),
                  k = random_integer(random, 0, 600);
    const MatMulAttributes attributes{random() % 2 == 0, random() % 2 == 0};
    const Tensor a = random_tensor(attributes.transpose_a ? Shape{k, m} : Shape{m, k}, random);
    const Tensor b = random_tensor(attributes.transpose_b ? Shape{n, k} : Shape{k, n}, random);
    expect_close(run(def::matmul, attributes, {a, b}), {m, n},
                 multiply_slowly(a, b, m, n, k, attributes.transpose_a, attributes.transpose_b), 1e-4, 1e-5);
  }
}

TEST(MatMul, FollowsNumPyOnVectorsAndBatches) {
  const Tensor v = Tensor::of<float>({2}, {1, 10}), m = Tensor::of<float>({2, 2}, {1, 2, 3, 4});
  expect_close(run(def::matmul, MatMulAttributes{}, {v, v}), {}, {101});
  expect_close(run(def::matmul, MatMulAttributes{}, {v, m}), {2}, {31, 42});
  expect_close(run(def::matmul, MatMulAttributes{}, {m, v}), {2}, {21, 43});
  std::mt19937 random(3);
  const Tensor a = random_tensor({3, 1, 4, 5}, random), b = random_tensor({2, 5, 6}, random);
  const Tensor y = run(def::matmul, MatMulAttributes{}, {a, b});
  ASSERT_EQ(y.shape(), (Shape{3, 2, 4, 6}));
  for (int64_t i = 0; i < 3; ++i)
    for (int64_t j = 0; j < 2; ++j) {
      const Tensor left = Tensor::view(DType::f32, {4, 5}, const_cast<float*>(a.data<float>()) + i * 20);
      const Tensor right = Tensor::view(DType::f32, {5, 6}, const_cast<float*>(b.data<float>()) + j * 30);
      const Tensor part =
          Tensor::view(DType::f32, {4, 6}, const_cast<float*>(y.data<float>()) + (i * 2 + j) * 24);
      expect_close(part, {4, 6}, multiply_slowly(left, right, 4, 6, 5, false, false));
    }
}

TEST(MatMul, WrapsIntegers) {
  const Tensor a = Tensor::of<int32_t>({1, 2}, {1 << 30, 1 << 30}), b = Tensor::of<int32_t>({2, 1}, {1, 1});
  EXPECT_EQ(run(def::matmul, MatMulAttributes{}, {a, b}).data<int32_t>()[0], INT32_MIN);
}

TEST(MatMul, RefusesWhatDoesNotFit) {
  std::mt19937 random(1);
  const auto tensor = [&](const Shape& shape) { return random_tensor(shape, random); };
  EXPECT_THROW(run(def::matmul, MatMulAttributes{}, {tensor({2, 3}), tensor({4, 5})}), Error);
  EXPECT_THROW(run(def::matmul, MatMulAttributes{}, {tensor({2, 2, 3}), tensor({3, 3, 5})}), Error);
  EXPECT_THROW(run(def::matmul, MatMulAttributes{}, {tensor({}), tensor({3, 5})}), Error);
  EXPECT_THROW(run(def::matmul, MatMulAttributes{true, false}, {tensor({3}), tensor({3, 5})}), Error);
}

}  // namespace
}  // namespace burnish::ops::testing
