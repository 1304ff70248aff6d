#include "runtime/observe.h"

#include <set>

#include "device/layout.h"
#include "ops/evaluate.h"

namespace burnish::runtime {
namespace {

/// A row-major copy on the host of what lies at `data` on the device or the host.
Tensor copy_of(session_internal::SessionState& state, const device::BoundTensor& type, const void* data) {
  Tensor bytes(DType::u8, {type.bytes()});
  state.device->copy(bytes.raw(), data, static_cast<size_t>(type.bytes()), *state.stream);
  state.stream->synchronize();
  return device::from_layout(bytes.raw(), type.dtype, type.shape, type.layout, type.pitch);
}

/// What no kernel made (views, parts written in place, shapes) from what was seen; empty where that is not
/// known.
std::vector<Tensor> work_out(const ir::Graph& graph, const ir::Node& node,
                             const std::map<int32_t, Tensor>& seen) {
  std::vector<Tensor> inputs;
  for (ir::ValueId input : node.inputs) {
    const auto found = input ? seen.find(input.index) : seen.end();
    Tensor tensor = found != seen.end() ? found->second
                    : input             ? ops::constant_value(graph, input)
                                        : Tensor();
    if (input && tensor.empty()) return {};
    inputs.push_back(std::move(tensor));
  }
  return ops::evaluate_node(ops::definition(node), node.attributes, inputs,
                            static_cast<int>(node.outputs.size()), node.bodies);
}

}  // namespace

ObservedRun observe_run(session_internal::SessionState& state, const std::vector<Tensor>& inputs) {
  const plan::Program& program = state.execution.program();
  const ir::Graph& graph = *program.graph;
  std::map<int32_t, Tensor> seen;
  ObservedRun run;
  Profiler profiler;
  profiler.observe = [&](const plan::Program& which, ir::ValueId id, const device::BoundTensor& type,
                         const void* data) {
    if (&which == &program && id) seen[id.index] = copy_of(state, type, data);
  };
  state.execution.set_profiler(&profiler);
  state.device->execute([&] {
    run.outputs = state.execution.run(inputs, {}, *state.stream);
    state.stream->synchronize();
  });
  state.execution.set_profiler(nullptr);
  for (Tensor& output : run.outputs) output = state.device->to_host(output);
  std::set<int32_t> by_kernel;
  for (const auto& [index, tensor] : seen) by_kernel.insert(index);
  for (size_t i = 0; i < inputs.size(); ++i) seen[graph.inputs()[i].index] = state.device->to_host(inputs[i]);
  for (ir::NodeId id : graph.order()) {
    if (plan::is_weight_node(graph, id)) continue;
    const ir::Node& node = graph.node(id);
    std::vector<Tensor> made;
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      const ir::ValueId output = node.outputs[i];
      if (!output) continue;
      const auto found = seen.find(output.index);
      if (found == seen.end() && made.empty()) made = work_out(graph, node, seen);
      if (found == seen.end() && made.empty()) continue;
      Tensor tensor = found != seen.end() ? found->second : made[i];
      seen[output.index] = tensor;
      run.values.push_back({output, by_kernel.contains(output.index), std::move(tensor)});
    }
  }
  return run;
}

}  // namespace burnish::runtime
