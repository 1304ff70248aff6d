// Any bytes as the tuning cache that another build wrote meanwhile: saving merges with it, or is an Error
// that leaves the file alone; what is saved reads the same.
#include "base/files.h"
#include "fuzz/target.h"
#include "tune/cache.h"

using namespace burnish;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const fuzz::ScratchFolder folder;
  static const std::string path = folder.file("tuning.txt");
  std::filesystem::remove(path);
  tune::TuningCache ours(path);
  ours.add("device", "problem", {{"tactic", "candidate", 1.25, ""}, {"another", "", 0, "no such layout"}});

  fuzz::write_bytes(path, data, size);
  const std::string theirs(reinterpret_cast<const char*>(data), size);
  if (!fuzz::expect_error_or_success([&] { ours.save(); })) {
    fuzz::expect_equal(theirs, read_file(path));
    return 0;
  }
  const tune::TuningCache again(path);  // an Error here is a finding
  fuzz::expect_equal(ours.text(), again.text());
  const tune::Trials* trials = again.find("device", "problem");
  if (!trials || trials->size() != 2) std::abort();
  return 0;
}
