#include "runner.h"

#include <fmt/format.h>

#include "base/error.h"
#include "build/model.h"
#include "ops/evaluate.h"

namespace burnish::tool {
namespace {

/// The imported graph as it is, on the reference kernels.
TensorMap run_on_reference(const ir::Graph& graph, const TensorMap& given) {
  std::vector<Tensor> inputs;
  for (ir::ValueId id : graph.inputs()) {
    const ir::Value& value = graph.value(id);
    const auto found = given.find(value.name);
    require(found != given.end(), "input '{}' is missing", value.name);
    const Tensor& tensor = found->second;
    require(tensor.dtype() == value.type.dtype && tensor.rank() == value.type.rank(),
            "input '{}' must be {}, not {} of shape {}", value.name, value.type.str(),
            dtype_name(tensor.dtype()), shape_text(tensor.shape()));
    inputs.push_back(tensor);
  }
  const std::vector<Tensor> made = ops::evaluate(graph, inputs);
  TensorMap outputs;
  for (size_t i = 0; i < made.size(); ++i) outputs[graph.outputs[i].name] = made[i];
  return outputs;
}

}  // namespace

Runner make_runner(const Model& model, const CommonOptions& options) {
  if (!options.device.empty() && options.device != "reference")
    throw UsageError(fmt::format("--device: no device is called '{}'", options.device));
  Runner runner;
  runner.run = [model](const TensorMap& inputs) { return run_on_reference(*model.state().graph, inputs); };
  runner.kernels = static_cast<int64_t>(model.state().graph->node_count());
  return runner;
}

}  // namespace burnish::tool
