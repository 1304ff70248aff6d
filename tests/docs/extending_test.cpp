// The examples of docs/extending.md, built and run.
#include <burnish/burnish.h>
#include <gtest/gtest.h>

#include <cmath>

#include "../rules/random_graph.h"
#include "base/files.h"
#include "build/model.h"
#include "ops/evaluate.h"
#include "ops/infer.h"
#include "ops/table.h"
#include "rules/library.h"
#include "runtime/engine_state.h"

namespace burnish {

namespace ops::def {
extern const OpDef softsign;
}

namespace {

std::shared_ptr<ir::Graph> softsign_graph(DType dtype) {
  auto graph = std::make_shared<ir::Graph>("main");
  const ir::ValueId x = graph->add_input("x", {dtype, {3, 5}});
  const ir::NodeId node =
      ops::add_node(*graph, ops::def::softsign, ops::def::softsign.default_attributes, {x}, 1, "softsign");
  graph->outputs.push_back({"y", graph->node(node).outputs[0]});
  return graph;
}

Engine built(const std::string& device, const std::shared_ptr<ir::Graph>& graph) {
  auto state = std::make_shared<model_internal::ModelState>();
  state->graph = graph;
  BuildOptions options;
  options.device = device;
  options.tuning_cache = "none";
  return build(Model(state), options);
}

Tensor ramp() {
  Tensor x(DType::f32, {3, 5});
  for (int i = 0; i < 15; ++i) x.data<float>()[i] = static_cast<float>(i - 7);
  return x;
}

void expect_softsign(const Tensor& y) {
  for (int i = 0; i < 15; ++i) {
    const float x = static_cast<float>(i - 7);
    EXPECT_FLOAT_EQ(y.data<float>()[i], x / (1 + std::abs(x))) << i;
  }
}

TEST(Extending, AnOpRunsOnEveryDevice) {
  for (const char* device : {"reference", "cpu"})
    expect_softsign(Session(built(device, softsign_graph(DType::f32))).run(ramp()));
}

TEST(Extending, AFusionKeepsWhatTheGraphComputes) {
  const std::string text = read_file(BURNISH_SOURCE_DIR "/examples/extending/tanh_by_sigmoid.rules");
  const std::vector<rewrite::Rule> parsed =
      rewrite::parse_rules("tanh_by_sigmoid.rules", text, rules::vocabulary());
  ASSERT_EQ(parsed.size(), 1u);
  std::mt19937 random(1);
  const rewrite::Test& test = parsed[0].tests.at(0);
  const ir::Bindings sizes = testing::random_sizes(test, random);
  const auto graph = testing::graph_of(parsed[0], test, sizes, true, random);
  const auto before = graph->clone();
  rewrite::RewriteLog log;
  EXPECT_EQ(rewrite::apply_rules(*graph, rewrite::RuleSet(parsed), log), 1);
  EXPECT_EQ(graph->node_count(), 1u);
  const Tensor x = testing::random_tensor(DType::f32, {sizes.at("n"), 5}, false, random);
  EXPECT_LE(testing::largest_difference(ops::evaluate(*graph, std::vector{x})[0],
                                        ops::evaluate(*before, std::vector{x})[0]),
            2e-5);
}

TEST(Extending, ABackendRunsItsKernelAndFallsBackForTheRest) {
  const Engine engine = built("example", softsign_graph(DType::f32));
  const plan::Program& program = *engine.state().program;
  EXPECT_EQ(program.choice(program.graph->order().at(0)).tactic, "example.softsign");
  expect_softsign(Session(engine).run(ramp()));
  const Engine other = built("example", softsign_graph(DType::f64));
  EXPECT_EQ(other.state().program->choice(other.state().program->graph->order().at(0)).tactic, "reference");
}

}  // namespace
}  // namespace burnish
