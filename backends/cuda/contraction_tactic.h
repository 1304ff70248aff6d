// What the tactics share whose problem is a contraction with a pointwise body behind it.
#pragma once

#include "cuda/contraction.h"

namespace burnish::cuda {

/// Subclasses say which contractions their kernel takes, and in which order it wants the right operand.
class ContractionTactic : public GeneratedTactic {
 public:
  Support supports(const device::Problem& problem, const device::DeviceInfo& device) const override;
  int in_place_input(const device::Problem& problem) const final;
  std::vector<Tensor> pack(const device::Problem& problem, const device::Candidate& candidate,
                           std::span<const Tensor> weights, device::Device& device) const final;

 protected:
  /// Fills `into` with the problem's contraction as the kernel reads it, or says why it does not.
  virtual Support analyse(const device::Problem& problem, Contraction& into) const = 0;
  /// The right operand, a weight, in the kernel's order.
  virtual Tensor pack_right(const Contraction& contraction, const std::string& candidate,
                            const Tensor& weight) const = 0;

  /// Of a problem that supports() took.
  Contraction contraction_of(const device::Problem& problem) const;
};

}  // namespace burnish::cuda
