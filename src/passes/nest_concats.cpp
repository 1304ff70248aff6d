#include <algorithm>
#include <map>

#include "ops/table.h"
#include "passes/pass.h"
#include "rewrite/driver.h"

namespace burnish::passes {
namespace {

bool begins_with(const std::vector<ir::ValueId>& parts, const std::vector<ir::ValueId>& prefix) {
  return prefix.size() >= 2 && prefix.size() < parts.size() &&
         std::equal(prefix.begin(), prefix.end(), parts.begin());
}

/// The concatenation of `head`'s result and of what `node` has behind it.
ir::Patch nested(const ir::Graph& graph, ir::NodeId node, ir::NodeId head) {
  const ir::Node& whole = graph.node(node);
  ir::Patch patch;
  patch.reason = "nest_concats";
  patch.root = node;
  patch.matched = {node};
  std::vector<ir::Patch::Source> inputs = {graph.node(head).outputs[0]};
  for (size_t i = graph.node(head).inputs.size(); i < whole.inputs.size(); ++i)
    inputs.emplace_back(whole.inputs[i]);
  patch.nodes.push_back({whole.op, whole.attributes, std::move(inputs), 1});
  patch.replacements.emplace_back(whole.outputs[0], ir::Patch::Made{0, 0});
  return patch;
}

void nest(ir::Graph& graph, rewrite::RewriteLog& log) {
  std::map<std::string, std::vector<ir::NodeId>> seen;  // by attributes
  std::vector<std::pair<ir::NodeId, ir::NodeId>> found;
  for (ir::NodeId id : graph.order()) {
    const ir::Node& node = graph.node(id);
    if (node.op != &ops::def::concat || graph.value(node.outputs[0]).constant_only) continue;
    std::vector<ir::NodeId>& earlier = seen[node.attributes.str()];
    ir::NodeId longest;
    for (ir::NodeId other : earlier) {
      const std::vector<ir::ValueId>& prefix = graph.node(other).inputs;
      if (begins_with(node.inputs, prefix) && (!longest || prefix.size() > graph.node(longest).inputs.size()))
        longest = other;
    }
    if (longest) found.emplace_back(id, longest);
    earlier.push_back(id);
  }
  // From the last to the first: the heads are then still as they were found.
  for (size_t i = found.size(); i-- > 0 && !log.exhausted();) {
    const auto [node, head] = found[i];
    const std::string where = graph.node(node).source;
    if (const Support applied = rewrite::apply(graph, nested(graph, node, head), log); !applied)
      log.miss("nest_concats", where, applied.reason());
  }
}

}  // namespace

Pass nest_concats() { return {"nest_concats", nest}; }

}  // namespace burnish::passes
