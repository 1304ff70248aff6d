#include "tune/tuner.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

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

/// The code of each way, compiled side by side; none where that fails, which trying it then says.
std::vector<std::optional<std::string>> compile_all(const device::Problem& problem, const std::vector<Timed>& ways, device::Device& device) {
  std::vector<std::optional<std::string>> codes(ways.size());
  parallel_for(static_cast<int64_t>(ways.size()), 1, [&](int64_t begin, int64_t end) {
    for (size_t i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      try {
        codes[i] = ways[i].tactic->compile(problem, ways[i].candidate, device);
      } catch (const Error&) {
      }
    }
  });
  return codes;
}

}  // namespace

Tuner::Tuner(std::shared_ptr<device::Device> device, std::shared_ptr<TuningCache> cache, TunerOptions options)
    : device_(std::move(device)), cache_(std::move(cache)), options_(options) {}
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

const Timed* Tuner::free_of_charge(const device::Problem& problem) {
  std::unique_ptr<Timed>& known = untimed_["free " + problem.text()];
  if (!known) {
    const std::vector<Timed> ways = ways_of(problem, nullptr);
    known = std::make_unique<Timed>(ways.empty() ? Timed{} : ways.front());
    known->microseconds = 0;
  }
  return known->tactic ? known.get() : nullptr;
}

const Timed* Tuner::as_for(const device::Problem& problem, const Timed& timed) {
  std::unique_ptr<Timed>& known = untimed_[fmt::format("{} {} {}", timed.tactic->name(), timed.candidate.id, problem.text())];
  if (!known) {
    known = std::make_unique<Timed>(timed);
    known->alternatives = {"with what follows it: its price and its way"};
  }
  return known.get();
}

bool Tuner::offers_as_much(const device::Problem& whole, const device::Problem& part) {
  const auto [known, fresh] = offers_.emplace(std::pair(whole.text(), part.text()), false);
  if (!fresh) return known->second;
  const std::vector<Timed> wholes = ways_of(whole, nullptr), parts = ways_of(part, nullptr);
  return known->second = !parts.empty() && std::all_of(parts.begin(), parts.end(), [&](const Timed& way) {
    return std::any_of(wholes.begin(), wholes.end(), [&](const Timed& other) { return other.tactic == way.tactic && other.candidate.id == way.candidate.id; });
  });
}

std::vector<Timed> Tuner::ways_of(const device::Problem& problem, std::vector<std::string>* refusals) {
  std::vector<Timed> ways;
  for (const device::Tactic* tactic : device_->tactics()) {
    const Support support = tactic->supports(problem, device_->info());
    if (!support) {
      if (refusals) refusals->push_back(fmt::format("{}: {}", tactic->name(), support.reason()));
      continue;
    }
    std::vector<device::Candidate> candidates = tactic->candidates(problem, *device_);
    if (static_cast<int>(candidates.size()) > options_.most_candidates) candidates.resize(static_cast<size_t>(options_.most_candidates));
    for (device::Candidate& candidate : candidates) {
      const double guess = candidate.estimate_us > 0 ? candidate.estimate_us : estimate(problem);
      ways.push_back({tactic, std::move(candidate), guess, false, {}});
    }
  }
  return ways;
}

std::unique_ptr<Timed> Tuner::search(const device::Problem& problem) {
  auto winner = std::make_unique<Timed>();
  std::vector<Timed> ways = ways_of(problem, &winner->alternatives);
  if (ways.empty()) {
    const Support support = device::fallback_tactic().supports(problem, device_->info());
    if (!support) return winner;
    winner->tactic = &device::fallback_tactic();
    winner->candidate = {"only", 0};
    winner->microseconds = 50 * estimate(problem);
    return winner;
  }
  const auto take = [&](const Timed& way) {
    winner->tactic = way.tactic;
    winner->candidate = way.candidate;
    winner->microseconds = way.microseconds;
    winner->measured = way.measured;
  };
  if (const auto entry = cache_->find(device_->info().tuning_key, problem.text())) {
    for (const Timed& way : ways) {
      if (way.tactic->name() != entry->tactic || way.candidate.id != entry->candidate) continue;
      take(way);
      winner->microseconds = entry->microseconds;
      winner->measured = true;
      winner->alternatives.push_back("taken from the tuning cache");
      return winner;
    }
  }
  if (!options_.measure || !can_be_tried(problem)) {
    take(ways.front());
    return winner;
  }
  measure(problem, ways, *winner);
  return winner;
}

void Tuner::measure(const device::Problem& plain_or_not, std::vector<Timed>& ways, Timed& winner) {
  const device::Problem problem = plain_or_not.at_opt();
  const std::string key = plain_text(problem);
  auto reference = references_.find(key);
  if (reference == references_.end()) reference = references_.emplace(key, expected_outputs(problem)).first;
  const std::vector<std::optional<std::string>> codes = compile_all(problem, ways, *device_);
  std::unique_ptr<tune::Trial> trial;
  for (size_t i = 0; i < ways.size(); ++i) {
    Timed& way = ways[i];
    const std::string name = fmt::format("{} {}", way.tactic->name(), way.candidate.id);
    try {
      if (!trial) trial = std::make_unique<tune::Trial>(problem, reference->second, *device_);
      const TrialResult result = trial->run(*way.tactic, way.candidate, options_.budget_us, codes[i] ? &*codes[i] : nullptr);
      ++timed_;
      if (!result.wrong.empty()) {
        rejected_.push_back(fmt::format("{}: {}: {}", problem.text(), name, result.wrong));
        winner.alternatives.push_back(fmt::format("{}: refused, {}", name, result.wrong));
        continue;
      }
      way.microseconds = result.microseconds;
      way.measured = true;
      winner.alternatives.push_back(fmt::format("{} {:.1f} us", name, way.microseconds));
    } catch (const Error& error) {
      winner.alternatives.push_back(fmt::format("{}: {}", name, error.what()));
    }
  }
  const Timed* best = nullptr;
  for (const Timed& way : ways)
    if (way.measured && (!best || way.microseconds < best->microseconds * (1 - tie))) best = &way;
  if (best) {
    winner.tactic = best->tactic;
    winner.candidate = best->candidate;
    winner.microseconds = best->microseconds;
    winner.measured = true;
    cache_->add(device_->info().tuning_key, plain_or_not.text(), {best->tactic->name(), best->candidate.id, best->microseconds});
  } else if (device::fallback_tactic().supports(problem, device_->info())) {
    winner.tactic = &device::fallback_tactic();
    winner.candidate = {"only", 0};
    winner.microseconds = 50 * estimate(problem);
  }
}

}  // namespace burnish::tune
