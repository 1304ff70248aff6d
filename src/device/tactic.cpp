#include "device/tactic.h"

#include "device/device.h"

namespace burnish::device {

std::vector<Tensor> Kernel::run(std::span<const Tensor>) const { fail("internal: this kernel's outputs have known shapes; bind it"); }

std::vector<std::vector<ir::Layout>> Tactic::layouts(const Problem& problem, const DeviceInfo&) const {
  return {std::vector<ir::Layout>(static_cast<size_t>(problem.input_count() + problem.output_count()), ir::Layout::plain)};
}

std::vector<Candidate> Tactic::candidates(const Problem&, Device&) const { return {{"only", 0}}; }

std::string Tactic::compile(const Problem&, const Candidate&, Device&) const { return {}; }

std::vector<Tensor> Tactic::pack(const Problem& problem, const Candidate&, std::span<const Tensor> weights, Device&) const {
  std::vector<Tensor> unchanged;
  for (int i = 0; i < problem.input_count(); ++i)
    if (problem.is_weight(i)) unchanged.push_back(weights[static_cast<size_t>(i)]);
  return unchanged;
}

Support runs(const Tactic& tactic, const Problem& problem, const DeviceInfo& device) {
  if (problem.has_pitch() && !tactic.takes_pitch()) return Support::no("it takes dense tensors");
  return tactic.supports(problem, device);
}

const Tactic* find_tactic(const Device& device, std::string_view name) {
  for (const Tactic* tactic : device.tactics())
    if (tactic->name() == name) return tactic;
  return fallback_tactic().name() == name ? &fallback_tactic() : nullptr;
}

}  // namespace burnish::device
