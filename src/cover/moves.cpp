#include "cover/moves.h"

#include <algorithm>

#include "ops/strided_source.h"
#include "ops/table.h"

namespace burnish::cover {
namespace {

bool is_view(const ir::Graph& graph, ir::NodeId id) { return ops::definition(graph.node(id)).view; }

/// Whether all operands but the first are constants, so that a body can hold them.
bool is_self_contained(const ir::Graph& graph, ir::NodeId id) {
  const auto& inputs = graph.node(id).inputs;
  return std::all_of(inputs.begin() + 1, inputs.end(),
                     [&](ir::ValueId input) { return !input || graph.value(input).is_constant(); });
}

/// Whether everything that reads the node's outputs is among `nodes`.
bool serves_only(const ir::Graph& graph, ir::NodeId id, const std::set<ir::NodeId>& nodes) {
  return std::all_of(graph.node(id).outputs.begin(), graph.node(id).outputs.end(), [&](ir::ValueId output) {
    const auto& uses = graph.value(output).uses;
    return !graph.is_output(output) && std::all_of(uses.begin(), uses.end(), [&](const ir::Use& use) {
      return nodes.contains(use.node);
    });
  });
}

/// Drops nodes until none serves others and none is a view of what lies outside (which costs nothing there).
void close(const ir::Graph& graph, ir::NodeId anchor, std::set<ir::NodeId>& moves) {
  const auto belongs = [&](ir::NodeId id) {
    std::set<ir::NodeId> inside = moves;
    inside.insert(anchor);
    if ((graph.node(id).op != &ops::def::concat && !is_self_contained(graph, id)) ||
        !serves_only(graph, id, inside))
      return false;
    return !is_view(graph, id) || moves.contains(graph.value(graph.node(id).inputs[0]).producer);
  };
  while (std::erase_if(moves, [&](ir::NodeId id) { return !belongs(id); }) > 0) {
  }
}

/// Ops that only move elements, to places that do not depend on data.
bool is_move(const ir::Graph& graph, ir::NodeId id) {
  const ir::Op* op = graph.node(id).op;
  if (op == &ops::def::concat) return true;
  const bool moves =
      op == &ops::def::transpose || op == &ops::def::slice || op == &ops::def::split || is_view(graph, id);
  return moves && is_self_contained(graph, id);
}

/// Whether one move alone reads what the node makes.
bool is_moved_on(const ir::Graph& graph, ir::NodeId id) {
  const auto& uses = graph.value(graph.node(id).outputs[0]).uses;
  if (uses.size() != 1 || graph.is_output(graph.node(id).outputs[0])) return false;
  return is_view(graph, uses[0].node) ? is_moved_on(graph, uses[0].node) : is_move(graph, uses[0].node);
}

void add_moves(const ir::Graph& graph, ir::NodeId id, std::set<ir::NodeId>& moves) {
  for (ir::ValueId input : graph.node(id).inputs) {
    if (!input || graph.value(input).constant_only) continue;
    const ir::NodeId producer = graph.value(input).producer;
    if (producer && is_move(graph, producer) && moves.insert(producer).second)
      add_moves(graph, producer, moves);
  }
}

/// The values that nodes of the set read and do not make, constants left out.
std::set<ir::ValueId> sources_of(const ir::Graph& graph, const std::set<ir::NodeId>& nodes) {
  std::set<ir::ValueId> sources;
  for (ir::NodeId id : nodes)
    for (ir::ValueId input : graph.node(id).inputs)
      if (input && !graph.value(input).constant_only && !nodes.contains(graph.value(input).producer))
        sources.insert(input);
  return sources;
}

}  // namespace

std::set<ir::NodeId> moves_into(const ir::Graph& graph, ir::NodeId last) {
  if (!is_move(graph, last) || is_view(graph, last) || graph.node(last).outputs.size() != 1 ||
      is_moved_on(graph, last))
    return {};
  std::set<ir::NodeId> moves;
  add_moves(graph, last, moves);
  close(graph, last, moves);
  if (moves.empty()) return {};
  std::set<ir::NodeId> all = moves;
  all.insert(last);
  return sources_of(graph, all).size() == 1 ? moves : std::set<ir::NodeId>();
}

std::set<ir::NodeId> moves_before(const ir::Graph& graph, ir::NodeId anchor, size_t operands) {
  std::set<ir::NodeId> moves;
  const auto& inputs = graph.node(anchor).inputs;
  for (size_t i = 0; i < std::min(operands, inputs.size()); ++i) {
    if (!inputs[i] || graph.value(inputs[i]).constant_only) continue;
    const ops::StridedSource source = ops::strided_source(graph, inputs[i]);
    moves.insert(source.moves.begin(), source.moves.end());
  }
  close(graph, anchor, moves);
  return moves;
}

std::set<ir::NodeId> moves_behind(const ir::Graph& graph, ir::NodeId anchor) {
  const ir::ValueId made = graph.node(anchor).outputs[0];
  std::set<ir::NodeId> moves;
  std::vector<ir::NodeId> open;
  for (ir::ValueId result = made; graph.value(result).uses.size() == 1 && !graph.is_output(result);) {
    const ir::NodeId id = graph.value(result).uses[0].node;
    const ir::Node& node = graph.node(id);
    const bool transposes = node.op == &ops::def::transpose;
    if ((!transposes && !is_view(graph, id)) || node.inputs[0] != result || !is_self_contained(graph, id))
      break;
    open.push_back(id);
    result = node.outputs[0];
    if (!transposes) continue;
    if (ops::strided_result(graph, made, result).strides.empty()) break;
    moves.insert(open.begin(), open.end());
  }
  return moves;
}

}  // namespace burnish::cover
