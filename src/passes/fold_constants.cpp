#include <algorithm>

#include "ops/evaluate.h"
#include "ops/infer.h"
#include "passes/pass.h"
#include "rewrite/driver.h"

namespace burnish::passes {
namespace {

/// Integers of up to this many elements are folded: indices and masks, not quantised weights.
constexpr int64_t largest_folded = 1 << 14;

bool folds(const ir::Graph& graph, const ir::Node& node) {
  if (node.bodies.size() || node.outputs.empty()) return false;
  for (ir::ValueId output : node.outputs) {
    if (!output) continue;
    const ir::Value& value = graph.value(output);
    const auto shape = ir::constants(value.type.shape);
    if (!value.constant_only || !shape) return false;
    const int64_t count = element_count(*shape);
    if (is_floating(value.type.dtype) ? count != 1 : count > largest_folded) return false;
  }
  return true;
}

/// A single learned number in another shape, a PReLU's slope say: folded, it would be fixed.
bool reshapes_weight(const ir::Graph& graph, const ir::Node& node, const rewrite::RewriteLog& log) {
  if (!ops::definition(node).view || node.inputs.empty() || !node.inputs[0]) return false;
  const ir::Value& from = graph.value(node.inputs[0]);
  return is_floating(from.type.dtype) && log.weights.contains(from.name);
}

/// Replaced nodes may have made their users depend on constants alone.
void update_constant_only(ir::Graph& graph, const ir::Node& node) {
  if (node.inputs.empty() || !node.bodies.empty()) return;
  for (ir::ValueId input : node.inputs)
    if (input && !graph.value(input).constant_only) return;
  for (ir::ValueId output : node.outputs)
    if (output) graph.value(output).constant_only = true;
}

void fold(ir::Graph& graph, rewrite::RewriteLog& log) {
  rewrite::ConstantCache constants(graph, log);
  bool folded = false;
  for (ir::NodeId id : graph.order()) {
    const ir::Node& node = graph.node(id);
    if (node.erased) continue;
    if (folded) ops::infer(graph, id);  // what is a constant now may decide the shapes that follow
    update_constant_only(graph, node);
    if (!folds(graph, node) || reshapes_weight(graph, node, log)) continue;
    constants.forget_looks();
    std::vector<Tensor> data;
    if (std::any_of(node.outputs.begin(), node.outputs.end(), [&](ir::ValueId output) { return output && constants.is_weight(output); })) continue;
    for (ir::ValueId output : node.outputs) data.push_back(output ? constants.tensor(output) : Tensor());
    bool known = true;
    for (size_t i = 0; i < data.size(); ++i) known = known && (!node.outputs[i] || !data[i].empty());
    if (!known || !log.take("fold_constants", node.source, node.op->name)) continue;
    for (const std::string& weight : constants.looked_at()) log.fix(weight, "constant folding");
    const std::vector<ir::ValueId> outputs = node.outputs;
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (!outputs[i]) continue;
      const std::string name = graph.value(outputs[i]).name;
      const ir::ValueId constant = graph.add_constant(graph.fresh_name(name), data[i]);
      graph.replace_uses(outputs[i], constant);
    }
    rewrite::erase_unused(graph, id);
    folded = true;
  }
  graph.remove_dead();
}

}  // namespace

Pass fold_constants() { return {"fold_constants", fold}; }

}  // namespace burnish::passes
