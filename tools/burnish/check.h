// How far a result lies from another, and how far it may.
#pragma once

#include <burnish/build.h>

#include <string>
#include <vector>

#include "ir/graph.h"
#include "options.h"

namespace burnish::tool {

struct Difference {
  double largest_absolute = 0;
  double relative_l2 = 0;  ///< infinite where one has a NaN and the other not
};

/// Throws Error where types or shapes differ.
Difference difference(const Tensor& result, const Tensor& expected);

/// The relative L2 that a result may lie off the reference by: the loosest of the allowed precisions', and of
/// eight bits where the graph quantises.
double default_tolerance(const CommonOptions& options, const ir::Graph& graph);

/// The names of `known` that are nearest to one that is not there: "; near it are 'a', 'b'", or "".
std::string near_names(const std::string& name, const std::vector<std::string>& known);

}  // namespace burnish::tool
