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

}  // namespace burnish::cover
