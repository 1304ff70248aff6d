#include "base/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace burnish {
namespace {

/// A plain pool: the caller works too, so `threads - 1` threads are started, on first use.
class ThreadPool : public Parallel {
 public:
  explicit ThreadPool(int threads) : threads_(threads) {}
  ~ThreadPool() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  int threads() const override { return threads_; }

  void run(int count, FunctionRef<void(int)> task) override {
    std::unique_lock busy(busy_, std::try_to_lock);
    if (count <= 1 || threads_ == 1 || inside_ || !busy.owns_lock()) {
      for (int i = 0; i < count; ++i) task(i);
      return;
    }
    inside_ = true;
    {
      std::lock_guard lock(mutex_);
      start_workers();
      task_ = &task;
      count_ = count;
      next_ = 0;
      active_ = static_cast<int>(workers_.size());
      ++generation_;
    }
    wake_.notify_all();
    work(task, count);
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return active_ == 0; });
    inside_ = false;
  }

 private:
  void start_workers() {
    while (static_cast<int>(workers_.size()) < threads_ - 1) {
      workers_.emplace_back([this, seen = generation_]() mutable {
        inside_ = true;
        std::unique_lock lock(mutex_);
        while (true) {
          wake_.wait(lock, [&] { return stopping_ || generation_ != seen; });
          if (stopping_) return;
          seen = generation_;
          const auto* task = task_;
          const int count = count_;
          lock.unlock();
          work(*task, count);
          lock.lock();
          if (--active_ == 0) done_.notify_one();
        }
      });
    }
  }

  void work(FunctionRef<void(int)> task, int count) {
    for (int i = next_++; i < count; i = next_++) task(i);
  }

  const int threads_;
  static inline thread_local bool inside_ = false;
  std::mutex busy_, mutex_;
  std::condition_variable wake_, done_;
  std::vector<std::thread> workers_;
  const FunctionRef<void(int)>* task_ = nullptr;
  int count_ = 0, active_ = 0;
  uint64_t generation_ = 0;
  bool stopping_ = false;
  std::atomic<int> next_{0};
};

thread_local Parallel* current = nullptr;

/// CPUs granted by the cgroup's quota (v2), or a large number without one.
int cgroup_cpus() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return 1 << 20;
  return std::max(1, static_cast<int>(std::stod(quota) / period + 0.5));
}

}  // namespace

std::unique_ptr<Parallel> make_pool(int threads) { return std::make_unique<ThreadPool>(threads); }

ParallelScope::ParallelScope(Parallel& parallel) : previous_(current) { current = &parallel; }
ParallelScope::~ParallelScope() { current = previous_; }

int available_cpus() {
  static const int count = [] {
    cpu_set_t set;
    CPU_ZERO(&set);
    int cpus = static_cast<int>(std::thread::hardware_concurrency());
    if (sched_getaffinity(0, sizeof set, &set) == 0) cpus = CPU_COUNT(&set);
    return std::max(1, std::min(cpus, cgroup_cpus()));
  }();
  return count;
}

Parallel& current_parallel() {
  if (current) return *current;
  static ThreadPool pool(available_cpus());
  return pool;
}

void parallel_for(int64_t count, int64_t grain, FunctionRef<void(int64_t, int64_t)> body) {
  if (count <= 0) return;
  Parallel& pool = current_parallel();
  const int64_t wanted = std::max<int64_t>(1, count / std::max<int64_t>(1, grain));
  const int64_t parts = std::min<int64_t>(wanted, pool.threads() > 1 ? pool.threads() * 4 : 1);
  if (parts == 1) return body(0, count);
  std::mutex mutex;
  std::exception_ptr failure;
  pool.run(static_cast<int>(parts), [&](int part) {
    try {
      body(count * part / parts, count * (part + 1) / parts);
    } catch (...) {
      std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  });
  if (failure) std::rethrow_exception(failure);
}

}  // namespace burnish
