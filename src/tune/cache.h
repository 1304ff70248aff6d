// Measured times as text: mergeable, editable, one line for each problem.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "device/tactic.h"

namespace burnish::tune {

/// Every way to run a problem that was tried on it: its time, or why it was refused.
using Trials = std::vector<device::Alternative>;

/// Lines of "DEVICE<tab>PROBLEM", then "<tab>TACTIC<tab>CANDIDATE<tab>RESULT" for each trial; RESULT is microseconds, or
/// "refused: REASON". Sorted; '#' starts a comment line.
class TuningCache {
 public:
  /// An empty path: kept in memory only. A file that is not there yet is an empty cache; one that is damaged is an Error
  /// naming the line.
  explicit TuningCache(std::string path);
  /// The default file, in the user's cache folder or the one that BURNISH_CACHE names; empty where that is "none".
  static std::string default_path();

  /// Null where the problem was not tried on the device.
  const Trials* find(const std::string& device, const std::string& problem) const;
  void add(const std::string& device, const std::string& problem, Trials trials);
  void forget(const std::string& device, const std::string& problem);
  /// Reads lines into the cache; throws Error naming the line.
  void parse(std::string_view text);
  std::string text() const;
  /// Merges with what others wrote meanwhile, and writes the file whole or not at all. Nothing to do without changes.
  void save();
  size_t size() const { return entries_.size(); }

 private:
  std::string path_;
  std::map<std::string, Trials> entries_;  // by device and problem, joined by a tab
  bool changed_ = false;
};

}  // namespace burnish::tune
