// Ops whose reference loop is already right for a CPU (direct_ops.cpp), called on the plan's buffers.
#include <algorithm>
#include <cstring>
#include <set>

#include "backends/cpu/bound_function.h"
#include "backends/cpu/direct_ops.h"
#include "backends/cpu/layouts.h"
#include "backends/cpu/simd_tactics.h"
#include "ops/evaluate.h"

namespace burnish::cpu {
namespace {

/// A Tensor over memory that may move from run to run, to where it follows without an allocation.
class MovingView {
 public:
  MovingView(DType dtype, Shape shape) : view_(Tensor::view(dtype, std::move(shape), nullptr)) {}
  const Tensor& at(const void* memory) {
    if (view_.raw() == memory) return view_;
    Shape shape = std::move(const_cast<Shape&>(view_.shape()));  // the view is replaced in the same breath
    view_ = Tensor::view(view_.dtype(), std::move(shape), const_cast<void*>(memory));
    return view_;
  }

 private:
  Tensor view_;
};

class DirectBound : public device::BoundKernel {
 public:
  DirectBound(const device::Problem& problem, const device::BindArguments& arguments)
      : problem_(problem),
        pointers_(problem),
        inputs_(problem.node(0).inputs.size()),
        outputs_(arguments.outputs.size()) {
    for (const device::BoundTensor& input : arguments.inputs)
      input_views_.emplace_back(input.dtype, input.shape);
    for (const device::BoundTensor& output : arguments.outputs)
      output_views_.emplace_back(output.dtype, output.shape);
    host_inputs_.assign(arguments.host_inputs.begin(), arguments.host_inputs.end());
  }

  void enqueue(device::Stream&, const device::Arguments& arguments) override {
    const ir::Node& node = problem_.node(0);
    const void* const* pointers = pointers_.resolve(arguments);
    for (size_t i = 0; i < inputs_.size(); ++i)
      if (node.inputs[i]) inputs_[i] = operand(node.inputs[i], pointers);
    for (size_t i = 0; i < outputs_.size(); ++i) outputs_[i] = output_views_[i].at(arguments.outputs[i]);
    const ops::OpDef& op = ops::definition(node);
    op.reference({op, node.attributes, inputs_, outputs_, node.bodies});
    for (size_t i = 0; i < outputs_.size(); ++i)
      if (outputs_[i].raw() != arguments.outputs[i] && outputs_[i].bytes() > 0)
        std::memcpy(arguments.outputs[i], outputs_[i].raw(), static_cast<size_t>(outputs_[i].bytes()));
  }

 private:
  const Tensor& operand(ir::ValueId value, const void* const* pointers) {
    const int input = problem_.input_index(value);
    if (input < 0) return problem_.literal(value);
    const auto i = static_cast<size_t>(input);
    if (i < host_inputs_.size() && !host_inputs_[i].empty()) return host_inputs_[i];
    return input_views_[i].at(pointers[i]);
  }

  const device::Problem& problem_;
  InputPointers pointers_;
  std::vector<Tensor> inputs_, outputs_, host_inputs_;
  std::vector<MovingView> input_views_, output_views_;
};

/// Whether the outputs' shapes follow from the inputs'.
bool shapes_are_known(const device::Problem& problem) {
  std::set<std::string> given, wanted;
  for (int i = 0; i < problem.input_count(); ++i)
    for (const ir::Dim& dim : problem.input(i).shape) dim.collect_symbols(given);
  for (int i = 0; i < problem.output_count(); ++i)
    for (const ir::Dim& dim : problem.output(i).shape) dim.collect_symbols(wanted);
  return std::includes(given.begin(), given.end(), wanted.begin(), wanted.end());
}

class DirectKernel : public device::Kernel {
 public:
  explicit DirectKernel(const device::Problem& problem)
      : problem_(problem),
        makes_outputs_(find_direct_op(problem.op(0).name)->sized_by_data && !shapes_are_known(problem)) {}
  std::unique_ptr<device::BoundKernel> bind(const device::BindArguments& arguments) const override {
    return std::make_unique<DirectBound>(problem_, arguments);
  }
  bool makes_outputs() const override { return makes_outputs_; }
  std::vector<Tensor> run(std::span<const Tensor> inputs) const override {
    return ops::evaluate(problem_.body(), inputs);
  }

 private:
  device::Problem problem_;
  bool makes_outputs_;
};

class DirectTactic : public device::Tactic {
 public:
  std::string name() const override { return "direct"; }

  Support supports(const device::Problem& problem, const device::DeviceInfo&) const override {
    if (problem.nodes().size() != 1) return Support::no("more than one op");
    if (!find_direct_op(problem.op(0).name))
      return Support::no("{} has a kernel of its own", problem.op(0).name);
    return only_plain(problem);
  }

  std::unique_ptr<device::Kernel> load(const device::Problem& problem, const device::Candidate&,
                                       const std::string&, device::Device&) const override {
    return std::make_unique<DirectKernel>(problem);
  }
};

}  // namespace

const device::Tactic& direct_tactic() {
  static const DirectTactic tactic;
  return tactic;
}

}  // namespace burnish::cpu
