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

/// Places in that order, then again and again with whoever sticks out at the top moved to the front, where there is room
/// for it; the best of these tries.
Placement improve(std::span<const Lifetime> lifetimes, std::vector<size_t> order, int64_t lower_bound, int64_t alignment,
                  const SideBySide& side_by_side) {
  constexpr int most_tries = 64;
  Placement best = place_in_order(lifetimes, order, alignment, side_by_side), last = best;
  for (int i = 0; i < most_tries && best.bytes > lower_bound; ++i) {
    const auto top = std::find_if(order.begin(), order.end(), [&](size_t index) {
      return last.offsets[index] + aligned(lifetimes[index].bytes, alignment) == last.bytes;
    });
    if (top == order.begin()) break;
    std::rotate(order.begin(), top, top + 1);
    last = place_in_order(lifetimes, order, alignment, side_by_side);
    if (last.bytes < best.bytes) best = last;
  }
  return best;
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
  const int64_t lower_bound = largest_live_set(lifetimes, alignment);
  Placement best = improve(lifetimes, std::move(by_size), lower_bound, alignment, side_by_side);
  if (best.bytes > lower_bound) {
    Placement other = improve(lifetimes, std::move(by_length), lower_bound, alignment, side_by_side);
    if (other.bytes < best.bytes) best = std::move(other);
  }
  best.lower_bound = lower_bound;
  return best;
}

}  // namespace burnish::plan
