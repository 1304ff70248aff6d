#include "tune/tuner.h"

#include <gmock/gmock.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <thread>

#include "../support/crowd.h"
#include "cover/cover.h"
#include "fake_device.h"
#include "ops/table.h"

namespace burnish::tune {
namespace {

using testing::FakeDevice;
using testing::FakeTactic;
using ::testing::HasSubstr;

constexpr const char* conv =
    "graph problem(%x0: f32[3,2,5,7], %w1: f32[4,2,3,3]) { %v0 = conv(%x0, %w1) {strides=[1,1], "
    "pads=[1,1,1,1], dilations=[1,1]} : f32[3,4,5,7] "
    "yield %v0 }";

Tuner tuner_of(const std::shared_ptr<FakeDevice>& device, const std::shared_ptr<TuningCache>& cache) {
  TunerOptions options;
  options.budget_us = 1;
  return Tuner(device, cache, options);
}

/// x -> conv -> relu -> conv -> y, all of rank 4.
ir::Graph network() {
  ir::Graph graph("main");
  const auto weight = [&](const char* name) {
    return graph.add_constant(name, Tensor::of<float>({2, 2, 1, 1}, {1, 2, 3, 4}));
  };
  const ir::TensorType type{DType::f32, {3, 2, 5, 7}, {}};
  const auto add = [&](const ops::OpDef& op, ir::Attributes attributes, std::vector<ir::ValueId> inputs,
                       const char* name) {
    const ir::ValueId made =
        graph.node(graph.add_node(op, std::move(attributes), inputs, 1, {name})).outputs[0];
    graph.value(made).type = type;
    return made;
  };
  const ir::ValueId x = graph.add_input("x", type);
  const ir::ValueId first = add(ops::def::conv, ops::def::conv.default_attributes, {x, weight("w")}, "first");
  const ir::ValueId relu = add(ops::def::relu, ir::Attributes(), {first}, "relu");
  graph.outputs.push_back(
      {"y", add(ops::def::conv, ops::def::conv.default_attributes, {relu, weight("v")}, "second")});
  return graph;
}

TEST(Tuner, AnOpWhoseEveryProposalIsRefusedRunsOnTheReference) {
  FakeTactic refusing("fake.nhwc", ir::Layout::nhwc);
  refusing.on_load = [](const device::Problem&) { fail("too little memory"); };
  const auto device = std::make_shared<FakeDevice>(std::vector<const device::Tactic*>{&refusing});
  Tuner tuner = tuner_of(device, std::make_shared<TuningCache>(""));
  ir::Graph graph = network();
  const cover::Covered covered = cover::cover(graph, tuner, {});
  int run = 0;
  for (ir::NodeId id : graph.order()) {
    const device::Choice& choice = covered.choices[static_cast<size_t>(id.index)];
    EXPECT_EQ(choice.tactic, "reference") << graph.node(id).op->name;
    ++run;
  }
  EXPECT_EQ(run, 3);
  ASSERT_FALSE(covered.refused.empty());
  EXPECT_THAT(covered.refused.at(0).reason, HasSubstr("fake.nhwc only: too little memory"));
}

TEST(Tuner, ALostDeviceEndsTheBuildAndTheNextOnePassesOverWhatLostIt) {
  FakeTactic fatal("fake.fatal", ir::Layout::plain), good("fake.good", ir::Layout::plain);
  const auto cache = std::make_shared<TuningCache>("");
  auto device = std::make_shared<FakeDevice>(std::vector<const device::Tactic*>{&fatal, &good});
  fatal.on_load = [&](const device::Problem&) {
    device->fault = "GPU 0 is lost to this process";
    fail("an illegal address");
  };
  const device::Problem problem = device::Problem::parse(conv);
  try {
    tuner_of(device, cache).best(problem);
    FAIL() << "a lost device was taken for a refusal";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("fake.fatal only was being tried"));
    EXPECT_THAT(error.what(), HasSubstr("GPU 0 is lost"));
  }
  device->fault.clear();
  fatal.on_load = [](const device::Problem&) { FAIL() << "tried again"; };
  const auto kept = std::make_shared<TuningCache>("");  // as the file holds it
  kept->parse(cache->text());
  Tuner next = tuner_of(device, kept);
  const Timed* timed = next.best(problem);
  ASSERT_NE(timed, nullptr);
  EXPECT_EQ(timed->tactic->name(), "fake.good");
  EXPECT_THAT(timed->alternatives.at(0).refused, HasSubstr("lost the device"));
  // And all of it is measured now.
  EXPECT_EQ(kept->find("fake", problem.text())->size(), 2u);
}

/// A device on which measuring takes a while, so that it is seen who waits meanwhile.
class SlowDevice : public FakeDevice {
 public:
  using FakeDevice::FakeDevice;
  double measure(const std::function<void(device::Stream&, int)>&, int, double) override {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    return 1;
  }
};

/// Whether the system tells how long threads waited.
bool tells_of_waiting() { return std::filesystem::exists("/proc/self/schedstat"); }

TEST(Tuner, WhatThreadsHadToWaitInIsMeasuredAgainAndKept) {
  if (!tells_of_waiting()) GTEST_SKIP();
  FakeTactic tactic("fake", ir::Layout::plain);
  auto crowd = std::make_optional<testing::Crowd>();
  int tried = 0;
  tactic.on_load = [&](const device::Problem&) {
    if (++tried == 2) crowd.reset();
  };
  const auto device = std::make_shared<SlowDevice>(std::vector<const device::Tactic*>{&tactic});
  const auto cache = std::make_shared<TuningCache>("");
  Tuner tuner(device, cache, {});
  const device::Problem problem = device::Problem::parse(conv);
  ASSERT_NE(tuner.best(problem), nullptr);
  EXPECT_TRUE(tuner.best(problem)->measured);
  EXPECT_EQ(tried, 2);
  EXPECT_TRUE(tuner.measures());
  EXPECT_NE(cache->find("fake", problem.text()), nullptr);
}

TEST(Tuner, OnABusyMachineTheModelChooses) {
  if (!tells_of_waiting()) GTEST_SKIP();
  FakeTactic first("fake.first", ir::Layout::plain), second("fake.second", ir::Layout::plain);
  const auto device = std::make_shared<SlowDevice>(std::vector<const device::Tactic*>{&first, &second});
  const auto cache = std::make_shared<TuningCache>("");
  TunerOptions options;
  options.patience_us = 1;
  Tuner busy(device, cache, options);
  ir::Graph graph = network();
  std::optional<cover::Covered> covered;
  {
    const testing::Crowd crowd;
    covered = cover::cover(graph, busy, {});
  }
  EXPECT_FALSE(busy.measures());
  EXPECT_THAT(busy.gave_up(), HasSubstr("too busy"));
  EXPECT_EQ(cache->size(), 0u) << cache->text();

  options.measure = false;
  Tuner untimed(device, std::make_shared<TuningCache>(""), options);
  ir::Graph same = network();
  const cover::Covered expected = cover::cover(same, untimed, {});
  const std::vector<ir::NodeId> order = graph.order(), expected_order = same.order();
  ASSERT_EQ(order.size(), expected_order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    const device::Choice& choice = covered->choices[static_cast<size_t>(order[i].index)];
    EXPECT_EQ(choice.tactic, expected.choices[static_cast<size_t>(expected_order[i].index)].tactic);
    EXPECT_EQ(choice.microseconds, 0);
  }
}

}  // namespace
}  // namespace burnish::tune
