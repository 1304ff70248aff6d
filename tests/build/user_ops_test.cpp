// Ops of the user's own: a device that takes their text runs it where it agrees with the reference, and all
// others run the reference; functions of the host run, and stay in the process.
#include "ops/user.h"

#include <burnish/burnish.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "build/model.h"
#include "device/host_device.h"
#include "ops/evaluate.h"
#include "ops/table.h"
#include "runtime/engine_state.h"

namespace burnish {
namespace {

const ops::UserAttributes* user_attributes(const device::Problem& problem) {
  for (size_t i = 0; i < problem.nodes().size(); ++i)
    if (problem.node(i).op == &ops::def::user_pointwise || problem.node(i).op == &ops::def::user_kernel)
      return &problem.node(i).attributes.as<ops::UserAttributes>();
  return nullptr;
}

/// "Compiles" a text into what the text says: "right" is what the reference does, "wrong" is off by one;
/// "broken" does not compile, and "fatal" takes the device along.
class TextKernel : public device::Kernel {
 public:
  explicit TextKernel(device::Problem problem) : problem_(std::move(problem)) {}
  std::unique_ptr<device::BoundKernel> bind(const device::BindArguments& arguments) const override {
    return std::make_unique<Bound>(problem_, arguments);
  }

 private:
  class Bound : public device::BoundKernel {
   public:
    Bound(const device::Problem& problem, const device::BindArguments& arguments)
        : problem_(problem), inputs_(arguments.inputs.begin(), arguments.inputs.end()) {}
    void enqueue(device::Stream&, const device::Arguments& arguments) override {
      std::vector<Tensor> inputs;
      size_t constant = 0;
      for (size_t i = 0; i < inputs_.size(); ++i)
        inputs.push_back(
            problem_.is_weight(static_cast<int>(i))
                ? arguments.constants[constant++]
                : Tensor::view(inputs_[i].dtype, inputs_[i].shape, const_cast<void*>(arguments.inputs[i])));
      const std::vector<Tensor> made = ops::evaluate(problem_.body(), inputs);
      const float shift = user_attributes(problem_)->cuda == "wrong" ? 1 : 0;
      for (size_t k = 0; k < made.size(); ++k)
        for (int64_t i = 0; i < made[k].size(); ++i)
          static_cast<float*>(arguments.outputs[k])[i] = made[k].data<float>()[i] + shift;
    }

   private:
    const device::Problem& problem_;
    std::vector<device::BoundTensor> inputs_;
  };

  device::Problem problem_;
};

device::DeviceInfo describe() {
  device::DeviceInfo info = device::host_info(1);
  info.backend = info.arch = info.tuning_key = "texts";
  return info;
}

class TextDevice : public device::HostDevice {
 public:
  TextDevice() : HostDevice(describe()) {}
  void execute(const std::function<void()>& body) override {
    require(!lost, "nothing runs on it any more");
    body();
  }
  std::span<const device::Tactic* const> tactics() const override;
  bool lost = false;
};

/// Takes user ops with whatever is pointwise behind them.
class TextTactic : public device::Tactic {
 public:
  std::string name() const override { return "test.text"; }
  Support supports(const device::Problem& problem, const device::DeviceInfo&) const override {
    if (!user_attributes(problem)) return Support::no("no op of the user's own");
    for (size_t i = 0; i < problem.nodes().size(); ++i)
      if (problem.op(i).fusion != ops::Fusion::pointwise && problem.node(i).op != &ops::def::user_kernel)
        return Support::no("not pointwise");
    return Support::yes();
  }
  std::string compile(const device::Problem& problem, const device::Candidate&,
                      device::Device&) const override {
    require(user_attributes(problem)->cuda != "broken", "line 1: expected a ';'");
    return "";
  }
  std::unique_ptr<device::Kernel> load(const device::Problem& problem, const device::Candidate&,
                                       const std::string&, device::Device& device) const override {
    static_cast<TextDevice&>(device).lost = user_attributes(problem)->cuda == "fatal";
    require(!static_cast<TextDevice&>(device).lost, "an illegal address");
    return std::make_unique<TextKernel>(problem);
  }
};

std::span<const device::Tactic* const> TextDevice::tactics() const {
  static const TextTactic tactic;
  static const std::array<const device::Tactic*, 1> table = {&tactic};
  return table;
}

class TextBackend : public device::Backend {
 public:
  std::string name() const override { return "texts"; }
  std::vector<device::DeviceInfo> devices(std::string*) override { return {describe()}; }
  std::shared_ptr<device::Device> open(int, const device::DeviceOptions&) override {
    return std::make_shared<TextDevice>();
  }
};

[[maybe_unused]] const bool registered = (device::register_backend(std::make_unique<TextBackend>()), true);

Engine built(const std::string& text, const std::string& device, std::vector<std::string>* log = nullptr) {
  auto state = std::make_shared<model_internal::ModelState>();
  state->graph = ir::parse(text, ops::op_lookup());
  BuildOptions options;
  options.device = device;
  options.measure = false;
  options.tuning_cache = "none";
  if (log) options.on_log = [log](const std::string& line) { log->push_back(line); };
  return build(Model(state), options);
}

/// relu(x * sigmoid(x + w)) with the pointwise op's `text`, and a kernel's sums of rows of it.
std::string network(const std::string& text) {
  return fmt::format(
      "graph main(%x: f32[3,5]) {{ constant @w: f32[5] = {{0.5, -0.25, 1.0, 0.0, 2.0}} "
      "%a = user_pointwise(%x, @w) {{name=\"gated\", cuda=\"{0}\"}} body (%x: f32[3,5], %w: f32[5]) {{ %s = "
      "add(%x, %w) : f32[3,5] "
      "%g = sigmoid(%s) : f32[3,5] %y = mul(%x, %g) : f32[3,5] yield %y }} : f32[3,5] from \"gate\" "
      "%r = relu(%a) : f32[3,5] "
      "%k = user_kernel(%r) {{name=\"sums\", cuda=\"{0}\", threads=32}} body (%x: f32[3,5]) {{ %y = "
      "reduce_sum(%x) {{axes=[1], keepdims=false}} : "
      "f32[3] yield %y }} : f32[3] from \"sums\" yield k=%k }}",
      text);
}

Tensor input() {
  Tensor x(DType::f32, {3, 5});
  for (int64_t i = 0; i < x.size(); ++i) x.data<float>()[i] = static_cast<float>((i * 7) % 11 - 5) / 3;
  return x;
}

void expect_right(const Engine& engine) {
  const float w[] = {0.5f, -0.25f, 1, 0, 2};
  const Tensor x = input(), sums = Session(engine).run(x);
  ASSERT_EQ(sums.shape(), (Shape{3}));
  for (int64_t row = 0; row < 3; ++row) {
    double sum = 0;
    for (int64_t i = 0; i < 5; ++i) {
      const double value = x.data<float>()[row * 5 + i];
      sum += std::max(0.0, value / (1 + std::exp(-value - w[i])));
    }
    EXPECT_NEAR(sums.data<float>()[row], sum, 1e-5);
  }
}

int user_ops_of(const Engine& engine) {
  int count = 0;
  const std::string text = ir::print(*engine.state().program->graph);
  for (size_t at = text.find("user_"); at != std::string::npos; at = text.find("user_", at + 1)) ++count;
  return count;
}

TEST(UserOps, StayWhereTheDeviceTakesTheText) {
  std::vector<std::string> log;
  const Engine engine = built(network("right"), "texts", &log);
  expect_right(engine);
  EXPECT_EQ(user_ops_of(engine), 2);
  for (const std::string& line : log) EXPECT_EQ(line.find("user op"), std::string::npos) << line;

  // the text, its reference and their kernels come back; another device runs the reference
  const std::string path = (std::filesystem::temp_directory_path() / "burnish_user_ops.burnish").string();
  engine.save(path);
  for (const char* device : {"texts", "cpu", "reference"}) {
    const Engine loaded = Engine::load(path, {.device = device});
    expect_right(loaded);
    EXPECT_EQ(user_ops_of(loaded), 2);
  }
  std::filesystem::remove(path);
}

TEST(UserOps, AKernelThatIsWrongOrDoesNotCompileIsNotTaken) {
  for (const auto& [text, reason] : {std::pair("wrong", "does not compute what its reference does"),
                                     std::pair("broken", "expected a ';'")}) {
    std::vector<std::string> log;
    const Engine engine = built(network(text), "texts", &log);
    expect_right(engine);
    EXPECT_EQ(user_ops_of(engine), 0);
    for (const char* name : {"gated", "sums"})
      EXPECT_TRUE(std::any_of(log.begin(), log.end(),
                              [&, why = reason](const std::string& line) {
                                return line.find(fmt::format("user op '{}'", name)) != std::string::npos &&
                                       line.find(why) != std::string::npos;
                              }))
          << name << " " << text;
  }
}

TEST(UserOps, AKernelThatLosesTheDeviceEndsTheBuild) {
  try {
    built(network("fatal"), "texts");
    ADD_FAILURE() << "it was built";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("user op 'gated': its kernel lost the device"),
              std::string::npos)
        << error.what();
  }
}

TEST(UserOps, AreTheirReferencesElsewhere) {
  for (const char* device : {"cpu", "reference"}) {
    const Engine engine = built(network("right"), device);
    expect_right(engine);
    EXPECT_EQ(user_ops_of(engine), 0);
    EXPECT_NE(engine.state().record.find("user op 'gated'"), std::string::npos);
  }
}

TEST(UserOps, InABranch) {
  const Engine engine = built(
      "graph main(%c: bool[], %x: f32[n]) { symbol n 1 3 8 %y = if(%c, %x) body (%x: f32[n]) { %y = "
      "user_pointwise(%x) {name=\"half\", cuda=\"right\"} "
      "body (%x: f32[n]) { constant @h: f32[] = {0.5} %y = mul(%x, @h) : f32[n] yield %y } : f32[n] yield %y "
      "} body (%x: f32[n]) { %y = neg(%x) : f32[n] "
      "yield %y } : f32[n] yield y=%y }",
      "texts");
  for (const bool condition : {true, false}) {
    const TensorMap results =
        Session(engine).run({{"c", Tensor::scalar(condition)}, {"x", Tensor::of<float>({2}, {3, -8})}});
    const float* y = results.at("y").data<float>();
    EXPECT_EQ(y[0], condition ? 1.5f : -3);
    EXPECT_EQ(y[1], condition ? -4 : 8.0f);
  }
}

std::string calling(int64_t id) {
  return fmt::format(
      "graph main(%x: f32[n,3]) {{ symbol n 1 2 8 %a = neg(%x) : f32[n,3] %y = host_function(%a) "
      "{{name=\"doubled\", id={}}} body (%x: f32[n,3]) {{ yield %x }} "
      ": f32[n,3] from \"layer\" %z = relu(%y) : f32[n,3] yield z=%z }}",
      id);
}

TEST(HostFunction, RunsAndStaysInTheProcess) {
  const int64_t id = ops::add_host_function([](std::span<const Tensor> inputs, std::span<Tensor> outputs) {
    if (inputs[0].shape()[0] == 7) fail("seven");
    for (int64_t i = 0; i < inputs[0].size(); ++i)
      outputs[0].data<float>()[i] = 2 * inputs[0].data<float>()[i];
  });
  for (const char* device : {"cpu", "reference", "texts"}) {
    const Engine engine = built(calling(id), device);
    Session session(engine);
    for (int64_t rows : {2, 5}) {
      Tensor x(DType::f32, {rows, 3});
      for (int64_t i = 0; i < x.size(); ++i) x.data<float>()[i] = static_cast<float>(i % 5 - 2);
      const Tensor z = session.run(x);
      for (int64_t i = 0; i < x.size(); ++i)
        EXPECT_EQ(z.data<float>()[i], std::max(0.0f, -2 * x.data<float>()[i]));
    }
    EXPECT_THROW(session.run(Tensor(DType::f32, {7, 3})), Error);
    try {
      engine.save("/dev/null/never");
      ADD_FAILURE() << "it was saved";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("node 'layer' calls 'doubled', a function of this process"),
                std::string::npos)
          << error.what();
    }
  }
  const Engine strange = built(calling(id + 1), "cpu");
  EXPECT_THROW(Session(strange).run(Tensor(DType::f32, {2, 3})), Error);
}

TEST(HostFunction, ShapesFollowFromArguments) {
  EXPECT_THROW(built("graph main(%x: f32[3]) { %y = host_function(%x) {name=\"f\"} body (%x: f32[3]) { %y = "
                     "nonzero(%x) : i64[1,m] yield %y } : i64[1,m] yield y=%y }",
                     "cpu"),
               Error);
}

}  // namespace
}  // namespace burnish
