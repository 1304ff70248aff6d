#include "build/pipeline.h"

#include "passes/pass.h"

namespace burnish {

using namespace passes;

namespace {

Pass more_rules(const rewrite::RuleSet* rules) {
  return {"the caller's rules", [rules](ir::Graph& graph, rewrite::RewriteLog& log) {
            if (rules) rewrite::apply_rules(graph, *rules, log);
          }};
}

}  // namespace

void optimize(ir::Graph& graph, const OptimizeOptions& options, rewrite::RewriteLog& log) {
  const Pass pipeline[] = {
      normalize_attributes(),
      propagate_shapes(),
      fold_constants(),
      propagate_shapes(),
      normalize_attributes(),
      bypass_expands(),
      canonicalize(),
      common_subexpressions(),
      apply_rules("views"),
      apply_rules("simplify"),
      apply_rules("activations"),
      apply_rules("norms"),
      apply_rules("masks"),
      bypass_expands(),
      apply_rules("views"),
      apply_rules("attention"),
      apply_rules("views"),
      apply_rules("attention_operands"),
      apply_rules("pooling"),
      apply_rules("weights"),
      apply_rules("tables"),
      merge_siblings(),
      apply_rules("rotary"),
      apply_rules("rows"),
      apply_rules("views"),
      common_subexpressions(),
      more_rules(options.more_rules),
      nest_concats(),
      separate_weights(),
  };
  if (options.passes) run_passes(graph, pipeline, log);
}

void optimize_lowered(ir::Graph& graph, rewrite::RewriteLog& log) {
  static const Pass pipeline[] = {common_subexpressions(), separate_weights()};
  run_passes(graph, pipeline, log);
}

}  // namespace burnish
