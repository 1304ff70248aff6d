// Quantisation, and integer products.
#include <cmath>

#include "base/error.h"
#include "data_testing.h"
#include "ops/contraction.h"
#include "ops/quantize.h"

namespace burnish::ops::testing {
namespace {

TEST(QuantizeLinear, RoundsToEvenAndClamps) {
  const Tensor x = Tensor::of<float>({6}, {1, 3, -5, 1000, -1000, NAN}), scale = Tensor::scalar(2.f);
  expect_tensor<uint8_t>(
      run(def::quantize_linear, QuantizeAttributes{}, {x, scale, Tensor::scalar<uint8_t>(10)}), {6},
      {10, 12, 8, 255, 0, 0});
  const Tensor four = run(def::quantize_linear, QuantizeAttributes{DType::i4}, {x, scale});
  EXPECT_EQ(static_cast<int>(four.data<Int4>()[3]), 7);
  EXPECT_EQ(static_cast<int>(four.data<Int4>()[4]), -8);
  EXPECT_THROW(
      run(def::quantize_linear, QuantizeAttributes{DType::i8}, {x, scale, Tensor::scalar<uint8_t>(10)}),
      Error);
  EXPECT_THROW(run(def::quantize_linear, QuantizeAttributes{DType::f16}, {x, scale}), Error);
}

TEST(QuantizeLinear, TakesScalesPerAxisAndInBlocks) {
  const Tensor x = Tensor::of<float>({2, 3}, {2, 4, 6, 8, 10, 12});
  QuantizeAttributes attributes{DType::i8};
  attributes.axis = 0;
  expect_tensor<int8_t>(run(def::quantize_linear, attributes, {x, Tensor::of<float>({2}, {1, 2})}), {2, 3},
                        {2, 4, 6, 4, 5, 6});
  attributes.axis = 1;
  attributes.block_size = 2;
  expect_tensor<int8_t>(run(def::quantize_linear, attributes, {x, Tensor::of<float>({2, 2}, {1, 2, 4, 1})}),
                        {2, 3}, {2, 4, 3, 2, 2, 12});
  attributes.block_size = 0;
  EXPECT_THROW(run(def::quantize_linear, attributes, {x, Tensor::of<float>({2}, {1, 2})}), Error);
}

TEST(QuantizeLinear, SaturatesEightBitFloatsWhenAsked) {
  QuantizeAttributes attributes{DType::f8e4m3};
  const Tensor x = Tensor::of<float>({2}, {1000, 3}), scale = Tensor::scalar(1.f);
  EXPECT_EQ(static_cast<float>(run(def::quantize_linear, attributes, {x, scale}).data<Float8E4M3>()[0]), 448);
  attributes.saturate = false;
  EXPECT_TRUE(std::isnan(
      static_cast<float>(run(def::quantize_linear, attributes, {x, scale}).data<Float8E4M3>()[0])));
}

TEST(DequantizeLinear, UndoesQuantisation) {
  std::mt19937 random(11);
  Tensor codes(DType::i8, {3, 4, 5});
  for (int64_t i = 0; i < codes.size(); ++i)
    codes.data<int8_t>()[i] = static_cast<int8_t>(static_cast<int>(random() % 256) - 128);
  const Tensor scale = Tensor::of<float>({4}, {0.5f, 0.25f, 2, 1}),
               zero = Tensor::of<int8_t>({4}, {0, 3, -7, 100});
  const Tensor real = run(def::dequantize_linear, DequantizeAttributes{}, {codes, scale, zero});
  EXPECT_EQ(real.data<float>()[5], (codes.data<int8_t>()[5] - 3) * 0.25f);
  expect_tensor(run(def::quantize_linear, QuantizeAttributes{DType::i8}, {real, scale, zero}), {3, 4, 5},
                values_of<int8_t>(codes));
}

TEST(DynamicQuantizeLinear, CoversItsOwnRange) {
  const auto made =
      run_all(def::dynamic_quantize_linear, ir::Attributes(), {Tensor::of<float>({3}, {-1, 0, 1.55f})}, 3);
  EXPECT_FLOAT_EQ(*made[1].data<float>(), 0.01f);
  expect_tensor<uint8_t>(made[2], {}, {100});
  expect_tensor<uint8_t>(made[0], {3}, {0, 100, 255});
}

TEST(MatMulInteger, SubtractsZeroPoints) {
  const Tensor a = Tensor::of<uint8_t>({2, 2}, {255, 3, 0, 7}),
               b = Tensor::of<int8_t>({2, 2}, {-128, 127, 5, 6});
  const std::vector<Tensor> inputs = {a, b, Tensor::of<uint8_t>({2}, {1, 2}),
                                      Tensor::of<int8_t>({2}, {0, -1})};
  expect_tensor<int32_t>(run(def::matmul_integer, inputs), {2, 2},
                         {254 * -128 + 2 * 5, 254 * 128 + 2 * 7, -2 * -128 + 5 * 5, -2 * 128 + 5 * 7});
  EXPECT_EQ(Inferred()
                .input({"n", "s", "4"}, DType::u8)
                .input({"4", "h"}, DType::i8)
                .apply(def::matmul_integer)
                .type(),
            "i32[n,s,h]");
  EXPECT_THROW(run(def::matmul_integer, {a, counting({2, 2})}), Error);
}

TEST(ConvInteger, PadsWithTheZeroPoint) {
  const Tensor x = Tensor::of<uint8_t>({1, 1, 1, 3}, {2, 3, 4}),
               w = Tensor::of<int8_t>({1, 1, 1, 3}, {1, 10, 100});
  ConvAttributes attributes;
  attributes.pads = {0, 1, 0, 1};
  expect_tensor<int32_t>(run(def::conv_integer, attributes, {x, w, Tensor::scalar<uint8_t>(1)}), {1, 1, 1, 3},
                         {210, 321, 32});
}

}  // namespace
}  // namespace burnish::ops::testing
