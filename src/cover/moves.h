// Regions in which a kernel reads its operands, and writes its result, in another order than they lie in.
#pragma once

#include <set>

#include "ir/graph.h"

namespace burnish::cover {

/// The transposes, splits, slices and gathers of one index before the first `operands` operands of `anchor`
/// that nothing but `anchor` needs (views between them included): what its kernel could read by strides.
std::set<ir::NodeId> moves_before(const ir::Graph& graph, ir::NodeId anchor, size_t operands);

/// The transposes behind its result: what its kernel could write by strides.
std::set<ir::NodeId> moves_behind(const ir::Graph& graph, ir::NodeId anchor);

/// A transpose, slice or concatenation with the moves that lead to it and serve nothing else, where all of
/// them start from one value: what a single copy could do. Empty where that is no more than `last` itself, or
/// another move alone reads it.
std::set<ir::NodeId> moves_into(const ir::Graph& graph, ir::NodeId last);

}  // namespace burnish::cover
