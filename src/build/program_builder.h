// From a graph to a program: the optimiser's passes, the cover, and the same for bodies.
#pragma once

#include <burnish/build.h>

#include "cover/cover.h"
#include "plan/program.h"
#include "rewrite/driver.h"

namespace burnish::build_internal {

/// What the programs of one build, the model's and its bodies', are made with.
struct ProgramContext {
  tune::Tuner& tuner;
  std::shared_ptr<device::Device> device;
  const BuildOptions& options;
  const rewrite::RuleSet& more_rules;
  rewrite::RewriteLog log;
  std::vector<cover::RefusedRegion> refused_regions = {};
  std::vector<std::string> precision_notes = {};  ///< what stays in FP32 and why, one line each
  double microseconds = 0;  ///< of its kernels, each body's once, as measured or guessed kernel by kernel
};

/// Optimises `graph`, which becomes the program's; its FP32 values take the type `narrow` where that is safe. Bodies stay FP32.
std::shared_ptr<plan::Program> build_program(std::shared_ptr<ir::Graph> graph, ProgramContext& context, std::optional<DType> narrow = {});

}  // namespace burnish::build_internal
