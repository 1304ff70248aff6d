// Runs a model as the options ask: the one place where commands meet devices.
#pragma once

#include <burnish/build.h>

#include <functional>

#include "options.h"

namespace burnish::tool {

struct KernelCount {
  int64_t kernels = 0;           ///< of the last run
  int64_t fallback_kernels = 0;  ///< those on the reference because the device has none of its own
};

struct Runner {
  std::function<TensorMap(const TensorMap& inputs)> run;
  std::function<KernelCount()> count;
};

Runner make_runner(const Model& model, const CommonOptions& options);

}  // namespace burnish::tool
