// If, Loop and Scan: bodies, captures, and shapes that change.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model_writer.h"
#include "onnx/import.h"
#include "ops/evaluate.h"
#include "ops/infer.h"
#include "ops/table.h"

namespace burnish {
namespace {

using namespace test;
using ::testing::ElementsAre;

std::vector<float> numbers(const Tensor& tensor) {
  return {tensor.data<float>(), tensor.data<float>() + tensor.size()};
}

onnx::ImportedModel import(const GraphParts& parts) {
  return onnx::import_bytes(test::model(parts, 17), nullptr, "");
}

Message branch(const Message& body_node) {
  return test::graph(
      {.nodes = {body_node}, .initializers = {}, .inputs = {}, .outputs = {value_info("r", FLOAT, {})}});
}

GraphParts choice() {
  return {.nodes = {node("Neg", {"x"}, {"n"}),
                    node("If", {"c"}, {"y"},
                         {graph_attribute("then_branch", branch(node("Add", {"n", "w"}, {"r"}))),
                          graph_attribute("else_branch", branch(node("Relu", {"x"}, {"r"})))})},
          .initializers = {tensor<float>("w", FLOAT, {2}, {10, 20})},
          .inputs = {value_info("x", FLOAT, {"2"}), value_info("c", BOOL, {})},
          .outputs = {value_info("y", FLOAT, {})}};
}

TEST(If, RunsTheBranchThatTheConditionNames) {
  const auto model = import(choice());
  const Tensor x = Tensor::of<float>({2}, {-1, 2});
  EXPECT_THAT(numbers(ops::evaluate(*model.graph, std::vector<Tensor>{x, Tensor::scalar(true)})[0]),
              ElementsAre(11, 18));
  EXPECT_THAT(numbers(ops::evaluate(*model.graph, std::vector<Tensor>{x, Tensor::scalar(false)})[0]),
              ElementsAre(0, 2));
}

TEST(If, WithAKnownConditionLeavesOneBranch) {
  GraphParts parts = choice();
  parts.inputs.pop_back();
  parts.initializers.push_back(tensor<uint8_t>("c", BOOL, {}, {1}));
  const auto model = import(parts);
  EXPECT_EQ(ir::print(*model.graph).find("if("), std::string::npos);
  EXPECT_THAT(numbers(ops::evaluate(*model.graph, std::vector<Tensor>{Tensor::of<float>({2}, {-1, 2})})[0]),
              ElementsAre(11, 18));
}

/// p = 10 x without its first axis where c holds, and the rank of p.
GraphParts squeezing_choice() {
  return {.nodes = {node("If", {"c"}, {"s"},
                         {graph_attribute("then_branch", branch(node("Squeeze", {"x"}, {"r"}))),
                          graph_attribute("else_branch", branch(node("Identity", {"x"}, {"r"})))}),
                    node("Mul", {"s", "w"}, {"p"}), node("Shape", {"p"}, {"shape"}),
                    node("Size", {"shape"}, {"rank"})},
          .initializers = {tensor<float>("w", FLOAT, {}, {10})},
          .inputs = {value_info("x", FLOAT, {"1", "3"}), value_info("c", BOOL, {})},
          .outputs = {value_info("rank", INT64, {}), value_info("c", BOOL, {})}};
}

TEST(If, OfBranchesThatDifferInRankDecidesForAllThatFollows) {
  GraphParts parts = squeezing_choice();
  const auto model = import(parts);
  const Tensor x = Tensor::of<float>({1, 3}, {1, 2, 3});
  for (bool holds : {true, false}) {
    const auto made = ops::evaluate(*model.graph, std::vector<Tensor>{x, Tensor::scalar(holds)});
    EXPECT_EQ(*made[0].data<int64_t>(), holds ? 1 : 2);
    EXPECT_EQ(*made[1].data<bool>(), holds);
  }
  EXPECT_EQ(ir::print(*ir::parse(ir::print(*model.graph), ops::op_lookup())), ir::print(*model.graph));
}

TEST(If, MayNotDecideTheRankOfAnOutput) {
  GraphParts parts = squeezing_choice();
  parts.outputs = {value_info("p", FLOAT, {})};
  EXPECT_THAT([&] { import(parts); },
              ::testing::ThrowsMessage<Error>(::testing::HasSubstr("element type and rank must agree")));
}

/// A row of such Ifs, one for each condition c0, c1, ...; the rank of x at the end.
GraphParts squeezing_choices(int count) {
  GraphParts parts = {.nodes = {},
                      .initializers = {},
                      .inputs = {value_info("x0", FLOAT, {"1", "1", "1", "1", "1", "1"})},
                      .outputs = {value_info("rank", INT64, {})}};
  for (int i = 0; i < count; ++i) {
    const std::string in = "x" + std::to_string(i), out = "x" + std::to_string(i + 1),
                      c = "c" + std::to_string(i);
    parts.nodes.push_back(node("If", {c}, {out},
                               {graph_attribute("then_branch", branch(node("Squeeze", {in, "axes"}, {"r"}))),
                                graph_attribute("else_branch", branch(node("Identity", {in}, {"r"})))}));
    parts.inputs.push_back(value_info(c, BOOL, {}));
  }
  parts.initializers.push_back(tensor<int64_t>("axes", INT64, {1}, {0}));
  parts.nodes.push_back(node("Shape", {"x" + std::to_string(count)}, {"shape"}));
  parts.nodes.push_back(node("Size", {"shape"}, {"rank"}));
  return parts;
}

TEST(If, SeveralThatDifferInRankFollowEachOther) {
  const auto model = import(squeezing_choices(3));
  for (int bits = 0; bits < 8; ++bits) {
    std::vector<Tensor> inputs = {Tensor::of<float>({1, 1, 1, 1, 1, 1}, {7})};
    int taken = 0;
    for (int i = 0; i < 3; ++i) {
      inputs.push_back(Tensor::scalar((bits >> i & 1) != 0));
      taken += bits >> i & 1;
    }
    EXPECT_EQ(*ops::evaluate(*model.graph, inputs)[0].data<int64_t>(), 6 - taken) << bits;
  }
  EXPECT_THAT([&] { import(squeezing_choices(5)); },
              ::testing::ThrowsMessage<Error>(::testing::HasSubstr("more than 4 Ifs")));
}

/// A loop that appends x to its carried value `v` each time, and gives v's sum at the start of each
/// iteration.
GraphParts growing_loop() {
  const Message body = test::graph(
      {.nodes = {node("Identity", {"cond"}, {"cond_out"}),
                 node("Concat", {"v", "x"}, {"v_out"}, {attribute("axis", 0)}),
                 node("ReduceSum", {"v"}, {"s"}, {attribute("keepdims", 0)})},
       .initializers = {},
       .inputs = {value_info("i", INT64, {}), value_info("cond", BOOL, {}), value_info("v", FLOAT, {"m"})},
       .outputs = {value_info("cond_out", BOOL, {}), value_info("v_out", FLOAT, {"k"}),
                   value_info("s", FLOAT, {})}});
  return {.nodes = {node("Loop", {"n", "", "start"}, {"v_final", "sums"}, {graph_attribute("body", body)})},
          .initializers = {tensor<float>("start", FLOAT, {1}, {5})},
          .inputs = {value_info("n", INT64, {}), value_info("x", FLOAT, {"2"})},
          .outputs = {value_info("v_final", FLOAT, {}), value_info("sums", FLOAT, {})}};
}

TEST(Loop, CarriesValuesWhoseShapesChange) {
  const auto model = import(growing_loop());
  const Tensor x = Tensor::of<float>({2}, {1, 2});
  auto outputs = ops::evaluate(*model.graph, std::vector<Tensor>{Tensor::scalar<int64_t>(3), x});
  EXPECT_THAT(numbers(outputs[0]), ElementsAre(5, 1, 2, 1, 2, 1, 2));
  EXPECT_THAT(numbers(outputs[1]), ElementsAre(5, 8, 11));
  outputs = ops::evaluate(*model.graph, std::vector<Tensor>{Tensor::scalar<int64_t>(0), x});
  EXPECT_THAT(numbers(outputs[0]), ElementsAre(5));
  EXPECT_EQ(outputs[1].shape(), Shape{0});
}

TEST(Scan, TakesFixedShapesIntoItsBody) {
  const Message body =
      test::graph({.nodes = {node("Add", {"s", "x"}, {"s_out"}), node("Neg", {"e"}, {"o"})},
                   .initializers = {},
                   .inputs = {value_info("s", FLOAT, {"n"}), value_info("e", FLOAT, {"n"})},
                   .outputs = {value_info("s_out", FLOAT, {"n"}), value_info("o", FLOAT, {"n"})}});
  const auto model =
      import({.nodes = {node("Scan", {"x", "y"}, {"total", "out"},
                             {graph_attribute("body", body), attribute("num_scan_inputs", 1)})},
              .initializers = {},
              .inputs = {value_info("x", FLOAT, {"n"}), value_info("y", FLOAT, {"t", "n"})},
              .outputs = {value_info("total", FLOAT, {}), value_info("out", FLOAT, {})}});
  EXPECT_EQ(ir::dims_text(model.graph->value(model.graph->outputs[1].value).type.shape), "t,n");
  ops::substitute(*model.graph, {{"n", 4}});
  EXPECT_EQ(ir::dims_text(model.graph->value(model.graph->outputs[1].value).type.shape), "t,4");
  EXPECT_EQ(ir::dims_text(model.graph->value(model.graph->outputs[0].value).type.shape), "4");
}

TEST(Loop, PrintsAndParsesWithItsBody) {
  const auto model = import(growing_loop());
  const std::string text = ir::print(*model.graph);
  EXPECT_EQ(ir::print(*ir::parse(text, ops::op_lookup())), text);
}

TEST(Scan, RunsBackwardsAlongAnyAxis) {
  const Message body =
      test::graph({.nodes = {node("Add", {"s", "e"}, {"s_out"}), node("Identity", {"s_out"}, {"o"})},
                   .initializers = {},
                   .inputs = {value_info("s", FLOAT, {"2"}), value_info("e", FLOAT, {"2"})},
                   .outputs = {value_info("s_out", FLOAT, {"2"}), value_info("o", FLOAT, {"2"})}});
  const auto model = import({.nodes = {node("Scan", {"zero", "x"}, {"total", "sums"},
                                            {graph_attribute("body", body), attribute("num_scan_inputs", 1),
                                             attribute("scan_input_axes", std::vector<int64_t>{1}),
                                             attribute("scan_input_directions", std::vector<int64_t>{1}),
                                             attribute("scan_output_axes", std::vector<int64_t>{-1}),
                                             attribute("scan_output_directions", std::vector<int64_t>{1})})},
                             .initializers = {tensor<float>("zero", FLOAT, {2}, {0, 0})},
                             .inputs = {value_info("x", FLOAT, {"2", "t"})},
                             .outputs = {value_info("total", FLOAT, {}), value_info("sums", FLOAT, {})}});
  EXPECT_EQ(ir::dims_text(model.graph->value(model.graph->outputs[1].value).type.shape), "2,t");
  const auto outputs =
      ops::evaluate(*model.graph, std::vector<Tensor>{Tensor::of<float>({2, 3}, {1, 2, 3, 10, 20, 30})});
  EXPECT_THAT(numbers(outputs[0]), ElementsAre(6, 60));
  EXPECT_THAT(numbers(outputs[1]), ElementsAre(6, 5, 3, 60, 50, 30));
}

}  // namespace
}  // namespace burnish
