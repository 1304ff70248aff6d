// Any bytes as an engine file: an engine, or an Error. What loads saves as a file that loads, and that saves
// as the same bytes. Mutations keep the checksums right, so that they reach what stands behind them;
// fuzz/engine_mutator.h.
#include <burnish/runtime.h>

#include <optional>

#include "base/files.h"
#include "fuzz/target.h"

using namespace burnish;

namespace {

Engine load(const std::string& path) {
  LoadOptions options;
  options.device = "reference";
  options.threads = 1;
  options.on_log = [](const std::string&) {};
  return Engine::load(path, options);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const fuzz::ScratchFolder folder;
  static const std::string given = folder.file("given.burnish"), saved = folder.file("saved.burnish"),
                           again = folder.file("again.burnish");
  fuzz::write_bytes(given, data, size);
  std::optional<Engine> engine;
  if (!fuzz::expect_error_or_success([&] { engine = load(given); })) return 0;
  engine->inputs();
  engine->outputs();
  engine->save(saved);  // an Error from here on is a finding
  load(saved).save(again);
  fuzz::expect_equal(read_file(saved), read_file(again));
  return 0;
}
