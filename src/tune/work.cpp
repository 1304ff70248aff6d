#include "tune/work.h"

namespace burnish::tune {
namespace {

double elements(const ir::TensorType& type) {
  double count = 1;
  for (const ir::Dim& dim : type.shape) count *= dim.is_constant() ? static_cast<double>(dim.constant()) : 1;
  return count;
}

double dim_or_one(const ir::TensorType& type, int64_t axis) {
  if (type.rank() == 0) return 1;
  const ir::Dim& dim = type.shape[static_cast<size_t>(axis < 0 ? axis + type.rank() : axis)];
  return dim.is_constant() ? static_cast<double>(dim.constant()) : 1;
}

/// How many products are summed for one output element, from the operands' sizes.
double products_per_output(const ir::Graph& body, const ir::Node& node) {
  const ir::TensorType& first = body.value(node.inputs[0]).type;
  if (node.inputs.size() < 2 || !node.inputs[1]) return 1;
  const ir::TensorType& second = body.value(node.inputs[1]).type;
  if (node.op->name.find("conv") != std::string::npos && second.rank() > 2) return elements(second) / std::max(1.0, dim_or_one(second, 0));
  return dim_or_one(first, -1);
}

}  // namespace

Work work_of(const device::Problem& problem) {
  Work work;
  for (int i = 0; i < problem.input_count(); ++i) work.bytes += elements(problem.input(i)) * static_cast<double>(dtype_bytes(problem.input(i).dtype));
  for (int i = 0; i < problem.output_count(); ++i) work.bytes += elements(problem.output(i)) * static_cast<double>(dtype_bytes(problem.output(i).dtype));
  for (size_t i = 0; i < problem.nodes().size(); ++i) {
    const ir::Node& node = problem.node(i);
    const double made = elements(problem.body().value(node.outputs[0]).type);
    if (problem.op(i).fusion == ops::Fusion::contraction && !node.inputs.empty()) work.multiply_adds += made * products_per_output(problem.body(), node);
    else if (problem.op(i).fusion != ops::Fusion::injective && !problem.op(i).view) work.other_operations += made;
  }
  return work;
}

}  // namespace burnish::tune
