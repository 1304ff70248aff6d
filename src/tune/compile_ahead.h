// Compiling candidates before they are tried, on the processors that measuring leaves idle.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "device/device.h"

namespace burnish::tune {

/// A tactic and one of its configurations.
struct Way {
  const device::Tactic* tactic = nullptr;
  device::Candidate candidate;
};

/// What Tactic::compile() makes of the ways to run a problem. Compiling depends on nothing but the way: the code is the same
/// whether it was made ahead or not.
class CompileAhead {
 public:
  /// Of each way; none where compiling failed, which trying the way then says.
  using Codes = std::vector<std::optional<std::string>>;

  /// Up to `threads` threads compile ahead; with 0 all is compiled when it is asked for. `device` outlives this.
  CompileAhead(device::Device& device, int threads);
  /// Drops what has not begun and waits for the rest.
  ~CompileAhead();
  CompileAhead(const CompileAhead&) = delete;

  bool runs_ahead() const { return most_threads_ > 0; }
  /// take() will be called for the problem: after those that were expected before, as far as one can tell.
  void expect(const device::Problem& problem, std::vector<Way> ways);
  /// What was expected and not taken is not wanted any more; what has begun ends by itself.
  void expect_no_more();
  /// The codes of a problem; what is not there yet is compiled now, on the calling thread too.
  Codes take(const device::Problem& problem, const std::vector<Way>& ways);

 private:
  /// The ways of one problem. They are begun in order; what is compiled lies in `codes`.
  struct Job {
    std::string key;
    device::Problem problem;
    std::vector<Way> ways;
    Codes codes;
    size_t begun = 0, done = 0;
  };

  void work();
  /// Compiles the next way of the job at the head of the queue; `lock` is let go meanwhile.
  void compile_next(std::unique_lock<std::mutex>& lock);

  device::Device& device_;
  const int most_threads_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::shared_ptr<Job>> jobs_;  // not taken yet, by the problem and its ways
  std::deque<std::shared_ptr<Job>> queue_;            // those with ways that are not begun
  size_t kept_ = 0;                                   // codes that are compiled and not taken
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace burnish::tune
