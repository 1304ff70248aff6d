#include "build/record.h"

#include <filesystem>

#include <nlohmann/json.hpp>

namespace burnish::build_internal {
namespace {

using json = nlohmann::ordered_json;

json time_or_null(double microseconds) { return microseconds > 0 ? json(microseconds) : json(nullptr); }

json options_record(const BuildOptions& options) {
  json precision = json::array();
  for (Precision one : options.precision) precision.push_back(precision_name(one));
  json ranges = json::object();
  for (const auto& [name, range] : options.shape_ranges)
    ranges[name] = {{"min", range.min}, {"opt", range.opt}, {"max", range.max}};
  return {
      {"precision", precision}, {"shapes", options.shapes},   {"ranges", ranges},
      {"io", options.io},       {"streams", options.streams}, {"tune", options.measure ? "measure" : "model"},
      {"arch", options.arch},   {"passes", options.passes},   {"rules", options.rules}};
}

json device_record(const device::DeviceInfo& info) {
  json libraries = json::object();
  for (const auto& [name, version] : info.libraries) libraries[name] = version;
  return {{"backend", info.backend},
          {"name", info.name},
          {"arch", info.arch},
          {"threads", info.threads},
          {"libraries", libraries}};
}

json rewrites_record(const std::vector<rewrite::Rewrite>& rewrites, const char* what) {
  json list = json::array();
  for (const rewrite::Rewrite& one : rewrites)
    list.push_back({{"rule", one.name}, {"where", one.where}, {what, one.what}});
  return list;
}

json alternatives_record(const std::vector<device::Alternative>& alternatives) {
  json list = json::array();
  for (const device::Alternative& one : alternatives) {
    json entry = {{"tactic", one.tactic}, {"candidate", one.candidate}};
    if (one.refused.empty())
      entry["us"] = time_or_null(one.microseconds);
    else
      entry["reason"] = one.refused;
    list.push_back(std::move(entry));
  }
  return list;
}

/// "conv", or "conv, add, relu" for a region.
std::string ops_text(const ir::Node& node) {
  if (node.op->name != "region") return node.op->name;
  std::string names;
  for (ir::NodeId id : node.bodies[0]->order())
    names += (names.empty() ? "" : ", ") + node.bodies[0]->node(id).op->name;
  return names;
}

/// The first of its outputs that something wants.
std::string value_name(const ir::Graph& graph, const ir::Node& node) {
  for (ir::ValueId output : node.outputs)
    if (output) return graph.value(output).name;
  return {};
}

class KernelList {
 public:
  json kernels = json::array(), problems = json::array();

  void add(const plan::Program& program, const std::string& inside) {
    const ir::Graph& graph = *program.graph;
    for (ir::NodeId id : graph.order()) {
      const ir::Node& node = graph.node(id);
      const device::Choice& choice = program.choice(id);
      if (!choice.tactic.empty())
        kernels.push_back({{"node", node.source},
                           {"value", value_name(graph, node)},
                           {"op", ops_text(node)},
                           {"inside", inside},
                           {"tactic", choice.tactic},
                           {"candidate", choice.candidate},
                           {"us", time_or_null(choice.microseconds)},
                           {"problem", index_of(*program.problems[static_cast<size_t>(id.index)], choice)}});
      const auto bodies = program.bodies.find(id.index);
      if (bodies == program.bodies.end()) continue;
      for (const auto& body : bodies->second) add(*body, node.source);
    }
  }

 private:
  /// Equal layers of a network are one problem.
  size_t index_of(const device::Problem& problem, const device::Choice& choice) {
    const auto [found, fresh] = known_.emplace(problem.text(), problems.size());
    if (fresh)
      problems.push_back(
          {{"text", problem.text()}, {"alternatives", alternatives_record(choice.alternatives)}});
    return found->second;
  }

  std::map<std::string, size_t> known_;
};

}  // namespace

std::string make_record(const model_internal::ModelState& model, const plan::Program& program,
                        const ProgramContext& context) {
  json regions = json::array();
  for (const cover::RefusedRegion& one : context.refused_regions)
    regions.push_back({{"where", one.where},
                       {"ops", one.ops},
                       {"us", time_or_null(one.microseconds)},
                       {"reason", one.reason}});
  KernelList list;
  list.add(program, "");
  const json record = {{"model", std::filesystem::path(model.path).filename().string()},
                       {"burnish", BURNISH_VERSION},
                       {"device", device_record(program.device->info())},
                       {"options", options_record(context.options)},
                       {"rewrites", rewrites_record(context.log.hits(), "what")},
                       {"near_misses", rewrites_record(context.log.misses(), "reason")},
                       {"refused_regions", std::move(regions)},
                       {"precision", context.precision_notes},
                       {"kernels", std::move(list.kernels)},
                       {"problems", std::move(list.problems)}};
  // Names in a model may be any bytes.
  return record.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace burnish::build_internal
