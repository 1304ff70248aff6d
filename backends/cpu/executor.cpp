#include "backends/cpu/executor.h"

#include <omp.h>
#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <thread>

#include "base/parallel.h"

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

namespace burnish::cpu {
namespace {

// ThreadSanitizer sees nothing of what libgomp does. It is told here what the start and the end of a team
// order.
#ifdef __SANITIZE_THREAD__
void happens_before(void* edge) { __tsan_release(edge); }
void happens_after(void* edge) { __tsan_acquire(edge); }
#else
void happens_before(void*) {}
void happens_after(void*) {}
#endif

/// One loop, whose tasks a team takes one by one.
struct Loop {
  const FunctionRef<void(int)>* task;
  int count;
  std::atomic<int> next{0};
};

/// One thread's share of the loop.
void work(Loop& loop) {
  happens_after(&loop);
  for (int i = loop.next.fetch_add(1, std::memory_order_relaxed); i < loop.count;
       i = loop.next.fetch_add(1, std::memory_order_relaxed))
    (*loop.task)(i);
  happens_before(&loop);
}

/// Not instrumented, since what the compiler makes of the pragma reads what libgomp passes on. Always the
/// whole team: libgomp ends and restarts threads when regions differ in size.
__attribute__((no_sanitize("thread"))) void work_on_team(Loop& loop, int threads) {
#pragma omp parallel num_threads(threads)
  work(loop);
}

/// Loops of the reference kernels and of our own on the calling thread's OpenMP team.
class OpenMpTeam : public Parallel {
 public:
  explicit OpenMpTeam(int threads) : threads_(threads) {}
  int threads() const override { return threads_; }

  void run(int count, FunctionRef<void(int)> task) override {
    if (count <= 1 || threads_ == 1 || omp_in_parallel()) {
      for (int i = 0; i < count; ++i) task(i);
      return;
    }
    Loop loop{&task, count};
    happens_before(&loop);
    work_on_team(loop, threads_);
    happens_after(&loop);
  }

 private:
  const int threads_;
};

/// The team size of the calling thread, for the life of this object.
class TeamSize {
 public:
  explicit TeamSize(int threads) : previous_(omp_get_max_threads()), team_(threads), scope_(team_) {
    omp_set_num_threads(threads);
  }
  ~TeamSize() { omp_set_num_threads(previous_); }

 private:
  int previous_;
  OpenMpTeam team_;
  ParallelScope scope_;
};

struct Job {
  int threads;
  const std::function<void()>* body;
  std::exception_ptr failure = {};
  std::atomic<int> done{0};
  Job* next = nullptr;  ///< in the queue
};

using Clock = std::chrono::steady_clock;

/// Looks out for `arrived` a while before its caller sleeps, since to be woken on another core takes longer
/// than a small network; but yields, since the other thread may be waiting for this very core.
bool comes_soon(const auto& arrived) {
  const auto until = Clock::now() + std::chrono::microseconds(50);
  while (!arrived()) {
    if (Clock::now() >= until) return false;
    sched_yield();
  }
  return true;
}

class Executor {
 public:
  Executor() { std::thread(&Executor::loop, this).detach(); }

  void run(Job& job) {
    {
      std::lock_guard lock(mutex_);
      (last_ ? last_->next : first_) = &job;
      last_ = &job;
    }
    posted_.fetch_add(1, std::memory_order_release);
    posted_.notify_one();
    // Beside a longer run the looking would take time from the team.
    const bool brief = latest_.load(std::memory_order_relaxed) < std::chrono::microseconds(30);
    if (brief && comes_soon([&] { return job.done.load(std::memory_order_acquire) != 0; })) return;
    job.done.wait(0, std::memory_order_acquire);
  }

  static bool is_current() { return current_; }

 private:
  void loop() {
    current_ = true;
    for (uint32_t seen = 0;; ++seen) {
      wait_for_more_than(seen);
      Job* job = take();
      const auto start = Clock::now();
      try {
        const TeamSize team(job->threads);
        (*job->body)();
      } catch (...) {
        job->failure = std::current_exception();
      }
      latest_.store(Clock::now() - start, std::memory_order_relaxed);
      job->done.store(1, std::memory_order_release);
      job->done.notify_one();  // wakes by address alone: the job may be gone by now
    }
  }

  Job* take() {
    std::lock_guard lock(mutex_);
    Job* job = first_;
    first_ = job->next;
    if (!first_) last_ = nullptr;
    return job;
  }

  /// A session that runs again and again comes back within microseconds.
  void wait_for_more_than(uint32_t seen) {
    const auto posted = [&] { return posted_.load(std::memory_order_acquire) != seen; };
    if (comes_soon(posted)) return;
    while (!posted()) posted_.wait(seen, std::memory_order_acquire);
  }

  static inline thread_local bool current_ = false;
  std::mutex mutex_;
  Job *first_ = nullptr, *last_ = nullptr;  ///< a queue of jobs that their posters own
  std::atomic<uint32_t> posted_{0};
  std::atomic<Clock::duration> latest_{Clock::duration::zero()};  // how long the last job took
};

std::atomic<Executor*> shared{nullptr};

/// Started on first use, never ended: at exit there is no safe moment to join it. A forked child, which has
/// none of its parent's threads, starts its own.
Executor& executor() {
  static std::mutex starting;
  static const int at_fork = pthread_atfork(nullptr, nullptr, [] { shared.store(nullptr); });
  static_cast<void>(at_fork);
  if (Executor* running = shared.load(std::memory_order_acquire)) return *running;
  std::lock_guard lock(starting);
  if (!shared.load()) shared.store(new Executor, std::memory_order_release);
  return *shared.load();
}

}  // namespace

void execute(int threads, const std::function<void()>& body) {
  if (Executor::is_current()) {
    const TeamSize team(threads);
    return body();
  }
  Job job{threads, &body};
  executor().run(job);
  if (job.failure) std::rethrow_exception(job.failure);
}

}  // namespace burnish::cpu
