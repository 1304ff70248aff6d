// If, Loop and Scan: their bodies run as programs of their own; only conditions and counts are read on the host.
#include <fmt/format.h>

#include "base/error.h"
#include "ops/control.h"
#include "ops/evaluate.h"
#include "runtime/run_state.h"

namespace burnish::runtime {
namespace {

/// Tensors of equal shape, one behind the other along a new axis 0.
Tensor stack(const std::vector<Tensor>& parts, const ir::TensorType& type, device::Device& device, device::Stream& stream) {
  Shape shape = {static_cast<int64_t>(parts.size())};
  if (parts.empty()) {
    // No iteration ran: dimensions that are not known by then are zero.
    for (size_t d = 1; d < type.shape.size(); ++d) shape.push_back(type.shape[d].is_constant() ? type.shape[d].constant() : 0);
    return device.make_tensor(type.dtype, shape, static_cast<size_t>(element_count(shape) * dtype_bytes(type.dtype)));
  }
  shape.insert(shape.end(), parts[0].shape().begin(), parts[0].shape().end());
  const size_t bytes = static_cast<size_t>(parts[0].bytes());
  Tensor stacked = device.make_tensor(type.dtype, shape, bytes * parts.size());
  for (size_t i = 0; i < parts.size(); ++i) {
    require(parts[i].shape() == parts[0].shape(), "iteration {} gives a tensor of shape {}, iteration 0 one of {}", i, shape_text(parts[i].shape()), shape_text(parts[0].shape()));
    device.copy(static_cast<char*>(stacked.raw()) + i * bytes, parts[i].raw(), bytes, stream);
  }
  return stacked;
}

}  // namespace

Tensor Execution::operand(ir::ValueId id, Run& run) {
  if (!id) return {};
  const Tensor& there = run.table[static_cast<size_t>(id.index)];
  if (!there.empty()) return there;
  const auto known = run.knowledge.host.find(id.index);
  if (known != run.knowledge.host.end()) return known->second;
  return ops::constant_value(*program_->graph, id);
}

std::vector<Tensor> Execution::run_control(ir::NodeId id, Run& run) {
  const ir::Node& node = program_->graph->node(id);
  std::vector<Tensor> inputs;
  for (ir::ValueId input : node.inputs) inputs.push_back(operand(input, run));
  if (node.op->name == "if") {
    const bool taken = *on_host(inputs.at(0), *run.stream).data<bool>();
    inputs.erase(inputs.begin());
    return run_body(id, taken ? 0 : 1, std::move(inputs), *run.stream);
  }
  if (node.op->name == "loop") return run_loop(id, std::move(inputs), *run.stream);
  // Scan slices along any axis in either direction; it runs on the reference until it has a form of its own here.
  for (Tensor& input : inputs)
    if (!input.empty()) input = on_host(input, *run.stream);
  ++steps_run_;
  ++fallback_steps_run_;
  return ops::evaluate_node(ops::definition(node), node.attributes, inputs, static_cast<int>(node.outputs.size()), node.bodies);
}

std::vector<Tensor> Execution::run_loop(ir::NodeId id, std::vector<Tensor> inputs, device::Stream& stream) {
  const ir::Node& node = program_->graph->node(id);
  const size_t carried = static_cast<size_t>(node.attributes.as<ops::LoopAttributes>().carried);
  const int64_t trips = inputs[0].empty() ? std::numeric_limits<int64_t>::max() : *on_host(inputs[0], stream).data<int64_t>();
  bool go_on = inputs[1].empty() || *on_host(inputs[1], stream).data<bool>();
  std::vector<Tensor> state(inputs.begin() + 2, inputs.begin() + 2 + static_cast<std::ptrdiff_t>(carried));
  const std::vector<Tensor> captures(inputs.begin() + 2 + static_cast<std::ptrdiff_t>(carried), inputs.end());
  std::vector<std::vector<Tensor>> stacks(node.outputs.size() - carried);
  for (int64_t iteration = 0; go_on && iteration < trips; ++iteration) {
    std::vector<Tensor> operands = {Tensor::scalar(iteration), Tensor::scalar(true)};
    operands.insert(operands.end(), state.begin(), state.end());
    operands.insert(operands.end(), captures.begin(), captures.end());
    std::vector<Tensor> made = run_body(id, 0, std::move(operands), stream);
    go_on = *on_host(made[0], stream).data<bool>();
    for (size_t i = 0; i < carried; ++i) state[i] = made[1 + i];
    for (size_t i = 0; i < stacks.size(); ++i) stacks[i].push_back(made[1 + carried + i]);
  }
  for (size_t i = 0; i < stacks.size(); ++i)
    state.push_back(stack(stacks[i], program_->graph->value(node.outputs[carried + i]).type, device_, stream));
  return state;
}

}  // namespace burnish::runtime
