// Counts what the process allocates between two moments, by who asked for it.
#pragma once

#include <cstdint>
#include <string>

namespace burnish::test {

/// What was asked of operator new, malloc and their kin while one of these lived, on any thread. oneDNN and
/// libgomp are not counted: oneDNN makes a table of a primitive's arguments at each call, which nobody can
/// keep it from. One at a time, in test programs that link allocations.cpp.
class CountAllocations {
 public:
  CountAllocations();
  ~CountAllocations();
  /// False where a sanitizer owns the allocator: nothing is seen.
  static bool works();
  int64_t count() const;
  /// The function that asked first, as far as it has a name.
  std::string first() const;
};

}  // namespace burnish::test
