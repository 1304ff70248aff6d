#include "build/user_ops.h"

#include <fmt/format.h>

#include "base/error.h"
#include "ops/control.h"
#include "ops/infer.h"
#include "ops/table.h"
#include "ops/user.h"
#include "tune/oracle.h"

namespace burnish::build_internal {
namespace {

bool carries_code(const ir::Node& node) {
  return node.op == &ops::def::user_pointwise || node.op == &ops::def::user_kernel;
}

const device::Tactic* tactic_for(const device::Problem& problem, device::Device& device) {
  for (const device::Tactic* tactic : device.tactics())
    if (tactic->supports(problem, device.info())) return tactic;
  return nullptr;
}

/// Yes, or why the device does not run the op's own code. Throws Error where trying it lost the device.
Support runs_own_code(const device::Problem& any_shape, device::Device& device) {
  const device::Tactic* tactic = tactic_for(any_shape, device);
  if (!tactic) return Support::no("{} has no kernel of its text", device.info().backend);
  try {
    const device::Problem problem = any_shape.at_opt();
    const device::Candidate candidate = tactic->candidates(problem, device).at(0);
    if (device.info().elsewhere) {
      tactic->compile(problem, candidate, device);
      return Support::yes();
    }
    const std::string wrong =
        tune::try_candidate(problem, *tactic, candidate, tune::expected_outputs(problem), device, 1).wrong;
    return wrong.empty() ? Support::yes()
                         : Support::no("its kernel does not compute what its reference does: {}", wrong);
  } catch (const Error& error) {
    with_context([] { return "its kernel lost the device: correct its text"; },
                 [&] { device.execute([] {}); });
    return Support::no("{}", error.what());
  }
}

/// The body's nodes in the node's place.
void expand(ir::Graph& graph, ir::NodeId id) {
  const ir::Node node = graph.node(id);
  const ir::Graph& body = *node.bodies[0];
  std::map<ir::ValueId, ir::ValueId> made;
  for (size_t i = 0; i < node.inputs.size(); ++i) made[body.inputs()[i]] = node.inputs[i];
  for (ir::ValueId constant : body.constants())
    made[constant] = graph.add_constant("", body.value(constant).constant);
  for (ir::NodeId inner : body.order()) {
    const ir::Node& from = body.node(inner);
    std::vector<ir::ValueId> inputs;
    for (ir::ValueId input : from.inputs) inputs.push_back(input ? made.at(input) : input);
    const ir::NodeId copy =
        graph.add_node(*from.op, from.attributes, inputs, static_cast<int>(from.outputs.size()), {}, id);
    graph.node(copy).bodies = from.bodies;
    graph.node(copy).source = node.source;
    ops::infer(graph, copy);
    for (size_t i = 0; i < from.outputs.size(); ++i)
      if (from.outputs[i]) made[from.outputs[i]] = graph.node(copy).outputs[i];
  }
  for (size_t i = 0; i < node.outputs.size(); ++i)
    if (node.outputs[i]) graph.replace_uses(node.outputs[i], made.at(body.outputs[i].value));
  graph.erase(id);
}

}  // namespace

void settle_user_ops(ir::Graph& graph, ProgramContext& context) {
  for (ir::NodeId id : graph.order()) {
    const ir::Node& node = graph.node(id);
    if (ops::is_control(*node.op))
      for (const auto& body : node.bodies) settle_user_ops(*body, context);
    if (!carries_code(node)) continue;
    const std::string name = fmt::format("user op '{}'", node.attributes.as<ops::UserAttributes>().name);
    const device::Problem problem = device::Problem::of(graph, id);
    const Support own =
        with_context([&] { return name; }, [&] { return runs_own_code(problem, *context.device); });
    if (own) continue;
    const std::string why = fmt::format("its reference: {}", own.reason());
    if (!context.log.take(name, node.source, why)) return;
    if (context.options.on_log) context.options.on_log(fmt::format("{}: {}", name, why));
    expand(graph, id);
  }
}

}  // namespace burnish::build_internal
