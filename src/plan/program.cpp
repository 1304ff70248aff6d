#include "plan/program.h"

#include <fmt/format.h>

#include <cstring>

#include "base/error.h"
#include "ops/control.h"
#include "ops/evaluate.h"
#include "ops/table.h"

namespace burnish::plan {

bool is_control(const ir::Node& node) { return ops::is_control(*node.op); }

bool is_weight_node(const ir::Graph& graph, ir::NodeId id) {
  const ir::Node& node = graph.node(id);
  return !node.outputs.empty() && graph.value(node.outputs[0]).constant_only;
}

Tensor to_device(const Tensor& tensor, device::Device& device, device::Stream& stream) {
  if (device.on_host() || !tensor.device().is_host()) return tensor;
  Tensor copy = device.make_tensor(tensor.dtype(), tensor.shape(), static_cast<size_t>(tensor.bytes()));
  device.copy(copy.raw(), tensor.raw(), static_cast<size_t>(tensor.bytes()), stream);
  return copy;
}

std::shared_ptr<Program> load_program(std::shared_ptr<ir::Graph> graph, std::vector<device::Choice> choices,
                                      std::map<int32_t, std::vector<std::shared_ptr<const Program>>> bodies,
                                      std::shared_ptr<device::Device> device) {
  auto program = std::make_shared<Program>();
  program->kernels.resize(graph->node_capacity());
  program->problems.resize(graph->node_capacity());
  choices.resize(graph->node_capacity());
  device->execute([&] {
    const std::unique_ptr<device::Stream> stream = device->create_stream();
    for (ir::NodeId id : graph->order()) {
      device::Choice& choice = choices[static_cast<size_t>(id.index)];
      if (choice.tactic.empty()) continue;
      const ir::Node& node = graph->node(id);
      with_context([&] { return fmt::format("node '{}' ({})", node.source, node.op->name); }, [&] {
        const device::Tactic* tactic = device::find_tactic(*device, choice.tactic);
        require(tactic != nullptr, "device {} has no kernel called '{}'", device->info().name, choice.tactic);
        auto problem = std::make_shared<device::Problem>(device::Problem::of(*graph, id));
        program->problems[static_cast<size_t>(id.index)] = problem;
        program->kernels[static_cast<size_t>(id.index)] = tactic->load(*problem, {choice.candidate, 0}, choice.code, *device);
        for (Tensor& constant : choice.constants) constant = to_device(constant, *device, *stream);
      });
    }
    // Constants that the run itself reads as data: graph outputs, and operands of what runs on the host.
    ops::ConstantValues values(*graph);
    const auto keep = [&](ir::ValueId id) {
      if (!id || !graph->value(id).constant_only || program->constants.contains(id.index)) return;
      const Tensor data = values.of(id);
      if (!data.empty()) program->constants.emplace(id.index, to_device(data, *device, *stream));
    };
    for (const ir::Output& output : graph->outputs) keep(output.value);
    for (ir::NodeId id : graph->order()) {
      if (is_weight_node(*graph, id)) continue;
      const device::Kernel* kernel = program->kernels[static_cast<size_t>(id.index)].get();
      const ops::OpDef& op = ops::definition(graph->node(id));
      const bool copies = op.view || &op == &ops::def::concat;  // the plan may copy their operands
      if (is_control(graph->node(id)) || copies || (kernel && kernel->makes_outputs()))
        for (ir::ValueId input : graph->node(id).inputs) keep(input);
    }
    stream->synchronize();
  });
  program->graph = std::move(graph);
  program->device = std::move(device);
  program->choices = std::move(choices);
  program->bodies = std::move(bodies);
  return program;
}

}  // namespace burnish::plan
