// What an Engine holds.
#pragma once

#include <burnish/runtime.h>

#include "plan/program.h"

namespace burnish::engine_internal {

struct EngineState {
  std::shared_ptr<const plan::Program> program;
  /// JSON text of what the build wrote down: model, options, times, the optimiser's log for `explain`.
  std::string metadata = "{}";
  std::map<std::string, std::string> model_metadata;
  double build_seconds = 0;
  int64_t weights_bytes = 0;
};

}  // namespace burnish::engine_internal

namespace burnish::runtime {

/// Names, types and symbolic shapes of a graph's inputs / outputs.
std::vector<IoInfo> input_infos(const ir::Graph& graph);
std::vector<IoInfo> output_infos(const ir::Graph& graph);

}  // namespace burnish::runtime
