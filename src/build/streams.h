// How many streams a program's independent branches are spread over.
#pragma once

#include <burnish/build.h>

#include "plan/program.h"
#include "tune/cache.h"

namespace burnish::build_internal {

/// The number of streams, at most BuildOptions::streams (4 where that is unset), with which whole runs on seeded inputs at
/// opt measure fastest; one stream unless more gain two percent. The cache remembers. One where the device runs on the host,
/// where nothing may be measured, and where no branches are independent.
int choose_streams(const std::shared_ptr<plan::Program>& program, const BuildOptions& options, tune::TuningCache& cache);

}  // namespace burnish::build_internal
