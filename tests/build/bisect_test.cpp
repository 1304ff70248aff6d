// Bisection names the rule, or the kernel, that was made wrong on purpose.
#include "build/bisect.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "build/model.h"
#include "device/host_device.h"
#include "ops/seeded_inputs.h"
#include "ops/table.h"

namespace burnish::build_internal {
namespace {

/// relu, but with 1/8 added to every element.
class ShiftedRelu : public device::BoundKernel {
 public:
  explicit ShiftedRelu(int64_t count) : count_(count) {}
  void enqueue(device::Stream&, const device::Arguments& arguments) override {
    const auto* x = static_cast<const float*>(arguments.inputs[0]);
    auto* y = static_cast<float*>(arguments.outputs[0]);
    for (int64_t i = 0; i < count_; ++i) y[i] = std::max(x[i], 0.0f) + 0.125f;
  }

 private:
  int64_t count_;
};

class ShiftedReluKernel : public device::Kernel {
 public:
  std::unique_ptr<device::BoundKernel> bind(const device::BindArguments& arguments) const override {
    return std::make_unique<ShiftedRelu>(element_count(arguments.inputs[0].shape));
  }
};

class ShiftedReluTactic : public device::Tactic {
 public:
  std::string name() const override { return "test.shifted_relu"; }
  Support supports(const device::Problem& problem, const device::DeviceInfo&) const override {
    return problem.single(ops::def::relu) ? Support::yes() : Support::no("it takes one relu");
  }
  std::unique_ptr<device::Kernel> load(const device::Problem&, const device::Candidate&, const std::string&,
                                       device::Device&) const override {
    return std::make_unique<ShiftedReluKernel>();
  }
};

class FaultyDevice : public device::HostDevice {
 public:
  explicit FaultyDevice(device::DeviceInfo info) : HostDevice(std::move(info)) {}
  void execute(const std::function<void()>& body) override { body(); }
  std::span<const device::Tactic* const> tactics() const override {
    static const ShiftedReluTactic tactic;
    static const device::Tactic* const all[] = {&tactic};
    return all;
  }
};

class FaultyBackend : public device::Backend {
 public:
  std::string name() const override { return "faulty"; }
  std::vector<device::DeviceInfo> devices(std::string*) override { return {info()}; }
  std::shared_ptr<device::Device> open(int, const device::DeviceOptions&) override {
    return std::make_shared<FaultyDevice>(info());
  }

 private:
  static device::DeviceInfo info() {
    device::DeviceInfo info = device::host_info(1);
    info.backend = info.arch = info.tuning_key = "faulty";
    return info;
  }
};

[[maybe_unused]] const bool registered = (device::register_backend(std::make_unique<FaultyBackend>()), true);

Model model_of(const char* text) {
  auto state = std::make_shared<model_internal::ModelState>();
  state->graph = ir::parse(text, ops::op_lookup());
  return Model(std::move(state));
}

const char* const layers = R"(graph main(%x: f32[3,7]) {
  %a = tanh(%x) : f32[3,7] from "first"
  %b = softmax(%a) : f32[3,7] from "second"
  %c = sub(%a, %b) : f32[3,7] from "third"
  %d = relu(%c) : f32[3,7] from "fourth"
  %e = softmax(%d) : f32[3,7] from "fifth"
  %f = mul(%e, %d) : f32[3,7] from "sixth"
  yield y=%f
})";

BuildOptions options_for(const char* device) {
  BuildOptions options;
  options.device = device;
  options.measure = false;  // measuring would refuse the tactic
  options.tuning_cache = "none";
  return options;
}

Culprit find(const BuildOptions& options) {
  const Model model = model_of(layers);
  return bisect(model, options, ops::seeded_inputs(*model.state().graph, 5), 1e-4);
}

TEST(Bisect, FindsNothingWhereTheResultIsRight) {
  const Culprit culprit = find(options_for("reference"));
  EXPECT_EQ(culprit.kind, Culprit::Kind::none);
  EXPECT_LE(culprit.error, 1e-6);
}

TEST(Bisect, FindsAWrongKernel) {
  const Culprit culprit = find(options_for("faulty"));
  ASSERT_EQ(culprit.kind, Culprit::Kind::kernel);
  EXPECT_EQ(culprit.name, "test.shifted_relu only");
  EXPECT_EQ(culprit.where, "fourth");
  EXPECT_LE(culprit.error_before, 1e-6);
  EXPECT_GT(culprit.error_after, 1e-2);
}

TEST(Bisect, FindsAWrongRuleAndNotTheKernelBehindIt) {
  BuildOptions options = options_for("faulty");
  options.rules = "rule twice_too_much\n  match %y = sub(%x, %z)\n  emit  %y = add(%x, %z)\n";
  const Culprit culprit = find(options);
  ASSERT_EQ(culprit.kind, Culprit::Kind::rewrite);
  EXPECT_EQ(culprit.name, "twice_too_much");
  EXPECT_EQ(culprit.where, "third");
  EXPECT_LE(culprit.error_before, 1e-6);
  EXPECT_GT(culprit.error_after, 1e-2);
}

TEST(BuildOptions, CallbacksAreCalled) {
  const Model model = model_of(layers);
  BuildOptions options = options_for("reference");
  std::vector<std::string> lines;
  std::vector<double> fractions;
  options.on_log = [&](const std::string& line) { lines.push_back(line); };
  options.on_progress = [&](double fraction, const std::string& what) {
    EXPECT_FALSE(what.empty());
    fractions.push_back(fraction);
  };
  build(model, options);
  EXPECT_FALSE(lines.empty());
  ASSERT_FALSE(fractions.empty());
  EXPECT_TRUE(std::is_sorted(fractions.begin(), fractions.end()));
  EXPECT_GE(fractions.front(), 0);
  EXPECT_LE(fractions.back(), 1);

  int asked = 0;
  options.cancelled = [&] { return ++asked == 3; };
  EXPECT_THROW(build(model, options), Cancelled);
  EXPECT_EQ(asked, 3);
}

}  // namespace
}  // namespace burnish::build_internal
