#include "base/error.h"
#include "data_testing.h"

namespace burnish::ops::testing {
namespace {

TEST(Reshape, CopiesZerosAndFillsInMinusOne) {
  expect_tensor<float>(run(def::reshape, ReshapeAttributes{}, {counting({2, 3, 4}), vector_of({0, -1, 2})}),
                       {2, 6, 2}, values_of<float>(counting({24})));
  EXPECT_EQ(run(def::reshape, ReshapeAttributes{true}, {counting({0, 3}), vector_of({3, 0})}).shape(),
            (Shape{3, 0}));
  EXPECT_EQ(run(def::reshape, ReshapeAttributes{}, {counting({0, 6}), vector_of({0, -1, 2})}).shape(),
            (Shape{0, 3, 2}));
}

TEST(Reshape, RefusesWhatDoesNotFit) {
  EXPECT_THROW(run(def::reshape, ReshapeAttributes{}, {counting({2, 3}), vector_of({4})}), Error);
  EXPECT_THROW(run(def::reshape, ReshapeAttributes{}, {counting({2, 3}), vector_of({4, -1})}), Error);
  EXPECT_THROW(run(def::reshape, ReshapeAttributes{}, {counting({2, 3}), vector_of({-1, -1})}), Error);
  EXPECT_THROW(run(def::reshape, ReshapeAttributes{}, {counting({6}), vector_of({3, 2, 0})}), Error);
}

TEST(Reshape, InfersSymbolically) {
  EXPECT_EQ(Inferred()
                .input({"n", "197", "768"})
                .constant(vector_of({0, -1, 12, 64}))
                .apply(def::reshape, ReshapeAttributes{})
                .type(),
            "f32[n,197,12,64]");
  EXPECT_EQ(Inferred()
                .input({"n", "3", "h", "w"})
                .contents({"n", "3", "-1"})
                .apply(def::reshape, ReshapeAttributes{})
                .type(),
            "f32[n,3,h*w]");
  EXPECT_EQ(Inferred()
                .input({"n*m", "4"})
                .contents({"n", "m", "-1"})
                .apply(def::reshape, ReshapeAttributes{})
                .type(),
            "f32[n,m,4]");
  EXPECT_EQ(Inferred()
                .contents({"n", "2"})
                .constant(vector_of({-1}))
                .apply(def::reshape, ReshapeAttributes{})
                .contents(),
            "n,2");
}

TEST(Squeeze, DropsNamedDimensionsOrAll) {
  EXPECT_EQ(run(def::squeeze, AxesAttributes{{-1, 0}}, {counting({1, 3, 1, 1})}).shape(), (Shape{3, 1}));
  EXPECT_EQ(run(def::squeeze, AxesAttributes{}, {counting({1, 3, 1, 1})}).shape(), (Shape{3}));
  EXPECT_EQ(run(def::squeeze, AxesAttributes{}, {counting({1, 3, 1}), vector_of({2})}).shape(),
            (Shape{1, 3}));
  EXPECT_THROW(run(def::squeeze, AxesAttributes{{1}}, {counting({1, 3})}), Error);
  EXPECT_THROW(run(def::squeeze, AxesAttributes{{0, -2}}, {counting({1, 3})}), Error);
}

TEST(Unsqueeze, CountsAxesInTheResult) {
  EXPECT_EQ(run(def::unsqueeze, AxesAttributes{}, {counting({3, 4}), vector_of({-1, 0, 3})}).shape(),
            (Shape{1, 3, 4, 1, 1}));
  EXPECT_EQ(Inferred().contents({"n"}, true).apply(def::unsqueeze, AxesAttributes{{0}}).contents(), "n");
  EXPECT_THROW(run(def::unsqueeze, AxesAttributes{{4}}, {counting({3, 4})}), Error);
}

TEST(Flatten, SplitsAtTheAxis) {
  EXPECT_EQ(Inferred().input({"n", "2", "h", "w"}).apply(def::flatten, FlattenAttributes{-2}).type(),
            "f32[2*n,h*w]");
  EXPECT_EQ(run(def::flatten, FlattenAttributes{0}, {counting({2, 3})}).shape(), (Shape{1, 6}));
  EXPECT_EQ(run(def::flatten, FlattenAttributes{2}, {counting({2, 3})}).shape(), (Shape{6, 1}));
}

TEST(Bitcast, KeepsTheBits) {
  expect_tensor<int32_t>(
      run(def::bitcast, BitcastAttributes{DType::i32}, {Tensor::of<float>({2}, {1.0f, -2.0f})}), {2},
      {0x3f800000, static_cast<int32_t>(0xc0000000)});
  EXPECT_THROW(run(def::bitcast, BitcastAttributes{DType::i64}, {counting({2})}), Error);
  EXPECT_THROW(run(def::bitcast, BitcastAttributes{DType::i4}, {counting<uint8_t>({2})}), Error);
  EXPECT_THROW(run(def::bitcast, BitcastAttributes{DType::boolean}, {counting<uint8_t>({3})}), Error);
}

TEST(ShapeOp, ClampsStartAndEnd) {
  expect_tensor<int64_t>(run(def::shape, ShapeAttributes{-3, -1}, {counting({2, 3, 4})}), {2}, {2, 3});
  expect_tensor<int64_t>(run(def::shape, ShapeAttributes{2, 1}, {counting({2, 3, 4})}), {0}, {});
  EXPECT_EQ(Inferred().input({"n", "3", "2*h"}).apply(def::shape, ShapeAttributes{1}).contents(), "3,2*h");
  EXPECT_EQ(Inferred().input({"n", "3", "2*h"}).apply(def::size).contents(), "6*h*n");
}

TEST(Dims, ComputesExpressionsFromShapes) {
  const DimsAttributes attributes{{"n", "floor_div(h, 2)", "-1"}, {"n", "h"}, {0, 0, 1, 1}};
  expect_tensor<int64_t>(run(def::dims, attributes, {counting({5, 2}), counting({1, 7})}), {3}, {5, 3, -1});
  EXPECT_EQ(Inferred().input({"b", "2"}).input({"1", "4*k"}).apply(def::dims, attributes).contents(),
            "b,2*k,-1");
  EXPECT_THROW(run(def::dims, DimsAttributes{{"n"}, {"n"}, {0, 2}}, {counting({5, 2})}), Error);
}

TEST(Range, CountsElementsExactly) {
  expect_tensor<int32_t>(run(def::range, {Tensor::scalar<int32_t>(10), Tensor::scalar<int32_t>(-1),
                                          Tensor::scalar<int32_t>(-3)}),
                         {4}, {10, 7, 4, 1});
  expect_tensor<float>(run(def::range, {Tensor::scalar(1.f), Tensor::scalar(2.1f), Tensor::scalar(0.5f)}),
                       {3}, {1, 1.5, 2});
  EXPECT_EQ(
      run(def::range, {Tensor::scalar<int64_t>(3), Tensor::scalar<int64_t>(3), Tensor::scalar<int64_t>(1)})
          .size(),
      0);
  EXPECT_THROW(
      run(def::range, {Tensor::scalar<int64_t>(3), Tensor::scalar<int64_t>(3), Tensor::scalar<int64_t>(0)}),
      Error);
  const auto scalar = [](int64_t value) { return Tensor::scalar<int64_t>(value); };
  EXPECT_EQ(Inferred().constant(scalar(0)).contents({"n"}, true).constant(scalar(1)).apply(def::range).type(),
            "i64[n]");
  EXPECT_EQ(
      Inferred().contents({"p"}, true).contents({"n + p"}, true).constant(scalar(2)).apply(def::range).type(),
      "i64[ceil_div(n, 2)]");
}

TEST(EyeLike, ShiftsTheDiagonal) {
  expect_tensor<double>(run(def::eye_like, EyeLikeAttributes{DType::f64, -1}, {counting({3, 2})}), {3, 2},
                        {0, 0, 1, 0, 0, 1});
}

}  // namespace
}  // namespace burnish::ops::testing
