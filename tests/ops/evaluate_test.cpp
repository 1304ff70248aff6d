// What the reference kernels compute of graphs, beside the ops themselves.
#include "ops/evaluate.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "ir/graph.h"
#include "ops/table.h"

namespace burnish::test {
namespace {

/// Masks of shifted windows are written slice by slice, each into the one before: read twice at each step, a
/// chain of 64 took 2^64 evaluations (a video Swin's build never ended).
TEST(ConstantValue, ComputesOnceWhatIsReadTwice) {
  std::string text = "graph g(%x: f32[2]) { constant @w: f32[2] = {1, 3} %v0 = add(@w, @w) : f32[2]\n";
  for (int i = 1; i < 64; ++i)
    text += fmt::format("%u{0} = add(%v{1}, %v{1}) : f32[2] %v{0} = sub(%u{0}, %v{1}) : f32[2]\n", i, i - 1);
  const auto graph = ir::parse(text + "%y = add(%x, %v63) : f32[2] yield %y }", ops::op_lookup());
  const Tensor value = ops::constant_value(*graph, graph->find_value("v63"));
  ASSERT_EQ(value.size(), 2);
  EXPECT_EQ(value.data<float>()[0], 2);
  EXPECT_EQ(value.data<float>()[1], 6);
}

}  // namespace
}  // namespace burnish::test
