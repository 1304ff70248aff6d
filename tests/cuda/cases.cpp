#include "cases.h"

#include <set>

#include "problems.h"
#include "tune/oracle.h"

namespace burnish::cuda_tests {

std::string way_of_working(const device::Tactic& tactic, const device::Candidate& candidate,
                           const device::Problem& problem) {
  const std::string& id = candidate.id;
  const size_t ways = std::min(id.find(".k"), id.size()), stays = std::min(id.find(".p"), id.size());
  const size_t how = stays < id.size() ? id.find_first_not_of("0123456789", stays + 2) : id.size();
  return id.substr(ways, stays - ways) + (stays < id.size() ? ".p" : "") +
         id.substr(std::min(how, id.size())) +
         (tactic.name() == "cuda.per_element" ? problem.op(0).name : "") +
         (tactic.name() == "cuda.wgmma_attention" ? id : "");
}

std::vector<Case> cases(device::Device& device, const std::function<bool(const device::Problem&)>& fits,
                        const std::function<bool(const device::Tactic&)>& takes, const Kind& kind) {
  std::set<std::pair<std::string, std::string>> met;
  std::vector<Case> found;
  for (const std::string& text : small_problems()) {
    Case each{device::Problem::parse(text), {}};
    if (!tune::can_be_tried(each.problem) || !fits(each.problem)) continue;
    for (const device::Tactic* tactic : device.tactics()) {
      if (!wanted(tactic->name()) || !takes(*tactic) || !device::runs(*tactic, each.problem, device.info()))
        continue;
      std::vector<device::Candidate> chosen;
      for (const device::Candidate& candidate : tactic->candidates(each.problem, device))
        if (!kind || met.emplace(tactic->name(), kind(*tactic, candidate, each.problem)).second)
          chosen.push_back(candidate);
      if (!chosen.empty()) each.ways.emplace_back(tactic, std::move(chosen));
    }
    if (!each.ways.empty()) found.push_back(std::move(each));
  }
  return found;
}

}  // namespace burnish::cuda_tests
