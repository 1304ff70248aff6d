// Regions: sets of nodes that could run as one kernel.
#pragma once

#include <memory>
#include <vector>

#include "device/problem.h"

namespace burnish::cover {

/// Nodes with one value that leaves them; everything else that they make is used among them.
struct Region {
  ir::NodeId anchor;               ///< what it grew from
  std::vector<ir::NodeId> nodes;   ///< in the graph's order
  std::vector<int> positions;      ///< of the nodes in that order
  std::vector<ir::ValueId> inputs; ///< from outside, each once, in order of first use
  std::vector<ir::ValueId> outputs;
};

/// Every node that runs by itself, and every region worth weighing: a contraction, a reduction, a concatenation, a resize or a pointwise
/// op with the pointwise ops that follow, shortest first for each anchor. Views, control ops and weights' nodes are not in any.
std::vector<Region> find_regions(const ir::Graph& graph);

/// Whether `whole` is `part`, grown from a contraction, a pointwise op or a concatenation, and, behind it, a few pointwise ops
/// that take an instruction or two an element: in a kernel that has the values at hand they cost next to nothing.
bool adds_cheap_ops(const ir::Graph& graph, const Region& whole, const Region& part);

/// The region as a graph with the inputs of `region.inputs`. For one node alone this is not needed.
std::shared_ptr<ir::Graph> region_body(const ir::Graph& graph, const Region& region);

/// What a kernel for the region is asked to compute, with plain layouts.
device::Problem region_problem(const ir::Graph& graph, const Region& region);

/// What packing the weights of node `id`, whose problem that is, starts from: entry i is input i's data, empty where that is
/// no weight.
std::vector<Tensor> weights_of(const ir::Graph& graph, ir::NodeId id, const device::Problem& problem);

/// The graph's value behind input `i` of region_problem().
ir::ValueId operand(const ir::Graph& graph, const Region& region, const device::Problem& problem, int i);

/// The model's nodes that the region's come from, each once: "a, b".
std::string joined_sources(const ir::Graph& graph, const Region& region);

/// Puts one node in the region's place: the op itself, or a `region` with its body. Its inputs are `inputs`.
ir::NodeId replace_by_node(ir::Graph& graph, const Region& region, const std::vector<ir::ValueId>& inputs);

}  // namespace burnish::cover
