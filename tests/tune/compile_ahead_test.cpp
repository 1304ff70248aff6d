#include "tune/compile_ahead.h"

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <set>

#include "cover/cover.h"
#include "fake_device.h"
#include "ops/table.h"
#include "tune/tuner.h"

namespace burnish::tune {
namespace {

using testing::FakeDevice;
using testing::FakeTactic;

device::Problem relu_of(int size) {
  return device::Problem::parse(
      fmt::format("graph problem(%x0: f32[{0},3]) {{ %v0 = relu(%x0) : f32[{0},3] yield %v0 }}", size));
}

/// Waits for what other threads do; false where it does not come.
template <class Condition>
bool comes_true(const Condition& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition() && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return condition();
}

/// A tactic that notes what it compiled.
struct Noting {
  Noting() {
    tactic.on_compile = [this](const device::Problem& problem, const device::Candidate& candidate) {
      {
        std::lock_guard lock(mutex);
        texts.push_back(problem.text() + candidate.id);
      }
      if (candidate.id == "bad") fail("it cannot be compiled");
      return "code of " + problem.text() + candidate.id;
    };
  }
  size_t compiled() {
    std::lock_guard lock(mutex);
    return texts.size();
  }

  FakeTactic tactic{"fake", ir::Layout::plain};
  FakeDevice device{{&tactic}};
  std::mutex mutex;
  std::vector<std::string> texts;
};

TEST(CompileAhead, CompilesEachWayOnceAndAheadOfWhoAsks) {
  for (int threads : {1, 3}) {
    Noting noting;
    const std::vector<Way> ways = {{&noting.tactic, {"a", 0}}, {&noting.tactic, {"bad", 0}}};
    CompileAhead ahead(noting.device, threads);
    for (int i = 1; i <= 20; ++i) ahead.expect(relu_of(i), ways);
    ahead.expect(relu_of(1), ways);  // once more
    EXPECT_TRUE(comes_true([&] { return noting.compiled() == 40; }));
    for (int i = 20; i >= 1; --i) {
      const CompileAhead::Codes codes = ahead.take(relu_of(i), ways);
      ASSERT_EQ(codes.size(), 2u);
      EXPECT_EQ(codes[0], "code of " + relu_of(i).text() + "a");
      EXPECT_FALSE(codes[1]);
    }
    EXPECT_EQ(noting.compiled(), 40u);
  }
}

TEST(CompileAhead, CompilesWhatNobodyExpected) {
  for (int threads : {0, 2}) {
    Noting noting;
    CompileAhead ahead(noting.device, threads);
    ahead.expect(relu_of(5), {{&noting.tactic, {"a", 0}}});
    // Another candidate than what was expected of the problem, and another problem.
    EXPECT_EQ(ahead.take(relu_of(5), {{&noting.tactic, {"b", 0}}}).at(0), "code of " + relu_of(5).text() + "b");
    EXPECT_EQ(ahead.take(relu_of(6), {{&noting.tactic, {"a", 0}}}).at(0), "code of " + relu_of(6).text() + "a");
  }
}

TEST(CompileAhead, DropsWhatIsNotWanted) {
  Noting noting;
  std::atomic<bool> go = false;
  std::atomic<int> begun = 0;
  noting.tactic.on_compile = [&](const device::Problem&, const device::Candidate&) {
    ++begun;
    while (!go) std::this_thread::yield();
    return std::string();
  };
  const std::vector<Way> ways = {{&noting.tactic, {"a", 0}}};
  CompileAhead ahead(noting.device, 2);
  for (int i = 1; i <= 100; ++i) ahead.expect(relu_of(i), ways);
  EXPECT_TRUE(comes_true([&] { return begun == 2; }));
  ahead.expect_no_more();
  go = true;
  EXPECT_EQ(ahead.take(relu_of(100), ways).size(), 1u);
  EXPECT_EQ(begun, 3);
}

/// x -> relu -> softmax -> sigmoid -> y.
ir::Graph network() {
  ir::Graph graph("main");
  ir::ValueId value = graph.add_input("x", {DType::f32, {7, 5}, {}});
  for (const ops::OpDef* op : {&ops::def::relu, &ops::def::softmax, &ops::def::sigmoid}) {
    value = graph.node(graph.add_node(*op, op->default_attributes, {value}, 1, {op->name})).outputs[0];
    graph.value(value).type = {DType::f32, {7, 5}, {}};
  }
  ir::Output output;
  output.name = "y";
  output.value = value;
  graph.outputs.push_back(output);
  return graph;
}

TEST(CompileAhead, CoverForeseesWhatItAsksFor) {
  Noting noting;
  const auto device = std::make_shared<FakeDevice>(std::vector<const device::Tactic*>{&noting.tactic}, DeviceId{2, 0});
  TunerOptions options;
  options.budget_us = 1;
  const auto cache = std::make_shared<TuningCache>("");
  ir::Graph graph = network();
  size_t choices = 0;
  {
    Tuner tuner(device, cache, options);
    ASSERT_TRUE(tuner.compiles_ahead());
    for (const device::Choice& choice : cover::cover(graph, tuner, {}).choices) choices += !choice.tactic.empty();
  }
  // Each problem once, by whichever thread, and what was chosen once more where it is built.
  const std::set<std::string> distinct(noting.texts.begin(), noting.texts.end());
  EXPECT_EQ(distinct.size(), cache->size());
  EXPECT_EQ(noting.texts.size(), cache->size() + choices);
  // What the cache knows is not compiled again to be measured.
  noting.texts.clear();
  Tuner again(device, cache, options);
  ir::Graph same = network();
  cover::cover(same, again, {});
  EXPECT_EQ(noting.texts.size(), choices);
}

}  // namespace
}  // namespace burnish::tune
