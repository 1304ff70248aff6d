#include "tune/tuner.h"

#include <fmt/format.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/parallel.h"
#include "device/layout.h"
#include "ops/evaluate.h"
#include "ops/table.h"
#include "tune/oracle.h"
#include "tune/work.h"

namespace burnish::tune {
namespace {

/// The plain problem's text: the same for every layout, so the oracle is asked once.
std::string plain_text(const device::Problem& problem) {
  return problem.with_layouts(std::vector<ir::Layout>(static_cast<size_t>(problem.input_count() + problem.output_count()), ir::Layout::plain)).text();
}

/// Times within this share of the best are a tie, which the earlier entry of the table wins: choices then repeat.
constexpr double tie = 0.02;

/// As the cache holds it, so that a choice is the same whether it was measured now or then. Never 0: that is "not measured".
double in_hundredths(double microseconds) { return std::max(1.0, std::round(microseconds * 100)) / 100; }

/// Without the characters that part lines and fields of the cache.
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' '; }, ' ');
  return text;
}

/// Trials' buffers leave the C library with holes in its heaps, which would add up to many times what is in use.
void give_back_memory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

/// On a host, the share of the time in which threads wait for processors from which on times say nothing; all threads count.
constexpr double busy = 0.5;

/// What marks the trial that a device did not survive: the builds after pass over it.
constexpr std::string_view lost = "lost the device: ";

/// The trial of this way at which an earlier build lost the device; null if there was none.
const device::Alternative* fatal_trial(const Trials* trials, const Timed& way) {
  if (!trials) return nullptr;
  const auto found = std::find_if(trials->begin(), trials->end(), [&](const device::Alternative& trial) {
    return trial.tactic == way.tactic->name() && trial.candidate == way.candidate.id && trial.refused.starts_with(lost);
  });
  return found == trials->end() ? nullptr : &*found;
}

/// Why nothing can run on the device any more; empty where it still serves.
std::string why_lost(device::Device& device) {
  try {
    device.execute([] {});
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

bool same_ways(const Trials& trials, const std::vector<Timed>& ways) {
  return std::equal(trials.begin(), trials.end(), ways.begin(), ways.end(), [](const device::Alternative& trial, const Timed& way) {
    return trial.tactic == way.tactic->name() && trial.candidate == way.candidate.id;
  });
}

/// Puts what was measured into `ways`, and into those of `alternatives` that may run; the fastest way, or null where all
/// were refused.
const Timed* take_times(const Trials& trials, std::vector<Timed>& ways, std::vector<device::Alternative>& alternatives) {
  const Timed* best = nullptr;
  size_t next = 0;
  for (device::Alternative& alternative : alternatives) {
    if (!alternative.refused.empty()) continue;
    Timed& way = ways[next];
    alternative = trials[next++];
    if (!alternative.refused.empty()) continue;
    way.microseconds = alternative.microseconds;
    way.measured = true;
    if (!best || way.microseconds < best->microseconds * (1 - tie)) best = &way;
  }
  return best;
}

}  // namespace

Tuner::Tuner(std::shared_ptr<device::Device> device, std::shared_ptr<TuningCache> cache, TunerOptions options)
    : device_(std::move(device)), cache_(std::move(cache)), options_(options),
      ahead_(*device_, device_->on_host() ? 0 : std::max(1, available_cpus() - 1)) {}  // on a host nothing is compiled
Tuner::~Tuner() = default;

double Tuner::estimate(const device::Problem& problem) const {
  const Work work = work_of(problem.at_opt());
  // Rough rates; they only rank what is not measured: multiply-adds and bytes a microsecond, and the cost of a call.
  const device::DeviceInfo& info = device_->info();
  const double multiply_adds = device_->on_host() ? 40e3 * info.threads : 100e6;
  const double bytes = device_->on_host() ? 10e3 : 2e6;
  return 2 + std::max(work.multiply_adds / multiply_adds, work.bytes / bytes) + work.other_operations / (multiply_adds / 8);
}

const Timed* Tuner::best(const device::Problem& problem, bool allow_fallback) {
  const std::string& key = problem.text();
  auto found = known_.find(key);
  if (found == known_.end()) found = known_.emplace(key, search(problem)).first;
  const Timed* timed = found->second.get();
  return timed && timed->tactic && (allow_fallback || !timed->tactic->is_fallback()) ? timed : nullptr;
}

std::string Tuner::refusal(const device::Problem& problem) const {
  const auto found = known_.find(problem.text());
  if (found == known_.end()) return {};
  for (const device::Alternative& each : found->second->alternatives)
    if (!each.candidate.empty() && !each.refused.empty()) return fmt::format("{} {}: {}", each.tactic, each.candidate, each.refused);
  return {};
}

const Timed* Tuner::expect(const device::Problem& problem) {
  std::unique_ptr<Timed>& expected = expected_[problem.text()];
  if (!expected) {
    const std::vector<Timed> ways = ways_of(problem, nullptr);
    expected = std::make_unique<Timed>(ways.empty() ? Timed{} : ways.front());
    if (!ways.empty() && options_.measure && can_be_tried(problem) && !known_.contains(problem.text()) && !known_trials(problem, ways))
      ahead_.expect(problem.at_opt(), {ways.begin(), ways.end()});
  }
  return expected->tactic ? expected.get() : nullptr;
}

void Tuner::expect_no_more() {
  ahead_.expect_no_more();
  expected_.clear();
}

const Timed* Tuner::free_of_charge(const device::Problem& problem) {
  std::unique_ptr<Timed>& known = untimed_["free " + problem.text()];
  if (!known) {
    std::vector<device::Alternative> alternatives;
    const std::vector<Timed> ways = ways_of(problem, &alternatives);
    known = std::make_unique<Timed>(ways.empty() ? Timed{} : ways.front());
    known->alternatives = std::move(alternatives);
    known->microseconds = 0;
  }
  return known->tactic ? known.get() : nullptr;
}

const Timed* Tuner::as_for(const device::Problem& problem, const Timed& timed) {
  std::unique_ptr<Timed>& known = untimed_[fmt::format("{} {} {}", timed.tactic->name(), timed.candidate.id, problem.text())];
  if (!known) known = std::make_unique<Timed>(timed);
  return known.get();
}

const Timed* Tuner::try_one(const device::Problem& problem, const std::string& tactic,
                            const std::string& candidate) {
  std::unique_ptr<Timed>& known = untimed_[fmt::format("one {} {} {}", tactic, candidate, problem.text())];
  if (!known)
    known = search(problem, [&](const device::Alternative& way) {
      return way.tactic == tactic && way.candidate == candidate;
    });
  return known->tactic ? known.get() : nullptr;
}

bool Tuner::offers_as_much(const device::Problem& whole, const device::Problem& part) {
  const auto [known, fresh] = offers_.emplace(std::pair(whole.text(), part.text()), false);
  if (!fresh) return known->second;
  const std::vector<Timed> wholes = ways_of(whole, nullptr), parts = ways_of(part, nullptr);
  return known->second = !parts.empty() && std::all_of(parts.begin(), parts.end(), [&](const Timed& way) {
    return std::any_of(wholes.begin(), wholes.end(), [&](const Timed& other) { return other.tactic == way.tactic && other.candidate.id == way.candidate.id; });
  });
}

bool Tuner::offers(const device::Problem& problem, const Way& way) {
  const auto [known, fresh] = offers_.emplace(std::pair(problem.text(), way.tactic->name() + " " + way.candidate.id), false);
  if (!fresh) return known->second;
  const std::vector<Timed> ways = ways_of(problem, nullptr);
  return known->second = std::any_of(ways.begin(), ways.end(), [&](const Timed& other) { return other.tactic == way.tactic && other.candidate.id == way.candidate.id; });
}

std::vector<Timed> Tuner::ways_of(const device::Problem& problem, std::vector<device::Alternative>* alternatives) {
  std::vector<Timed> ways;
  for (const device::Tactic* tactic : device_->tactics()) {
    const Support support = device::runs(*tactic, problem, device_->info());
    if (!support) {
      if (alternatives) alternatives->push_back({tactic->name(), "", 0, one_line(support.reason())});
      continue;
    }
    std::vector<device::Candidate> candidates = tactic->candidates(problem, *device_);
    if (static_cast<int>(candidates.size()) > options_.most_candidates) candidates.resize(static_cast<size_t>(options_.most_candidates));
    for (device::Candidate& candidate : candidates) {
      const double guess = candidate.estimate_us > 0 ? candidate.estimate_us : estimate(problem);
      if (alternatives) alternatives->push_back({tactic->name(), candidate.id, 0, ""});
      ways.push_back({tactic, std::move(candidate), guess, false, {}});
    }
  }
  return ways;
}

std::unique_ptr<Timed> Tuner::search(const device::Problem& problem,
                                     const std::function<bool(const device::Alternative&)>& wanted) {
  auto winner = std::make_unique<Timed>();
  std::vector<Timed> ways = ways_of(problem, &winner->alternatives);
  if (wanted) {
    std::erase_if(winner->alternatives, [&](const device::Alternative& way) { return !wanted(way); });
    std::erase_if(ways, [&](const Timed& way) {
      return !wanted({way.tactic->name(), way.candidate.id, 0, ""});
    });
  }
  const Timed* best = ways.empty() ? nullptr : &ways.front();
  if (best && can_be_tried(problem)) {
    const Trials* trials = known_trials(problem, ways);
    if (!trials && options_.measure) {
      measure(problem, ways);
      trials = cache_->find(device_->info().tuning_key, problem.text());
    }
    if (trials) best = take_times(*trials, ways, winner->alternatives);
  }
  if (best) {
    std::vector<device::Alternative> alternatives = std::move(winner->alternatives);
    *winner = *best;
    winner->alternatives = std::move(alternatives);
  } else if (!wanted && device::runs(device::fallback_tactic(), problem, device_->info())) {
    winner->tactic = &device::fallback_tactic();
    winner->candidate = {"only", 0};
    winner->microseconds = 50 * estimate(problem);
  }
  return winner;
}

const Trials* Tuner::known_trials(const device::Problem& problem, const std::vector<Timed>& ways) const {
  if (!gave_up_.empty()) return nullptr;  // times and guesses are not to be compared
  const Trials* trials = cache_->find(device_->info().tuning_key, problem.text());
  return trials && same_ways(*trials, ways) ? trials : nullptr;  // the tactics may have changed since
}

void Tuner::measure(const device::Problem& plain_or_not, std::vector<Timed>& ways) {
  const device::Problem problem = plain_or_not.at_opt();
  const std::string key = plain_text(problem);
  if (reference_.problem != key) {
    reference_ = {};  // before the next is made
    reference_ = {key, expected_outputs(problem)};
  }
  const std::string& text = plain_or_not.text();
  const auto doubtful = [&](const Tried& tried) { return device_->on_host() && tried.waited_us > busy * tried.measuring_us; };
  Tried tried = try_all(problem, text, ways);
  const bool again = doubtful(tried);
  if (again) {
    doubtful_us_ += tried.measuring_us;
    tried = try_all(problem, text, ways);
  }
  cache_->add(device_->info().tuning_key, text, std::move(tried.trials));
  if (again && doubtful(tried)) {
    doubtful_.push_back(text);
    doubtful_us_ += tried.measuring_us;
    if (doubtful_us_ > options_.patience_us) give_up(tried);
  }
  give_back_memory();
}

Tuner::Tried Tuner::try_all(const device::Problem& problem, const std::string& text, const std::vector<Timed>& ways) {
  const CompileAhead::Codes codes = ahead_.take(problem, {ways.begin(), ways.end()});
  const Trials* const earlier = cache_->find(device_->info().tuning_key, text);
  std::unique_ptr<Trial> bench;
  Tried tried;
  Trials& trials = tried.trials;
  for (size_t i = 0; i < ways.size(); ++i) {
    device::Alternative& trial = trials.emplace_back(device::Alternative{ways[i].tactic->name(), ways[i].candidate.id, 0, ""});
    if (const device::Alternative* fatal = fatal_trial(earlier, ways[i])) {
      trial = *fatal;
      continue;
    }
    try {
      if (!bench) bench = std::make_unique<Trial>(problem, reference_.outputs, *device_);
      const TrialResult result = bench->run(*ways[i].tactic, ways[i].candidate, options_.budget_us, codes[i] ? &*codes[i] : nullptr);
      ++timed_;
      tried.measuring_us += result.measuring_us;
      tried.waited_us += result.waited_us;
      trial.microseconds = in_hundredths(result.microseconds);
      trial.refused = one_line(result.wrong);
      if (!result.wrong.empty()) rejected_.push_back(fmt::format("{}: {} {}: {}", problem.text(), trial.tactic, trial.candidate, result.wrong));
    } catch (const Error& error) {
      trial.refused = one_line(error.what());
      const std::string loss = why_lost(*device_);
      if (loss.empty()) continue;
      trial.refused = one_line(std::string(lost) + loss);
      const std::string culprit = trial.tactic + " " + trial.candidate;
      std::erase_if(trials, [](const device::Alternative& each) { return !each.refused.starts_with(lost); });
      cache_->add(device_->info().tuning_key, text, std::move(trials));
      fail("{} was being tried for '{}': {}; the tuning cache remembers it, and the next build passes over it", culprit, problem.text(), loss);
    }
  }
  return tried;
}

void Tuner::give_up(const Tried& last) {
  for (const std::string& text : doubtful_) cache_->forget(device_->info().tuning_key, text);
  options_.measure = false;
  gave_up_ = fmt::format("the machine is too busy to measure kernels (threads waited for processors {:.0f}% of the time): the model chose them; build again when it is idle", 100 * last.waited_us / last.measuring_us);
}

void Tuner::start_over() {
  known_.clear();
  untimed_.clear();
}

}  // namespace burnish::tune
