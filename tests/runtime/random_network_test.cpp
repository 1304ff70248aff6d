// Random networks through whole builds: plans whose buffers never collide, and runtimes that all agree.
#include <burnish/burnish.h>
#include <gtest/gtest.h>

#include "../support/random_network.h"
#include "build/model.h"
#include "ops/evaluate.h"
#include "runtime/engine_state.h"
#include "shadow.h"

namespace burnish {
namespace {

using testing::RandomNetwork;

Engine built(const std::shared_ptr<ir::Graph>& graph, const std::string& device, bool passes = true) {
  auto state = std::make_shared<model_internal::ModelState>();
  state->graph = graph;
  BuildOptions options;
  options.device = device;
  options.measure = false;
  options.passes = passes;
  options.tuning_cache = "none";
  options.threads = 2;
  for (ir::ValueId input : graph->inputs())
    options.shape_ranges[graph->value(input).name] = {{1, 4, 6, 5}, {2, 4, 6, 5}, {5, 4, 6, 5}};
  return build(Model(state), options);
}

Engine saved_and_loaded(const Engine& engine) {
  const std::string path = ::testing::TempDir() + "random_network_test.burnish";
  engine.save(path);
  return Engine::load(path, {.threads = 2});
}

/// Expects that every plan of the engine's program, for this batch size, is without fault.
void expect_sound_plan(const Engine& engine, int64_t batch) {
  const plan::Program& program = *engine.state().program;
  plan::Knowledge knowledge;
  for (ir::ValueId input : program.graph->inputs()) {
    plan::unify(program.graph->value(input).type.shape, {batch, 4, 6, 5}, knowledge.symbols);
    knowledge.shapes[input.index] = {batch, 4, 6, 5};
  }
  const std::vector<ir::NodeId> order = program.graph->order();
  const plan::Segment segment = plan::plan_segment(program, order, 0, knowledge);
  ASSERT_EQ(segment.stop.position, order.size());
  EXPECT_LE(segment.arena_lower_bound, segment.arena_bytes);
  EXPECT_EQ(testing::Shadow(program, segment, knowledge.symbols).fault(), "") << ir::print(*program.graph);
}

void expect_results(const Engine& engine, RandomNetwork& made, const std::vector<int64_t>& batches) {
  Session session(engine);
  for (int64_t batch : batches) {
    SCOPED_TRACE(fmt::format("batch {}", batch));
    const std::vector<Tensor> inputs = made.inputs(batch);
    const std::vector<Tensor> expected = ops::evaluate(*made.graph(), inputs);
    const TensorMap actual = session.run({{"image", inputs[0]}, {"other", inputs[1]}});
    for (size_t i = 0; i < expected.size(); ++i)
      EXPECT_LE(testing::difference_in_a_chain(actual.at(made.graph()->outputs[i].name), expected[i]), 1e-4)
          << made.graph()->outputs[i].name << "\n"
          << ir::print(*engine.state().program->graph);
  }
}

/// The devices and ways to build that this program has.
struct Runtime {
  const char* name;
  const char* device;
  bool passes, saved;
};
constexpr Runtime runtimes[] = {{"reference", "reference", true, false},
                                {"cpu", "cpu", true, false},
                                {"cpu, no passes", "cpu", false, false},
                                {"cpu, saved and loaded", "cpu", true, true}};

TEST(RandomNetworks, NoTwoLiveBuffersOverlapAndEveryRuntimeAgrees) {
  for (unsigned seed = 1000; seed < 1016; ++seed) {
    for (const Runtime& runtime : runtimes) {
      SCOPED_TRACE(fmt::format("seed {}, {}", seed, runtime.name));
      RandomNetwork made(seed);
      Engine engine = built(made.graph(), runtime.device, runtime.passes);
      if (runtime.saved) engine = saved_and_loaded(engine);
      for (int64_t batch : {1, 3}) expect_sound_plan(engine, batch);
      expect_results(engine, made, {3, 1, 5, 3});
      if (::testing::Test::HasFailure()) return;
    }
  }
}

TEST(RandomNetworks, TheShadowSeesBuffersThatCollide) {
  RandomNetwork made(1000);
  const Engine engine = built(made.graph(), "reference", false);
  const plan::Program& program = *engine.state().program;
  plan::Knowledge knowledge;
  knowledge.symbols["n"] = 2;
  for (ir::ValueId input : program.graph->inputs()) knowledge.shapes[input.index] = {2, 4, 6, 5};
  plan::Segment segment = plan::plan_segment(program, program.graph->order(), 0, knowledge);
  ASSERT_EQ(testing::Shadow(program, segment, knowledge.symbols).fault(), "");
  for (plan::Step& step : segment.steps)
    for (auto* places : {&step.inputs, &step.outputs})
      for (plan::Place& place : *places)
        if (place.kind == plan::Place::arena) place.offset = 0;
  EXPECT_NE(testing::Shadow(program, segment, knowledge.symbols).fault(), "");
}

}  // namespace
}  // namespace burnish
