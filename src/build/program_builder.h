// From a graph to a program: the optimiser's passes, the cover, and the same for bodies.
#pragma once

#include <burnish/build.h>

#include "cover/cover.h"
#include "plan/program.h"

namespace burnish::build_internal {

struct BuiltProgram {
  std::shared_ptr<plan::Program> program;
  double estimated_us = 0;
  std::vector<std::string> notes;
};

/// Optimises `graph`, which becomes the program's; its FP32 values take the type `narrow` where that is safe. Bodies stay FP32.
BuiltProgram build_program(std::shared_ptr<ir::Graph> graph, tune::Tuner& tuner, std::shared_ptr<device::Device> device, const BuildOptions& options,
                           std::optional<DType> narrow = {});

}  // namespace burnish::build_internal
