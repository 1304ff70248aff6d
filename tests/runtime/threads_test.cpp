// Many sessions of one engine at once: right results, and no more worker threads than the engine was given.
#include <burnish/burnish.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "../support/random_tensor.h"
#include "build/model.h"
#include "ops/evaluate.h"
#include "ops/table.h"

namespace burnish {
namespace {

constexpr int sessions = 8, threads = 3, runs = 8;

/// Convolutions, products, a softmax, norms and what lies between: kernels of oneDNN, of our own, and the
/// reference's.
constexpr std::string_view network = R"(graph main(%x: f32[n,8,16,16]) {
  symbol n 1 1 4
  constant @w1: f32[16,8,3,3]
  constant @w2: f32[16,1,3,3]
  constant @w3: f32[16,32]
  constant @axes: i64[2] = {2, 3}
  %a = conv(%x, @w1) {pads=[1,1,1,1]} : f32[n,16,16,16]
  %b = relu(%a) : f32[n,16,16,16]
  %c = conv(%b, @w2) {pads=[1,1,1,1], group=16} : f32[n,16,16,16]
  %d = sigmoid(%c) : f32[n,16,16,16]
  %e = mul(%d, %b) : f32[n,16,16,16]
  %f = transpose(%e) {perm=[0,2,3,1]} : f32[n,16,16,16]
  %g = matmul(%f, @w3) : f32[n,16,16,32]
  %h = softmax(%g) {axis=-1} : f32[n,16,16,32]
  %i = cumsum(%h, @axis) : f32[n,16,16,32]
  yield y=%i
})";

std::shared_ptr<ir::Graph> graph() {
  std::mt19937 random(5);
  std::string text(network);
  text.insert(text.find("  %a"), "  constant @axis: i64[] = {1}\n");
  return ir::parse(text, ops::op_lookup(), [&](const std::string&, const ir::TensorType& type) {
    return testing::random_tensor(type.dtype, *ir::constants(type.shape), false, random);
  });
}

Engine built(const std::shared_ptr<ir::Graph>& graph, const std::string& device) {
  auto state = std::make_shared<model_internal::ModelState>();
  state->graph = graph;
  BuildOptions options;
  options.device = device;
  options.measure = false;
  options.tuning_cache = "none";
  options.threads = threads;
  options.shape_ranges["x"] = {{1, 8, 16, 16}, {2, 8, 16, 16}, {4, 8, 16, 16}};
  return build(Model(state), options);
}

int threads_of_this_process() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<int>(std::distance(begin(tasks), end(tasks)));
}

class Devices : public ::testing::TestWithParam<const char*> {};

TEST_P(Devices, EightSessionsAtOnceShareTheEnginesThreads) {
  const std::shared_ptr<ir::Graph> source = graph();
  std::mt19937 random(6);
  std::vector<Tensor> inputs, expected;  // made first: the reference here starts a pool of its own
  for (int i = 0; i < 4; ++i) {
    inputs.push_back(testing::random_tensor(DType::f32, {1 + i, 8, 16, 16}, false, random));
    expected.push_back(ops::evaluate(*source, std::vector{inputs.back()})[0]);
  }
  const int before = threads_of_this_process();
  const Engine engine = built(source, GetParam());
  std::atomic<int> running = sessions, wrong = 0;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < sessions; ++caller) {
    callers.emplace_back([&, caller] {
      try {
        Session session(engine);
        for (int run = 0; run < runs; ++run) {
          const size_t which = static_cast<size_t>(caller + run) % inputs.size();
          if (testing::largest_difference(session.run(inputs[which]), expected[which]) > 1e-4) ++wrong;
        }
      } catch (const std::exception&) {
        ++wrong;
      }
      --running;
    });
  }
  int most = 0;
  while (running > 0) {
    most = std::max(most, threads_of_this_process());
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(most - before - sessions, threads);
}

INSTANTIATE_TEST_SUITE_P(Runtime, Devices, ::testing::Values("reference", "cpu"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace burnish
