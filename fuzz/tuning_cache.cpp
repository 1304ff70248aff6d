// Any bytes as a tuning cache: what parses is written as text that parses to the same.
#include "fuzz/target.h"
#include "tune/cache.h"

using namespace burnish;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tune::TuningCache cache("");
  bool parsed = false;
  fuzz::expect_error_or_success([&] {
    cache.parse({reinterpret_cast<const char*>(data), size});
    parsed = true;
  });
  if (!parsed) return 0;
  const std::string text = cache.text();
  tune::TuningCache again("");
  again.parse(text);  // an Error here is a finding
  fuzz::expect_equal(text, again.text());
  return 0;
}
