// Gathers, scatters and ops that choose elements by value.
#include <cmath>

#include "base/error.h"
#include "data_testing.h"

namespace burnish::ops::testing {
namespace {

TEST(Gather, TakesSlicesAndCountsFromTheEnd) {
  expect_tensor<float>(
      run(def::gather, AxisAttributes{1}, {counting({2, 3}), Tensor::of<int32_t>({2, 2}, {-1, 0, 1, 1})}),
      {2, 2, 2}, {2, 0, 1, 1, 5, 3, 4, 4});
  expect_tensor<float>(run(def::gather, AxisAttributes{}, {counting({3, 2}), Tensor::scalar<int64_t>(1)}),
                       {2}, {2, 3});
  EXPECT_THROW(run(def::gather, AxisAttributes{}, {counting({3}), vector_of({3})}), Error);
  EXPECT_THROW(run(def::gather, AxisAttributes{}, {counting({3}), vector_of({-4})}), Error);
  EXPECT_THROW(run(def::gather, AxisAttributes{}, {counting({3}), counting({3})}), Error);
}

TEST(Gather, FollowsShapeArithmetic) {
  EXPECT_EQ(Inferred()
                .contents({"n", "3", "h"})
                .constant(Tensor::scalar<int64_t>(-1))
                .apply(def::gather, AxisAttributes{})
                .contents(),
            "h");
  EXPECT_EQ(
      Inferred().input({"v", "d"}).input({"n", "s"}, DType::i64).apply(def::gather, AxisAttributes{}).type(),
      "f32[n,s,d]");
}

TEST(GatherElements, KeepsOtherCoordinates) {
  expect_tensor<float>(run(def::gather_elements, AxisAttributes{1},
                           {counting({3, 3}), Tensor::of<int64_t>({2, 2}, {-1, 0, 1, 1})}),
                       {2, 2}, {2, 0, 4, 4});
  EXPECT_THROW(
      run(def::gather_elements, AxisAttributes{1}, {counting({2, 2}), Tensor::of<int64_t>({1, 1}, {2})}),
      Error);
}

TEST(GatherNd, SharesBatchDimensions) {
  expect_tensor<float>(run(def::gather_nd, GatherNdAttributes{},
                           {counting({2, 2, 2}), Tensor::of<int64_t>({2, 2}, {0, 1, -1, 0})}),
                       {2, 2}, {2, 3, 4, 5});
  expect_tensor<float>(
      run(def::gather_nd, GatherNdAttributes{1}, {counting({2, 3, 2}), Tensor::of<int64_t>({2, 1}, {2, 0})}),
      {2, 2}, {4, 5, 6, 7});
  EXPECT_EQ(Inferred()
                .input({"n", "m", "d"})
                .input({"k", "2"}, DType::i64)
                .apply(def::gather_nd, GatherNdAttributes{})
                .type(),
            "f32[k,d]");
}

TEST(ScatterElements, ReplacesAndReduces) {
  const Tensor x = counting({5}), indices = vector_of({1, -1, 1}),
               updates = Tensor::of<float>({3}, {10, 20, 30});
  expect_tensor<float>(run(def::scatter_elements, ScatterAttributes{}, {x, indices, updates}), {5},
                       {0, 30, 2, 3, 20});
  expect_tensor<float>(run(def::scatter_elements, ScatterAttributes{0, "add"}, {x, indices, updates}), {5},
                       {0, 41, 2, 3, 24});
  expect_tensor<float>(run(def::scatter_elements, ScatterAttributes{0, "min"}, {x, indices, updates}), {5},
                       {0, 1, 2, 3, 4});
  EXPECT_THROW(run(def::scatter_elements, ScatterAttributes{0, "median"}, {x, indices, updates}), Error);
  EXPECT_THROW(run(def::scatter_elements, ScatterAttributes{}, {x, vector_of({1}), updates}), Error);
}

TEST(ScatterNd, WritesSlices) {
  const Tensor indices = Tensor::of<int64_t>({2, 1}, {2, 0}),
               updates = Tensor::of<float>({2, 2}, {10, 20, 30, 40});
  expect_tensor<float>(run(def::scatter_nd, ScatterAttributes{}, {counting({3, 2}), indices, updates}),
                       {3, 2}, {30, 40, 2, 3, 10, 20});
  expect_tensor<float>(
      run(def::scatter_nd, ScatterAttributes{0, "mul"}, {counting({3, 2}), indices, updates}), {3, 2},
      {0, 40, 2, 3, 40, 100});
  EXPECT_THROW(run(def::scatter_nd, ScatterAttributes{}, {counting({3, 2}), indices, counting({2, 3})}),
               Error);
}

TEST(TensorScatter, WritesPositionsOfACache) {
  const Tensor cache = counting({2, 3, 1}), update = Tensor::of<float>({2, 2, 1}, {10, 20, 30, 40});
  expect_tensor<float>(
      run(def::tensor_scatter, TensorScatterAttributes{}, {cache, update, vector_of({1, 0})}), {2, 3, 1},
      {0, 10, 20, 30, 40, 5});
  expect_tensor<float>(
      run(def::tensor_scatter, TensorScatterAttributes{1, "circular"}, {cache, update, vector_of({2, 0})}),
      {2, 3, 1}, {20, 1, 10, 30, 40, 5});
  EXPECT_THROW(run(def::tensor_scatter, TensorScatterAttributes{}, {cache, update, vector_of({2, 0})}),
               Error);
}

TEST(Compress, KeepsWhatIsTrue) {
  const Tensor condition = Tensor::of<bool>({2}, {false, true});
  expect_tensor<float>(run(def::compress, AxisAttributes{1}, {counting({2, 3}), condition}), {2, 1}, {1, 4});
  EXPECT_THROW(run(def::compress, AxisAttributes{0}, {counting({1, 3}), condition}), Error);
}

TEST(NonZero, GivesCoordinates) {
  expect_tensor<int64_t>(run(def::nonzero, {Tensor::of<float>({2, 2}, {1, 0, -0.0f, NAN})}), {2, 2},
                         {0, 1, 0, 1});
  EXPECT_EQ(run(def::nonzero, {Tensor::of<bool>({3}, {false, false, false})}).shape(), (Shape{1, 0}));
}

TEST(OneHot, LeavesRowsOfIndicesOutOfRangeOff) {
  const Tensor depth = Tensor::scalar<int64_t>(3), values = Tensor::of<float>({2}, {-1, 1});
  expect_tensor<float>(run(def::one_hot, OneHotAttributes{}, {vector_of({0, -1, 5}), depth, values}), {3, 3},
                       {1, -1, -1, -1, -1, 1, -1, -1, -1});
  expect_tensor<float>(run(def::one_hot, OneHotAttributes{0}, {vector_of({2}), depth, values}), {3, 1},
                       {-1, -1, 1});
}

TEST(TopK, BreaksTiesByPlaceAndOrdersNaN) {
  const Tensor x = Tensor::of<float>({5}, {1, 3, NAN, 3, 2});
  const auto largest = run_all(def::topk, ir::Attributes(TopKAttributes{}), {x, vector_of({3})}, 2);
  EXPECT_EQ(values_of<int64_t>(largest[1]), (std::vector<int64_t>{2, 1, 3}));
  const auto smallest = run_all(def::topk, ir::Attributes(TopKAttributes{0, false}), {x, vector_of({2})}, 2);
  expect_tensor<float>(smallest[0], {2}, {1, 2});
  expect_tensor<int64_t>(
      run_all(def::topk, ir::Attributes(TopKAttributes{0}), {counting({2, 2}), vector_of({1})}, 2)[1], {1, 2},
      {1, 1});
  EXPECT_THROW(run_all(def::topk, ir::Attributes(TopKAttributes{}), {x, vector_of({6})}, 2), Error);
}

TEST(Unique, SortsOrKeepsTheOrder) {
  const Tensor x = Tensor::of<float>({6}, {2, 1, 1, 3, 4, 3});
  const auto sorted = run_all(def::unique, ir::Attributes(UniqueAttributes{}), {x}, 4);
  expect_tensor<float>(sorted[0], {4}, {1, 2, 3, 4});
  const auto kept = run_all(def::unique, ir::Attributes(UniqueAttributes{0, false}), {x}, 4);
  expect_tensor<float>(kept[0], {4}, {2, 1, 3, 4});
  expect_tensor<int64_t>(kept[1], {4}, {0, 1, 3, 4});
  expect_tensor<int64_t>(kept[2], {6}, {0, 1, 1, 2, 3, 2});
  expect_tensor<int64_t>(kept[3], {4}, {1, 2, 2, 1});
  const auto columns = run_all(def::unique, ir::Attributes(UniqueAttributes{1}),
                               {Tensor::of<float>({2, 3}, {1, 0, 1, 2, 5, 2})}, 1);
  expect_tensor<float>(columns[0], {2, 2}, {0, 1, 5, 2});
}

TEST(NonMaxSuppression, DropsOverlapsPerClass) {
  const Tensor boxes = Tensor::of<float>({1, 3, 4}, {0, 0, 1, 1, 1, 1.1f, 0, 0.1f, 0, 10, 1, 11});
  const Tensor scores = Tensor::of<float>({1, 2, 3}, {0.9f, 0.95f, 0.3f, 0.1f, 0.2f, 0.8f});
  const std::vector<Tensor> inputs = {boxes, scores, Tensor::scalar<int64_t>(3), Tensor::scalar(0.5f),
                                      Tensor::scalar(0.25f)};
  expect_tensor<int64_t>(run(def::non_max_suppression, NonMaxSuppressionAttributes{}, inputs), {3, 3},
                         {0, 0, 1, 0, 0, 2, 0, 1, 2});
  EXPECT_EQ(run(def::non_max_suppression, NonMaxSuppressionAttributes{}, {boxes, scores}).shape(),
            (Shape{0, 3}));
}

TEST(Cumulative, RunsEitherWay) {
  const Tensor x = Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6}), axis = Tensor::scalar<int32_t>(-1);
  expect_tensor<float>(run(def::cumsum, CumulativeAttributes{}, {x, axis}), {2, 3}, {1, 3, 6, 4, 9, 15});
  expect_tensor<float>(run(def::cumsum, CumulativeAttributes{true, true}, {x, axis}), {2, 3},
                       {5, 3, 0, 11, 6, 0});
  expect_tensor<float>(run(def::cumprod, CumulativeAttributes{true, false}, {x, Tensor::scalar<int64_t>(0)}),
                       {2, 3}, {1, 1, 1, 1, 2, 3});
  EXPECT_THROW(run(def::cumsum, CumulativeAttributes{}, {x, Tensor::scalar<int32_t>(2)}), Error);
}

}  // namespace
}  // namespace burnish::ops::testing
