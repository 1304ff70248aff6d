// Steps on several streams: what waits for what, and that no memory is reused while a branch may still read it.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include <burnish/burnish.h>

#include "../support/random_network.h"
#include "build/model.h"
#include "plan/arena.h"
#include "plan/schedule.h"
#include "plan/segment.h"
#include "runtime/engine_state.h"
#include "shadow.h"

namespace burnish::plan {
namespace {

/// Steps that each read what some earlier steps wrote: step i writes root i.
std::vector<std::vector<Access>> steps_of(const std::vector<std::vector<int>>& reads) {
  std::vector<std::vector<Access>> accesses;
  for (size_t i = 0; i < reads.size(); ++i) {
    accesses.push_back({{static_cast<int32_t>(i), 0, 16, true}});
    for (int root : reads[i]) accesses.back().push_back({root, 0, 16, false});
  }
  return accesses;
}

TEST(Schedule, GivesBranchesStreamsAndJoinsThem) {
  // 0 -> {1 -> 2, 3 -> 4} -> 5
  const Schedule schedule(steps_of({{}, {0}, {1}, {0}, {3}, {2, 4}}), 4);
  EXPECT_EQ(schedule.streams(), 2);
  EXPECT_EQ(schedule.stream(0), schedule.stream(1));
  EXPECT_EQ(schedule.stream(1), schedule.stream(2));
  EXPECT_EQ(schedule.stream(3), schedule.stream(4));
  EXPECT_NE(schedule.stream(1), schedule.stream(3));
  EXPECT_EQ(schedule.waits(3), std::vector<int>{0});
  EXPECT_TRUE(schedule.waits(4).empty());
  EXPECT_EQ(schedule.waits(5).size(), 1u);
  EXPECT_FALSE(schedule.before(2, 3));
  EXPECT_TRUE(schedule.before(0, 5) && schedule.before(2, 5) && schedule.before(4, 5));
}

TEST(Schedule, KeepsAChainOnOneStream) {
  const Schedule schedule(steps_of({{}, {0}, {1}, {2}}), 8);
  EXPECT_EQ(schedule.streams(), 1);
}

TEST(Schedule, OrdersAWriterBehindEarlierReadersOfTheSameBytes) {
  std::vector<std::vector<Access>> accesses = steps_of({{}, {0}});
  accesses.push_back({{0, 8, 16, true}});    // writes over half of what step 1 reads
  accesses.push_back({{0, 16, 32, true}});   // and beside it
  const Schedule schedule(accesses, 4);
  EXPECT_TRUE(schedule.before(1, 2));
  EXPECT_FALSE(schedule.before(1, 3));
}

TEST(Schedule, WritesPartsOfOnePixelSideBySide) {
  // Two parts of rows of 48 bytes, then their whole; and a tensor with other rows in the same memory.
  const std::vector<std::vector<Access>> accesses = {{{0, 0, 16 + 96, true, 48, 16}},
                                                     {{0, 16, 48 + 96, true, 48, 32}},
                                                     {{0, 0, 144, false}},
                                                     {{0, 16, 48 + 64, true, 64, 32}}};
  const Schedule schedule(accesses, 4);
  EXPECT_FALSE(schedule.before(0, 1));
  EXPECT_TRUE(schedule.before(0, 2) && schedule.before(1, 2) && schedule.before(2, 3));
}

TEST(Schedule, OverlapOfPitchedAccessesIsThatOfTheirBytes) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  const auto any = [&](int64_t pitch) {
    const int64_t width = 1 + static_cast<int64_t>(random()) % pitch,
                  rows = 1 + static_cast<int64_t>(random() % 4);
    const int64_t begin = static_cast<int64_t>(random() % 40);
    return Access{0, begin, begin + (rows - 1) * pitch + width, true, pitch, width};
  };
  const auto bytes = [](const Access& access) {
    std::set<int64_t> touched;
    for (int64_t at = access.begin; at < access.end; ++at)
      if ((at - access.begin) % access.pitch < access.width) touched.insert(at);
    return touched;
  };
  for (int round = 0; round < 2000; ++round) {
    const int64_t pitch = 2 + static_cast<int64_t>(random() % 12);
    const Access a = any(pitch), b = any(pitch);
    const std::set<int64_t> of_a = bytes(a), of_b = bytes(b);
    const bool meet = std::any_of(of_a.begin(), of_a.end(), [&](int64_t at) { return of_b.contains(at); });
    // Ranges that share no row's bytes may count as overlapping, lanes beside each other may not.
    EXPECT_TRUE(!meet || overlap(a, b));
    const int64_t between = ((b.begin - a.begin) % pitch + pitch) % pitch;
    const bool beside = between >= a.width && between + b.width <= pitch;
    EXPECT_FALSE(beside && (meet || overlap(a, b)));
  }
}

/// Any order of steps that streams and waits allow keeps every dependency; no two buffers that may be live at once overlap.
TEST(Schedule, RandomGraphs) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 300; ++round) {
    const size_t count = 1 + random() % 40;
    std::vector<std::vector<int>> reads(count);
    for (size_t i = 1; i < count; ++i)
      for (unsigned j = random() % 3; j > 0; --j) reads[i].push_back(static_cast<int>(i - 1 - random() % std::min<size_t>(i, 6)));
    const std::vector<std::vector<Access>> accesses = steps_of(reads);
    const int streams = static_cast<int>(1 + random() % 5);
    const Schedule schedule(accesses, streams);
    EXPECT_LE(schedule.streams(), streams);

    // Independently of before(): what stream order and waits give, closed under transitivity.
    std::vector<std::vector<bool>> ordered(count, std::vector<bool>(count));
    for (size_t b = 0; b < count; ++b) {
      const auto join = [&](size_t a) {
        ordered[a][b] = true;
        for (size_t c = 0; c < a; ++c) ordered[c][b] = ordered[c][b] || ordered[c][a];
      };
      for (size_t a = 0; a < b; ++a)
        if (schedule.stream(a) == schedule.stream(b)) join(a);
      for (int a : schedule.waits(b)) {
        EXPECT_TRUE(schedule.is_awaited(static_cast<size_t>(a)));
        join(static_cast<size_t>(a));
      }
    }
    for (size_t b = 0; b < count; ++b) {
      for (int a : reads[b]) EXPECT_TRUE(ordered[static_cast<size_t>(a)][b]) << a << " before " << b;
      for (size_t a = 0; a < count; ++a) EXPECT_EQ(schedule.before(a, b), ordered[a][b]) << a << ", " << b;
    }
  }
}

TEST(Arena, SideBySideLifetimesDoNotShare) {
  const std::vector<Lifetime> lifetimes = {{100, 0, 1}, {100, 2, 3}, {100, 4, 5}};
  EXPECT_EQ(place(lifetimes).bytes, 128);
  const Placement placement = place(lifetimes, 64, [](size_t a, size_t b) { return a + b == 1; });
  EXPECT_NE(placement.offsets[0], placement.offsets[1]);
  EXPECT_EQ(placement.bytes, 256);
}

/// The steps in one of the orders that streams and waits allow, drawn at random.
std::vector<size_t> allowed_order(const Segment& segment, std::mt19937& random) {
  std::vector<size_t> order;
  std::vector<bool> done(segment.steps.size());
  while (order.size() < segment.steps.size()) {
    std::vector<size_t> ready;
    std::vector<bool> held(static_cast<size_t>(segment.streams));  // a stream whose next step is found
    for (size_t i = 0; i < segment.steps.size(); ++i) {
      const Step& step = segment.steps[i];
      if (done[i] || held[static_cast<size_t>(step.stream)]) continue;
      held[static_cast<size_t>(step.stream)] = true;
      if (std::all_of(step.waits.begin(), step.waits.end(), [&](int other) { return done[static_cast<size_t>(other)]; }))
        ready.push_back(i);
    }
    const size_t next = ready.at(random() % ready.size());
    done[next] = true;
    order.push_back(next);
  }
  return order;
}

/// Random networks on three streams: in whatever order the streams' steps come, each reads what its producers wrote.
TEST(Streams, AnyOrderThatTheyAllowReadsWhatTheGraphSays) {
  int branched = 0;
  for (unsigned seed = 1000; seed < 1016; ++seed) {
    SCOPED_TRACE(seed);
    testing::RandomNetwork made(seed);
    auto model = std::make_shared<model_internal::ModelState>();
    model->graph = made.graph();
    BuildOptions options;
    options.device = "reference";
    options.tuning_cache = "none";
    options.threads = 2;
    for (ir::ValueId input : made.graph()->inputs())
      options.shapes[made.graph()->value(input).name] = {2, 4, 6, 5};
    const Engine engine = build(Model(model), options);
    Program program = *engine.state().program;
    program.streams = 3;
    const std::vector<ir::NodeId> nodes = program.graph->order();
    std::mt19937 random(seed);
    for (int round = 0; round < 8; ++round) {
      Knowledge knowledge;
      for (ir::ValueId input : program.graph->inputs()) knowledge.shapes[input.index] = {2, 4, 6, 5};
      Segment segment = plan_segment(program, nodes, 0, knowledge);
      branched += segment.streams > 1;
      const std::vector<size_t> order = allowed_order(segment, random);
      std::vector<Step> steps;
      for (size_t i : order) steps.push_back(std::move(segment.steps[i]));
      segment.steps = std::move(steps);
      EXPECT_EQ(testing::Shadow(program, segment, knowledge.symbols).fault(), "") << ir::print(*program.graph);
    }
  }
  EXPECT_GT(branched, 0);
}

}  // namespace
}  // namespace burnish::plan
