// Every value of a run, as the kernels made it.
#pragma once

#include "runtime/session_state.h"

namespace burnish::runtime {

struct ObservedValue {
  ir::ValueId id;  ///< in the program's graph
  bool by_kernel =
      false;      ///< a kernel, or a loop's body, made it; else it is a view, or was worked out from such
  Tensor tensor;  ///< on the host, row-major
};

struct ObservedRun {
  std::vector<ObservedValue>
      values;  ///< in the order of the graph, without inputs and what depends on weights alone
  std::vector<Tensor> outputs;  ///< on the host, in the graph's order
};

/// Runs once, waiting after each step. Values inside bodies are not among them.
ObservedRun observe_run(session_internal::SessionState& state, const std::vector<Tensor>& inputs);

}  // namespace burnish::runtime
