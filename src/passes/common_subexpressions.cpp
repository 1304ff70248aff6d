#include <array>
#include <cstring>
#include <unordered_map>

#include <fmt/format.h>

#include "passes/pass.h"
#include "rewrite/driver.h"

namespace burnish::passes {
namespace {

constexpr int64_t largest_merged_bytes = 1024;

/// Small constants of the same data become one; but two weights that are equal today may differ after a refit.
void merge_constants(ir::Graph& graph, rewrite::RewriteLog& log) {
  std::unordered_map<std::string, ir::ValueId> seen;
  rewrite::ConstantCache constants(graph, log);
  for (ir::ValueId id : graph.constants()) {
    const Tensor& data = graph.value(id).constant;
    if (!data.raw() || data.bytes() > largest_merged_bytes || constants.is_weight(id)) continue;
    std::string key = graph.value(id).type.str() + "=";
    key.append(static_cast<const char*>(data.raw()), static_cast<size_t>(data.bytes()));
    const auto [entry, fresh] = seen.emplace(std::move(key), id);
    if (fresh) continue;
    for (ir::ValueId one : {id, entry->second}) log.fix(graph.value(one).name, "another constant of the same value");
    graph.replace_uses(id, entry->second);
  }
}

/// Everything that decides what a node computes; empty for nodes that stay apart.
std::string signature(const ir::Node& node) {
  if (!node.bodies.empty()) return "";
  std::string text = node.op->name + node.attributes.str();
  for (ir::ValueId input : node.inputs) text += fmt::format(",{}", input.index);
  text += ":";
  for (ir::ValueId output : node.outputs) text += output ? 'y' : '_';
  return text;
}

void merge(ir::Graph& graph, rewrite::RewriteLog& log) {
  merge_constants(graph, log);
  std::unordered_map<std::string, ir::NodeId> seen;
  for (ir::NodeId id : graph.order()) {
    const ir::Node& node = graph.node(id);
    const std::string key = signature(node);
    if (key.empty()) continue;
    const auto [entry, fresh] = seen.emplace(key, id);
    if (fresh) continue;
    const std::vector<ir::ValueId>&kept = graph.node(entry->second).outputs, &gone = node.outputs;
    bool same =
        true;  // types follow from inputs, but for sizes that depend on data: those have names of their own
    for (size_t i = 0; i < kept.size(); ++i)
      same = same && (!kept[i] || graph.value(kept[i]).type == graph.value(gone[i]).type);
    if (!same || !log.take("common_subexpressions", node.source, node.op->name)) continue;
    for (size_t i = 0; i < kept.size(); ++i)
      if (kept[i]) graph.replace_uses(gone[i], kept[i]);
    graph.node(entry->second).source = rewrite::join_sources(graph, std::array{id, entry->second});
    graph.erase(id);
  }
  graph.remove_dead();
}

}  // namespace

Pass common_subexpressions() { return {"common_subexpressions", merge}; }

}  // namespace burnish::passes
