#include "build/pipeline.h"

#include "passes/pass.h"

namespace burnish {

using namespace passes;

void optimize(ir::Graph& graph, const OptimizeOptions& options, rewrite::RewriteLog& log) {
  static const Pass pipeline[] = {
      propagate_shapes(),      fold_constants(),           canonicalize(),          apply_rules("simplify"),
      common_subexpressions(), apply_rules("activations"), common_subexpressions(),
  };
  if (options.passes) run_passes(graph, pipeline, log);
}

}  // namespace burnish
