// Differential tests: a tactic against the reference, in every set of layouts and with every candidate that
// it names.
#pragma once

#include <random>
#include <string>

#include "device/device.h"

namespace burnish::test {

/// A tensor of random values: floats in [-range, range], integers in [-9, 9] or [0, 9], bools.
Tensor random_tensor(std::mt19937& random, DType dtype, const Shape& shape, double range = 2);

/// The bytes of a plain tensor in another layout (padding is zero), and back.
std::vector<char> to_layout(const Tensor& plain, ir::Layout layout);
Tensor from_layout(const void* data, DType dtype, const Shape& shape, ir::Layout layout);

struct CheckOptions {
  double relative = 2e-5, absolute = 2e-5;
  double range = 2;                                  ///< of random floats
  unsigned seed = 0;                                 ///< 0: made from the problem's text
  std::vector<Tensor> inputs;                        ///< used where not empty, in place of random ones
  std::vector<std::vector<ir::Layout>> layout_sets;  ///< used if not empty, in place of the tactic's own
};

/// Runs the tactic called `tactic` of the device "cpu" on the problem: for each of its sets of layouts that
/// it supports (at least one) and each candidate, with canaries round outputs and workspace, twice; and in
/// place where it says that it can. Failures say the problem, layouts, candidate and seed.
void check_tactic(const std::string& tactic, const std::string& problem, const CheckOptions& options = {});

/// Runs `body` once per instruction set that Highway has here, best first.
void for_each_target(const std::function<void()>& body);

}  // namespace burnish::test
