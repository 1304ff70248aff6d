// From FP32 to the narrower types that the user allows.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"

namespace burnish::precision {

struct LowerOptions {
  DType narrow = DType::f16;  ///< f16 or bf16
  /// Values whose own rounding to the narrow type costs more than this in relative L2 stay FP32: those that overflow it,
  /// and those that vanish in it. Eight times what rounding costs a value in range.
  double largest_rounding_error(DType type) const { return type == DType::f16 ? 2e-3 : 1.6e-2; }
  /// The outputs may lie this far, in relative L2, from FP32's on seeded inputs; else more stays FP32.
  double largest_output_error = 5e-2;
  /// Graphs of more multiplications than this at opt are not run: what is known of the ops decides alone.
  double largest_run_macs = 3e11;
  uint64_t seed = 0;
};

/// Gives nodes of the graph, whose values are FP32, the narrow type where that is safe: what accumulates does so in FP32
/// inside its kernel, what overflows or loses too much (exponentials, powers, roots, sums of squares, recurrences, and every
/// value that a run on the reference shows to) stays FP32 as it is. Inputs and outputs keep their types, with casts behind
/// and before them. When the outputs are too far off after all, first only contractions and what moves data stay narrow,
/// then nothing. Gives lines that say what stayed, and why.
std::vector<std::string> lower_precision(ir::Graph& graph, const LowerOptions& options);

}  // namespace burnish::precision
