// libFuzzer's hook for fuzz_engine_file.
#include <algorithm>
#include <cstring>

#include "fuzz/engine_mutator.h"

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  burnish::fuzz::EngineMutator mutator(data, size, seed);
  mutator.change();
  const std::string changed = mutator.bytes();
  if (changed.size() > max_size) return std::min(size, max_size);
  std::memcpy(data, changed.data(), changed.size());
  return changed.size();
}
