// The pointwise ops behind a contraction, as oneDNN's post-ops.
#pragma once

#include "backends/cpu/onednn_tactic.h"

namespace burnish::cpu {

struct Epilogue {
  onednn::PostOps steps;
  /// Second operands of the binary steps, in order, and their shapes, of the output's rank.
  std::vector<Operand> operands;
  std::vector<Shape> shapes;
  int accumulates = -1;  ///< as in Operation
};

enum class Residual : uint8_t {
  in_place,  ///< the first tensor like the output that is added is accumulated where it lies
  read,      ///< every operand is read beside
};

/// Reads the chain that starts at the body's value `from`, which the contraction makes, and ends in the
/// problem's one output. Says which op cannot be expressed. The contraction sees an output of `rank`
/// dimensions, the leading ones of the problem's being merged into one.
Support read_epilogue(const Request& request, ir::ValueId from, size_t rank, Residual residual,
                      Epilogue& epilogue);

/// Takes the first step out if it adds one number per element of the last dimension: a bias, which
/// contractions have an argument of their own for.
std::optional<Operand> take_bias(Epilogue& epilogue);

/// `shape` with its leading dimensions merged so that `rank` are left.
Shape merged(const Shape& shape, size_t rank);

/// True if the chain adds a tensor that could be accumulated in place.
bool may_accumulate(const device::Problem& problem);

}  // namespace burnish::cpu
