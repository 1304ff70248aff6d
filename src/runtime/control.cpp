// If, Loop and Scan.
#include "base/error.h"
#include "ops/evaluate.h"
#include "runtime/run_state.h"

namespace burnish::runtime {

std::vector<Tensor> Execution::run_control(ir::NodeId id, Run& run) {
  const ir::Node& node = program_->graph->node(id);
  std::vector<Tensor> inputs;
  for (ir::ValueId input : node.inputs)
    inputs.push_back(input ? on_host(run.table[static_cast<size_t>(input.index)], *run.stream) : Tensor());
  ++steps_run_;
  ++fallback_steps_run_;
  return ops::evaluate_node(ops::definition(node), node.attributes, inputs, static_cast<int>(node.outputs.size()), node.bodies);
}

}  // namespace burnish::runtime
