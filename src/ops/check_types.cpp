#include "ops/check_types.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "ops/control.h"
#include "ops/infer.h"
#include "ops/table.h"

namespace burnish::ops {
namespace {

/// True where a symbol in it was made by inference: a size that depends on data.
bool depends_on_data(const ir::Dim& dim) {
  std::set<std::string> symbols;
  dim.collect_symbols(symbols);
  return std::any_of(symbols.begin(), symbols.end(),
                     [](const std::string& name) { return name.find('$') != std::string::npos; });
}

bool agree(const ir::TensorType& written, const ir::TensorType& inferred) {
  if (written.dtype != inferred.dtype || written.rank() != inferred.rank()) return false;
  for (size_t d = 0; d < written.shape.size(); ++d)
    if (!(written.shape[d] == inferred.shape[d]) && !depends_on_data(inferred.shape[d])) return false;
  return true;
}

/// A body that says what its node computes takes what the node's operands are.
void check_operands(const ir::Graph& graph, const ir::Node& node) {
  const ir::Graph& body = *node.bodies[0];
  require(body.inputs().size() == node.inputs.size() && body.outputs.size() >= node.outputs.size(),
          "its body has {} inputs and {} outputs", body.inputs().size(), body.outputs.size());
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (!node.inputs[i]) continue;
    const ir::TensorType &inside = body.value(body.inputs()[i]).type,
                         &outside = graph.value(node.inputs[i]).type;
    require(agree(inside, outside), "its body takes {} where {} comes in", inside.str(), outside.str());
  }
}

void check_node(ir::Graph& graph, ir::NodeId id) {
  const ir::Node& node = graph.node(id);
  std::vector<ir::TensorType> written;
  for (ir::ValueId output : node.outputs)
    written.push_back(output ? graph.value(output).type : ir::TensorType());
  infer(graph, id);
  with_context([&] { return fmt::format("node '{}' ({})", node.source, node.op->name); },
               [&] {
                 if (!node.bodies.empty() && !is_control(*node.op)) check_operands(graph, node);
                 for (size_t i = 0; i < node.outputs.size(); ++i) {
                   if (!node.outputs[i]) continue;
                   ir::TensorType& type = graph.value(node.outputs[i]).type;
                   require(agree(written[i], type), "output {} is written down as {}, but is {}", i,
                           written[i].str(), type.str());
                   type = written[i];
                 }
               });
}

}  // namespace

void check_types(ir::Graph& graph) {
  for (ir::NodeId id : graph.order()) {
    for (const auto& body : graph.node(id).bodies) check_types(*body);
    check_node(graph, id);
  }
}

}  // namespace burnish::ops
