// A kernel in one file: softsign of f32 on the host, in parallel.
#include <cmath>

#include "base/parallel.h"
#include "device/device.h"
#include "ops/op_def.h"

namespace burnish::example {
namespace {

/// For one set of shapes. Session owns it; enqueue allocates nothing.
class BoundSoftsign : public device::BoundKernel {
 public:
  explicit BoundSoftsign(int64_t count) : count_(count) {}
  int in_place_input() const override { return 0; }  // the plan may give x's buffer to y
  void enqueue(device::Stream&, const device::Arguments& run) override {
    const float* x = static_cast<const float*>(run.inputs[0]);
    float* y = static_cast<float*>(run.outputs[0]);
    parallel_for(count_, 16 << 10, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) y[i] = x[i] / (1 + std::abs(x[i]));
    });
  }

 private:
  int64_t count_;
};

/// For any shapes: immutable, shared by all sessions of an engine.
class SoftsignKernel : public device::Kernel {
 public:
  std::unique_ptr<device::BoundKernel> bind(const device::BindArguments& arguments) const override {
    return std::make_unique<BoundSoftsign>(element_count(arguments.outputs[0].shape));
  }
};

class SoftsignTactic : public device::Tactic {
 public:
  std::string name() const override { return "example.softsign"; }
  Support supports(const device::Problem& problem, const device::DeviceInfo&) const override {
    if (problem.nodes().size() != 1 || problem.op(0).name != "softsign") return Support::no("not softsign");
    if (problem.input(0).dtype != DType::f32 || problem.is_weight(0))
      return Support::no("f32 activations only");
    if (problem.input(0).layout != ir::Layout::plain || problem.output(0).layout != ir::Layout::plain)
      return Support::no("plain layouts only");
    return Support::yes();
  }
  std::unique_ptr<device::Kernel> load(const device::Problem&, const device::Candidate&, const std::string&,
                                       device::Device&) const override {
    return std::make_unique<SoftsignKernel>();
  }
};

}  // namespace

const device::Tactic& softsign_tactic() {
  static const SoftsignTactic tactic;
  return tactic;
}

}  // namespace burnish::example
