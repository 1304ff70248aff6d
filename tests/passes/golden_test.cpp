// Each pass on a small graph: the text that it becomes.
#include <gtest/gtest.h>

#include "ops/infer.h"
#include "ops/table.h"
#include "passes/pass.h"

namespace burnish {
namespace {

std::string after(const passes::Pass& pass, std::string_view text) {
  const auto graph = ir::parse(text, ops::op_lookup());
  ops::infer(*graph);
  rewrite::RewriteLog log;
  passes::run_passes(*graph, std::span(&pass, 1), log);
  return ir::print(*graph);
}

TEST(Canonicalize, PutsConstantsOnTheRight) {
  EXPECT_EQ(after(passes::canonicalize(), R"(graph main(%x: f32[n]) {
  constant @two: f32[] = {2.0}
  %a = mul(@two, %x) : f32[n]
  %y = add(%a, %x) : f32[n]
  yield %y
})"),
            R"(graph main(%x: f32[n]) {
  constant @two: f32[] = {2.0}
  %a = mul(%x, @two) : f32[n]
  %y = add(%x, %a) : f32[n]
  yield %y
}
)");
}

TEST(BypassExpands, LeavesWhatDecidesTheShape) {
  EXPECT_EQ(after(passes::bypass_expands(), R"(graph main(%x: f32[n,3], %r: f32[3], %c: f32[n,1]) {
  constant @s: i64[2] = {5, 3}
  %d = dims(%x) {dims=["n","3"], symbols=["n"], sources=[0,0]} : i64[2]
  %e = expand(%r, %d) : f32[n,3]
  %f = expand(%c, %d) : f32[n,3]
  %g = expand(%r, @s) : f32[5,3]
  %a = add(%x, %e) : f32[n,3]
  %b = mul(%e, %f) : f32[n,3]
  %h = neg(%g) : f32[5,3]
  yield %a, %b, %h
})"),
            R"(graph main(%x: f32[n,3], %r: f32[3], %c: f32[n,1]) {
  constant @s: i64[2] = {5, 3}
  %g = expand(%r, @s) : f32[5,3]
  %a = add(%x, %r) : f32[n,3]
  %b = mul(%r, %c) : f32[n,3]
  %h = neg(%g) : f32[5,3]
  yield %a, %b, %h
}
)");
}

TEST(CommonSubexpressions, MergesEqualNodesAndSmallConstants) {
  EXPECT_EQ(after(passes::common_subexpressions(), R"(graph main(%x: f32[n]) {
  constant @a: f32[] = {2.0}
  constant @b: f32[] = {2.0}
  %p = mul(%x, @a) : f32[n]
  %q = mul(%x, @b) : f32[n]
  %y = div(%p, %q) : f32[n]
  yield %y
})"),
            R"(graph main(%x: f32[n]) {
  constant @a: f32[] = {2.0}
  %p = mul(%x, @a) : f32[n]
  %y = div(%p, %p) : f32[n]
  yield %y
}
)");
}

/// As PyTorch's exporter writes padding: what is folded decides a shape.
TEST(SeparateWeights, MarksWhatRewritingHasMadeConstant) {
  const auto graph = ir::parse(R"(graph main(%x: f32[2], %z: f32[2]) {
  constant @w: f32[2] = {1.0, 3.0}
  %y = add(%x, %x) : f32[2]
  %v = neg(%z) : f32[2]
  %s = add(%y, %v) : f32[2]
  yield %s
})",
                               ops::op_lookup());
  graph->replace_uses(graph->find_value("z"), graph->find_value("w"));
  ASSERT_FALSE(graph->value(graph->find_value("v")).constant_only);
  rewrite::RewriteLog log;
  const passes::Pass pass = passes::separate_weights();
  passes::run_passes(*graph, std::span(&pass, 1), log);
  EXPECT_TRUE(graph->value(graph->find_value("v")).constant_only);
  EXPECT_FALSE(graph->value(graph->find_value("y")).constant_only);
  EXPECT_FALSE(graph->value(graph->find_value("s")).constant_only);
}

TEST(FoldConstants, InfersTheShapesThatFollow) {
  EXPECT_EQ(after(passes::fold_constants(), R"(graph main(%x: f32[1,4]) {
  constant @pairs: i64[2,2] = {2,3,0,1}
  constant @target: i64[1] = {4}
  %turned = transpose(@pairs) : i64[2,2]
  %pads = reshape(%turned, @target) : i64[4]
  %y = pad(%x, %pads) : f32[a,b]
  yield %y
})"),
            R"(graph main(%x: f32[1,4]) {
  constant @pads.1: i64[4] = {2, 0, 3, 1}
  %y = pad(%x, @pads.1) : f32[6,5]
  yield %y
}
)");
}

TEST(NestConcats, GrowsOneBuffer) {
  EXPECT_EQ(
      after(passes::nest_concats(), R"(graph main(%a: f32[1,2], %b: f32[1,3], %c: f32[1,4], %d: f32[1,5]) {
  %ab = concat(%a, %b) {axis=1} : f32[1,5]
  %r = relu(%ab) : f32[1,5]
  %abc = concat(%a, %b, %c) {axis=1} : f32[1,9]
  %abcd = concat(%a, %b, %c, %d) {axis=1} : f32[1,14]
  %down = concat(%a, %b, %c, %d) {axis=-1} : f32[1,14]
  %ba = concat(%b, %a, %c) {axis=1} : f32[1,9]
  yield %r, %abc, %abcd, %down, %ba
})"),
      R"(graph main(%a: f32[1,2], %b: f32[1,3], %c: f32[1,4], %d: f32[1,5]) {
  %ab = concat(%a, %b) {axis=1} : f32[1,5]
  %r = relu(%ab) : f32[1,5]
  %abc = concat(%ab, %c) {axis=1} : f32[1,9]
  %abcd = concat(%abc, %d) {axis=1} : f32[1,14]
  %down = concat(%a, %b, %c, %d) {axis=-1} : f32[1,14]
  %ba = concat(%b, %a, %c) {axis=1} : f32[1,9]
  yield %r, %abc, %abcd, %down, %ba
}
)");
}

/// As Whisper's attention becomes: the scale of the queries has gone into their bias, which is made between
/// the products.
TEST(MergeSiblings, TakesBiasesThatAreMadeBetweenThem) {
  const std::string made = after(passes::merge_siblings(), R"(graph main(%x: f32[n,2]) {
  constant @w0: f32[2,2] = {1.0, 2.0, 3.0, 4.0}
  constant @w1: f32[2,1] = {5.0, 6.0}
  constant @b0: f32[2] = {0.5, 0.25}
  constant @b1: f32[1] = {0.125}
  constant @s: f32[] = {3.0}
  %p = matmul(%x, @w0) : f32[n,2]
  %b = mul(@b0, @s) : f32[2]
  %q = add(%p, %b) : f32[n,2]
  %r = neg(%q) : f32[n,2]
  %u = matmul(%x, @w1) : f32[n,1]
  %v = add(%u, @b1) : f32[n,1]
  yield %r, %v
})");
  EXPECT_NE(made.find("concat(@w0, @w1)"), std::string::npos) << made;
  EXPECT_NE(made.find("concat(%b, @b1)"), std::string::npos) << made;
  EXPECT_LT(made.find("%b = mul"), made.find("concat(%b, @b1)")) << made;
  EXPECT_EQ(made.find("matmul"), made.rfind("matmul")) << made;
  ir::verify(*ir::parse(made, ops::op_lookup()));
}

TEST(FoldConstants, FoldsScalarsAndIntegersButNotWeights) {
  EXPECT_EQ(after(passes::fold_constants(), R"(graph main(%x: f32[2]) {
  constant @two: f32[] = {2.0}
  constant @w: f32[2] = {1.0, 3.0}
  %root = sqrt(@two) : f32[]
  %v = neg(@w) : f32[2]
  %a = mul(%x, %root) : f32[2]
  %y = add(%a, %v) : f32[2]
  yield %y
})"),
            R"(graph main(%x: f32[2]) {
  constant @w: f32[2] = {1.0, 3.0}
  constant @root.0: f32[] = {1.4142135}
  %v = neg(@w) : f32[2]
  %a = mul(%x, @root.0) : f32[2]
  %y = add(%a, %v) : f32[2]
  yield %y
}
)");
}

TEST(PropagateShapes, ReplacesShapeArithmetic) {
  EXPECT_EQ(after(passes::propagate_shapes(), R"(graph main(%x: f32[n,6], %z: f32[k]) {
  constant @two: i64[1] = {2}
  %s = shape(%x) : i64[2]
  %t = mul(%s, @two) : i64[2]
  %u = shape(%x) {start=1} : i64[1]
  %v = mul(%u, @two) : i64[1]
  %y = reshape(%z, %t) : f32[2*n,12]
  %w = reshape(%z, %v) : f32[12]
  yield %y, %w
})"),
            R"(graph main(%x: f32[n,6], %z: f32[k]) {
  constant @propagate_shapes: i64[1] = {12}
  %t = dims(%x) {dims=["2*n","12"], symbols=["n"], sources=[0,0]} : i64[2]
  %y = reshape(%z, %t) : f32[2*n,12]
  %w = reshape(%z, @propagate_shapes) : f32[12]
  yield %y, %w
}
)");
}

}  // namespace
}  // namespace burnish
