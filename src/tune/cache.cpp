#include "tune/cache.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
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
  if (const char* named = std::getenv("BURNISH_CACHE"); named && *named)
    return named == std::string_view("none") ? std::string() : std::string(named) + "/tuning.txt";
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache) return std::string(cache) + "/burnish/tuning.txt";
  if (const char* home = std::getenv("HOME"); home && *home) return std::string(home) + "/.cache/burnish/tuning.txt";
  return {};
}

namespace {

constexpr std::string_view refused = "refused: ";

/// A trial from its three fields; false where they are none.
bool read_trial(const std::string_view* fields, device::Alternative& trial) {
  if (fields[0].empty()) return false;
  trial.tactic = fields[0];
  trial.candidate = fields[1];
  if (fields[2].starts_with(refused)) {
    trial.refused = fields[2].substr(refused.size());
    return !trial.refused.empty();
  }
  const char* const end = fields[2].data() + fields[2].size();
  const auto [next, error] = std::from_chars(fields[2].data(), end, trial.microseconds);
  return error == std::errc() && next == end && trial.microseconds >= 0 && std::isfinite(trial.microseconds);
}

}  // namespace

void TuningCache::parse(std::string_view text) {
  int number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    if (line.empty() || line[0] == '#') continue;
    const std::vector<std::string_view> fields = split(line, '\t');
    bool good = fields.size() >= 5 && fields.size() % 3 == 2 && !fields[0].empty() && !fields[1].empty();
    Trials trials;
    for (size_t i = 2; good && i < fields.size(); i += 3) good = read_trial(&fields[i], trials.emplace_back());
    require(good, "line {}: expected DEVICE<tab>PROBLEM and <tab>TACTIC<tab>CANDIDATE<tab>MICROSECONDS for each trial; mend or delete the line", number);
    add(std::string(fields[0]), std::string(fields[1]), std::move(trials));
  }
}

const Trials* TuningCache::find(const std::string& device, const std::string& problem) const {
  const auto found = entries_.find(device + '\t' + problem);
  return found == entries_.end() ? nullptr : &found->second;
}

void TuningCache::add(const std::string& device, const std::string& problem, Trials trials) {
  entries_[device + '\t' + problem] = std::move(trials);
  changed_ = true;
}

void TuningCache::forget(const std::string& device, const std::string& problem) { entries_.erase(device + '\t' + problem); }

std::string TuningCache::text() const {
  std::string text = "# Burnish tuning cache: device, problem, then tactic, candidate and microseconds of each trial\n";
  for (const auto& [key, trials] : entries_) {
    text += key;
    for (const device::Alternative& trial : trials) {
      fmt::format_to(std::back_inserter(text), "\t{}\t{}\t", trial.tactic, trial.candidate);
      if (trial.refused.empty()) fmt::format_to(std::back_inserter(text), "{:.2f}", trial.microseconds);
      else text.append(refused).append(trial.refused);
    }
    text += '\n';
  }
  return text;
}

void TuningCache::save() {
  if (path_.empty() || !changed_) return;
  if (file_exists(path_)) {
    // Others may have written since: theirs stay unless this build measured the same.
    TuningCache theirs(path_);
    for (auto& [key, trials] : theirs.entries_) entries_.emplace(key, std::move(trials));
  }
  const std::string folder = std::filesystem::path(path_).parent_path();
  if (!folder.empty()) make_folders(folder);
  write_file(path_, text());
  changed_ = false;
}

}  // namespace burnish::tune
