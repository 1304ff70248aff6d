#include "build/bisect.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/distance.h"
#include "base/error.h"
#include "build/io.h"
#include "build/pipeline.h"
#include "build/weights.h"
#include "ops/evaluate.h"
#include "rules/library.h"
#include "runtime/observe.h"

namespace burnish::build_internal {

namespace {

using ErrorAfter = std::function<double(int64_t steps)>;

/// Of `total` steps, the first after which the error is above the tolerance, given that it is not after none
/// and is after all.
int64_t first_wrong(int64_t total, double tolerance, const ErrorAfter& error_after) {
  int64_t right = 0, wrong = total;
  while (wrong - right > 1) {
    const int64_t middle = (right + wrong) / 2;
    (error_after(middle) <= tolerance ? right : wrong) = middle;
  }
  return wrong;
}

/// The optimiser stopped after so many rewrites, its graph run on the reference kernels.
class Rewrites {
 public:
  Rewrites(const Model& model, const BuildOptions& options, const std::vector<Tensor>& inputs,
           const std::vector<Tensor>& expected)
      : model_(model.state()),
        graph_(requested_graph(model, options)),
        rules_(rewrite::parse_rules("rules", options.rules, rules::vocabulary())),
        more_rules_(rules_),
        inputs_(inputs),
        expected_(expected),
        passes_(options.passes) {}

  rewrite::RewriteLog apply(ir::Graph& graph, int64_t limit) const {
    rewrite::RewriteLog log(limit);
    declare_weights(model_, graph, log);
    optimize(graph, {passes_, &more_rules_}, log);
    return log;
  }
  rewrite::RewriteLog log(int64_t limit) const { return apply(*graph_->clone(), limit); }
  double error_after(int64_t limit) const {
    const std::shared_ptr<ir::Graph> graph = graph_->clone();
    apply(*graph, limit);
    return largest_error(ops::evaluate(*graph, inputs_), expected_);
  }

 private:
  const model_internal::ModelState& model_;
  std::shared_ptr<const ir::Graph> graph_;
  std::vector<rewrite::Rule> rules_;
  rewrite::RuleSet more_rules_;
  const std::vector<Tensor>&inputs_, &expected_;
  bool passes_;
};

/// A program's run of which the first so many kernels' results are the device's, and the rest is done by the
/// reference.
class Kernels {
 public:
  Kernels(const plan::Program& program, const runtime::ObservedRun& run, const std::vector<Tensor>& inputs,
          const std::vector<Tensor>& expected)
      : graph_(*program.graph), inputs_(inputs), expected_(expected) {
    for (const runtime::ObservedValue& value : run.values) {
      if (!value.by_kernel) continue;
      made_[value.id.index] = value.tensor;
      const ir::NodeId node = graph_.value(value.id).producer;
      if (positions_.emplace(node, count() + 1).second) nodes_.push_back(node);
    }
  }

  int64_t count() const { return static_cast<int64_t>(nodes_.size()); }
  ir::NodeId node(int64_t position) const { return nodes_[static_cast<size_t>(position - 1)]; }

  double error_after(int64_t kernels) const {
    std::vector<Tensor> values(graph_.value_capacity());
    for (size_t i = 0; i < inputs_.size(); ++i)
      values[static_cast<size_t>(graph_.inputs()[i].index)] = inputs_[i];
    for (ir::ValueId id : graph_.constants())
      values[static_cast<size_t>(id.index)] = graph_.value(id).constant;
    for (ir::NodeId id : graph_.order()) {
      const auto position = positions_.find(id);
      run_node(id, position != positions_.end() && position->second <= kernels, values);
    }
    std::vector<Tensor> outputs;
    for (const ir::Output& output : graph_.outputs)
      outputs.push_back(values[static_cast<size_t>(output.value.index)]);
    return largest_error(outputs, expected_);
  }

 private:
  void run_node(ir::NodeId id, bool by_device, std::vector<Tensor>& values) const {
    const ir::Node& node = graph_.node(id);
    std::vector<Tensor> inputs, made;
    for (ir::ValueId input : node.inputs)
      inputs.push_back(input ? values[static_cast<size_t>(input.index)] : Tensor());
    if (!by_device)
      made = with_context([&] { return fmt::format("node '{}' ({})", node.source, node.op->name); },
                          [&] {
                            return ops::evaluate_node(ops::definition(node), node.attributes, inputs,
                                                      static_cast<int>(node.outputs.size()), node.bodies);
                          });
    for (size_t i = 0; i < node.outputs.size(); ++i)
      if (node.outputs[i])
        values[static_cast<size_t>(node.outputs[i].index)] =
            by_device ? made_.at(node.outputs[i].index) : made[i];
  }

  const ir::Graph& graph_;
  const std::vector<Tensor>&inputs_, &expected_;
  std::map<int32_t, Tensor> made_;           // by value index: what the device's kernels made
  std::vector<ir::NodeId> nodes_;            // those with kernels, in order
  std::map<ir::NodeId, int64_t> positions_;  // of the same, from 1
};

}  // namespace

Culprit bisect(const Model& model, const BuildOptions& options, const std::vector<Tensor>& inputs,
               double tolerance) {
  const std::vector<Tensor> expected = ops::evaluate(*requested_graph(model, options), inputs);
  const Engine engine = build(model, options);
  session_internal::SessionState state(engine);
  const runtime::ObservedRun run = runtime::observe_run(state, inputs);
  Culprit culprit;
  culprit.error = largest_error(run.outputs, expected);
  if (culprit.error <= tolerance) return culprit;

  const Rewrites rewrites(model, options, inputs, expected);
  culprit.total = rewrites.log(-1).taken();
  if (rewrites.error_after(-1) > tolerance) {
    culprit.kind = Culprit::Kind::rewrite;
    require(rewrites.error_after(0) <= tolerance,
            "the result is off by {:.2g} before the first rewrite that can be left out: the importer or a "
            "pass that counts no changes makes it so",
            culprit.error);
    culprit.position =
        first_wrong(culprit.total, tolerance, [&](int64_t limit) { return rewrites.error_after(limit); });
    const rewrite::RewriteLog log = rewrites.log(culprit.position);
    const rewrite::Rewrite& last = log.hits().back();
    culprit.name = last.name;
    culprit.where = last.where;
    culprit.what = last.what;
    culprit.error_before = rewrites.error_after(culprit.position - 1);
    culprit.error_after = rewrites.error_after(culprit.position);
    return culprit;
  }
  const plan::Program& program = *engine.state().program;
  const Kernels kernels(program, run, inputs, expected);
  culprit.kind = Culprit::Kind::kernel;
  culprit.total = kernels.count();
  require(kernels.count() > 0 && kernels.error_after(0) <= tolerance,
          "the result is off by {:.2g}, but neither a rewrite nor a kernel makes it so: lower precision "
          "does, or a pass that cannot be stopped half-way",
          culprit.error);
  culprit.position =
      first_wrong(culprit.total, tolerance, [&](int64_t limit) { return kernels.error_after(limit); });
  const ir::NodeId node = kernels.node(culprit.position);
  const device::Choice& choice = program.choice(node);
  culprit.name = choice.tactic.empty() ? "the body of " + program.graph->node(node).op->name
                                       : choice.tactic + " " + choice.candidate;
  culprit.where = program.graph->node(node).source;
  if (!choice.tactic.empty()) culprit.what = program.problems[static_cast<size_t>(node.index)]->text();
  culprit.error_before = kernels.error_after(culprit.position - 1);
  culprit.error_after = kernels.error_after(culprit.position);
  return culprit;
}

}  // namespace burnish::build_internal
