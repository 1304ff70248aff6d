// How a program's steps are enqueued: over how many streams, and whether each asks for the next one's weights.
#pragma once

#include <burnish/build.h>

#include "plan/program.h"
#include "tune/cache.h"

namespace burnish::build_internal {

struct Enqueueing {
  int streams = 1;
  bool prefetch = false;
};

/// What measures fastest in whole runs on seeded inputs at opt: the number of streams, at most BuildOptions::streams (4 where
/// that is unset), then prefetching; each only where it gains two percent. The cache remembers. The plainest where the device
/// runs on the host and where nothing may be measured; one stream where no branches are independent.
Enqueueing choose_enqueueing(const std::shared_ptr<plan::Program>& program, const BuildOptions& options, tune::TuningCache& cache);

}  // namespace burnish::build_internal
