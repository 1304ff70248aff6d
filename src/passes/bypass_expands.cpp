#include "ops/table.h"
#include "passes/pass.h"
#include "rewrite/driver.h"

namespace burnish::passes {
namespace {

/// The same node with the expands in front of `inputs` left out.
bool bypass(ir::Graph& graph, ir::NodeId id, const std::vector<size_t>& inputs, rewrite::RewriteLog& log) {
  const ir::Node& node = graph.node(id);
  ir::Patch patch;
  patch.reason = "bypass_expand";
  patch.root = id;
  patch.matched = {id};
  ir::Patch::NewNode made{node.op, node.attributes, {node.inputs.begin(), node.inputs.end()}, 1};
  for (size_t i : inputs) made.inputs[i] = graph.producer(node.inputs[i])->inputs[0];
  patch.nodes.push_back(std::move(made));
  patch.replacements = {{node.outputs[0], ir::Patch::Made{0, 0}}};
  return static_cast<bool>(rewrite::apply(graph, patch, log));
}

}  // namespace

Pass bypass_expands() {
  return {"bypass_expands", [](ir::Graph& graph, rewrite::RewriteLog& log) {
            for (ir::NodeId id : graph.order()) {
              const ir::Node& node = graph.node(id);
              if (node.erased || ops::definition(node).fusion != ops::Fusion::pointwise) continue;
              std::vector<size_t> expanded;
              for (size_t i = 0; i < node.inputs.size(); ++i) {
                const ir::Node* producer = graph.producer(node.inputs[i]);
                if (producer && producer->op == &ops::def::expand) expanded.push_back(i);
              }
              if (expanded.empty() || bypass(graph, id, expanded, log)) continue;
              for (size_t i : expanded)
                if (bypass(graph, id, {i}, log)) break;
            }
          }};
}

}  // namespace burnish::passes
