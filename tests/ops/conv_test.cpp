#include "op_testing.h"
#include "ops/contraction.h"
#include "ops/indexing.h"

namespace burnish::ops::testing {
namespace {

struct ConvCase {
  ConvAttributes attributes;
  Tensor x, w, bias;
};

ConvCase random_conv(std::mt19937& random) {
  ConvCase made;
  const size_t rank = static_cast<size_t>(random_integer(random, 1, 3));
  const int64_t group = random_integer(random, 1, 3), channels = random_integer(random, 1, 5),
                maps = random_integer(random, 1, 6);
  Shape x = {random_integer(random, 1, 2), group * channels}, w = {group * maps, channels};
  for (size_t d = 0; d < rank; ++d) {
    w.push_back(random_integer(random, 1, 4));
    made.attributes.strides.push_back(random_integer(random, 1, 3));
    made.attributes.dilations.push_back(random_integer(random, 1, 2));
    x.push_back((w.back() - 1) * made.attributes.dilations.back() +
                random_integer(random, 1, rank == 1 ? 400 : 20));
  }
  for (size_t d = 0; d < 2 * rank; ++d) made.attributes.pads.push_back(random_integer(random, 0, 3));
  made.attributes.group = group;
  made.x = random_tensor(x, random);
  made.w = random_tensor(w, random);
  if (random() % 2) made.bias = random_tensor({group * maps}, random);
  return made;
}

/// The definition, element by element, in double.
std::vector<double> convolve_slowly(const ConvCase& c, const Shape& y) {
  const Shape kernel = spatial_sizes(c.w), input = spatial_sizes(c.x);
  const int64_t channels = c.w.shape()[1], maps = c.w.shape()[0] / c.attributes.group;
  std::vector<double> result;
  for (int64_t i = 0; i < element_count(y); ++i) {
    const Shape at = unravel(i, y);
    double sum = c.bias.empty() ? 0.0 : static_cast<double>(c.bias.data<float>()[at[1]]);
    for (int64_t k = 0; k < product_of(kernel); ++k) {
      const Shape offset = unravel(k, kernel);
      int64_t place = 0;
      bool inside = true;
      for (size_t d = 0; d < kernel.size(); ++d) {
        const int64_t coordinate = at[d + 2] * c.attributes.strides[d] +
                                   offset[d] * c.attributes.dilations[d] - c.attributes.pads[d];
        inside = inside && coordinate >= 0 && coordinate < input[d];
        place = place * input[d] + coordinate;
      }
      for (int64_t channel = 0; inside && channel < channels; ++channel) {
        const int64_t source = at[0] * c.x.shape()[1] + at[1] / maps * channels + channel;
        sum += static_cast<double>(c.x.data<float>()[source * product_of(input) + place]) *
               static_cast<double>(c.w.data<float>()[(at[1] * channels + channel) * product_of(kernel) + k]);
      }
    }
    result.push_back(sum);
  }
  return result;
}

TEST(Conv, AgreesWithItsDefinition) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const ConvCase c = random_conv(random);
    const Tensor y = run(def::conv, c.attributes, {c.x, c.w, c.bias});
    expect_close(y, y.shape(), convolve_slowly(c, y.shape()), 1e-4, 1e-5);
  }
}

TEST(Conv, TakesEveryElementType) {
  std::mt19937 random(5);
  ConvCase c;
  c.attributes = {{{1, 2}, {1, 0, 1, 0}, {1, 1}}};
  c.x = as_type(random_tensor({1, 3, 6, 7}, random, -9, 9), DType::i32);
  c.w = as_type(random_tensor({4, 3, 3, 2}, random, -9, 9), DType::i32);
  const Tensor exact = run(def::conv, c.attributes, {c.x, c.w});
  for (DType dtype : {DType::f64, DType::f16, DType::bf16, DType::i64, DType::f32}) {
    const Tensor y = run(def::conv, c.attributes, {as_type(c.x, dtype), as_type(c.w, dtype)});
    EXPECT_EQ(y.dtype(), dtype);
    expect_close(y, exact.shape(), numbers_of(exact), dtype == DType::bf16 ? 4e-3 : 5e-4);
  }
}

TEST(Conv, PadsSoThatTheOutputIsTheInputOverTheStride) {
  // x of ones, a window of ones: each output counts the inputs it saw.
  const Tensor x = Tensor::of<float>({1, 1, 4}, {1, 1, 1, 1}), w = Tensor::of<float>({1, 1, 4}, {1, 1, 1, 1});
  ConvAttributes attributes;
  attributes.auto_pad = "SAME_UPPER";
  expect_close(run(def::conv, attributes, {x, w}), {1, 1, 4}, {3, 4, 3, 2});
  attributes.auto_pad = "SAME_LOWER";
  expect_close(run(def::conv, attributes, {x, w}), {1, 1, 4}, {2, 3, 4, 3});
  attributes.strides = {3};
  expect_close(run(def::conv, attributes, {x, w}), {1, 1, 2}, {2, 3});
}

TEST(Conv, RefusesWhatDoesNotFit) {
  std::mt19937 random(1);
  const Tensor x = random_tensor({1, 4, 5, 5}, random), bias = random_tensor({3}, random);
  EXPECT_THROW(run(def::conv, ConvAttributes{}, {x, random_tensor({2, 3, 3, 3}, random)}), Error);
  EXPECT_THROW(run(def::conv, ConvAttributes{}, {x, random_tensor({2, 4, 6, 3}, random)}), Error);
  EXPECT_THROW(run(def::conv, ConvAttributes{}, {x, random_tensor({2, 4, 3}, random)}), Error);
  EXPECT_THROW(run(def::conv, ConvAttributes{}, {x, random_tensor({2, 4, 3, 3}, random), bias}), Error);
  EXPECT_THROW(run(def::conv, ConvAttributes{{{0, 1}}}, {x, random_tensor({2, 4, 3, 3}, random)}), Error);
  EXPECT_THROW(run(def::conv, ConvAttributes{{{}, {1, 1}}}, {x, random_tensor({2, 4, 3, 3}, random)}), Error);
}

TEST(Conv, InfersSymbolicShapes) {
  ConvAttributes attributes{{{2, 2}, {1, 1, 1, 1}}};
  EXPECT_EQ(Inferred().input({"n", "3", "h", "2*w"}).input({"8", "3", "3", "3"}).apply(def::conv, attributes).type(),
            "f32[n,8,floor_div(h - 1, 2) + 1,floor_div(2*w - 1, 2) + 1]");
  attributes.pads.clear();
  attributes.auto_pad = "SAME_UPPER";
  EXPECT_EQ(Inferred().input({"n", "3", "h", "2*w"}).input({"8", "3", "3", "3"}).apply(def::conv, attributes).type(),
            "f32[n,8,ceil_div(h, 2),w]");
}

/// A convolution's transpose: <conv(x), y> == <x, conv_transpose(y)> for all x and y.
TEST(ConvTranspose, IsTheAdjointOfConv) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    ConvCase c = random_conv(random);
    const Tensor y = run(def::conv, c.attributes, {c.x, c.w});
    const Tensor other = random_tensor(y.shape(), random);
    ConvTransposeAttributes attributes;
    static_cast<WindowAttributes&>(attributes) = c.attributes;
    attributes.group = c.attributes.group;
    // What the stride does not reach at the end of x is output padding.
    for (size_t d = 0; d < c.attributes.strides.size(); ++d) {
      const size_t rank = c.attributes.strides.size();
      const int64_t reached = (y.shape()[d + 2] - 1) * c.attributes.strides[d] +
                              (c.w.shape()[d + 2] - 1) * c.attributes.dilations[d] + 1;
      attributes.output_padding.push_back(c.x.shape()[d + 2] + c.attributes.pads[d] +
                                          c.attributes.pads[d + rank] - reached);
    }
    const Tensor back = run(def::conv_transpose, attributes, {other, c.w});
    ASSERT_EQ(back.shape(), c.x.shape());
    double left = 0, right = 0, size = 0;
    for (int64_t i = 0; i < y.size(); ++i)
      left += static_cast<double>(y.data<float>()[i]) * static_cast<double>(other.data<float>()[i]);
    for (int64_t i = 0; i < c.x.size(); ++i) {
      right += static_cast<double>(c.x.data<float>()[i]) * static_cast<double>(back.data<float>()[i]);
      size +=
          std::fabs(static_cast<double>(c.x.data<float>()[i]) * static_cast<double>(back.data<float>()[i]));
    }
    EXPECT_NEAR(left, right, 1e-5 * (1 + size));
  }
}

TEST(DeformConv, WithoutOffsetsIsConv) {
  std::mt19937 random(9);
  const Tensor x = random_tensor({2, 4, 6, 7}, random), w = random_tensor({6, 2, 3, 2}, random),
               bias = random_tensor({6}, random);
  const WindowAttributes window = {{2, 1}, {1, 0, 1, 1}, {1, 2}};
  const Tensor y = run(def::conv, ConvAttributes{window, 2}, {x, w, bias});
  Tensor offset(DType::f32, {2, 2 * 2 * 6, y.shape()[2], y.shape()[3]}),
      mask(DType::f32, {2, 2 * 6, y.shape()[2], y.shape()[3]});
  std::fill_n(offset.data<float>(), offset.size(), 0.0f);
  std::fill_n(mask.data<float>(), mask.size(), 1.0f);
  expect_close(run(def::deform_conv, DeformConvAttributes{window, 2, 2}, {x, w, offset, bias, mask}),
               y.shape(), numbers_of(y));
  // Every point moved by half a pixel to the right: the mean of two columns.
  const Tensor row = Tensor::of<float>({1, 1, 1, 4}, {1, 3, 7, 9}),
               one = Tensor::of<float>({1, 1, 1, 1}, {1});
  const Tensor half = Tensor::of<float>({1, 2, 1, 4}, {0, 0, 0, 0, 0.5, 0.5, 0.5, 0.5});
  expect_close(run(def::deform_conv, DeformConvAttributes{}, {row, one, half}), {1, 1, 1, 4}, {2, 5, 8, 4.5});
}

}  // namespace
}  // namespace burnish::ops::testing
