// Regions in which a kernel reads its operands, and writes its result, in another order than they lie in.
#pragma once

#include <set>

#include "ir/graph.h"

namespace burnish::cover {

/// The transposes, splits and slices before the operands of `anchor`, and the transposes behind its result,
/// that nothing but `anchor` needs (views between them included): what its kernel could do by strides.
std::set<ir::NodeId> moves_round(const ir::Graph& graph, ir::NodeId anchor);

}  // namespace burnish::cover
