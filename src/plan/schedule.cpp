#include "plan/schedule.h"

#include <algorithm>
#include <map>

namespace burnish::plan {

bool overlap(const Access& a, const Access& b) {
  if (a.root != b.root || a.begin >= b.end || b.begin >= a.end) return false;
  if (a.pitch == 0 || a.pitch != b.pitch) return true;
  // Round the circle of one pitch, b's lane begins where a's has ended, and ends before a's begins again.
  const int64_t between = ((b.begin - a.begin) % a.pitch + a.pitch) % a.pitch;
  return between < a.width || between + b.width > a.pitch;
}

namespace {

/// The latest steps that touched each root, for finding whom a step depends on.
class History {
 public:
  /// The earlier steps whose accesses collide with these; then these are remembered.
  std::vector<int> predecessors(int step, const std::vector<Access>& accesses) {
    std::vector<int> found;
    for (const Access& access : accesses)
      for (const auto& [earlier, other] : by_root_[access.root])
        if ((access.writes || other.writes) && overlap(access, other)) found.push_back(earlier);
    for (const Access& access : accesses) by_root_[access.root].emplace_back(step, access);
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
  }

 private:
  std::map<int32_t, std::vector<std::pair<int, Access>>> by_root_;
};

}  // namespace

Schedule::Schedule(const std::vector<std::vector<Access>>& accesses, int streams) {
  const size_t count = accesses.size(), words = (count + 63) / 64;
  stream_.assign(count, 0);
  waits_.resize(count);
  awaited_.assign(count, false);
  before_.assign(count, std::vector<uint64_t>(words, 0));
  History history;
  std::vector<int> tails(static_cast<size_t>(std::max(streams, 1)), -1);  // the last step of each stream
  for (size_t step = 0; step < count; ++step) {
    const std::vector<int> predecessors = history.predecessors(static_cast<int>(step), accesses[step]);
    for (int predecessor : predecessors) join(step, static_cast<size_t>(predecessor));
    // The stream of the latest predecessor that nothing has followed yet; else one that is idle: not begun, or whose last
    // step is over by now anyway; else the one that was used least recently.
    size_t chosen = tails.size();
    for (size_t stream = 0; stream < tails.size(); ++stream)
      if (tails[stream] >= 0 && std::binary_search(predecessors.begin(), predecessors.end(), tails[stream]) &&
          (chosen == tails.size() || tails[stream] > tails[chosen]))
        chosen = stream;
    for (size_t stream = 0; stream < tails.size() && chosen == tails.size(); ++stream)
      if (tails[stream] < 0 || before(static_cast<size_t>(tails[stream]), step)) chosen = stream;
    if (chosen == tails.size()) chosen = static_cast<size_t>(std::min_element(tails.begin(), tails.end()) - tails.begin());
    stream_[step] = static_cast<int>(chosen);
    streams_ = std::max(streams_, static_cast<int>(chosen) + 1);
    // A predecessor that another predecessor, or the stream's order, puts before this step needs no wait of its own.
    std::vector<int> ordered = predecessors;
    if (tails[chosen] >= 0) {
      join(step, static_cast<size_t>(tails[chosen]));
      ordered.push_back(tails[chosen]);
    }
    for (int predecessor : predecessors) {
      if (stream_[static_cast<size_t>(predecessor)] == stream_[step]) continue;
      const bool implied = std::any_of(ordered.begin(), ordered.end(), [&](int other) {
        return other != predecessor && before(static_cast<size_t>(predecessor), static_cast<size_t>(other));
      });
      if (implied) continue;
      waits_[step].push_back(predecessor);
      awaited_[static_cast<size_t>(predecessor)] = true;
    }
    tails[chosen] = static_cast<int>(step);
  }
}

void Schedule::join(size_t step, size_t predecessor) {
  for (size_t word = 0; word < before_[step].size(); ++word) before_[step][word] |= before_[predecessor][word];
  before_[step][predecessor / 64] |= uint64_t{1} << (predecessor % 64);
}

}  // namespace burnish::plan
