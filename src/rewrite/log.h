// What was rewritten, what nearly was, and how much may be.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace burnish::rewrite {

/// One rule or pass at one place.
struct Rewrite {
  std::string name;   ///< the rule or pass
  std::string where;  ///< the model's node(s)
  std::string what;   ///< what the place became, or the reason why the rule was refused
};

/// Kept over all passes of one build. Everything that changes a graph asks take() first, so that the number
/// of changes can be limited: `burnish diff --bisect` finds the change that makes a result wrong by halving
/// it.
class RewriteLog {
 public:
  explicit RewriteLog(int64_t limit = -1) : limit_(limit) {}

  /// False when the limit is reached; else counts and records one change.
  bool take(std::string name, std::string where, std::string what) {
    if (limit_ >= 0 && taken() >= limit_) return false;
    misses_.erase({name, where});
    hits_.push_back({std::move(name), std::move(where), std::move(what)});
    return true;
  }
  void miss(std::string name, std::string where, std::string reason) {
    misses_[{std::move(name), std::move(where)}] = std::move(reason);
  }

  int64_t taken() const { return static_cast<int64_t>(hits_.size()); }
  bool exhausted() const { return limit_ >= 0 && taken() >= limit_; }
  const std::vector<Rewrite>& hits() const { return hits_; }
  /// The last reason for each rule and place, in the order of names.
  std::vector<Rewrite> misses() const {
    std::vector<Rewrite> list;
    for (const auto& [key, reason] : misses_) list.push_back({key.first, key.second, reason});
    return list;
  }
  /// How often each rule or pass was applied.
  std::map<std::string, int64_t> counts() const {
    std::map<std::string, int64_t> counted;
    for (const Rewrite& hit : hits_) ++counted[hit.name];
    return counted;
  }

  /// The names of constants that a refit may give other data. Only ConstantCache::fixed_number() and tensor()
  /// look at those of several elements, and a rewrite that goes by what they saw fixes them.
  std::set<std::string, std::less<>> weights;
  /// The graph depends on what this weight's elements are, because of `by`: a refit may not change them.
  void fix(const std::string& weight, const std::string& by) {
    if (weights.contains(weight)) fixed_.emplace(weight, by);
  }
  const std::map<std::string, std::string>& fixed() const { return fixed_; }

 private:
  int64_t limit_;
  std::vector<Rewrite> hits_;
  std::map<std::pair<std::string, std::string>, std::string> misses_;
  std::map<std::string, std::string> fixed_;
};

}  // namespace burnish::rewrite
