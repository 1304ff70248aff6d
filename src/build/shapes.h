// The shapes that a build is for: fixed ones, and ranges of dynamic dimensions.
#pragma once

#include <burnish/build.h>

#include "ir/graph.h"

namespace burnish::build_internal {

/// Puts the options' shapes and ranges into the graph's input types and symbols, and infers all types again. Throws
/// UsageError for an unknown input, a shape that does not fit, or a dynamic input with neither shape nor range.
void apply_shapes(ir::Graph& graph, const BuildOptions& options);

}  // namespace burnish::build_internal
