// Offsets in one block of memory for buffers that live for a time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace burnish::plan {

/// Bytes that are needed from step `first` to step `last`, both included.
struct Lifetime {
  int64_t bytes = 0;
  int first = 0, last = 0;
};

struct Placement {
  std::vector<int64_t> offsets;  ///< one per lifetime, aligned
  int64_t bytes = 0;             ///< the arena's size
  /// The largest sum of bytes live at one step: no placement can be smaller.
  int64_t lower_bound = 0;
};

/// Places the lifetimes so that no two that are live at one step overlap. Greedy by size (Pisarchyk and Lee,
/// arXiv:2001.03288), and greedy by lifetime as a second try; the smaller arena wins.
Placement place(std::span<const Lifetime> lifetimes, int64_t alignment = 64);

}  // namespace burnish::plan
