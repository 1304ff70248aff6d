#include "precision/lower.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "base/error.h"
#include "ops/cast.h"
#include "ops/infer.h"
#include "ops/table.h"
#include "precision/ranges.h"

namespace burnish::precision {
namespace {

/// Ops that stay FP32 whatever their values are: rounding their input or output to few bits costs more than it does
/// elsewhere, or they sum without a wider accumulator of their own.
bool is_sensitive(std::string_view op) {
  static const std::set<std::string_view> sensitive = {
      "exp", "log", "pow", "sqrt", "rsqrt", "reciprocal", "sin", "cos", "tan", "sinh", "cosh", "asinh", "acosh", "atanh", "softplus",
      "mod", "fmod", "floor", "ceil", "round",  // a step's place
  };
  return sensitive.contains(op);
}

/// What kernels compute in FP32 inside, whatever the type of what they read and write.
bool accumulates_wide(std::string_view op) {
  static const std::set<std::string_view> ops = {
      "conv", "conv_transpose", "matmul", "einsum", "attention", "max_pool", "average_pool", "reduce_mean", "reduce_max", "reduce_min",
      "reduce_sum", "softmax", "log_softmax", "layer_norm", "rms_norm", "instance_norm", "group_norm", "batch_norm", "resize",
  };
  return ops.contains(op);
}

/// What moves elements as they are. (Slices of gathered indices and the like have integer inputs, which stay.)
bool moves(const ops::OpDef& op) {
  static const std::set<std::string_view> others = {"concat", "split", "slice", "pad", "where", "gather", "expand", "tile"};
  return op.view || op.fusion == ops::Fusion::injective || others.contains(op.name);
}

enum class Extent { all, contractions };  ///< how much of the graph goes narrow

class Lowering {
 public:
  Lowering(ir::Graph& graph, DType narrow, Extent extent, const Observations& observations, double largest_rounding_error)
      : graph_(graph), narrow_(narrow), extent_(extent), observations_(observations), largest_(largest_rounding_error) {
    if (const auto order = graph.order(); !order.empty()) first_ = order.front();
  }

  std::vector<std::string> run() {
    std::vector<ir::NodeId> nodes;
    for (ir::NodeId id : graph_.order())
      if (!is_weight(id)) nodes.push_back(id);
    std::set<ir::NodeId> narrow;
    for (ir::NodeId id : nodes)
      if (goes_narrow(id)) narrow.insert(id);
    for (ir::NodeId id : nodes) retype(id, narrow.contains(id));
    for (ir::Output& output : graph_.outputs)
      if (widened_.contains(output.value)) output.value = wide(output.value, {});
    return std::move(lines_);
  }

 private:
  bool is_weight(ir::NodeId id) const {
    const ir::Node& node = graph_.node(id);
    return !node.outputs.empty() && node.outputs[0] && graph_.value(node.outputs[0]).constant_only;
  }

  bool is_f32(ir::ValueId id) const { return id && graph_.value(id).type.dtype == DType::f32; }

  bool goes_narrow(ir::NodeId id) {
    const ir::Node& node = graph_.node(id);
    const bool any = std::any_of(node.outputs.begin(), node.outputs.end(), [&](ir::ValueId output) { return is_f32(output); });
    if (!any) return false;
    const std::optional<std::string> why_not = reason_to_stay(node);
    if (why_not && !why_not->empty()) lines_.push_back(fmt::format("{} ({}) stays fp32: {}", node.source, node.op->name, *why_not));
    return !why_not;
  }

  /// Nothing for a node that goes narrow; empty text for one that is not worth a line.
  std::optional<std::string> reason_to_stay(const ir::Node& node) const {
    const ops::OpDef& op = ops::definition(node);
    if (!node.bodies.empty()) return "its bodies compute in fp32";
    if (is_sensitive(op.name)) return "the op is sensitive to rounding";
    const bool pointwise = op.fusion == ops::Fusion::pointwise && op.name != "cast";
    const bool known = accumulates_wide(op.name) || moves(op) || (pointwise && extent_ == Extent::all);
    if (!known) return op.name == "cast" ? "" : "no narrow form of the op is trusted";
    for (const auto* values : {&node.inputs, &node.outputs})
      for (ir::ValueId id : *values)
        if (is_f32(id))
          if (const auto why = reason_against(id)) return why;
    return std::nullopt;
  }

  std::optional<std::string> reason_against(ir::ValueId id) const {
    const auto found = observations_.find(id.index);
    if (found == observations_.end() || found->second.rounding_error <= largest_) return std::nullopt;
    return fmt::format("'{}' holds up to {:.3g}; rounding it to {} costs {:.1e}", graph_.value(id).name, found->second.largest, dtype_name(narrow_), found->second.rounding_error);
  }

  /// The node reads and writes narrow values, or the wide ones that it did.
  void retype(ir::NodeId id, bool goes_narrow) {
    const ops::OpDef& op = ops::definition(graph_.node(id));
    for (size_t i = 0; i < graph_.node(id).inputs.size(); ++i) {
      const ir::ValueId input = graph_.node(id).inputs[i];
      if (!input) continue;
      const ops::InputSpec& spec = op.inputs[std::min(i, op.inputs.size() - 1)];
      if (goes_narrow && is_f32(input) && !spec.host)
        graph_.set_input(id, i, cast(input, narrow_, narrowed_, id));
      else if (!goes_narrow && widened_.contains(input))
        graph_.set_input(id, i, wide(input, id));
    }
    std::vector<ir::ValueId> were_f32;
    for (ir::ValueId output : graph_.node(id).outputs)
      if (is_f32(output)) were_f32.push_back(output);
    ops::infer(graph_, id);
    for (ir::ValueId output : were_f32)
      if (!is_f32(output)) widened_.emplace(output, ir::ValueId{});
  }

  /// The FP32 form of a value that went narrow.
  ir::ValueId wide(ir::ValueId id, ir::NodeId before) { return cast(id, DType::f32, widened_, before); }

  /// `id` as `to`, made once, right behind where it is made.
  ir::ValueId cast(ir::ValueId id, DType to, std::map<ir::ValueId, ir::ValueId>& made, ir::NodeId before) {
    ir::ValueId& value = made[id];
    if (value) return value;
    const std::string source = before ? graph_.node(before).source : graph_.value(id).name;
    const ir::NodeId producer = graph_.value(id).producer;
    const ir::NodeId place = producer ? graph_.node(producer).next : first_;
    const ir::NodeId node = ops::add_node(graph_, ops::def::cast, ir::Attributes(ops::CastAttributes{to}), {id}, 1, source, {}, place);
    return value = graph_.node(node).outputs[0];
  }

  ir::Graph& graph_;
  DType narrow_;
  Extent extent_;
  const Observations& observations_;
  double largest_;
  ir::NodeId first_;  ///< where casts of inputs and constants go
  std::map<ir::ValueId, ir::ValueId> narrowed_;  ///< wide values and their narrow casts
  std::map<ir::ValueId, ir::ValueId> widened_;   ///< values that went narrow, and their wide casts where made
  std::vector<std::string> lines_;
};

}  // namespace

std::vector<std::string> lower_precision(ir::Graph& graph, const LowerOptions& options) {
  Observations observations;
  std::vector<Tensor> expected;
  std::vector<std::string> lines;
  const bool runs = contraction_macs(graph) <= options.largest_run_macs;
  if (runs)
    observations = observe_values(graph, options.narrow, options.seed, expected);
  else
    lines.push_back("the graph is too large to be run on the reference: no value was looked at");
  for (Extent extent : {Extent::all, Extent::contractions}) {
    const std::shared_ptr<ir::Graph> copy = graph.clone();
    std::vector<std::string> said = Lowering(*copy, options.narrow, extent, observations, options.largest_rounding_error(options.narrow)).run();
    const double error = runs ? largest_float_error(run_seeded(*copy, options.seed), expected) : 0;
    if (error <= options.largest_output_error) {
      Lowering(graph, options.narrow, extent, observations, options.largest_rounding_error(options.narrow)).run();
      lines.insert(lines.end(), said.begin(), said.end());
      if (runs) lines.push_back(fmt::format("{}: the outputs lie {:.1e} (relative L2) from fp32's on the reference", dtype_name(options.narrow), error));
      return lines;
    }
    lines.push_back(fmt::format("with {} in {} the outputs lie {:.1e} from fp32's, {:.0e} is allowed: more stays fp32", dtype_name(options.narrow),
                                extent == Extent::all ? "all ops that can" : "contractions", error, options.largest_output_error));
  }
  return lines;
}

}  // namespace burnish::precision
