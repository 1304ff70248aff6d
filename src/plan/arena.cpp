#include "plan/arena.h"

#include <algorithm>
#include <numeric>

namespace burnish::plan {
namespace {

int64_t aligned(int64_t bytes, int64_t alignment) { return (bytes + alignment - 1) / alignment * alignment; }

/// Puts each lifetime, in the given order, at the lowest offset where it collides with none placed before.
Placement place_in_order(std::span<const Lifetime> lifetimes, const std::vector<size_t>& order, int64_t alignment,
                         const SideBySide& side_by_side) {
  Placement placement;
  placement.offsets.assign(lifetimes.size(), 0);
  std::vector<size_t> placed;  // sorted by offset
  for (size_t index : order) {
    const Lifetime& lifetime = lifetimes[index];
    const int64_t bytes = aligned(lifetime.bytes, alignment);
    int64_t best = -1, best_gap = 0, end = 0;
    for (size_t other : placed) {
      const Lifetime& neighbour = lifetimes[other];
      const bool apart = neighbour.last < lifetime.first || neighbour.first > lifetime.last;
      if (apart && !(side_by_side && side_by_side(index, other))) continue;
      const int64_t gap = placement.offsets[other] - end;
      // The tightest gap that fits wastes least.
      if (gap >= bytes && (best < 0 || gap < best_gap)) best = end, best_gap = gap;
      end = std::max(end, placement.offsets[other] + aligned(neighbour.bytes, alignment));
    }
    placement.offsets[index] = best < 0 ? end : best;
    placement.bytes = std::max(placement.bytes, placement.offsets[index] + bytes);
    const auto at = std::upper_bound(placed.begin(), placed.end(), index, [&](size_t a, size_t b) { return placement.offsets[a] < placement.offsets[b]; });
    placed.insert(at, index);
  }
  return placement;
}

int64_t largest_live_set(std::span<const Lifetime> lifetimes, int64_t alignment) {
  int steps = 0;
  for (const Lifetime& lifetime : lifetimes) steps = std::max(steps, lifetime.last + 1);
  std::vector<int64_t> change(static_cast<size_t>(steps) + 1, 0);
  for (const Lifetime& lifetime : lifetimes) {
    change[static_cast<size_t>(lifetime.first)] += aligned(lifetime.bytes, alignment);
    change[static_cast<size_t>(lifetime.last) + 1] -= aligned(lifetime.bytes, alignment);
  }
  int64_t live = 0, largest = 0;
  for (int64_t delta : change) largest = std::max(largest, live += delta);
  return largest;
}

}  // namespace

Placement place(std::span<const Lifetime> lifetimes, int64_t alignment, const SideBySide& side_by_side) {
  std::vector<size_t> by_size(lifetimes.size());
  std::iota(by_size.begin(), by_size.end(), size_t{0});
  std::vector<size_t> by_length = by_size;
  std::stable_sort(by_size.begin(), by_size.end(), [&](size_t a, size_t b) { return lifetimes[a].bytes > lifetimes[b].bytes; });
  std::stable_sort(by_length.begin(), by_length.end(), [&](size_t a, size_t b) {
    return lifetimes[a].last - lifetimes[a].first > lifetimes[b].last - lifetimes[b].first;
  });
  Placement best = place_in_order(lifetimes, by_size, alignment, side_by_side);
  Placement other = place_in_order(lifetimes, by_length, alignment, side_by_side);
  if (other.bytes < best.bytes) best = std::move(other);
  best.lower_bound = largest_live_set(lifetimes, alignment);
  return best;
}

}  // namespace burnish::plan
