// burnish conformance: run folders in ONNX's backend-test layout.
#include <fmt/core.h>

#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.h"
#include "base/files.h"
#include "command.h"
#include "conformance_case.h"
#include "report.h"

namespace burnish::tool {
namespace {

constexpr const char* verdict_names[] = {"passed", "failed", "skipped"};

void write_json(const std::string& path, const std::vector<CaseResult>& results, const int64_t (&counts)[3]) {
  nlohmann::ordered_json cases = nlohmann::ordered_json::array();
  for (const CaseResult& result : results) {
    nlohmann::ordered_json entry = {{"name", result.name},
                                    {"verdict", verdict_names[static_cast<int>(result.verdict)]}};
    if (!result.reason.empty()) entry["reason"] = result.reason;
    entry["fallback_kernels"] = result.fallback_kernels;
    cases.push_back(std::move(entry));
  }
  const nlohmann::ordered_json report = {
      {"passed", counts[0]}, {"failed", counts[1]}, {"skipped", counts[2]}, {"cases", std::move(cases)}};
  write_report(path, report);
}

/// Lines of "NAME REASON"; '#' starts a comment. A listed case that fails is skipped for that reason, and one that passes
/// fails, so that the list never outlives its reasons.
std::map<std::string, std::string> read_known_failures(const std::string& path) {
  std::map<std::string, std::string> known;
  std::istringstream lines(path.empty() ? std::string() : read_file(path));
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') continue;
    const size_t space = line.find(' ');
    require(space != std::string::npos && space + 1 < line.size(), "known failures '{}': expected NAME REASON, not '{}'", path, line);
    known[line.substr(0, space)] = line.substr(space + 1);
  }
  return known;
}

void apply_known_failure(CaseResult& result, const std::string& reason) {
  if (result.verdict == Verdict::failed) {
    result.verdict = Verdict::skipped;
    result.reason = "known failure: " + reason;
  } else {
    result.verdict = Verdict::failed;
    result.reason = fmt::format("it is listed as a known failure ({}), but does not fail: take it off the list", reason);
  }
}

int run(const std::vector<std::string>& folders, const std::string& known_failures, const CommonOptions& options) {
  const std::map<std::string, std::string> known = read_known_failures(known_failures);
  std::vector<CaseResult> results;
  int64_t counts[3] = {}, with_fallback = 0;
  for (const std::string& folder : folders) {
    for (const auto& path : find_cases(folder)) {
      CaseResult result = run_case(path, options);
      if (const auto listed = known.find(result.name); listed != known.end()) apply_known_failure(result, listed->second);
      ++counts[static_cast<int>(result.verdict)];
      if (result.verdict == Verdict::failed) fmt::print("FAILED {}: {}\n", result.name, result.reason);
      if (result.verdict == Verdict::skipped && options.verbose > 0)
        fmt::print("skipped {}: {}\n", result.name, result.reason);
      if (result.verdict == Verdict::passed && options.verbose > 1) fmt::print("passed {}\n", result.name);
      with_fallback += result.verdict == Verdict::passed && result.fallback_kernels > 0;
      results.push_back(result);
    }
  }
  fmt::print("{} of the passed used a fallback\n", with_fallback);
  fmt::print("{} passed, {} failed, {} skipped\n", counts[0], counts[1], counts[2]);
  if (!options.json.empty()) write_json(options.json, results, counts);
  return counts[1] == 0 ? 0 : 1;
}

}  // namespace

Command add_conformance(CLI::App& app) {
  CLI::App& command = *app.add_subcommand("conformance", "Run folders in ONNX's backend-test layout");
  auto folders = std::make_shared<std::vector<std::string>>();
  command.add_option("folder", *folders, "case folders, or folders of them")->required();
  auto known = std::make_shared<std::string>();
  command.add_option("--known-failures", *known, "a file of lines NAME REASON: these must fail, and count as skipped");
  command.footer(
      "\nExamples:\n"
      "  burnish conformance /usr/share/libonnx-testdata/data/node --device reference\n"
      "  burnish conformance /usr/share/libonnx-testdata/data/node/test_relu -v --json report.json\n");
  auto common = add_common_options(command);
  common->tune = "model";
  return [folders, known, common] { return run(*folders, *known, *common); };
}

}  // namespace burnish::tool
