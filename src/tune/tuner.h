// A problem in, measured candidates out.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "device/device.h"
#include "tune/cache.h"
#include "tune/compile_ahead.h"

namespace burnish::tune {

struct TunerOptions {
  bool measure = true;           ///< false: the model's first choice, untimed
  double budget_us = 30'000;     ///< of measuring one candidate
  int most_candidates = 8;       ///< per tactic
  double patience_us = 2e6;      ///< of measuring on a host whose processors others want, before it is given up
};

/// One way to run a problem, with its time.
struct Timed : Way {
  double microseconds = 0;
  bool measured = false;
  /// All ways that were looked at, in the order of the device's table. They say the same whether they were measured
  /// just now or come from the cache.
  std::vector<device::Alternative> alternatives;
};

/// Ranks the device's tactics for a problem, times the best few, and accepts a candidate only when its result
/// agrees with the reference. Answers are remembered by the problem's text, and in the cache.
///
/// On a host that others keep busy, threads that wait for each other wait for whole time slices: times are then off by
/// factors of hundreds. A problem whose threads had to wait for processors is measured a second time; where that goes on,
/// measuring is given up, none of those times is kept, and the model chooses.
class Tuner {
 public:
  Tuner(std::shared_ptr<device::Device> device, std::shared_ptr<TuningCache> cache, TunerOptions options);
  ~Tuner();

  /// The fastest way to run `problem` (with the layouts it has), or null where only the fallback could and
  /// `allow_fallback` is false.
  const Timed* best(const device::Problem& problem, bool allow_fallback = true);
  /// Of what best() tried for `problem`, the first refusal: "TACTIC CANDIDATE: REASON"; empty where there was none.
  std::string refusal(const device::Problem& problem) const;
  /// False: the model ranks, from the start or since measuring was given up. Then start_over() and ask again, for what was
  /// said before would be compared with it.
  bool measures() const { return options_.measure; }
  void start_over();
  /// Why measuring was given up; empty where it was not.
  const std::string& gave_up() const { return gave_up_; }
  /// Whether it is worth telling expect() of problems: what is measured must be compiled first, and that takes long.
  bool compiles_ahead() const { return options_.measure && ahead_.runs_ahead(); }
  /// Says that best() will be asked for `problem`: its candidates are compiled meanwhile, unless the cache knows their times.
  /// The first way to run it, untimed; null where only the fallback could.
  const Timed* expect(const device::Problem& problem);
  /// Drops what best() was not asked for after all.
  void expect_no_more();
  /// The tactics' first offer, untimed and at no cost, for what the plan does without a kernel as long as the shapes allow;
  /// null where there is none.
  const Timed* free_of_charge(const device::Problem& problem);
  /// What `timed` says of another problem: its tactic and candidate for `problem`, at the same price.
  const Timed* as_for(const device::Problem& problem, const Timed& timed);
  /// One way to run `problem`, tried like any, and no other; null where the tactic does not offer it or its
  /// result is wrong.
  const Timed* try_one(const device::Problem& problem, const std::string& tactic,
                       const std::string& candidate);
  /// Whether every way to run `part` is one to run `whole`, and there is one.
  bool offers_as_much(const device::Problem& whole, const device::Problem& part);
  /// Whether `way`, found for another problem, is one to run this one too.
  bool offers(const device::Problem& problem, const Way& way);
  /// A guess in microseconds, from operations and bytes.
  double estimate(const device::Problem& problem) const;

  device::Device& device() { return *device_; }
  /// How many candidates were timed, and how many were refused because their result was wrong.
  int timed() const { return timed_; }
  const std::vector<std::string>& rejected() const { return rejected_; }

 private:
  /// Among all ways, or only the wanted ones and not the fallback.
  std::unique_ptr<Timed> search(const device::Problem& problem,
                                const std::function<bool(const device::Alternative&)>& wanted = {});
  /// Every tactic that supports the problem with its candidates; what was looked at goes to `alternatives`, if any.
  std::vector<Timed> ways_of(const device::Problem& problem, std::vector<device::Alternative>* alternatives);
  void measure(const device::Problem& problem, std::vector<Timed>& ways);
  struct Tried {
    Trials trials;
    double measuring_us = 0, waited_us = 0;  ///< of all of them, as in TrialResult
  };
  /// `text`: what the cache knows the problem by, which is at its opt sizes here.
  Tried try_all(const device::Problem& problem, const std::string& text, const std::vector<Timed>& ways);
  void give_up(const Tried& last);
  /// What the cache knows of these ways, all of them; null where they must be tried.
  const Trials* known_trials(const device::Problem& problem, const std::vector<Timed>& ways) const;

  std::shared_ptr<device::Device> device_;
  std::shared_ptr<TuningCache> cache_;
  TunerOptions options_;
  std::map<std::string, std::unique_ptr<Timed>> known_;
  std::map<std::string, std::unique_ptr<Timed>> expected_;  // the first way of each
  std::map<std::string, std::unique_ptr<Timed>>
      untimed_;  // but for try_one(): by what was asked and the problem's text
  std::map<std::pair<std::string, std::string>, bool> offers_;  // by the texts of whole and part, or of a problem and a way
  /// What the reference makes of the last problem measured: its layouts come one after another, and all of a model's
  /// would be many times its weights.
  struct Reference {
    std::string problem;  ///< its text in plain layouts
    std::vector<Tensor> outputs;
  };
  Reference reference_;
  int timed_ = 0;
  double doubtful_us_ = 0;             ///< spent on times that say nothing
  std::vector<std::string> doubtful_;  ///< the problems' texts
  std::string gave_up_;
  std::vector<std::string> rejected_;
  CompileAhead ahead_;  // last: its threads end before all else
};

}  // namespace burnish::tune
