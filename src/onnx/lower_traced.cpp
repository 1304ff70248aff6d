#include "onnx/lower_traced.h"

#include "onnx/lower.h"
#include "ops/infer.h"

namespace burnish::onnx {
namespace {

/// The text says the types of inputs alone.
void infer_with_bodies(ir::Graph& graph) {
  for (ir::NodeId id : graph.order())
    for (const auto& body : graph.node(id).bodies) infer_with_bodies(*body);
  ops::infer(graph);
}

}  // namespace

void lower_traced(Lower& node) {
  const std::string text = node.text("graph");
  const auto traced = with_context([] { return "attribute 'graph'"; }, [&] { return ir::parse(text, ops::op_lookup()); });
  require(static_cast<int>(traced->inputs().size()) == node.input_count(), "it has {} inputs; its graph takes {}", node.input_count(), traced->inputs().size());
  require(static_cast<int>(traced->outputs.size()) >= node.output_count(), "it has {} outputs; its graph gives {}", node.output_count(), traced->outputs.size());
  infer_with_bodies(*traced);
  std::map<ir::ValueId, ir::ValueId> made;
  for (int i = 0; i < node.input_count(); ++i) made[traced->inputs()[static_cast<size_t>(i)]] = node.needed_input(i);
  for (ir::ValueId constant : traced->constants()) {
    const Tensor& data = traced->value(constant).constant;
    require(data.raw() != nullptr || data.size() == 0, "constant '{}' of its graph has no data", traced->value(constant).name);
    made[constant] = node.add_constant(data);
  }
  for (ir::NodeId id : traced->order()) {
    const ir::Node& inner = traced->node(id);
    std::vector<ir::ValueId> inputs;
    for (ir::ValueId input : inner.inputs) inputs.push_back(input ? made.at(input) : input);
    const auto outputs = node.emit_many(ops::definition(inner), inner.attributes, std::move(inputs), static_cast<int>(inner.outputs.size()), inner.bodies);
    for (size_t i = 0; i < outputs.size(); ++i)
      if (inner.outputs[i]) made[inner.outputs[i]] = outputs[i];
  }
  for (int i = 0; i < node.output_count(); ++i) node.set_output(i, made.at(traced->outputs[static_cast<size_t>(i)].value));
}

}  // namespace burnish::onnx
