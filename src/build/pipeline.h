// The optimiser: the ordered list of passes.
#pragma once

#include "ir/graph.h"
#include "rewrite/driver.h"

namespace burnish {

struct OptimizeOptions {
  bool passes = true;  ///< false: leave the graph as the importer made it
  const rewrite::RuleSet* more_rules = nullptr;  ///< applied after those of src/rules
};

/// Runs the passes that know nothing of a device, in place. `log` records what they did, and limits it.
void optimize(ir::Graph& graph, const OptimizeOptions& options, rewrite::RewriteLog& log);

/// What is left to tidy after types were lowered: casts said twice, and those of weights.
void optimize_lowered(ir::Graph& graph, rewrite::RewriteLog& log);

}  // namespace burnish
