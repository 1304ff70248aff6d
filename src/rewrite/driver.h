// Applies patches, and rules until none fits any more. Nothing else changes a graph on a rule's behalf.
#pragma once

#include <map>
#include <span>

#include "ir/patch.h"
#include "rewrite/log.h"
#include "rewrite/match.h"

namespace burnish::rewrite {

/// Applies one patch, or leaves the graph as it was and returns the reason. Checked: every value inside the
/// match that others use stays or is replaced; the new nodes' types can be inferred; each replaced value
/// keeps its element type, (symbolic) shape and layout. New nodes get the matched nodes' `source` names, and
/// take over the replaced values' names. `log` counts it.
Support apply(ir::Graph& graph, const ir::Patch& patch, RewriteLog& log);

/// Rules by the op of their root.
class RuleSet {
 public:
  RuleSet() = default;
  explicit RuleSet(std::span<const Rule> rules);
  void add(const Rule& rule);  ///< kept by reference
  const std::vector<const Rule*>& for_root(const ir::Op* op) const;
  const std::vector<const Rule*>& all() const { return all_; }

 private:
  std::map<const ir::Op*, std::vector<const Rule*>> by_root_;
  std::vector<const Rule*> all_;
};

/// Sweeps over the graph in order of execution until no rule fits. Returns how many patches were applied.
int64_t apply_rules(ir::Graph& graph, const RuleSet& rules, RewriteLog& log);

/// Erases `node` if nothing uses its outputs, then its inputs' producers likewise.
void erase_unused(ir::Graph& graph, ir::NodeId node);

/// "a, b": names from both lists, each once.
std::string join_sources(const ir::Graph& graph, std::span<const ir::NodeId> nodes);

}  // namespace burnish::rewrite
