#include "tune/cache.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "base/error.h"
#include "base/files.h"

namespace burnish::tune {
namespace {

std::vector<std::string_view> split(std::string_view line, char separator) {
  std::vector<std::string_view> fields;
  while (true) {
    const size_t at = line.find(separator);
    fields.push_back(line.substr(0, at));
    if (at == std::string_view::npos) return fields;
    line.remove_prefix(at + 1);
  }
}

}  // namespace

TuningCache::TuningCache(std::string path) : path_(std::move(path)) {
  if (!path_.empty() && file_exists(path_))
    with_context([&] { return fmt::format("tuning cache '{}'", path_); }, [&] { parse(read_file(path_)); });
  changed_ = false;
}

std::string TuningCache::default_path() {
  if (const char* named = std::getenv("BURNISH_CACHE"); named && *named) return std::string(named) + "/tuning.txt";
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache) return std::string(cache) + "/burnish/tuning.txt";
  if (const char* home = std::getenv("HOME"); home && *home) return std::string(home) + "/.cache/burnish/tuning.txt";
  return {};
}

void TuningCache::parse(std::string_view text) {
  int number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    if (line.empty() || line[0] == '#') continue;
    const std::vector<std::string_view> fields = split(line, '\t');
    CacheEntry entry;
    bool good = fields.size() == 5 && !fields[0].empty() && !fields[1].empty() && !fields[2].empty();
    if (good) {
      const auto [end, error] = std::from_chars(fields[4].data(), fields[4].data() + fields[4].size(), entry.microseconds);
      good = error == std::errc() && end == fields[4].data() + fields[4].size() && entry.microseconds >= 0;
    }
    require(good, "line {}: expected DEVICE<tab>PROBLEM<tab>TACTIC<tab>CANDIDATE<tab>MICROSECONDS; mend or delete the line", number);
    entry.tactic = fields[2];
    entry.candidate = fields[3];
    add(std::string(fields[0]), std::string(fields[1]), std::move(entry));
  }
}

std::optional<CacheEntry> TuningCache::find(const std::string& device, const std::string& problem) const {
  const auto found = entries_.find(device + '\t' + problem);
  return found == entries_.end() ? std::nullopt : std::optional(found->second);
}

void TuningCache::add(const std::string& device, const std::string& problem, CacheEntry entry) {
  entries_[device + '\t' + problem] = std::move(entry);
  changed_ = true;
}

std::string TuningCache::text() const {
  std::string text = "# Burnish tuning cache: device, problem, tactic, candidate, microseconds\n";
  for (const auto& [key, entry] : entries_) fmt::format_to(std::back_inserter(text), "{}\t{}\t{}\t{:.2f}\n", key, entry.tactic, entry.candidate, entry.microseconds);
  return text;
}

void TuningCache::save() {
  if (path_.empty() || !changed_) return;
  if (file_exists(path_)) {
    // Others may have written since: theirs stay unless this build measured the same.
    TuningCache theirs(path_);
    for (auto& [key, entry] : theirs.entries_) entries_.emplace(key, entry);
  }
  const std::string folder = std::filesystem::path(path_).parent_path();
  if (!folder.empty()) make_folders(folder);
  write_file(path_, text());
  changed_ = false;
}

}  // namespace burnish::tune
