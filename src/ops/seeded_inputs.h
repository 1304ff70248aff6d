// Inputs for runs that are given none.
#pragma once

#include "ir/graph.h"

namespace burnish::ops {

/// Random data for one input of the graph, the same for the same seed and name: floats uniform in [-1, 1);
/// integers that index something within its bounds, others 0 or 1; bools either.
Tensor seeded_input(const ir::Graph& graph, ir::ValueId input, const Shape& shape, uint64_t seed);

/// The same for every input, at the opt of the graph's symbols.
std::vector<Tensor> seeded_inputs(const ir::Graph& graph, uint64_t seed);

}  // namespace burnish::ops
