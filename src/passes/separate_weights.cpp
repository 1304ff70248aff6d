#include <algorithm>

#include "passes/pass.h"

namespace burnish::passes {
namespace {

bool constant_only(const ir::Graph& graph, const ir::Node& node) {
  return !node.outputs.empty() &&
         std::all_of(node.outputs.begin(), node.outputs.end(),
                     [&](ir::ValueId output) { return !output || graph.value(output).constant_only; });
}

/// Rewriting gives nodes constant inputs after they were made: what they compute is constant then, too.
void mark_constant(ir::Graph& graph, const ir::Node& node) {
  if (node.op->bodies > 0 || node.inputs.empty()) return;
  const bool constant = std::all_of(node.inputs.begin(), node.inputs.end(), [&](ir::ValueId input) {
    return !input || graph.value(input).constant_only;
  });
  for (ir::ValueId output : node.outputs)
    if (output) graph.value(output).constant_only = constant;
}

void separate(ir::Graph& graph, rewrite::RewriteLog&) {
  for (ir::NodeId id : graph.order()) mark_constant(graph, graph.node(id));
  ir::NodeId first_other;
  for (ir::NodeId id : graph.order()) {
    if (!constant_only(graph, graph.node(id))) {
      if (!first_other) first_other = id;
    } else if (first_other) {
      graph.move_before(id, first_other);
    }
  }
}

}  // namespace

Pass separate_weights() { return {"separate_weights", separate}; }

}  // namespace burnish::passes
