// What the values of a graph hold, and what a narrower type would make of them.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "ir/graph.h"

namespace burnish::precision {

/// One FP32 value, as one run showed it.
struct Observed {
  float largest = 0;          ///< the largest finite |x|
  double rounding_error = 0;  ///< relative L2 of rounding it to the narrower type; infinite where a finite one overflows
};

/// By value index.
using Observations = std::map<int32_t, Observed>;

/// What rounding the FP32 tensor to `narrow` (f16 or bf16) does to it.
Observed observe(const Tensor& tensor, DType narrow);

/// Runs the graph on the reference at its symbols' opt, with seeded inputs, and observes every FP32 value and constant.
/// Gives the outputs too. Throws Error naming the node that fails.
Observations observe_values(const ir::Graph& graph, DType narrow, uint64_t seed, std::vector<Tensor>& outputs);

/// The outputs for the same inputs.
std::vector<Tensor> run_seeded(const ir::Graph& graph, uint64_t seed);

/// The largest relative L2 of `got` against `expected` over all outputs of floats; infinite where one holds NaN and the
/// other does not.
double largest_float_error(const std::vector<Tensor>& got, const std::vector<Tensor>& expected);

/// Multiplications that one run at opt takes in convolutions and products, about.
double contraction_macs(const ir::Graph& graph);

}  // namespace burnish::precision
