#include "ops/strided_source.h"

#include <gtest/gtest.h>

#include <numeric>

#include "ir/graph.h"
#include "ops/evaluate.h"
#include "ops/table.h"

namespace burnish::test {
namespace {

Tensor counted(const Shape& shape) {
  Tensor tensor(DType::f32, shape);
  std::iota(tensor.data<float>(), tensor.data<float>() + tensor.size(), 0.0f);
  return tensor;
}

/// Calls body(index) for every index of a grid, last dimension fastest.
template <class Body>
void for_each_index(const Shape& shape, const Body& body) {
  for (int64_t i = 0; i < element_count(shape); ++i) {
    std::vector<int64_t> index(shape.size());
    int64_t rest = i;
    for (size_t d = shape.size(); d-- > 0; rest /= shape[d]) index[d] = rest % shape[d];
    body(index, i);
  }
}

int64_t place(const ops::StridedSource& source, const std::vector<int64_t>& index) {
  int64_t at = source.offset.constant();
  for (size_t d = 0; d < index.size(); ++d) at += index[d] * source.strides[d].constant();
  return at;
}

/// The graph's only output, evaluated on the numbers of the input's elements, is those at the places found.
void expect_source(const std::string& text, bool from_input = true) {
  SCOPED_TRACE(text);
  const auto graph = ir::parse(text, ops::op_lookup());
  const ir::ValueId result = graph->outputs[0].value;
  const ops::StridedSource source = ops::strided_source(*graph, result);
  ASSERT_EQ(source.source == graph->inputs()[0], from_input);
  if (!from_input) return;
  const Tensor input = counted(*ir::constants(graph->value(source.source).type.shape));
  const std::vector<Tensor> inputs = {input};
  const Tensor output = ops::evaluate(*graph, inputs)[0];
  for_each_index(output.shape(), [&](const std::vector<int64_t>& index, int64_t i) {
    EXPECT_EQ(output.data<float>()[i], static_cast<float>(place(source, index)));
  });
}

TEST(StridedSource, FollowsTransposesAndChangesOfShape) {
  expect_source(
      "graph g(%x: f32[2,12,5]) { constant @c0: i64[4] = {2, 3, 4, 5} %a = reshape(%x, @c0) : "
      "f32[2,3,4,5] %b = transpose(%a) {perm=[2,0,3,1]} : f32[4,2,5,3] yield %b }");
  expect_source(
      "graph g(%x: f32[1,6,1,4]) { constant @c0: i64[6] = {2, 2, 1, 3, 2, 1} %a = transpose(%x) "
      "{perm=[3,0,2,1]} : f32[4,1,1,6] %b = reshape(%a, @c0) : f32[2,2,1,3,2,1] %c = "
      "transpose(%b) : f32[1,2,3,1,2,2] yield %c }");
  expect_source(
      "graph g(%x: f32[3,4]) { %a = unsqueeze(%x) {axes=[0,2]} : f32[1,3,1,4] %b = squeeze(%a) "
      "{axes=[2]} : f32[1,3,4] %c = flatten(%b) {axis=2} : f32[3,4] yield %c }");
}

TEST(StridedSource, PassesDimensionsThatAreNoSequenceOnTheWay) {
  // Images and heads are one dimension in between, whose elements lie apart by two strides.
  expect_source(
      "graph g(%x: f32[7,2,36]) { constant @s: i64[3] = {7, 6, 4} constant @t: i64[4] = {2, 3, 7, 4} "
      "%a, %b, %c = split(%x) {axis=2} : f32[7,2,12], f32[7,2,12], f32[7,2,12] %d = reshape(%b, @s) : "
      "f32[7,6,4] "
      "%e = transpose(%d) {perm=[1,0,2]} : f32[6,7,4] %f = reshape(%e, @t) : f32[2,3,7,4] yield %f }");
}

TEST(StridedSource, FollowsSplitsSlicesAndGathers) {
  expect_source(
      "graph g(%x: f32[2,9]) { constant @c0: i64[3] = {4, 2, 3} %a, %b, %c = split(%x, @c0) "
      "{axis=1} : f32[2,4], f32[2,2], f32[2,3] yield %c }");
  expect_source(
      "graph g(%x: f32[7,8]) { constant @c0: i64[2] = {1, -1} constant @c1: i64[2] = {6, -9} "
      "constant @c2: i64[2] = {0, 1} constant @c3: i64[2] = {2, -3} %a = slice(%x, @c0, @c1, "
      "@c2, @c3) : f32[3,3] %b = transpose(%a) : f32[3,3] yield %b }");
  expect_source(
      "graph g(%x: f32[3,4,5]) { constant @c0: i64[] = {-2} %a = gather(%x, @c0) {axis=1} : "
      "f32[3,5] yield %a }");
}

TEST(StridedSource, StartsWhereTheSequenceEnds) {
  // The transposed dimensions, taken as one, are no arithmetic sequence.
  expect_source(
      "graph g(%x: f32[3,4]) { constant @c0: i64[1] = {12} %a = transpose(%x) : f32[4,3] %b = "
      "reshape(%a, @c0) : f32[12] yield %b }",
      false);
  expect_source("graph g(%x: f32[3,4]) { %a = relu(%x) : f32[3,4] yield %a }", false);
}

TEST(StridedSource, HoldsForSymbols) {
  const auto graph = ir::parse(
      "graph g(%x: f32[n,s,60]) { constant @c0: i64[4] = {0, 0, 4, 15} %a = reshape(%x, @c0) : "
      "f32[n,s,4,15] %b = transpose(%a) {perm=[0,2,1,3]} : f32[n,4,s,15] yield %b }",
      ops::op_lookup());
  const ops::StridedSource source = ops::strided_source(*graph, graph->outputs[0].value);
  EXPECT_EQ(source.source, graph->inputs()[0]);
  EXPECT_EQ(ir::dims_text(source.strides), "60*s,15,60,1");
}

TEST(StridedSource, SaysWhereResultsGo) {
  const auto graph = ir::parse(
      "graph g(%x: f32[2,3,4,5]) { constant @c0: i64[2] = {8, 15} %y = relu(%x) : f32[2,3,4,5] "
      "%a = transpose(%y) {perm=[2,0,1,3]} : f32[4,2,3,5] %b = reshape(%a, @c0) : f32[8,15] "
      "yield %b }",
      ops::op_lookup());
  const ir::ValueId made = graph->node(graph->order()[0]).outputs[0];
  const ops::StridedSource result = ops::strided_result(*graph, made, graph->outputs[0].value);
  ASSERT_EQ(result.strides.size(), 4u);
  const std::vector<Tensor> inputs = {counted({2, 3, 4, 5})};
  const Tensor output = ops::evaluate(*graph, inputs)[0];
  for_each_index({2, 3, 4, 5}, [&](const std::vector<int64_t>& index, int64_t i) {
    EXPECT_EQ(output.data<float>()[place(result, index)], static_cast<float>(i));
  });
}

}  // namespace
}  // namespace burnish::test
