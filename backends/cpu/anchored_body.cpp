#include "backends/cpu/anchored_body.h"

namespace burnish::cpu {

std::optional<AnchoredBody> AnchoredBody::of(const device::Problem& problem) {
  AnchoredBody body;
  body.problem_ = &problem;
  for (ir::NodeId id : problem.nodes()) {
    if (ops::definition(problem.body().node(id)).expression)
      body.epilogue_.push_back(id);
    else if (body.anchor_)
      return std::nullopt;
    else
      body.anchor_ = id;
  }
  if (!body.anchor_) return std::nullopt;
  return body;
}

Support AnchoredBody::supports_epilogue() const {
  const ir::Graph& graph = problem_->body();
  if (problem_->output_count() != 1) return Support::no("more than one output");
  const ir::ValueId made = anchor().outputs[0], result = graph.outputs[0].value;
  if (graph.value(made).type.dtype != DType::f32 || graph.value(result).type.dtype != DType::f32)
    return Support::no("f32 only");
  if (epilogue_.empty())
    return result == made ? Support::yes() : Support::no("the output is not what the op makes");
  if (graph.value(made).type.shape != graph.value(result).type.shape)
    return Support::no("the epilogue changes the shape");
  if (result != graph.node(epilogue_.back()).outputs[0])
    return Support::no("the epilogue does not end in the output");
  for (ir::ValueId input : anchor().inputs)
    if (input && problem_->input_index(input) < 0 && problem_->literal(input).empty())
      return Support::no("the op's operand is computed in the body");
  return TileProgram::supports(*problem_, epilogue_, std::span(&made, 1), std::span(&result, 1));
}

TileProgram AnchoredBody::epilogue() const {
  return TileProgram(*problem_, epilogue_, {anchor().outputs[0]}, {problem_->body().outputs[0].value});
}

}  // namespace burnish::cpu
