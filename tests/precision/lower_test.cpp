// Narrow types: what goes, what stays, and how far the results lie from FP32's.
#include <gtest/gtest.h>

#include "ops/infer.h"
#include "ops/table.h"
#include "precision/lower.h"
#include "precision/ranges.h"

namespace burnish {
namespace {

std::shared_ptr<ir::Graph> graph_of(std::string_view text) {
  auto graph = ir::parse(text, ops::op_lookup());
  ops::infer(*graph);
  return graph;
}

/// The types of the outputs of all nodes of `op`.
std::vector<DType> types_of(const ir::Graph& graph, std::string_view op) {
  std::vector<DType> types;
  for (ir::NodeId id : graph.order())
    if (graph.node(id).op->name == op) types.push_back(graph.value(graph.node(id).outputs[0]).type.dtype);
  return types;
}

constexpr std::string_view small_net = R"(graph main(%x: f32[n,2,5,5]) {
  constant @w: f32[3,2,1,1] = {0.5, -0.25, 0.125, 1.0, -1.0, 0.3}
  constant @big: f32[] = {300000.0}
  %c = conv(%x, @w) : f32[n,3,5,5]
  %r = relu(%c) : f32[n,3,5,5]
  %e = exp(%r) : f32[n,3,5,5]
  %m = mul(%e, @big) : f32[n,3,5,5]
  %d = div(%m, @big) : f32[n,3,5,5]
  %s = tanh(%d) : f32[n,3,5,5]
  yield %s
})";

TEST(LowerPrecision, KeepsWhatOverflowsAndTheTypesOfInputsAndOutputs) {
  for (DType narrow : {DType::f16, DType::bf16}) {
    const auto graph = graph_of(small_net);
    graph->symbols["n"] = {1, 3, 8};
    precision::LowerOptions options;
    options.narrow = narrow;
    const std::vector<Tensor> expected = precision::run_seeded(*graph, 7);
    const std::vector<std::string> lines = precision::lower_precision(*graph, options);
    ir::verify(*graph);
    EXPECT_EQ(types_of(*graph, "conv"), std::vector{narrow});
    EXPECT_EQ(types_of(*graph, "relu"), std::vector{narrow});
    EXPECT_EQ(types_of(*graph, "exp"), std::vector{DType::f32});
    // 300000 is more than FP16 holds, and within BF16.
    EXPECT_EQ(types_of(*graph, "mul"), std::vector{narrow == DType::f16 ? DType::f32 : narrow});
    EXPECT_EQ(types_of(*graph, "tanh"), std::vector{narrow});
    EXPECT_EQ(graph->value(graph->inputs()[0]).type.dtype, DType::f32);
    EXPECT_EQ(graph->value(graph->outputs[0].value).type.dtype, DType::f32);
    EXPECT_LT(precision::largest_float_error(precision::run_seeded(*graph, 7), expected), narrow == DType::f16 ? 2e-3 : 1.6e-2);
    EXPECT_FALSE(lines.empty());
  }
}

TEST(LowerPrecision, LeavesMoreInFp32WhereTheOutputsAreTooFarOff) {
  // The difference of nearly equal values: all that is left after rounding them is noise.
  const auto graph = graph_of(R"(graph main(%x: f32[9]) {
  constant @far: f32[] = {4096.0}
  %a = add(%x, @far) : f32[9]
  %b = sub(%a, @far) : f32[9]
  yield %b
})");
  const std::vector<Tensor> expected = precision::run_seeded(*graph, 3);
  precision::lower_precision(*graph, {});
  EXPECT_EQ(types_of(*graph, "add"), std::vector{DType::f32});
  EXPECT_LT(precision::largest_float_error(precision::run_seeded(*graph, 3), expected), 1e-6);
}

TEST(LowerPrecision, CountsTheMultiplicationsOfAConvolutionAndAProduct) {
  const auto graph = graph_of(R"(graph main(%x: f32[2,4,8,8], %w: f32[6,2,3,3], %a: f32[5,7], %b: f32[7,11]) {
  %c = conv(%x, %w) {group=2, pads=[1,1,1,1]} : f32[2,6,8,8]
  %m = matmul(%a, %b) : f32[5,11]
  yield %c, %m
})");
  EXPECT_EQ(precision::contraction_macs(*graph), 2 * 6 * 64 * 18 + 5 * 7 * 11);
}

}  // namespace
}  // namespace burnish
