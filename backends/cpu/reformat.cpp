// From one layout to another.
#include "backends/cpu/onednn_tactic.h"
#include "backends/cpu/onednn_tactics.h"
#include "ops/table.h"

namespace burnish::cpu {
namespace {

using device::Problem;

class ReformatTactic : public OnednnTactic {
 public:
  std::string name() const override { return "onednn.reformat"; }

  Support make(const Request& request, Operation& operation) const override {
    if (!request.problem.single(ops::def::reformat)) return Support::no("it is no change of layout");
    const onednn::ReorderSpec spec{onednn::desc_of(request.inputs[0]), onednn::desc_of(request.outputs[0])};
    operation.description = onednn::describe(spec);
    operation.operands = {{DNNL_ARG_FROM, Operand::From::input, 0, spec.from, {}},
                          {DNNL_ARG_TO, Operand::From::output, 0, spec.to, {}}};
    return Support::yes();
  }
};

}  // namespace

const device::Tactic& reformat_tactic() {
  static const ReformatTactic tactic;
  return tactic;
}

}  // namespace burnish::cpu
