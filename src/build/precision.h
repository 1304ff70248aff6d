// What BuildOptions::precision means for one build.
#pragma once

#include <burnish/build.h>

#include "build/program_builder.h"

namespace burnish::build_internal {

struct Arithmetic {
  bool tf32 = false;              ///< contractions of FP32 may round their operands to TF32
  std::vector<Precision> narrow;  ///< what values may be stored in: fp16, bf16, in this order
};

/// Without a list: FP32, with TF32 where the device has it. Throws UsageError for int8 and fp8 where the
/// graph brings no quantised values along, since that needs calibration.
Arithmetic allowed_arithmetic(const std::vector<Precision>& allowed, const ir::Graph& graph);

/// A program, with what its making told.
struct Built {
  ProgramContext context;
  std::shared_ptr<plan::Program> program;
};

/// Builds `graph` in the narrow type that pays, or in FP32. A type that the device does not compute in pays
/// nowhere. On the host both programs are built, and the narrow one is taken only where a whole run of it
/// measures faster (where nothing may be timed: is guessed to be faster); a GPU's tensor cores are taken at
/// their word, since a second build would cost as much time again. The first narrow type is taken in any case
/// with BuildOptions::force_precision. `fresh` is what each program's making begins with; the cache remembers
/// the times.
Built build_in_best_precision(const std::shared_ptr<ir::Graph>& graph, const std::vector<Precision>& narrow,
                              const ProgramContext& fresh, tune::TuningCache& cache);

}  // namespace burnish::build_internal
