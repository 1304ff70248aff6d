// Trying one candidate: its result against the reference, then its time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "device/device.h"

namespace burnish::tune {

/// True where random inputs mean something for the problem: floating types, and no operand that indexes or must be
/// known on the host.
bool can_be_tried(const device::Problem& problem);

/// Seeded inputs for a problem of numbers only, in plain layout: the same for the same problem.
std::vector<Tensor> trial_inputs(const device::Problem& problem);

/// What the reference makes of trial_inputs().
std::vector<Tensor> expected_outputs(const device::Problem& problem);

struct TrialResult {
  double microseconds = 0;
  std::string wrong;        ///< how the result differs from the reference; empty where it agrees
  double measuring_us = 0;  ///< how long measuring took
  double waited_us = 0;     ///< and of it, summed over threads, how long they waited for processors
};

/// Tries candidates of one problem: its inputs and the device's buffers are made once for all of them.
class Trial {
 public:
  /// `problem` must be static; `expected` is expected_outputs()'; the device outlives the trial.
  Trial(const device::Problem& problem, const std::vector<Tensor>& expected, device::Device& device);
  ~Trial();
  Trial(const Trial&) = delete;

  /// Packs, loads, binds and runs a candidate, compares, then measures it. Throws Error where it cannot be run. `code` is
  /// what the tactic's compile() gave, where that was called already.
  TrialResult run(const device::Tactic& tactic, const device::Candidate& candidate, double budget_us, const std::string* code = nullptr);

  struct State;

 private:
  std::unique_ptr<State> state_;
};

/// One candidate's trial.
TrialResult try_candidate(const device::Problem& problem, const device::Tactic& tactic, const device::Candidate& candidate,
                          const std::vector<Tensor>& expected, device::Device& device, double budget_us);

/// The distance that a kernel may have from the reference in an output (accumulation in FP32): the coarsest rounding among the
/// types that its problem computes, with room for another order of summation and Winograd's transforms. A kernel need not round
/// what it keeps in registers, so an FP32 output of an FP16 intermediate is as far from the reference as FP16's rounding; 0 for integers.
/// `tf32`: contractions may round their operands to TF32 (DeviceInfo::tf32).
double allowed_error(const device::Problem& problem, int output, bool tf32 = false);

}  // namespace burnish::tune
