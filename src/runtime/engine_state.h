// What an Engine holds.
#pragma once

#include <burnish/runtime.h>

#include "plan/program.h"

namespace burnish::engine_internal {

/// A weight of the model, as refit() must know it.
struct WeightSource {
  DType dtype = DType::f32;
  Shape shape;
  std::string fixed_by;  ///< what made the graph depend on its elements; empty where they may change
  uint64_t hash = 0;     ///< of the elements of a fixed one
};

struct EngineState {
  std::shared_ptr<const plan::Program> program;
  std::map<std::string, std::string> model_metadata;
  /// What the build wrote down for `explain` and `diff` (build/record.h): JSON text, read only when asked for.
  std::string record;
  std::map<std::string, WeightSource> weights;
  double build_seconds = 0;
  int64_t weights_bytes = 0;
};

}  // namespace burnish::engine_internal

namespace burnish::runtime {

/// Names, types and symbolic shapes of a graph's inputs / outputs.
std::vector<IoInfo> input_infos(const ir::Graph& graph);
std::vector<IoInfo> output_infos(const ir::Graph& graph);

}  // namespace burnish::runtime
