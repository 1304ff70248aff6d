// What differs between two graphs, as lines.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"

namespace burnish::tool {

/// Lines that begin with '-' (only in a), '+' (only in b) or '~' (a constant of other data). Nodes are the
/// same when op, attributes, types and names agree; order counts.
std::vector<std::string> graph_differences(const ir::Graph& a, const ir::Graph& b);

}  // namespace burnish::tool
