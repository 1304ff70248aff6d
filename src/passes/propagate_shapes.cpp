#include <algorithm>

#include "base/dispatch.h"
#include "ops/data_attributes.h"
#include "ops/infer.h"
#include "ops/table.h"
#include "passes/pass.h"
#include "rewrite/driver.h"
#include "rewrite/shapes.h"

namespace burnish::passes {
namespace {

bool contents_known(const ir::Graph& graph, const ir::Node& node) {
  return std::all_of(node.outputs.begin(), node.outputs.end(),
                     [&](ir::ValueId output) { return !output || graph.value(output).contents.has_value(); });
}

/// Whether something other than arithmetic whose result is known too reads the value.
bool is_needed(const ir::Graph& graph, ir::ValueId id) {
  const auto& uses = graph.value(id).uses;
  return graph.is_output(id) || std::any_of(uses.begin(), uses.end(), [&](const ir::Use& use) {
           return !contents_known(graph, graph.node(use.node));
         });
}

/// A reshape to known dimensions gets a constant target where one can be written.
void fix_reshape_target(ir::Graph& graph, ir::NodeId id, rewrite::RewriteLog& log) {
  const ir::Node& node = graph.node(id);
  if (node.op != &ops::def::reshape || graph.value(node.inputs[1]).is_constant()) return;
  const auto& to = graph.value(node.outputs[0]).type.shape;
  const ir::AttributeValue target = rewrite::reshape_target(graph.value(node.inputs[0]).type.shape, to);
  const auto* numbers = std::get_if<std::vector<int64_t>>(&target);
  if (!numbers) return;
  ir::Patch patch;
  patch.reason = "propagate_shapes";
  patch.root = id;
  patch.matched = {id};
  patch.constants.push_back(Tensor::of<int64_t>({static_cast<int64_t>(numbers->size())}, *numbers));
  patch.nodes.push_back(
      {node.op, ir::Attributes(ops::ReshapeAttributes{}), {node.inputs[0], ir::Patch::NewConstant{0}}, 1});
  patch.replacements = {{node.outputs[0], ir::Patch::Made{0, 0}}};
  (void)rewrite::apply(graph, patch, log);
}

void replace_known_contents(ir::Graph& graph, rewrite::RewriteLog& log) {
  for (ir::NodeId id : graph.order()) {
    if (graph.node(id).erased || rewrite::makes_dims(graph, id)) continue;
    const std::vector<ir::ValueId> outputs = graph.node(id).outputs;
    for (ir::ValueId output : outputs) {
      if (!output || !graph.value(output).contents || !is_needed(graph, output)) continue;
      const ir::TensorType type = graph.value(output).type;
      const auto patch = rewrite::contents_patch(graph, output);
      if (patch) (void)rewrite::apply(graph, *patch, log);
      if (graph.node(id).erased) break;
    }
  }
}

}  // namespace

Pass propagate_shapes() {
  return {"propagate_shapes", [](ir::Graph& graph, rewrite::RewriteLog& log) {
            ops::infer(graph);
            for (ir::NodeId id : graph.order())
              if (!graph.node(id).erased) fix_reshape_target(graph, id, log);
            replace_known_contents(graph, log);
            graph.remove_dead();
          }};
}

}  // namespace burnish::passes
