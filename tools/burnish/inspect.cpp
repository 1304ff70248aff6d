// burnish inspect: the optimised graph, its kernels and its memory map.
#include <fmt/format.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "build/model.h"
#include "command.h"
#include "engines.h"
#include "options.h"
#include "plan/segment.h"
#include "report.h"
#include "runtime/engine_state.h"

namespace burnish::tool {
namespace {

using json = nlohmann::ordered_json;

struct InspectOptions {
  std::string model;
  bool no_passes = false;
};

/// The first stretch of the program, for the sizes that kernels were tuned for; all of it where no size
/// depends on data.
struct MemoryMap {
  plan::Segment segment;
  size_t nodes = 0;
};

MemoryMap plan_memory(const plan::Program& program) {
  MemoryMap map;
  const std::vector<ir::NodeId> order = program.graph->order();
  plan::Knowledge knowledge;
  for (const auto& [symbol, range] : program.graph->symbols) knowledge.symbols[symbol] = range.opt;
  for (ir::ValueId id : program.graph->inputs())
    knowledge.shapes[id.index] = ir::evaluate(program.graph->value(id).type.shape, knowledge.symbols);
  program.device->execute([&] { map.segment = plan::plan_segment(program, order, 0, knowledge); });
  map.nodes = order.size();
  std::sort(map.segment.buffers.begin(), map.segment.buffers.end(), [](const auto& a, const auto& b) {
    return std::pair(a.offset, a.first) < std::pair(b.offset, b.first);
  });
  return map;
}

std::string buffer_name(const ir::Graph& graph, const plan::ArenaBuffer& buffer) {
  return buffer.value ? graph.value(buffer.value).name : "workspace of " + graph.node(buffer.node).source;
}

void print_kernels(const plan::Program& program) {
  const std::vector<ir::NodeId> order = program.graph->order();
  fmt::print("\n{:>5} {:28} {:20} {:>10}  {}\n", "step", "kernel", "candidate", "us", "node");
  for (size_t i = 0; i < order.size(); ++i) {
    const device::Choice& choice = program.choice(order[i]);
    if (choice.tactic.empty()) continue;
    const std::string time = choice.microseconds > 0 ? fmt::format("{:.1f}", choice.microseconds) : "-";
    fmt::print("{:5} {:28} {:20} {:>10}  {}\n", i, choice.tactic, choice.candidate, time,
               program.graph->node(order[i]).source);
  }
}

void print_memory(const plan::Program& program, const MemoryMap& map, int64_t weights) {
  const plan::Segment& segment = map.segment;
  fmt::print(
      "\nmemory: weights {:.2f} MB; arena {} bytes, {:.1f}% above its lower bound of {}; values alone {}, "
      "largest workspace {}\n",
      static_cast<double>(weights) / 1e6, segment.arena_bytes,
      100.0 * static_cast<double>(segment.arena_bytes - segment.arena_lower_bound) /
          static_cast<double>(std::max<int64_t>(1, segment.arena_lower_bound)),
      segment.arena_lower_bound, segment.arena_values_bytes, segment.largest_workspace);
  if (segment.stop.position < map.nodes)
    fmt::print("up to step {}: sizes behind it depend on data\n", segment.stop.position);
  fmt::print("{:>12} {:>12} {:>11}  {}\n", "offset", "bytes", "steps", "value");
  for (const plan::ArenaBuffer& buffer : segment.buffers)
    fmt::print("{:12} {:12} {:>11}  {}\n", buffer.offset, buffer.bytes,
               fmt::format("{}-{}", buffer.first, buffer.last), buffer_name(*program.graph, buffer));
}

json io_json(const std::vector<IoInfo>& infos) {
  json list = json::array();
  for (const IoInfo& info : infos)
    list.push_back({{"name", info.name}, {"dtype", dtype_name(info.dtype)}, {"dims", info.dims}});
  return list;
}

json report(const Engine& engine, const MemoryMap& map) {
  const plan::Program& program = *engine.state().program;
  const device::DeviceInfo& info = program.device->info();
  json kernels = json::array(), buffers = json::array();
  const std::vector<ir::NodeId> order = program.graph->order();
  for (size_t i = 0; i < order.size(); ++i) {
    const device::Choice& choice = program.choice(order[i]);
    if (choice.tactic.empty()) continue;
    kernels.push_back({{"step", i},
                       {"tactic", choice.tactic},
                       {"candidate", choice.candidate},
                       {"us", choice.microseconds > 0 ? json(choice.microseconds) : json()},
                       {"node", program.graph->node(order[i]).source},
                       {"op", program.graph->node(order[i]).op->name}});
  }
  for (const plan::ArenaBuffer& buffer : map.segment.buffers)
    buffers.push_back({{"name", buffer_name(*program.graph, buffer)},
                       {"workspace", !buffer.value},
                       {"offset", buffer.offset},
                       {"bytes", buffer.bytes},
                       {"first", buffer.first},
                       {"last", buffer.last}});
  const plan::Segment& segment = map.segment;
  return {{"device", info.backend},
          {"device_name", info.name},
          {"inputs", io_json(engine.inputs())},
          {"outputs", io_json(engine.outputs())},
          {"graph", ir::print(*program.graph)},
          {"kernels", kernels},
          {"weights_bytes", engine.state().weights_bytes},
          {"arena_bytes", segment.arena_bytes},
          {"arena_lower_bound_bytes", segment.arena_lower_bound},
          {"arena_values_bytes", segment.arena_values_bytes},
          {"workspace_bytes", segment.largest_workspace},
          {"whole", segment.stop.position >= map.nodes},
          {"buffers", buffers}};
}

int inspect_imported(const InspectOptions& options, const CommonOptions& common) {
  if (is_engine_file(options.model))
    throw UsageError(fmt::format("--no-passes shows a model as imported; '{}' is an engine", options.model));
  const Model model = Model::load(options.model);
  const ir::Graph& graph = *model.state().graph;
  if (!common.quiet) fmt::print("{}", ir::print(graph));
  if (!common.json.empty())
    write_report(common.json, {{"inputs", io_json(model.inputs())},
                               {"outputs", io_json(model.outputs())},
                               {"graph", ir::print(graph)}});
  return 0;
}

int run(const InspectOptions& options, const CommonOptions& common) {
  if (options.no_passes) return inspect_imported(options, common);
  const Engine engine = open_engine(options.model, common);
  const plan::Program& program = *engine.state().program;
  const MemoryMap map = plan_memory(program);
  if (!common.quiet) {
    fmt::print("{}", ir::print(*program.graph));
    print_kernels(program);
    print_memory(program, map, engine.state().weights_bytes);
  }
  if (!common.json.empty())
    write_report(common.json, report(engine, map));
  return 0;
}

}  // namespace

Command add_inspect(CLI::App& app) {
  CLI::App& command = *app.add_subcommand("inspect", "The optimised graph, its kernels and its memory map");
  auto options = std::make_shared<InspectOptions>();
  command.add_option("model", options->model, "an .onnx or .burnish file")->required();
  command.add_flag("--no-passes", options->no_passes, "the graph as imported");
  command.footer(
      "\nExamples:\n  burnish inspect model.onnx --no-passes\n  burnish inspect model.burnish --json "
      "plan.json\n");
  auto common = add_common_options(command);
  return [options, common] { return run(*options, *common); };
}

}  // namespace burnish::tool
