// What the tests of numeric ops share: random tensors of any type, and comparison with numbers in double.
#pragma once

#include <cmath>

#include "base/dispatch.h"
#include "data_testing.h"
#include "ops/host.h"

namespace burnish::ops::testing {

/// f32 numbers drawn evenly from [low, high). Tests name the seed of `random` with SCOPED_TRACE.
inline Tensor random_tensor(const Shape& shape, std::mt19937& random, float low = -1, float high = 1) {
  Tensor tensor(DType::f32, shape);
  std::uniform_real_distribution<float> numbers(low, high);
  for (int64_t i = 0; i < tensor.size(); ++i) tensor.data<float>()[i] = numbers(random);
  return tensor;
}

inline int64_t random_integer(std::mt19937& random, int64_t least, int64_t most) {
  return std::uniform_int_distribution<int64_t>(least, most)(random);
}

/// The same numbers in another element type.
inline Tensor as_type(const Tensor& tensor, DType dtype) {
  Tensor converted(dtype, tensor.shape());
  const std::vector<double> numbers = numbers_of(tensor);
  dispatch(NumberAndBoolTypes{}, dtype, [&]<class T>(Type<T>) {
    for (size_t i = 0; i < numbers.size(); ++i)
      converted.data<T>()[i] = static_cast<T>(static_cast<compute_t<T>>(numbers[i]));
  });
  return converted;
}

/// |actual - expected| <= absolute + relative * |expected| everywhere; equal NaNs and infinities pass.
inline void expect_close(const Tensor& actual, const Shape& shape, const std::vector<double>& expected,
                         double relative = 1e-5, double absolute = 1e-6) {
  ASSERT_EQ(actual.shape(), shape);
  const std::vector<double> numbers = numbers_of(actual);
  ASSERT_EQ(numbers.size(), expected.size());
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] == expected[i] || (std::isnan(numbers[i]) && std::isnan(expected[i]))) continue;
    ASSERT_LE(std::fabs(numbers[i] - expected[i]), absolute + relative * std::fabs(expected[i]))
        << "at element " << i << ": " << numbers[i] << " is not " << expected[i];
  }
}

}  // namespace burnish::ops::testing
