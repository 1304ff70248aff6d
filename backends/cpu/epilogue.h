// The pointwise ops behind a contraction, as oneDNN's post-ops.
#pragma once

#include "backends/cpu/onednn_tactic.h"

namespace burnish::cpu {

struct Epilogue {
  onednn::PostOps steps;
  /// Second operands of the binary steps, in order; their `argument` is set for their step.
  std::vector<Operand> operands;
  int accumulates = -1;  ///< as in Operation
};

enum class Residual : uint8_t {
  in_place,  ///< the first tensor like the output that is added is accumulated where it lies
  read,      ///< every operand is read beside
};

/// Reads the chain that starts at the body's value `from`, which the contraction makes, and ends in the problem's one
/// output. Says which op cannot be expressed.
device::Support read_epilogue(const Request& request, ir::ValueId from, Residual residual, Epilogue& epilogue);

/// True if the chain adds a tensor that could be accumulated in place.
bool may_accumulate(const device::Problem& problem);

}  // namespace burnish::cpu
