#include "passes/pass.h"

#include "base/error.h"
#include "ops/control.h"
#include "rules/library.h"

namespace burnish::passes {
namespace {

void run(ir::Graph& graph, const Pass& pass, rewrite::RewriteLog& log) {
  pass.run(graph, log);
  for (ir::NodeId id : graph.order()) {
    if (!ops::is_control(*graph.node(id).op)) continue;
    for (const auto& body : graph.node(id).bodies) run(*body, pass, log);
  }
}

}  // namespace

void run_passes(ir::Graph& graph, std::span<const Pass> passes, rewrite::RewriteLog& log) {
  for (const Pass& pass : passes) {
    with_context([&] { return "pass " + pass.name; }, [&] { run(graph, pass, log); });
    ir::verify(graph);
  }
}

Pass apply_rules(std::string_view file) {
  return {std::string(file) + " rules",
          [file = std::string(file)](ir::Graph& graph, rewrite::RewriteLog& log) {
            rewrite::apply_rules(graph, rules::rule_set(file), log);
          }};
}

}  // namespace burnish::passes
