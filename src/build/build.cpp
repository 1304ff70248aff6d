#include <burnish/burnish.h>

#include <fmt/format.h>

#include <chrono>
#include <set>

#include "base/error.h"
#include "build/model.h"
#include "build/precision.h"
#include "build/program_builder.h"
#include "build/shapes.h"
#include "build/streams.h"
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

}  // namespace

Engine build(const Model& model, const BuildOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  std::shared_ptr<ir::Graph> graph = model.state().graph->clone();
  build_internal::apply_shapes(*graph, options);
  const build_internal::Arithmetic arithmetic = build_internal::allowed_arithmetic(options.precision, *graph);
  const std::shared_ptr<device::Device> device = device::open_device(options.device, {options.threads, arithmetic.tf32});
  std::string cache_path = options.tuning_cache.value_or(tune::TuningCache::default_path());
  if (cache_path == "none") cache_path.clear();
  const auto cache = std::make_shared<tune::TuningCache>(cache_path);
  tune::TunerOptions tuner_options;
  tuner_options.measure = options.measure;
  tune::Tuner tuner(device, cache, tuner_options);

  build_internal::BuiltProgram built = build_internal::build_program(graph, tuner, device, options, arithmetic.narrow);
  built.program->streams = build_internal::choose_streams(built.program, options, *cache);
  cache->save();
  auto state = std::make_shared<engine_internal::EngineState>();
  state->model_metadata = model.state().metadata;
  std::set<const void*> seen;
  state->weights_bytes = packed_bytes(*built.program, seen);
  state->program = std::move(built.program);
  state->build_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return Engine(std::move(state));
}

Engine build(const std::string& path, const BuildOptions& options) { return build(Model::load(path), options); }

}  // namespace burnish
