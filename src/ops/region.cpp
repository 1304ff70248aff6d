// Ops that the optimiser itself makes.
#include "base/error.h"
#include "ops/body.h"
#include "ops/evaluate.h"
#include "ops/infer.h"
#include "ops/table.h"

namespace burnish::ops {

void infer_by_body(InferContext& context) {
  const ir::Graph& body = *context.bodies()[0];
  require(static_cast<int>(body.inputs().size()) == context.inputs(), "its body takes {} inputs, not {}", body.inputs().size(), context.inputs());
  require(static_cast<int>(body.outputs.size()) >= context.outputs(), "its body gives {} outputs, not {}", body.outputs.size(), context.outputs());
  const std::shared_ptr<ir::Graph> typed = body.clone();  // sessions share the body
  typed->symbols = context.symbols();
  for (int i = 0; i < context.inputs(); ++i) typed->value(typed->inputs()[static_cast<size_t>(i)]).type = context.type(i);
  infer(*typed);
  for (int i = 0; i < context.outputs(); ++i) context.set(i, typed->value(typed->outputs[static_cast<size_t>(i)].value).type);
}

void reference_by_body(const ReferenceCall& call) {
  std::vector<Tensor> made = evaluate(*call.bodies[0], call.inputs);
  for (size_t i = 0; i < call.outputs.size(); ++i) call.outputs[i] = made[i];
}

namespace def {
namespace {

void reformat_reference(const ReferenceCall& call) { call.outputs[0] = call.inputs[0]; }

}  // namespace

const OpDef region = op("region").variadic("inputs").outputs_variadic("outputs").bodies(1)
    .infer(infer_by_body).reference(reference_by_body).summary("several ops that run as one kernel; the body says which");

const OpDef reformat = op("reformat").input("x").output("y")
    .infer(infer_same).reference(reformat_reference).fusion(Fusion::injective)
    .summary("the same tensor in another physical layout; the output's type says which");

}  // namespace def
}  // namespace burnish::ops
