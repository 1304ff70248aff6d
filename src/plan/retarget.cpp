#include "plan/retarget.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "ops/evaluate.h"
#include "ops/table.h"

namespace burnish::plan {
namespace {

class Retargeter {
 public:
  Retargeter(ir::Graph& graph, std::vector<device::Choice>& choices, device::Device& device, bool repack)
      : graph_(graph), choices_(choices), device_(device), repack_(repack) {}

  std::vector<std::string> run() {
    if (!pitches_run()) drop_pitches();
    for (ir::NodeId id : graph_.order())
      if (!choices_[static_cast<size_t>(id.index)].tactic.empty()) check(id);
    graph_.sort();
    return std::move(log_);
  }

 private:
  bool has_kernel(ir::NodeId id) const { return !choices_[static_cast<size_t>(id.index)].tactic.empty(); }

  bool has_pitch(ir::ValueId value) const { return value && graph_.value(value).type.pitch != 0; }

  bool has_pitch(const std::vector<ir::ValueId>& values) const {
    return std::any_of(values.begin(), values.end(), [&](ir::ValueId value) { return has_pitch(value); });
  }

  /// Whether parts of wider tensors are what kernels make for kernels, all of which stay as they are.
  bool pitches_run() const {
    if (has_pitch(graph_.inputs()) || has_pitch(graph_.constants())) return false;
    for (const ir::Output& output : graph_.outputs)
      if (has_pitch(output.value)) return false;
    for (ir::NodeId id : graph_.order()) {
      const ir::Node& node = graph_.node(id);
      if (!has_pitch(node.inputs) && !has_pitch(node.outputs)) continue;
      const device::Tactic* saved =
          has_kernel(id) ? device::find_tactic(device_, choices_[static_cast<size_t>(id.index)].tactic)
                         : nullptr;
      if (repack_ || !saved || !device::runs(*saved, device::Problem::of(graph_, id), device_.info()))
        return false;
    }
    return true;
  }

  /// All tensors are dense then, and kernels whose problem that changes are made again.
  void drop_pitches() {
    for (ir::NodeId id : graph_.order())
      if (has_kernel(id) && device::Problem::of(graph_, id).has_pitch()) made_again_.insert(id);
    for (size_t i = 0; i < graph_.value_capacity(); ++i)
      graph_.value({static_cast<int32_t>(i)}).type.pitch = 0;
  }

  void check(ir::NodeId id) {
    const device::Problem problem = device::Problem::of(graph_, id);
    device::Choice& choice = choices_[static_cast<size_t>(id.index)];
    const device::Tactic* saved = device::find_tactic(device_, choice.tactic);
    const bool runs = saved && device::runs(*saved, problem, device_.info());
    if (runs && !repack_ && !made_again_.contains(id)) return;
    if (runs && take(id, problem, *saved, choice.candidate)) return;
    for (const device::Tactic* tactic : device_.tactics()) {
      if (!device::runs(*tactic, problem, device_.info())) continue;
      if (!take(id, problem, *tactic, {})) continue;
      log_.push_back(fmt::format("node '{}': {} instead of {}", graph_.node(id).source, tactic->name(), choice.tactic));
      return;
    }
    if (device::runs(device::fallback_tactic(), problem, device_.info()) && problem.nodes().size() == 1) {
      pack(id, problem, device::fallback_tactic(), {});
      log_.push_back(fmt::format("node '{}': the reference instead of {}", graph_.node(id).source, choice.tactic));
      return;
    }
    expand(id);
  }

  /// Packs with the wanted candidate if the tactic offers it, else with its first one.
  void pack(ir::NodeId id, const device::Problem& problem, const device::Tactic& tactic, const std::string& wanted) {
    const std::vector<device::Candidate> candidates = tactic.candidates(problem, device_);
    device::Candidate candidate = candidates.at(0);
    for (const device::Candidate& offered : candidates)
      if (offered.id == wanted) candidate = offered;
    std::vector<Tensor> weights(static_cast<size_t>(problem.input_count()));
    for (int i = 0; i < problem.input_count(); ++i)
      if (problem.is_weight(i)) weights[static_cast<size_t>(i)] = weight(id, problem.node_inputs()[static_cast<size_t>(i)]);
    device::Choice choice;
    choice.tactic = tactic.name();
    choice.candidate = candidate.id;
    choice.code = tactic.compile(problem, candidate, device_);
    choice.constants = tactic.pack(problem, candidate, weights, device_);
    choices_.resize(graph_.node_capacity());
    choices_[static_cast<size_t>(id.index)] = std::move(choice);
  }

  /// What the node's input holds. A damaged engine may not have it.
  Tensor weight(ir::NodeId id, int input) const {
    Tensor data = ops::constant_value(graph_, graph_.node(id).inputs[static_cast<size_t>(input)]);
    require(!data.empty(), "node '{}': the engine holds no data of its weight {} to pack for {}: build the engine again", graph_.node(id).source, input, device_.info().name);
    return data;
  }

  /// pack(), or false if the tactic refuses.
  bool take(ir::NodeId id, const device::Problem& problem, const device::Tactic& tactic, const std::string& wanted) {
    try {
      pack(id, problem, tactic, wanted);
      return true;
    } catch (const Error&) {
      return false;
    }
  }

  /// Puts the body's nodes in the region's place, in plain layouts, with reformats round them.
  void expand(ir::NodeId id) {
    require(graph_.node(id).op != &ops::def::reformat, "no kernel of {} changes layouts", device_.info().name);
    log_.push_back(fmt::format("node '{}': its parts one by one instead of {}", graph_.node(id).source, choices_[static_cast<size_t>(id.index)].tactic));
    const std::vector<ir::ValueId> old_inputs = graph_.node(id).inputs;
    std::vector<ir::ValueId> inputs;
    for (ir::ValueId input : old_inputs) inputs.push_back(input ? in_layout(input, ir::Layout::plain, id) : input);
    std::vector<ir::ValueId> results;
    if (graph_.node(id).op == &ops::def::region) {
      results = expand_body(*graph_.node(id).bodies[0], inputs, id);
    } else {
      results = {copy_node(graph_, graph_.node(id), inputs, id)};
    }
    for (size_t i = 0; i < results.size(); ++i) {
      const ir::ValueId old = graph_.node(id).outputs[i];
      const ir::ValueId fits = in_layout(results[i], graph_.value(old).type.layout, id);
      graph_.replace_uses(old, fits);
    }
    choices_.resize(graph_.node_capacity());
    choices_[static_cast<size_t>(id.index)] = {};
    graph_.erase(id);
  }

  std::vector<ir::ValueId> expand_body(const ir::Graph& body, const std::vector<ir::ValueId>& inputs, ir::NodeId before) {
    std::map<ir::ValueId, ir::ValueId> made;
    for (size_t i = 0; i < inputs.size(); ++i) made[body.inputs()[i]] = inputs[i];
    for (ir::ValueId constant : body.constants()) made[constant] = graph_.add_constant("", body.value(constant).constant);
    for (ir::NodeId inner : body.order()) {
      const ir::Node& node = body.node(inner);
      std::vector<ir::ValueId> operands;
      for (ir::ValueId input : node.inputs) operands.push_back(input ? made.at(input) : input);
      made[node.outputs.at(0)] = copy_node(body, node, operands, before);
    }
    std::vector<ir::ValueId> results;
    for (const ir::Output& output : body.outputs) results.push_back(made.at(output.value));
    return results;
  }

  /// One part, with the first kernel that takes it in plain layouts.
  ir::ValueId copy_node(const ir::Graph& from, const ir::Node& node, const std::vector<ir::ValueId>& inputs, ir::NodeId before) {
    const ir::NodeId copy = graph_.add_node(*node.op, node.attributes, inputs, static_cast<int>(node.outputs.size()), {}, before);
    graph_.node(copy).source = node.source;
    graph_.node(copy).bodies = node.bodies;
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      ir::Value& output = graph_.value(graph_.node(copy).outputs[i]);
      output.type = from.value(node.outputs[i]).type;
      output.type.layout = ir::Layout::plain;
    }
    choices_.resize(graph_.node_capacity());
    const device::Problem problem = device::Problem::of(graph_, copy);
    for (const device::Tactic* tactic : device_.tactics())
      if (device::runs(*tactic, problem, device_.info()) && take(copy, problem, *tactic, {}))
        return graph_.node(copy).outputs[0];
    pack(copy, problem, device::fallback_tactic(), {});
    return graph_.node(copy).outputs[0];
  }

  ir::ValueId in_layout(ir::ValueId value, ir::Layout layout, ir::NodeId before) {
    if (graph_.value(value).constant_only || graph_.value(value).type.layout == layout) return value;
    ir::TensorType type = graph_.value(value).type;
    type.layout = layout;
    const ir::NodeId made = graph_.add_node(ops::def::reformat, ir::Attributes(), {value}, 1, {}, before);
    graph_.value(graph_.node(made).outputs[0]).type = type;
    choices_.resize(graph_.node_capacity());
    const device::Problem problem = device::Problem::of(graph_, made);
    for (const device::Tactic* tactic : device_.tactics())
      if (device::runs(*tactic, problem, device_.info()) && take(made, problem, *tactic, {}))
        return graph_.node(made).outputs[0];
    fail("no kernel of {} brings {} to layout {}", device_.info().name, graph_.value(value).type.str(), ir::layout_name(layout));
  }

  ir::Graph& graph_;
  std::vector<device::Choice>& choices_;
  device::Device& device_;
  const bool repack_;
  std::set<ir::NodeId> made_again_;  // though the saved tactic runs them
  std::vector<std::string> log_;
};

}  // namespace

std::vector<std::string> retarget(ir::Graph& graph, std::vector<device::Choice>& choices, device::Device& device, bool repack) {
  return Retargeter(graph, choices, device, repack).run();
}

}  // namespace burnish::plan
