// burnish devices: what is here, and what each device can do.
#include <fmt/core.h>

#include "base/parallel.h"
#include "command.h"

namespace burnish::tool {

Command add_devices(CLI::App& app) {
  app.add_subcommand("devices", "What is here, and what each device can do");
  return [] {
    fmt::print("reference  the naive kernels, {} threads: the oracle\n", available_cpus());
    return 0;
  };
}

}  // namespace burnish::tool
