#include "build/weights.h"

#include "engine/format.h"
#include "ops/op_def.h"
#include "rewrite/match.h"

namespace burnish::build_internal {
namespace {

/// What an op wants on the host decides shapes and addresses.
void fix_host_operands(const ir::Graph& graph, rewrite::RewriteLog& log) {
  for (ir::NodeId id : graph.order()) {
    const ir::Node& node = graph.node(id);
    const auto& specs = ops::definition(node).inputs;
    for (size_t i = 0; i < node.inputs.size() && !specs.empty(); ++i) {
      if (!node.inputs[i] || !specs[std::min(i, specs.size() - 1)].host) continue;
      std::set<std::string> names;
      rewrite::collect_constants(graph, node.inputs[i], names);
      for (const std::string& name : names) log.fix(name, "shapes that depend on it");
    }
    for (const auto& body : node.bodies) fix_host_operands(*body, log);
  }
}

}  // namespace

void declare_weights(const model_internal::ModelState& model, const ir::Graph& graph, rewrite::RewriteLog& log) {
  for (const auto& [name, data] : model.weights) log.weights.insert(name);
  for (const std::string& name : model.fixed_weights) log.fix(name, "the import of a node that reads it");
  // Shape inference follows what short lists of integers hold.
  for (const auto& [name, data] : model.weights)
    if (!is_floating(data.dtype()) && data.rank() <= 1) log.fix(name, "shapes that may depend on it");
  fix_host_operands(graph, log);
}

std::map<std::string, engine_internal::WeightSource> weight_sources(const model_internal::ModelState& model, const plan::Program& program,
                                                                    const rewrite::RewriteLog& log) {
  std::map<std::string, engine_internal::WeightSource> sources;
  for (const auto& [name, data] : model.weights) {
    engine_internal::WeightSource& source = sources[name];
    source.dtype = data.dtype();
    source.shape = data.shape();
    if (const auto fixed = log.fixed().find(name); fixed != log.fixed().end()) source.fixed_by = fixed->second;
    const ir::ValueId constant = program.graph->find_value(name);
    if (constant && program.graph->value(constant).constant.raw() != data.raw()) source.fixed_by = "a value of the graph that has its name";
    if (!source.fixed_by.empty()) source.hash = engine::section_hash(data.raw(), static_cast<uint64_t>(data.bytes()));
  }
  return sources;
}

}  // namespace burnish::build_internal
