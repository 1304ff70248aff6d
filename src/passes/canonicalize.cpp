#include "ops/table.h"
#include "passes/pass.h"
#include "rewrite/driver.h"
#include "rules/library.h"

namespace burnish::passes {
namespace {

void order_commutative_inputs(ir::Graph& graph) {
  for (ir::NodeId id : graph.order()) {
    const ir::Node& node = graph.node(id);
    if (!ops::definition(node).commutative || node.inputs.size() != 2) continue;
    const ir::ValueId a = node.inputs[0], b = node.inputs[1];
    const bool constant_a = graph.value(a).constant_only, constant_b = graph.value(b).constant_only;
    if (constant_a != constant_b ? constant_b : !(b < a)) continue;
    graph.set_input(id, 0, b);
    graph.set_input(id, 1, a);
  }
}

}  // namespace

Pass canonicalize() {
  return {"canonicalize", [](ir::Graph& graph, rewrite::RewriteLog& log) {
            order_commutative_inputs(graph);
            rewrite::apply_rules(graph, rules::rule_set("canonical"), log);
            order_commutative_inputs(graph);
          }};
}

}  // namespace burnish::passes
