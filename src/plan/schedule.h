// Which stream each step of a segment runs on, and whom it waits for.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace burnish::plan {

/// A stretch of memory that a step reads or writes: bytes `begin` to `end` of root `root`.
struct Access {
  int32_t root = 0;
  int64_t begin = 0, end = 0;
  bool writes = false;
  /// With a pitch: of every `pitch` bytes from `begin` on the first `width` only.
  int64_t pitch = 0, width = 0;
};

/// Whether both touch some byte.
bool overlap(const Access& a, const Access& b);

/// Steps of one stream run in order; a wait orders two streams. Everything else may run side by side.
class Schedule {
 public:
  /// Steps that touch the same bytes, one of them writing, keep their order. A step goes on on the stream of the step
  /// before it that it depends on, if none has gone on there yet; branches get streams of their own, up to `streams`.
  Schedule(const std::vector<std::vector<Access>>& accesses, int streams);

  int streams() const { return streams_; }
  int stream(size_t step) const { return stream_[step]; }
  /// The steps of other streams that must end before this one starts and that nothing else orders before it.
  const std::vector<int>& waits(size_t step) const { return waits_[step]; }
  /// Whether a step of another stream waits for this one.
  bool is_awaited(size_t step) const { return awaited_[step]; }
  /// Whether step `a` always ends before step `b` starts.
  bool before(size_t a, size_t b) const { return (before_[b][a / 64] >> (a % 64) & 1) != 0; }

 private:
  void join(size_t step, size_t predecessor);

  int streams_ = 1;
  std::vector<int> stream_;
  std::vector<std::vector<int>> waits_;
  std::vector<bool> awaited_;
  std::vector<std::vector<uint64_t>> before_;  ///< by step: a bit for each step that ends before it starts
};

}  // namespace burnish::plan
