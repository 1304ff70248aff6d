// Which candidates of which problems to run where all of them would take too long.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "device/device.h"

namespace burnish::cuda_tests {

/// A problem, with the candidates of each tactic to run of it.
struct Case {
  device::Problem problem;
  std::vector<std::pair<const device::Tactic*, std::vector<device::Candidate>>> ways;
};

/// What a candidate is an example of, beside its tactic.
using Kind =
    std::function<std::string(const device::Tactic&, const device::Candidate&, const device::Problem&)>;

/// What a candidate has apart from sizes: a split, clusters, blocks that stay and how; and its op where a
/// tactic has a text for each.
std::string way_of_working(const device::Tactic& tactic, const device::Candidate& candidate,
                           const device::Problem& problem);

/// Of the small problems that can be tried and `fits` takes: those that bring a candidate of a kind that none
/// before them has, with these candidates; all candidates where `kind` is null. Of the tactics that are
/// wanted and `takes` takes.
std::vector<Case> cases(device::Device& device, const std::function<bool(const device::Problem&)>& fits,
                        const std::function<bool(const device::Tactic&)>& takes, const Kind& kind);

}  // namespace burnish::cuda_tests
