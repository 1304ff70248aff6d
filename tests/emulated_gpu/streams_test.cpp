// What sessions do with streams, graphs and faults, on the emulated GPU: its streams run ahead of each other
// wherever no event forbids it.
#include <burnish/burnish.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "build/model.h"
#include "cuda/device.h"
#include "device/device.h"
#include "ops/evaluate.h"
#include "ops/table.h"
#include "runtime/session_state.h"

namespace burnish {
namespace {

constexpr int size = 37;

/// `branches` chains of matmuls and what they add up to: several kernels, and memory that is used again.
std::string network(int branches, int length) {
  std::string text = fmt::format("graph main(%x: f32[{0},{0}]) {{\n  constant @w: f32[{0},{0}] = {{", size);
  for (int i = 0; i < size * size; ++i) text += fmt::format("{}{}", i ? ", " : "", (i * 37 % 19 - 9) / 64.0);
  text += "}\n";
  std::string sum;
  const std::string type = fmt::format(": f32[{0},{0}]\n", size);
  for (int branch = 0; branch < branches; ++branch) {
    std::string last = "%x";
    for (int i = 0; i < length; ++i) {
      const std::string name = fmt::format("%b{}_{}", branch, i);
      text += fmt::format("  {}m = matmul({}, @w) {}  {} = softmax({}m) {{axis={}}} {}", name, last, type,
                          name, name, (branch + i) % 2, type);
      last = name;
    }
    text += branch ? fmt::format("  %s{} = add({}, {}) {}", branch, sum, last, type) : "";
    sum = branch ? fmt::format("%s{}", branch) : last;
  }
  return text + fmt::format("  yield y={}\n}}", sum);
}

class EmulatedSessions : public testing::Test {
 protected:
  void SetUp() override { setenv("BURNISH_CUDA_LIBRARIES", BURNISH_EMULATED_GPU, 1); }

  void build_network(int branches, int length, int streams) {
    auto state = std::make_shared<model_internal::ModelState>();
    state->graph = ir::parse(network(branches, length), ops::op_lookup());
    BuildOptions options;
    options.device = "cuda";
    options.measure = false;
    options.precision = {Precision::fp32};
    options.streams = streams;
    options.tuning_cache = "none";
    engine_.emplace(build(Model(state), options));
    device_ = engine_->state().program->device;
  }

  Tensor input(int seed) const {
    Tensor x(DType::f32, {size, size});
    for (int i = 0; i < size * size; ++i)
      x.data<float>()[i] = static_cast<float>((i * (17 + seed) + seed) % 23 - 11) / 7;
    return x;
  }
  Tensor expected(const Tensor& x) const {
    return ops::evaluate(*ir::parse(network(branches_, length_), ops::op_lookup()),
                         std::vector<Tensor>{x})[0];
  }
  Tensor on_device(const Tensor& x) const {
    const std::unique_ptr<device::Stream> stream = device_->create_stream();
    Tensor copy = device_->make_tensor(x.dtype(), x.shape(), static_cast<size_t>(x.bytes()));
    device_->copy(copy.raw(), x.raw(), static_cast<size_t>(x.bytes()), *stream);
    stream->synchronize();
    return copy;
  }
  void expect_near(const Tensor& got, const Tensor& wanted) const {
    const Tensor host = device_->to_host(got);
    for (int i = 0; i < size * size; ++i)
      ASSERT_NEAR(host.data<float>()[i], wanted.data<float>()[i], 1e-4) << i;
  }

  void make(int branches, int length, int streams) {
    branches_ = branches;
    length_ = length;
    build_network(branches, length, streams);
  }

  std::optional<Engine> engine_;
  std::shared_ptr<device::Device> device_;
  int branches_ = 0, length_ = 0;
};

TEST_F(EmulatedSessions, BranchesOnSeveralStreamsAgreeStepByStepAndAsGraphs) {
  make(4, 3, 4);
  Session session(*engine_);
  for (int run = 0; run < 12; ++run) {  // from the second on, a captured graph
    const Tensor x = input(run);
    expect_near(session.run(x), expected(x));
  }
}

// A session's memory serves all its runs: one on another stream waits for those before.
TEST_F(EmulatedSessions, RunsOnStreamsOfTheCallersFollowEachOther) {
  setenv("BURNISH_CUDA_GRAPHS", "0", 1);  // kernel by kernel, so that streams can come between
  make(1, 6, 1);
  Session session(*engine_);
  const std::vector<Tensor> inputs = {on_device(input(1)), on_device(input(2)), on_device(input(3))};
  const Tensor wanted[] = {expected(input(1)), expected(input(2)), expected(input(3))};
  std::vector<std::unique_ptr<device::Stream>> streams;
  for (int i = 0; i < 3; ++i) streams.push_back(device_->create_stream());
  for (int round = 0; round < 10; ++round) {
    std::vector<Tensor> results;
    for (size_t i = 0; i < 3; ++i) {
      session.set_stream(cuda::cuda_stream(*streams[i]).native());
      results.push_back(session.run(inputs[i]));
    }
    for (size_t i = 3; i-- > 0;) {
      streams[i]->synchronize();
      expect_near(results[i], wanted[i]);
    }
  }
  unsetenv("BURNISH_CUDA_GRAPHS");
}

/// What the driver counts: memory that was made, and functions that came to the device in a launch.
struct DriverCounts {
  int memory = 0, late_functions = 0;
  static DriverCounts now() {
    void* const driver = dlopen(BURNISH_EMULATED_GPU "/libcuda.so.1", RTLD_NOW);
    DriverCounts counts;
    reinterpret_cast<void (*)(int*, int*)>(dlsym(driver, "emulated_counts"))(&counts.memory,
                                                                             &counts.late_functions);
    dlclose(driver);
    return counts;
  }
};

// All kernels and the arena are there before a size is first met.
TEST_F(EmulatedSessions, ANewSizeWaitsNeitherForMemoryNorForCode) {
  setenv("EMULATED_MULTIPROCESSORS", "8", 1);  // so that sizes differ in what kernel suits them
  auto state = std::make_shared<model_internal::ModelState>();
  const char* const text =
      "graph main(%x: f16[n,520]) { symbol n 8 40 400 constant @w: f16[520,72] constant @v: f16[72,520] "
      "%a = matmul(%x, @w) : f16[n,72] %b = softmax(%a) {axis=1} : f16[n,72] %c = matmul(%b, @v) : "
      "f16[n,520] %d = softmax(%c) {axis=1} : f16[n,520] yield y=%d }";
  state->graph = ir::parse(text, ops::op_lookup(), [](const std::string&, const ir::TensorType& type) {
    Tensor zeros(type.dtype, *ir::constants(type.shape));
    std::memset(zeros.raw(), 0, static_cast<size_t>(zeros.bytes()));
    return zeros;
  });
  BuildOptions options;
  options.device = "cuda";
  options.measure = false;
  options.precision = {Precision::fp16};
  options.tuning_cache = "none";
  const Engine engine = build(Model(state), options);
  unsetenv("EMULATED_MULTIPROCESSORS");
  Session session(engine);
  session.run(Tensor(DType::f16, {40, 520}));
  for (int64_t n : {8, 150, 400, 399}) {
    const Tensor x(DType::f16, {n, 520});
    const DriverCounts before = DriverCounts::now();
    session.run(x);
    const DriverCounts first = DriverCounts::now();
    session.run(x);
    const DriverCounts second = DriverCounts::now();
    EXPECT_EQ(first.late_functions, before.late_functions) << n;
    EXPECT_EQ(first.memory - before.memory, second.memory - first.memory) << n;  // input and result
  }
}

std::string repeated(const std::string& element, int count) {
  std::string text = element;
  for (int i = 1; i < count; ++i) text += ", " + element;
  return text;
}

/// The warnings of a build for the GPU.
std::string warnings_of(std::string_view text) {
  auto state = std::make_shared<model_internal::ModelState>();
  state->graph = ir::parse(text, ops::op_lookup());
  BuildOptions options;
  options.device = "cuda";
  options.measure = false;
  options.tuning_cache = "none";
  std::string warnings;
  options.on_log = [&](const std::string& line) {
    if (line.starts_with("warning: ")) warnings += line;
  };
  build(Model(state), options);
  return warnings;
}

TEST_F(EmulatedSessions, ABuildNamesWhatRunsOnTheHost) {
  EXPECT_NE(warnings_of(R"(graph main(%x: f32[2,3,3]) {
  %d = det(%x) : f32[2] from "the_determinant"
  %y = neg(%d) : f32[2]
  yield y=%y
})")
                .find("one op runs on the host, with copies there and back in each run ('burnish explain' "
                      "says why): det 'the_determinant'"),
            std::string::npos);
  // A shape is no tensor of the device's: what is computed of it is planned.
  EXPECT_EQ(warnings_of(R"(graph main(%x: f32[n,6]) {
  symbol n 1 4 8
  constant @zero: i64[1] = {0}
  constant @one: i64[1] = {1}
  constant @table: f32[8,6] = {)" +
                        repeated("0.5", 48) + R"(}
  %n = dims(%x) {dims=["n"], symbols=["n"], sources=[0,0]} : i64[1]
  %rows = slice(@table, @zero, %n, @zero, @one) : f32[n,6]
  %y = add(%x, %rows) : f32[n,6]
  yield y=%y
})"),
            "");
}

}  // namespace
}  // namespace burnish
