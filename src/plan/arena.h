// Offsets in one block of memory for buffers that live for a time.
#pragma once

#include <cstdint>
#include <functional>
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

/// Whether the lifetimes of these two indices may be live at one time although their steps are apart.
using SideBySide = std::function<bool(size_t, size_t)>;

/// Places the lifetimes so that no two that are live at one step overlap, nor two that `side_by_side` names. Greedy by size (Pisarchyk and Lee,
/// arXiv:2001.03288), and greedy by lifetime as a second try, each improved by moving what sticks out to the front; the smaller
/// arena wins.
Placement place(std::span<const Lifetime> lifetimes, int64_t alignment = 64,
                const SideBySide& side_by_side = {});

}  // namespace burnish::plan
