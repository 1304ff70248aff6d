// Measured choices as text: mergeable, editable, one line each.
#pragma once

#include <map>
#include <optional>
#include <string>

namespace burnish::tune {

struct CacheEntry {
  std::string tactic, candidate;
  double microseconds = 0;
};

/// Lines of "DEVICE<tab>PROBLEM<tab>TACTIC<tab>CANDIDATE<tab>MICROSECONDS", sorted, '#' starts a comment line.
class TuningCache {
 public:
  /// An empty path: kept in memory only. A file that is not there yet is an empty cache; one that is damaged is an Error
  /// naming the line.
  explicit TuningCache(std::string path);
  /// The default file in the user's cache folder, or what BURNISH_CACHE names.
  static std::string default_path();

  std::optional<CacheEntry> find(const std::string& device, const std::string& problem) const;
  void add(const std::string& device, const std::string& problem, CacheEntry entry);
  /// Reads lines into the cache; throws Error naming the line.
  void parse(std::string_view text);
  std::string text() const;
  /// Merges with what others wrote meanwhile, and writes the file whole or not at all. Nothing to do without changes.
  void save();
  size_t size() const { return entries_.size(); }

 private:
  std::string path_;
  std::map<std::string, CacheEntry> entries_;  // by device and problem, joined by a tab
  bool changed_ = false;
};

}  // namespace burnish::tune
