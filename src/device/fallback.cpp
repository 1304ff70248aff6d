// The tactic that always works: a problem's body on the reference kernels of src/ops.
#include <cstring>

#include "device/device.h"
#include "ops/evaluate.h"

namespace burnish::device {
namespace {

/// Gathers inputs on the host, evaluates, puts outputs back. On a device with its own memory this waits.
class FallbackBound : public BoundKernel {
 public:
  FallbackBound(const Problem& problem, Device& device, const BindArguments& arguments) : problem_(problem), device_(device) {
    for (const BoundTensor& input : arguments.inputs) inputs_.push_back(input);
    for (const BoundTensor& output : arguments.outputs) outputs_.push_back(output);
    host_inputs_.assign(arguments.host_inputs.begin(), arguments.host_inputs.end());
  }

  void enqueue(Stream& stream, const Arguments& arguments) override {
    std::vector<Tensor> inputs;
    size_t constant = 0;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const BoundTensor& bound = inputs_[i];
      if (problem_.is_weight(static_cast<int>(i))) inputs.push_back(on_host(weight(arguments, constant++, bound), stream));
      else if (i < host_inputs_.size() && !host_inputs_[i].empty()) inputs.push_back(host_inputs_[i]);
      else inputs.push_back(on_host(Tensor::view(bound.dtype, bound.shape, const_cast<void*>(arguments.inputs[i]), {}, device_.id()), stream));
    }
    const std::vector<Tensor> made = ops::evaluate(problem_.body(), inputs);
    for (size_t i = 0; i < made.size(); ++i) {
      require(made[i].shape() == outputs_[i].shape, "the reference made a tensor of shape {} where {} was planned", shape_text(made[i].shape()), shape_text(outputs_[i].shape));
      device_.copy(arguments.outputs[i], made[i].raw(), static_cast<size_t>(made[i].bytes()), stream);
    }
    if (!device_.on_host()) stream.synchronize();
  }

 private:
  /// A damaged engine may hold another tensor than the problem's.
  static const Tensor& weight(const Arguments& arguments, size_t at, const BoundTensor& expected) {
    require(at < arguments.constants.size(), "weight {} is missing: build the engine again", at);
    const Tensor& tensor = arguments.constants[at];
    require(tensor.dtype() == expected.dtype && tensor.shape() == expected.shape, "weight {} is {}{} where {}{} was expected: build the engine again", at,
            dtype_name(tensor.dtype()), shape_text(tensor.shape()), dtype_name(expected.dtype), shape_text(expected.shape));
    return tensor;
  }

  Tensor on_host(const Tensor& tensor, Stream& stream) const {
    if (tensor.device().is_host()) return tensor;
    Tensor copy(tensor.dtype(), tensor.shape());
    device_.copy(copy.raw(), tensor.raw(), static_cast<size_t>(tensor.bytes()), stream);
    stream.synchronize();
    return copy;
  }

  const Problem& problem_;
  Device& device_;
  std::vector<BoundTensor> inputs_, outputs_;
  std::vector<Tensor> host_inputs_;
};

class FallbackKernel : public Kernel {
 public:
  FallbackKernel(Problem problem, Device& device) : problem_(std::move(problem)), device_(device) {}
  std::unique_ptr<BoundKernel> bind(const BindArguments& arguments) const override {
    return std::make_unique<FallbackBound>(problem_, device_, arguments);
  }
  std::vector<Tensor> run(std::span<const Tensor> inputs) const override { return ops::evaluate(problem_.body(), inputs); }

 private:
  Problem problem_;
  Device& device_;
};

class FallbackTactic : public Tactic {
 public:
  std::string name() const override { return "reference"; }
  bool is_fallback() const override { return true; }
  Support supports(const Problem& problem, const DeviceInfo&) const override {
    for (int i = 0; i < problem.input_count(); ++i)
      if (problem.input(i).layout != ir::Layout::plain) return Support::no("the reference takes plain layouts only");
    for (int i = 0; i < problem.output_count(); ++i)
      if (problem.output(i).layout != ir::Layout::plain) return Support::no("the reference gives plain layouts only");
    return Support::yes();
  }
  std::unique_ptr<Kernel> load(const Problem& problem, const Candidate&, const std::string&, Device& device) const override {
    return std::make_unique<FallbackKernel>(problem, device);
  }
};

}  // namespace

const Tactic& fallback_tactic() {
  static const FallbackTactic tactic;
  return tactic;
}

}  // namespace burnish::device
