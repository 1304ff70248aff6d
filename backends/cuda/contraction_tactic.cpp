#include "cuda/contraction_tactic.h"

#include "cuda/tactics.h"

namespace burnish::cuda {

using device::Problem;

Support ContractionTactic::supports(const Problem& problem, const device::DeviceInfo&) const {
  if (Support support = supports_layouts(problem); !support) return support;
  Contraction contraction;
  if (Support support = analyse(problem, contraction); !support) return support;
  return Epilogue::supports(problem, contraction);
}

int ContractionTactic::in_place_input(const Problem& problem) const {
  return reusable_input(problem, contraction_of(problem));
}

std::vector<Tensor> ContractionTactic::pack(const Problem& problem, const device::Candidate& candidate,
                                            std::span<const Tensor> weights, device::Device& device) const {
  std::vector<Tensor> packed = Tactic::pack(problem, candidate, weights, device);
  const Contraction contraction = contraction_of(problem);
  if (!contraction.right_is_weight(problem)) return packed;
  const Tensor& weight = weights[static_cast<size_t>(contraction.right)];
  packed[static_cast<size_t>(weight_order(problem, contraction.right))] = pack_right(
      contraction, candidate.id, contraction.phases ? weights_by_phases(contraction, weight) : weight);
  return packed;
}

Contraction ContractionTactic::contraction_of(const Problem& problem) const {
  Contraction contraction;
  const Support support = analyse(problem, contraction);
  require(static_cast<bool>(support), "internal: {}", support.reason());
  return contraction;
}

}  // namespace burnish::cuda
