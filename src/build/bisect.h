// Finds the rewrite or the kernel that makes a model's result wrong.
#pragma once

#include <burnish/build.h>

namespace burnish::build_internal {

struct Culprit {
  enum class Kind { none, rewrite, kernel };
  Kind kind = Kind::none;
  int64_t position = 0, total = 0;           ///< the culprit's number, from 1, among all rewrites or kernels
  std::string name;                          ///< the rule or pass; the tactic and its candidate
  std::string where;                         ///< the model's nodes
  std::string what;                          ///< what the rewrite made; the kernel's problem
  double error = 0;                          ///< of the result as built: the largest relative L2 of an output
  double error_before = 0, error_after = 0;  ///< of the result without the culprit, and with it
};

/// Compares a build's result for `inputs` (in the model's order) with the reference kernels on the model as
/// imported. Where it is off by more than `tolerance`: halves the number of rewrites, run on the reference
/// kernels; if all of those are right, halves the number of kernels whose results are taken from the device,
/// the reference doing the rest.
Culprit bisect(const Model& model, const BuildOptions& options, const std::vector<Tensor>& inputs,
               double tolerance);

}  // namespace burnish::build_internal
