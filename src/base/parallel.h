// Parallel loops over whatever pool the calling thread belongs to.
#pragma once

#include <cstdint>
#include <memory>

#include "base/function_ref.h"

namespace burnish {

/// A pool that can run a loop. A backend installs its own with ParallelScope, so that kernels of the
/// reference which it falls back on never add threads of their own.
class Parallel {
 public:
  virtual ~Parallel() = default;
  virtual int threads() const = 0;
  /// Calls task(0) ... task(count - 1), each once, on any thread; returns when all are done.
  virtual void run(int count, FunctionRef<void(int)> task) = 0;
};

/// A pool of `threads` threads in all: the caller of run() and threads that are started on first use. One loop
/// at a time; a loop inside a loop, or beside another caller's, runs on its own thread.
std::unique_ptr<Parallel> make_pool(int threads);

/// Makes `parallel` the current pool of this thread for the life of the scope.
class ParallelScope {
 public:
  explicit ParallelScope(Parallel& parallel);
  ~ParallelScope();
  ParallelScope(const ParallelScope&) = delete;

 private:
  Parallel* previous_;
};

/// The current pool: the innermost ParallelScope's, else one of std::threads shared by the process.
Parallel& current_parallel();

/// The CPUs that this process may use: affinity and cgroup quota, at least 1.
int available_cpus();

/// Splits [0, count) into contiguous ranges of at least `grain` and calls body(begin, end) on each.
/// The split depends on count, grain and the number of threads only. The first exception is rethrown.
void parallel_for(int64_t count, int64_t grain, FunctionRef<void(int64_t, int64_t)> body);

}  // namespace burnish
