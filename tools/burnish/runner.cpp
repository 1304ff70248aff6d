#include "runner.h"

#include <fmt/format.h>

#include "base/error.h"
#include "build/model.h"
#include "ops/evaluate.h"
#include "runtime/session_state.h"

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

/// An engine built for the shapes of the first inputs it sees.
struct BuiltRunner {
  Model model;
  BuildOptions options;
  std::unique_ptr<Session> session;

  TensorMap run(const TensorMap& inputs) {
    if (!session) {
      for (const auto& [name, tensor] : inputs) options.shapes.emplace(name, tensor.shape());
      session = std::make_unique<Session>(build(model, options));
    }
    return session->run(inputs);
  }
};

}  // namespace

Runner make_runner(const Model& model, const CommonOptions& options) {
  Runner runner;
  if (options.device == "reference") {
    runner.run = [model](const TensorMap& inputs) { return run_on_reference(*model.state().graph, inputs); };
    runner.count = [model] { return KernelCount{static_cast<int64_t>(model.state().graph->node_count()), 0}; };
    return runner;
  }
  auto built = std::make_shared<BuiltRunner>(BuiltRunner{model, build_options(options), nullptr});
  runner.run = [built](const TensorMap& inputs) { return built->run(inputs); };
  runner.count = [built] {
    const runtime::Execution& execution = built->session->state().execution;
    return KernelCount{execution.steps_run(), execution.fallback_steps_run()};
  };
  return runner;
}

}  // namespace burnish::tool
