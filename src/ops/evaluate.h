// Runs graphs on the reference kernels: constant folding, the weights' graph, bodies, and the oracle of tests.
#pragma once

#include <map>

#include "ops/op_def.h"

namespace burnish::ops {

/// Runs one node on the host. Returns its outputs, shapes as the reference kernel made them.
std::vector<Tensor> evaluate_node(const OpDef& op, const ir::Attributes& attributes, std::span<const Tensor> inputs,
                                  int output_count, std::span<const std::shared_ptr<ir::Graph>> bodies = {});

/// Called with every value as it is made.
using ValueObserver = std::function<void(ir::ValueId, const Tensor&)>;

/// Runs the graph on the host: one tensor per graph input, in order; gives one per graph output.
/// Throws Error that names the node.
std::vector<Tensor> evaluate(const ir::Graph& graph, std::span<const Tensor> inputs, const ValueObserver& observer = {});

/// The data of values that depend on constants alone. What several nodes read is computed once.
class ConstantValues {
 public:
  explicit ConstantValues(const ir::Graph& graph) : graph_(graph) {}
  /// An empty Tensor for a value that depends on more.
  Tensor of(ir::ValueId id);

 private:
  const ir::Graph& graph_;
  std::map<ir::ValueId, Tensor> shared_;
};

/// One such value; callers that ask for several keep a ConstantValues.
Tensor constant_value(const ir::Graph& graph, ir::ValueId value);

}  // namespace burnish::ops
