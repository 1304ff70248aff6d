#include "ops/evaluate.h"

#include <fmt/format.h>

#include "base/error.h"
#include "ops/infer.h"

namespace burnish::ops {

std::vector<Tensor> evaluate_node(const OpDef& op, const ir::Attributes& attributes, std::span<const Tensor> inputs,
                                  int output_count, std::span<const std::shared_ptr<ir::Graph>> bodies) {
  std::vector<InferInput> known(inputs.size());
  std::vector<std::vector<ir::Dim>> contents(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& tensor = inputs[i];
    if (tensor.empty()) continue;
    known[i].present = true;
    known[i].type.dtype = tensor.dtype();
    known[i].type.shape.assign(tensor.shape().begin(), tensor.shape().end());
    known[i].constant = &tensor;
    if (tensor.rank() > 1 || (tensor.dtype() != DType::i64 && tensor.dtype() != DType::i32 && tensor.dtype() != DType::boolean)) continue;
    for (int64_t j = 0; j < tensor.size(); ++j)
      contents[i].emplace_back(tensor.dtype() == DType::i64   ? tensor.data<int64_t>()[j]
                               : tensor.dtype() == DType::i32 ? tensor.data<int32_t>()[j]
                                                              : static_cast<int64_t>(tensor.data<bool>()[j]));
    known[i].contents = &contents[i];
  }
  InferContext context(op, attributes, std::move(known), output_count, bodies,
                       [](int output, int dim) { return ir::Dim::symbol(fmt::format("${}_{}", output, dim)); });
  op.infer(context);
  std::vector<Tensor> outputs(static_cast<size_t>(output_count));
  for (size_t i = 0; i < outputs.size(); ++i) {
    const ir::TensorType& type = context.output_types()[i];
    if (const auto shape = ir::constants(type.shape)) outputs[i] = Tensor(type.dtype, *shape);
  }
  require(op.reference != nullptr, "op '{}' has no reference kernel", op.name);
  op.reference({op, attributes, inputs, outputs, bodies});
  return outputs;
}

namespace {

std::vector<Tensor> evaluate_in(const ir::Graph& graph, ir::NodeId id, const std::vector<Tensor>& values) {
  const ir::Node& node = graph.node(id);
  std::vector<Tensor> inputs(node.inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i)
    if (node.inputs[i]) inputs[i] = values[static_cast<size_t>(node.inputs[i].index)];
  return with_context([&] { return fmt::format("node '{}' ({})", node.source, node.op->name); },
                      [&] { return evaluate_node(definition(node), node.attributes, inputs, static_cast<int>(node.outputs.size()), node.bodies); });
}

}  // namespace

std::vector<Tensor> evaluate(const ir::Graph& graph, std::span<const Tensor> inputs, const ValueObserver& observer) {
  require(inputs.size() == graph.inputs().size(), "graph '{}' takes {} inputs, not {}", graph.name, graph.inputs().size(), inputs.size());
  std::vector<Tensor> values(graph.value_capacity());
  const auto set = [&](ir::ValueId id, const Tensor& tensor) {
    values[static_cast<size_t>(id.index)] = tensor;
    if (observer) observer(id, tensor);
  };
  for (size_t i = 0; i < inputs.size(); ++i) set(graph.inputs()[i], inputs[i]);
  for (ir::ValueId id : graph.constants()) values[static_cast<size_t>(id.index)] = graph.value(id).constant;

  const std::vector<ir::NodeId> order = graph.order();
  std::vector<int> last_use(graph.value_capacity(), -1);  // the step after which a value is let go
  for (size_t step = 0; step < order.size(); ++step)
    for (ir::ValueId input : graph.node(order[step]).inputs)
      if (input) last_use[static_cast<size_t>(input.index)] = static_cast<int>(step);
  for (const ir::Output& output : graph.outputs) last_use[static_cast<size_t>(output.value.index)] = static_cast<int>(order.size());

  for (size_t step = 0; step < order.size(); ++step) {
    const ir::Node& node = graph.node(order[step]);
    std::vector<Tensor> made = evaluate_in(graph, order[step], values);
    for (size_t i = 0; i < made.size(); ++i)
      if (node.outputs[i]) set(node.outputs[i], made[i]);
    const auto release = [&](ir::ValueId id) {
      if (id && last_use[static_cast<size_t>(id.index)] <= static_cast<int>(step)) values[static_cast<size_t>(id.index)] = Tensor();
    };
    for (ir::ValueId input : node.inputs) release(input);
    for (ir::ValueId output : node.outputs) release(output);
  }
  std::vector<Tensor> outputs;
  for (const ir::Output& output : graph.outputs) outputs.push_back(values[static_cast<size_t>(output.value.index)]);
  return outputs;
}

Tensor ConstantValues::of(ir::ValueId id) {
  const ir::Value& value = graph_.value(id);
  if (value.is_constant()) return value.constant.raw() ? value.constant : Tensor();
  if (!value.constant_only || !value.producer) return {};
  if (const auto known = shared_.find(id); known != shared_.end()) return known->second;
  const ir::Node& node = graph_.node(value.producer);
  std::vector<Tensor> inputs(node.inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!node.inputs[i]) continue;
    inputs[i] = of(node.inputs[i]);
    if (inputs[i].empty()) return {};
  }
  const std::vector<Tensor> outputs =
      evaluate_node(definition(node), node.attributes, inputs, static_cast<int>(node.outputs.size()), node.bodies);
  for (size_t i = 0; i < outputs.size(); ++i)
    if (node.outputs[i] && (outputs.size() > 1 || graph_.value(node.outputs[i]).uses.size() > 1)) shared_[node.outputs[i]] = outputs[i];
  return outputs[static_cast<size_t>(value.output_index)];
}

Tensor constant_value(const ir::Graph& graph, ir::ValueId id) { return ConstantValues(graph).of(id); }

}  // namespace burnish::ops
