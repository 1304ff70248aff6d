#include "tune/compile_ahead.h"

#include <algorithm>

#include "base/error.h"

namespace burnish::tune {
namespace {

/// Codes that wait to be taken: some tens of megabytes.
constexpr size_t most_kept = 1024;

/// Problems that are the same at the sizes that they are tuned for may have other candidates.
std::string key_of(const device::Problem& problem, const std::vector<Way>& ways) {
  std::string key = problem.text();
  for (const Way& way : ways) key += "\n" + way.tactic->name() + " " + way.candidate.id;
  return key;
}

}  // namespace

CompileAhead::CompileAhead(device::Device& device, int threads) : device_(device), most_threads_(threads) {}

CompileAhead::~CompileAhead() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void CompileAhead::expect(const device::Problem& problem, std::vector<Way> ways) {
  if (!runs_ahead() || ways.empty()) return;
  {
    std::lock_guard lock(mutex_);
    Codes codes(ways.size());
    const auto [at, fresh] = jobs_.try_emplace(key_of(problem, ways), nullptr);
    if (!fresh) return;
    at->second = std::make_shared<Job>(Job{at->first, problem, std::move(ways), std::move(codes)});
    queue_.push_back(at->second);
    if (static_cast<int>(threads_.size()) < most_threads_) threads_.emplace_back([this] { work(); });
  }
  changed_.notify_all();
}

void CompileAhead::expect_no_more() {
  std::lock_guard lock(mutex_);
  queue_.clear();
  jobs_.clear();
  kept_ = 0;
}

CompileAhead::Codes CompileAhead::take(const device::Problem& problem, const std::vector<Way>& ways) {
  std::unique_lock lock(mutex_);
  const std::string key = key_of(problem, ways);
  std::shared_ptr<Job>& known = jobs_[key];
  if (!known) known = std::make_shared<Job>(Job{key, problem, ways, Codes(ways.size())});
  const std::shared_ptr<Job> job = known;
  std::erase(queue_, job);
  if (job->begun < job->ways.size()) queue_.push_front(job);
  changed_.notify_all();
  while (job->begun < job->ways.size()) compile_next(lock);
  changed_.wait(lock, [&] { return job->done == job->ways.size(); });
  kept_ -= job->done;
  jobs_.erase(key);
  changed_.notify_all();
  return std::move(job->codes);
}

void CompileAhead::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || (!queue_.empty() && kept_ < most_kept); });
    if (stopping_) return;
    compile_next(lock);
  }
}

void CompileAhead::compile_next(std::unique_lock<std::mutex>& lock) {
  const std::shared_ptr<Job> job = queue_.front();
  const size_t i = job->begun++;
  if (job->begun == job->ways.size()) queue_.pop_front();
  lock.unlock();
  std::optional<std::string> code;
  try {
    code = job->ways[i].tactic->compile(job->problem, job->ways[i].candidate, device_);
  } catch (const std::exception&) {
  }
  lock.lock();
  job->codes[i] = std::move(code);
  ++job->done;
  if (const auto at = jobs_.find(job->key); at != jobs_.end() && at->second == job) ++kept_;
  changed_.notify_all();
}

}  // namespace burnish::tune
