// Softmax and the normalisations that oneDNN has.
#include "backends/cpu/onednn_tactic.h"
#include "backends/cpu/onednn_tactics.h"
#include "ops/infer.h"
#include "ops/norm.h"
#include "ops/table.h"

namespace burnish::cpu {
namespace {

using device::BoundTensor;
using device::Problem;
using ir::Layout;

/// x, the problem's first input, and y, of one layout.
Operation between(const Problem& problem, const onednn::Desc& x, const onednn::Desc& y,
                  const onednn::Description& description) {
  return {description,
          {{DNNL_ARG_SRC, origin_of(problem, 0), 0, x, x}, {DNNL_ARG_DST, Operand::From::output, 0, y, {}}}};
}

class SoftmaxTactic : public OnednnTactic {
 public:
  std::string name() const override { return "onednn.softmax"; }

  std::vector<std::vector<Layout>> layouts(const Problem& problem, const device::DeviceInfo&) const override {
    return same_layouts(problem, {Layout::plain, Layout::nhwc, onednn::native_blocks()});
  }

  Support make(const Request& request, Operation& operation) const override {
    const ir::Node* softmax = request.problem.single(ops::def::softmax);
    const ir::Node* node = softmax ? softmax : request.problem.single(ops::def::log_softmax);
    if (!node) return Support::no("it is no softmax");
    const BoundTensor &x = request.inputs[0], &y = request.outputs[0];
    if (x.shape.empty()) return Support::no("it is a scalar");
    if (x.layout != y.layout) return Support::no("it changes the layout");
    if (!is_floating(x.dtype)) return Support::no("the input is {}", dtype_name(x.dtype));
    const auto axis = ops::normalize_axis(node->attributes.as<ops::SoftmaxAttributes>().axis,
                                          static_cast<int64_t>(x.shape.size()));
    const onednn::SoftmaxSpec spec{onednn::desc_of(x), onednn::desc_of(y), static_cast<int>(axis), !softmax};
    operation = between(request.problem, spec.source, spec.destination, onednn::describe(spec));
    return Support::yes();
  }
};

class LrnTactic : public OnednnTactic {
 public:
  std::string name() const override { return "onednn.lrn"; }

  std::vector<std::vector<Layout>> layouts(const Problem& problem, const device::DeviceInfo&) const override {
    return same_layouts(problem, {onednn::native_blocks(), Layout::nhwc, Layout::plain});
  }

  Support make(const Request& request, Operation& operation) const override {
    const ir::Node* node = request.problem.single(ops::def::lrn);
    if (!node) return Support::no("it is no local response normalisation");
    const BoundTensor &x = request.inputs[0], &y = request.outputs[0];
    if (x.layout != y.layout) return Support::no("it changes the layout");
    const auto& lrn = node->attributes.as<ops::LrnAttributes>();
    if (lrn.size % 2 == 0) return Support::no("oneDNN has windows of an odd number of channels");
    const onednn::LrnSpec spec{
        onednn::desc_of(x),           onednn::desc_of(y),          lrn.size, static_cast<float>(lrn.alpha),
        static_cast<float>(lrn.beta), static_cast<float>(lrn.bias)};
    operation = between(request.problem, spec.source, spec.destination, onednn::describe(spec));
    return Support::yes();
  }
};

class LayerNormTactic : public OnednnTactic {
 public:
  std::string name() const override { return "onednn.layer_norm"; }

  Support make(const Request& request, Operation& operation) const override {
    const ir::Node* node = request.problem.single(ops::def::layer_norm);
    if (!node) return Support::no("it is no layer norm");
    const BoundTensor &x = request.inputs[0], &y = request.outputs[0];
    if (request.outputs.size() != 1) return Support::no("its statistics are wanted too");
    if (x.layout != Layout::plain || y.layout != Layout::plain)
      return Support::no("it takes plain layouts only");
    const int64_t rank = static_cast<int64_t>(x.shape.size());
    const auto& norm = node->attributes.as<ops::LayerNormAttributes>();
    if (rank < 2 || ops::normalize_axis(norm.axis, rank) != rank - 1)
      return Support::no("oneDNN normalises over the last axis");
    onednn::LayerNormSpec spec{onednn::desc_of(x), onednn::desc_of(y), static_cast<float>(norm.epsilon)};
    std::vector<Operand> parameters;
    for (size_t i = 1; i < node->inputs.size(); ++i) {
      if (!node->inputs[i]) continue;
      const int input = request.problem.input_index(node->inputs[i]);
      if (input < 0) return Support::no("a parameter is a literal");
      const BoundTensor& parameter = request.inputs[static_cast<size_t>(input)];
      if (parameter.shape != Shape{x.shape.back()})
        return Support::no("a parameter is not one number per element of the last axis");
      const onednn::Desc desc = onednn::desc_of(parameter);
      parameters.push_back(
          {i == 1 ? DNNL_ARG_SCALE : DNNL_ARG_SHIFT, origin_of(request.problem, input), input, desc, desc});
      (i == 1 ? spec.scale : spec.shift) = true;
    }
    operation = between(request.problem, spec.source, spec.destination, onednn::describe(spec));
    operation.operands.insert(operation.operands.end(), parameters.begin(), parameters.end());
    return Support::yes();
  }
};

}  // namespace

const device::Tactic& softmax_tactic() {
  static const SoftmaxTactic tactic;
  return tactic;
}
const device::Tactic& lrn_tactic() {
  static const LrnTactic tactic;
  return tactic;
}
const device::Tactic& layer_norm_tactic() {
  static const LayerNormTactic tactic;
  return tactic;
}

}  // namespace burnish::cpu
