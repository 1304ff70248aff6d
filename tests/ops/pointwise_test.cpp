// Pointwise ops where C++ alone would not do what ONNX asks: NaN, infinity, integers at their ends,
// conversions.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "ops/cast.h"
#include "ops/evaluate.h"
#include "ops/table.h"

namespace burnish {
namespace {

using namespace ops;

Tensor run_op(const OpDef& op, const std::vector<Tensor>& inputs) {
  return evaluate_node(op, op.default_attributes, inputs, 1)[0];
}

template <class T>
T binary(const OpDef& op, T a, T b) {
  const Tensor result = run_op(op, {Tensor::scalar(a), Tensor::scalar(b)});
  return *result.data<T>();
}

template <class To, class From>
To cast(From value, bool saturate = true) {
  const ir::Attributes attributes(CastAttributes{dtype_of<To>, saturate});
  return *evaluate_node(def::cast, attributes, std::vector<Tensor>{Tensor::scalar(value)}, 1)[0]
              .template data<To>();
}

constexpr float infinity = std::numeric_limits<float>::infinity();
const float nan = std::nanf("");

TEST(Pointwise, PassesNaNThrough) {
  EXPECT_TRUE(std::isnan(binary(def::maximum, nan, 1.0f)));
  EXPECT_TRUE(std::isnan(binary(def::minimum, 1.0f, nan)));
  EXPECT_TRUE(std::isnan(*run_op(def::relu, {Tensor::scalar(nan)}).data<float>()));
  EXPECT_TRUE(std::isnan(*run_op(def::clip, {Tensor::scalar(nan)}).data<float>()));
  EXPECT_TRUE(*run_op(def::is_nan, {Tensor::scalar(nan)}).data<bool>());
  EXPECT_FALSE(*run_op(def::is_inf, {Tensor::scalar(nan)}).data<bool>());
  EXPECT_TRUE(*run_op(def::is_inf, {Tensor::scalar(-infinity)}).data<bool>());
}

TEST(Pointwise, DividesIntegersWithoutTrapping) {
  constexpr int32_t lowest = std::numeric_limits<int32_t>::min();
  EXPECT_EQ(binary<int32_t>(def::div, 7, 0), 0);
  EXPECT_EQ(binary<int32_t>(def::div, lowest, -1), lowest);
  EXPECT_EQ(binary<int32_t>(def::div, -7, 2), -3);
  EXPECT_EQ(binary<int32_t>(def::mod, -7, 3), 2);
  EXPECT_EQ(binary<int32_t>(def::mod, lowest, -1), 0);
  EXPECT_EQ(binary<int32_t>(def::mod, 5, 0), 0);
  EXPECT_EQ(binary<int32_t>(def::fmod, -7, 3), -1);
}

TEST(Pointwise, TakesTheDivisorsSignForZeroToo) {
  EXPECT_TRUE(std::signbit(binary(def::mod, 6.0f, -3.0f)));
  EXPECT_FALSE(std::signbit(binary(def::mod, -6.0f, 3.0f)));
  EXPECT_EQ(binary(def::mod, 1.0, -std::numeric_limits<double>::infinity()),
            -std::numeric_limits<double>::infinity());
}

TEST(Pointwise, ShiftsSignedIntegersByAnyCount) {
  EXPECT_EQ(binary<int8_t>(def::shift_left, 1, 7), -128);
  EXPECT_EQ(binary<int8_t>(def::shift_left, 1, 8), 0);
  EXPECT_EQ(binary<int8_t>(def::shift_left, 1, -1), 0);
  EXPECT_EQ(binary<int8_t>(def::shift_right, -128, 1), -64);
  EXPECT_EQ(binary<int8_t>(def::shift_right, -1, 100), -1);
  EXPECT_EQ(binary<int64_t>(def::shift_right, 5, -3), 0);
  EXPECT_EQ(binary<uint64_t>(def::shift_left, 1, 63), uint64_t{1} << 63);
}

TEST(Cast, LosesFractionsAndKeepsLowBits) {
  EXPECT_EQ((cast<int32_t>(-1.9f)), -1);
  EXPECT_EQ((cast<uint8_t>(300.5f)), 44);
  EXPECT_EQ((cast<int64_t>(nan)), 0);
  EXPECT_EQ((cast<int64_t>(infinity)), std::numeric_limits<int64_t>::max());
  EXPECT_EQ((cast<uint64_t>(1.8e19)), uint64_t{18000000000000000000u});
  EXPECT_EQ((cast<bool>(0.25f)), true);
  EXPECT_EQ((cast<bool>(-0.0f)), false);
  EXPECT_EQ((cast<double>(true)), 1.0);
  EXPECT_EQ(int(cast<Int4, int32_t>(9)), -7);
}

TEST(Cast, SaturatesEightBitFloatsWhenAsked) {
  EXPECT_EQ((cast<Float8E4M3>(1e6f)).bits, 0x7e);
  EXPECT_EQ((cast<Float8E4M3>(1e6f, false)).bits, 0x7f);
  EXPECT_EQ((cast<Float8E5M2>(-infinity)).bits, 0xfb);
  EXPECT_EQ((cast<Float8E5M2>(-infinity, false)).bits, 0xfc);
  EXPECT_EQ((cast<float>(Float8E4M3(448.0f))), 448.0f);
}

}  // namespace
}  // namespace burnish
