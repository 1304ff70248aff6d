#include "plan/refit.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "ops/evaluate.h"
#include "ops/op_def.h"

namespace burnish::plan {
namespace {

class Refitter {
 public:
  Refitter(const Program& program, const std::map<std::string, Tensor>& constants)
      : graph_(program.graph->clone()), made_(std::make_shared<Program>(program)), changed_(graph_->value_capacity(), false) {
    for (const auto& [name, data] : constants) {
      const ir::ValueId id = graph_->find_value(name);
      if (!id || !graph_->value(id).is_constant()) continue;
      graph_->value(id).constant = data;
      changed_[static_cast<size_t>(id.index)] = true;
    }
    for (ir::NodeId id : graph_->order())
      if (is_weight_node(*graph_, id) && any_input_changed(id))
        for (ir::ValueId output : graph_->node(id).outputs)
          if (output) changed_[static_cast<size_t>(output.index)] = true;
  }

  std::shared_ptr<const Program> run() {
    made_->device->execute([&] {
      const std::unique_ptr<device::Stream> stream = made_->device->create_stream();
      for (ir::NodeId id : graph_->order()) {
        if (made_->choice(id).tactic.empty() || !any_input_changed(id)) continue;
        const ir::Node& node = graph_->node(id);
        with_context([&] { return fmt::format("node '{}' ({})", node.source, node.op->name); }, [&] { repack(id, *stream); });
      }
      for (auto& [index, data] : made_->constants)
        if (changed_[static_cast<size_t>(index)]) data = to_device(values_.of(ir::ValueId{index}), *made_->device, *stream);
      stream->synchronize();
    });
    made_->graph = graph_;
    return made_;
  }

 private:
  bool any_input_changed(ir::NodeId id) const {
    const std::vector<ir::ValueId>& inputs = graph_->node(id).inputs;
    return std::any_of(inputs.begin(), inputs.end(), [&](ir::ValueId input) { return input && changed_[static_cast<size_t>(input.index)]; });
  }

  void repack(ir::NodeId id, device::Stream& stream) {
    const auto at = static_cast<size_t>(id.index);
    device::Choice& choice = made_->choices[at];
    device::Device& device = *made_->device;
    const device::Tactic* tactic = device::find_tactic(device, choice.tactic);
    require(tactic != nullptr, "device {} has no kernel called '{}'", device.info().name, choice.tactic);
    const device::Candidate candidate{choice.candidate, 0};
    auto problem = std::make_shared<device::Problem>(device::Problem::of(*graph_, id));
    if (problem->text() != made_->problems[at]->text()) {
      choice.code = tactic->compile(*problem, candidate, device);
      made_->kernels[at] = tactic->load(*problem, candidate, choice.code, device);
      made_->problems[at] = problem;
    }
    std::vector<Tensor> weights(static_cast<size_t>(problem->input_count()));
    for (int i = 0; i < problem->input_count(); ++i)
      if (problem->is_weight(i)) weights[static_cast<size_t>(i)] = values_.of(graph_->node(id).inputs[static_cast<size_t>(problem->node_inputs()[static_cast<size_t>(i)])]);
    choice.constants = tactic->pack(*problem, candidate, weights, device);
    for (Tensor& constant : choice.constants) constant = to_device(constant, device, stream);
  }

  std::shared_ptr<ir::Graph> graph_;
  std::shared_ptr<Program> made_;
  std::vector<bool> changed_;  // by value index
  ops::ConstantValues values_{*graph_};
};

}  // namespace

std::shared_ptr<const Program> refit(const Program& program, const std::map<std::string, Tensor>& constants) {
  return Refitter(program, constants).run();
}

}  // namespace burnish::plan
