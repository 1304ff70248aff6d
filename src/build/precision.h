// What BuildOptions::precision means for one build.
#pragma once

#include <burnish/build.h>

#include "ir/graph.h"

namespace burnish::build_internal {

struct Arithmetic {
  bool tf32 = false;            ///< contractions of FP32 may round their operands to TF32
  std::optional<DType> narrow;  ///< what values may be stored in: f16 or bf16 (f16 where both may)
};

/// Without a list: FP32, with TF32 where the device has it. Throws UsageError for int8 and fp8 where the graph brings no
/// quantised values along, since that needs calibration.
Arithmetic allowed_arithmetic(const std::vector<Precision>& allowed, const ir::Graph& graph);

}  // namespace burnish::build_internal
