// Small pieces that tactics of our own kernels share.
#pragma once

#include <utility>

#include "device/device.h"

namespace burnish::cpu {

/// Where each input of a problem is found in a run: what is no weight in Arguments::inputs, weights in
/// Arguments::constants, for tactics whose pack() gives one tensor per weight.
class InputPointers {
 public:
  explicit InputPointers(const device::Problem& problem) {
    int constants = 0;
    for (int i = 0; i < problem.input_count(); ++i) {
      constant_.push_back(problem.is_weight(i) ? constants++ : -1);
      const ir::TensorType& type = problem.input(i);
      const auto shape = ir::constants(type.shape);
      bytes_.push_back(shape ? element_count(*shape) * dtype_bytes(type.dtype) : 0);
    }
    pointers_.resize(constant_.size());
  }
  /// The packed form of a weight has at least so many bytes, which a run checks.
  void expect(int input, int64_t bytes) { bytes_[static_cast<size_t>(input)] = bytes; }
  /// The pointers of one run; valid until the next call.
  const void* const* resolve(const device::Arguments& arguments) {
    for (size_t i = 0; i < constant_.size(); ++i)
      pointers_[i] = constant_[i] < 0 ? arguments.inputs[i] : weight(arguments, i);
    return pointers_.data();
  }

 private:
  /// A damaged engine may hold less than the weight has.
  const void* weight(const device::Arguments& arguments, size_t i) const {
    const size_t at = static_cast<size_t>(constant_[i]);
    require(at < arguments.constants.size() && arguments.constants[at].bytes() >= bytes_[i],
            "packed weight {} is missing or too short: build the engine again", at);
    return arguments.constants[at].raw();
  }

  std::vector<int> constant_;
  std::vector<int64_t> bytes_;  ///< that each weight has at least, whatever its packed form
  std::vector<const void*> pointers_;
};

/// The operands of a problem's only node that are known when it is bound: literals, and inputs that its op
/// wants on the host. Empty Tensors elsewhere.
inline std::vector<Tensor> host_operands(const device::Problem& problem,
                                         const device::BindArguments& arguments) {
  std::vector<Tensor> operands;
  for (ir::ValueId value : problem.node(0).inputs) {
    const int input = value ? problem.input_index(value) : -1;
    const bool given = input >= 0 && static_cast<size_t>(input) < arguments.host_inputs.size();
    if (input < 0)
      operands.push_back(value ? problem.literal(value) : Tensor());
    else
      operands.push_back(given ? arguments.host_inputs[static_cast<size_t>(input)] : Tensor());
  }
  return operands;
}

/// A BoundKernel out of a callable `void(const device::Arguments&)`.
template <class Body>
class BoundFunction : public device::BoundKernel {
 public:
  BoundFunction(Body body, size_t workspace, int in_place)
      : body_(std::move(body)), workspace_(workspace), in_place_(in_place) {}
  size_t workspace_bytes() const override { return workspace_; }
  int in_place_input() const override { return in_place_; }
  void enqueue(device::Stream&, const device::Arguments& arguments) override { body_(arguments); }

 private:
  Body body_;
  size_t workspace_;
  int in_place_;
};

template <class Body>
std::unique_ptr<device::BoundKernel> bound_function(Body body, size_t workspace_bytes = 0,
                                                    int in_place_input = -1) {
  return std::make_unique<BoundFunction<Body>>(std::move(body), workspace_bytes, in_place_input);
}

/// A Kernel out of a callable `std::unique_ptr<BoundKernel>(const BindArguments&)`.
template <class Bind>
class KernelFunction : public device::Kernel {
 public:
  explicit KernelFunction(Bind bind) : bind_(std::move(bind)) {}
  std::unique_ptr<device::BoundKernel> bind(const device::BindArguments& arguments) const override {
    return bind_(arguments);
  }

 private:
  Bind bind_;
};

template <class Bind>
std::unique_ptr<device::Kernel> kernel_function(Bind bind) {
  return std::make_unique<KernelFunction<Bind>>(std::move(bind));
}

}  // namespace burnish::cpu
