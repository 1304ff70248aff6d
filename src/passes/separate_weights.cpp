#include <algorithm>

#include "passes/pass.h"

namespace burnish::passes {
namespace {

bool constant_only(const ir::Graph& graph, const ir::Node& node) {
  return !node.outputs.empty() &&
         std::all_of(node.outputs.begin(), node.outputs.end(),
                     [&](ir::ValueId output) { return !output || graph.value(output).constant_only; });
}

void separate(ir::Graph& graph, rewrite::RewriteLog&) {
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
