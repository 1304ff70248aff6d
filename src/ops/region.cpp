// Ops that the optimiser itself makes.
#include "base/error.h"
#include "ops/evaluate.h"
#include "ops/infer.h"
#include "ops/table.h"

namespace burnish::ops::def {
namespace {

/// The body's values are typed when the region is made; here its outputs' types come out again.
void infer_region(InferContext& context) {
  const ir::Graph& body = *context.bodies()[0];
  require(static_cast<int>(body.inputs().size()) == context.inputs(), "a region's body must take as many inputs as the region");
  const std::shared_ptr<ir::Graph> typed = body.clone();
  for (int i = 0; i < context.inputs(); ++i) typed->value(typed->inputs()[static_cast<size_t>(i)]).type = context.type(i);
  infer(*typed);
  for (int i = 0; i < context.outputs(); ++i) context.set(i, typed->value(typed->outputs.at(static_cast<size_t>(i)).value).type);
}

void region_reference(const ReferenceCall& call) {
  std::vector<Tensor> made = evaluate(*call.bodies[0], call.inputs);
  for (size_t i = 0; i < call.outputs.size(); ++i) call.outputs[i] = made[i];
}

void reformat_reference(const ReferenceCall& call) { call.outputs[0] = call.inputs[0]; }

}  // namespace

const OpDef region = op("region").variadic("inputs").outputs_variadic("outputs").bodies(1)
    .infer(infer_region).reference(region_reference).summary("several ops that run as one kernel; the body says which");

const OpDef reformat = op("reformat").input("x").output("y")
    .infer(infer_same).reference(reformat_reference).fusion(Fusion::injective)
    .summary("the same tensor in another physical layout; the output's type says which");

}  // namespace burnish::ops::def
