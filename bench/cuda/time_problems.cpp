// time_problems FILE [MOST [TACTIC]]: for each problem (one a line, '#' for comments) every tactic's (or
// those with TACTIC in their name) best MOST candidates on the GPU, checked against the reference, with their
// times. Exits with 1 if any is wrong or cannot be run.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "base/parallel.h"
#include "tune/oracle.h"

namespace {

using namespace burnish;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Row {
  std::string name, wrong;
  double microseconds = 0, estimate = 0;
};

/// Compiles the candidates side by side, then runs them one by one.
int time_problem(const device::Problem& problem, device::Device& device, size_t most,
                 const std::string& only) {
  if (!tune::can_be_tried(problem)) {
    fmt::print("  random inputs mean nothing to it\n");
    return 0;
  }
  const std::vector<Tensor> expected = tune::expected_outputs(problem);
  std::vector<Row> rows;
  for (const device::Tactic* tactic : device.tactics()) {
    if (tactic->name().find(only) == std::string::npos || !tactic->supports(problem, device.info())) continue;
    std::vector<device::Candidate> candidates = tactic->candidates(problem, device);
    if (candidates.size() > most) candidates.resize(most);
    parallel_for(static_cast<int64_t>(candidates.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        try {
          tactic->compile(problem, candidates[static_cast<size_t>(i)], device);
        } catch (const Error&) {  // said again below
        }
      }
    });
    for (const device::Candidate& candidate : candidates) {
      Row row{tactic->name() + " " + candidate.id, {}, 0, candidate.estimate_us};
      try {
        const tune::TrialResult result =
            tune::try_candidate(problem, *tactic, candidate, expected, device, 3000);
        row.microseconds = result.microseconds;
        row.wrong = result.wrong;
      } catch (const Error& error) {
        row.wrong = error.what();
      }
      rows.push_back(std::move(row));
    }
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return a.microseconds < b.microseconds; });
  int wrong = 0;
  for (const Row& row : rows) {
    fmt::print("  {:9.2f} us (guess {:7.1f})  {} {}\n", row.microseconds, row.estimate, row.name,
               row.wrong.substr(0, 600));
    wrong += !row.wrong.empty();
  }
  if (rows.empty()) fmt::print("  no tactic\n");
  return wrong + rows.empty();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "time_problems FILE [MOST [TACTIC]]\n";
    return 2;
  }
  const size_t most = argc > 2 ? static_cast<size_t>(std::atoi(argv[2])) : 1000;
  try {
    const auto device = device::open_device("cuda");
    fmt::print("{} {}\n", device->info().name, device->info().tuning_key);
    std::ifstream file(argv[1]);
    int wrong = 0;
    for (std::string line; std::getline(file, line);) {
      if (line.empty() || line[0] == '#') continue;
      const auto start = Clock::now();
      fmt::print("{}\n", line);
      wrong += time_problem(device::Problem::parse(line), *device, most, argc > 3 ? argv[3] : "");
      fmt::print("  ({:.1f} s)\n", seconds_since(start));
      std::fflush(stdout);
    }
    fmt::print("{} wrong\n", wrong);
    return wrong > 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
