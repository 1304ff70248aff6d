// Passes: what the optimiser does to a graph, one thing at a time, each in a file of its own.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "ir/graph.h"
#include "rewrite/log.h"

namespace burnish::passes {

/// A pass keeps what the graph computes. It asks the log before each change, so that changes can be limited.
struct Pass {
  std::string name;
  std::function<void(ir::Graph&, rewrite::RewriteLog&)> run;
};

/// Runs each pass in turn on the graph and on the bodies of if, loop and scan. An Error gains the pass's name.
void run_passes(ir::Graph& graph, std::span<const Pass> passes, rewrite::RewriteLog& log);

/// One spelling for attributes that mean the same: axes listed and counted from the front, pads as numbers.
Pass normalize_attributes();
/// A pointwise op repeats its operands by itself: expands in front of it that do not decide its shape go.
Pass bypass_expands();
/// Constants on the right of commutative ops, their other inputs in a fixed order; then canonical.rules.
Pass canonicalize();
/// Infers every type again. Small integer tensors whose contents are known become constants or `dims` nodes,
/// so that shape arithmetic disappears.
Pass propagate_shapes();
/// Computes what depends on constants alone, where that is small: integers, booleans and scalars. (Weights
/// stay expressions over the model's own: see design, section 4.)
Pass fold_constants();
/// One node for all that compute the same; one constant for all small ones that hold the same.
Pass common_subexpressions();
/// Products of one input with several weights become one, with a split behind it: Q, K and V.
Pass merge_siblings();
/// A concatenation that begins with all parts of an earlier one takes that one's result instead: what grows step by step
/// (DenseNet's features) then lies in one buffer, of which each step uses the beginning.
Pass nest_concats();
/// Nodes that depend on constants alone go to the front: they are the weights' own graph.
Pass separate_weights();
/// The rules of src/rules/FILE.rules until none fits.
Pass apply_rules(std::string_view file);

}  // namespace burnish::passes
