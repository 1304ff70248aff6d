#include <burnish/burnish.h>

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "base/error.h"
#include "build/io.h"
#include "build/model.h"
#include "build/precision.h"
#include "build/record.h"
#include "build/streams.h"
#include "build/user_ops.h"
#include "build/weights.h"
#include "rules/library.h"
#include "runtime/engine_state.h"

namespace burnish {
namespace {

/// Bytes of packed weights, each memory once.
int64_t packed_bytes(const plan::Program& program, std::set<const void*>& seen) {
  int64_t bytes = 0;
  for (const device::Choice& choice : program.choices)
    for (const Tensor& constant : choice.constants)
      if (seen.insert(constant.raw()).second) bytes += constant.bytes();
  for (const auto& [index, programs] : program.bodies)
    for (const auto& body : programs) bytes += packed_bytes(*body, seen);
  return bytes;
}

/// Of ops that have no kernel on the device; empty where there are none. Arithmetic on shapes, which planning does, is none.
std::string fallback_warning(const plan::Program& program) {
  constexpr size_t most_named = 3;
  const ir::Graph& graph = *program.graph;
  std::vector<std::string> ops;
  for (ir::NodeId id : graph.order()) {
    const ir::Node& node = graph.node(id);
    const bool known = std::all_of(node.outputs.begin(), node.outputs.end(), [&](ir::ValueId output) { return !output || graph.value(output).contents || graph.value(output).constant_only; });
    if (!known && program.kernel(id) && program.choice(id).tactic == device::fallback_tactic().name()) ops.push_back(fmt::format("{} '{}'", node.op->name, node.source));
  }
  if (ops.empty() || program.device->on_host()) return "";
  const size_t all = ops.size();
  ops.resize(std::min(all, most_named));
  return fmt::format("warning: {} on the host, with copies there and back in each run ('burnish explain' says why): {}{}", all == 1 ? "one op runs" : fmt::format("{} ops run", all), fmt::join(ops, ", "),
                     all > most_named ? ", ..." : "");
}

void log_summary(const build_internal::ProgramContext& context, const BuildOptions& options) {
  if (!options.on_log) return;
  options.on_log(fmt::format("{} rewrites, {} near misses", context.log.taken(), context.log.misses().size()));
  options.on_log(fmt::format("{} candidates timed, {} of them refused", context.tuner.timed(), context.tuner.rejected().size()));
  for (const std::string& line : context.tuner.rejected()) options.on_log("refused: " + line);
  if (!context.tuner.gave_up().empty()) options.on_log("warning: " + context.tuner.gave_up());
}

}  // namespace

Engine build(const Model& model, const BuildOptions& asked) {
  const auto start = std::chrono::steady_clock::now();
  BuildOptions options = asked;
  if (options.on_progress) options.on_progress(0, "rewriting the graph");
  const std::shared_ptr<ir::Graph> graph = build_internal::requested_graph(model, options);
  const build_internal::Arithmetic arithmetic = build_internal::allowed_arithmetic(options.precision, *graph);
  const std::shared_ptr<device::Device> device = device::open_device(options.device, {options.threads, arithmetic.tf32, options.arch});
  if (!options.arch.empty() && options.arch != device->info().arch)
    throw UsageError(fmt::format("--arch {}: {} compiles kernels for {} alone", options.arch, device->info().name, device->info().arch));
  if (device->info().elsewhere) {
    options.measure = false;
    if (options.on_log) options.on_log(fmt::format("kernels are chosen untimed, for {}: {} is another architecture", options.arch, device->info().name));
  }
  std::string cache_path = options.tuning_cache.value_or(tune::TuningCache::default_path());
  if (cache_path == "none") cache_path.clear();
  const auto cache = std::make_shared<tune::TuningCache>(cache_path);
  tune::TunerOptions tuner_options;
  tuner_options.measure = options.measure;
  tune::Tuner tuner(device, cache, tuner_options);

  const std::vector<rewrite::Rule> rules = rewrite::parse_rules("rules", options.rules, rules::vocabulary());
  const rewrite::RuleSet more_rules(rules);

  build_internal::ProgramContext fresh{tuner, device, options, more_rules, rewrite::RewriteLog(options.rule_limit)};
  build_internal::declare_weights(model.state(), *graph, fresh.log);
  build_internal::settle_user_ops(*graph, fresh);
  auto state = std::make_shared<engine_internal::EngineState>();
  state->model_metadata = model.state().metadata;
  try {
    const build_internal::Built built = build_internal::build_in_best_precision(graph, arithmetic.narrow, fresh, *cache);
    const build_internal::Enqueueing enqueueing = build_internal::choose_enqueueing(built.program, options, *cache);
    built.program->streams = enqueueing.streams;
    built.program->prefetch = enqueueing.prefetch;
    state->program = built.program;
    state->weights = build_internal::weight_sources(model.state(), *built.program, built.context.log);
    state->record = build_internal::make_record(model.state(), *built.program, built.context);
    log_summary(built.context, options);
    if (const std::string warning = fallback_warning(*built.program); options.on_log && !warning.empty()) options.on_log(warning);
  } catch (...) {
    cache->save();  // what was measured until then need not be measured again
    throw;
  }
  cache->save();
  std::set<const void*> seen;
  state->weights_bytes = packed_bytes(*state->program, seen);
  state->build_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return Engine(std::move(state));
}

Engine build(const std::string& path, const BuildOptions& options) { return build(Model::load(path), options); }

}  // namespace burnish
