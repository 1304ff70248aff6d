// Integers that are drawn at random stay within what the graph knows of.
#include "ops/seeded_inputs.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "ops/table.h"

namespace burnish {
namespace {

int64_t largest_drawn(const std::string& text) {
  const auto graph = ir::parse(text, ops::op_lookup());
  const Tensor drawn = ops::seeded_input(*graph, graph->inputs()[0], {1000}, 3);
  EXPECT_GE(*std::min_element(drawn.data<int64_t>(), drawn.data<int64_t>() + 1000), 0) << text;
  return *std::max_element(drawn.data<int64_t>(), drawn.data<int64_t>() + 1000);
}

TEST(SeededInputs, CoverTheRowsThatTheyIndex) {
  EXPECT_EQ(
      largest_drawn(
          "graph main(%i: i64[1000]) { constant @t: f32[7,2] %y = gather(@t, %i) : f32[1000,2] yield %y }"),
      6);
  EXPECT_EQ(largest_drawn("graph main(%i: i64[1000]) { constant @t: f32[7,2] %f = cast(%i) : f32[1000]"
                          " %c = clip(%f) {min=-1.0, max=9.0} : f32[1000] %j = cast(%c) {to=i64} : i64[1000]"
                          " %y = gather(@t, %j) : f32[1000,2] yield %y }"),
            6);
}

TEST(SeededInputs, CoverTheValuesThatTheyAreComparedWith) {
  EXPECT_EQ(largest_drawn(
                "graph main(%i: i64[1000]) { constant @v: i64[1,5] = {0, 1, 2, 3, 4}"
                " %j = unsqueeze(%i) {axes=[1]} : i64[1000,1] %y = equal(%j, @v) : bool[1000,5] yield %y }"),
            4);
}

TEST(SeededInputs, AreBitsWhereNothingTells) {
  EXPECT_EQ(largest_drawn("graph main(%i: i64[1000]) { %y = cast(%i) : f32[1000] yield %y }"), 1);
}

}  // namespace
}  // namespace burnish
