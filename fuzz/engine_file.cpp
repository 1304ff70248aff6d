// Any bytes as an engine file: an engine, or an Error. Mutations keep the checksums right, so that they reach
// what stands behind them; fuzz/engine_mutator.h.
#include <burnish/runtime.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz/target.h"

using namespace burnish;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A file in memory: loading maps it as it maps any other.
  const int file = memfd_create("engine", 0);
  if (file < 0 || write(file, data, size) != static_cast<ssize_t>(size)) std::abort();
  fuzz::expect_error_or_success([&] {
    LoadOptions options;
    options.device = "reference";
    options.threads = 1;
    const Engine engine = Engine::load("/proc/self/fd/" + std::to_string(file), options);
    engine.inputs();
    engine.outputs();
  });
  close(file);
  return 0;
}
