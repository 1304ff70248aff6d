// Normalisations, softmax in its older form, and reductions.
#include <algorithm>

#include "onnx/import.h"
#include "onnx/lower.h"
#include "onnx/lowerings.h"
#include "ops/infer.h"

namespace burnish::onnx {
namespace {

namespace def = ops::def;

ir::ValueId reduce(Lower& node, const ops::OpDef& op, ir::ValueId x, std::vector<int64_t> axes) {
  return node.emit(op, {{"axes", std::move(axes)}}, {x});
}

/// Before opset 13, softmax and its kin saw a matrix: the dimensions before the axis, and the others.
void emit_on_matrix(Lower& node, const ops::OpDef& op) {
  const ir::ValueId x = node.needed_input(0);
  const int64_t rank = node.rank(x), axis = ops::normalize_axis(node.integer("axis", 1), rank);
  const auto& shape = node.type(x).shape;
  const bool lone_axis =
      std::all_of(shape.begin() + axis + 1, shape.end(), [](const ir::Dim& dim) { return dim.is(1); });
  if (lone_axis) {
    node.set_output(0, node.emit(op, {{"axis", axis}}, {x}));
    return;
  }
  const ir::ValueId matrix = node.emit(def::flatten, {{"axis", axis}}, {x});
  const ir::ValueId result = node.emit(op, {{"axis", 1}}, {matrix});
  node.set_output(0, node.emit(def::reshape, {{"allowzero", true}}, {result, node.emit(def::shape, {x})}));
}

}  // namespace

void lower_old_softmax(Lower& node) { emit_on_matrix(node, def::softmax); }
void lower_old_log_softmax(Lower& node) { emit_on_matrix(node, def::log_softmax); }
void lower_old_hardmax(Lower& node) { emit_on_matrix(node, def::hardmax); }

/// Axes that are known become the attribute, so that rules need to match one form only.
void lower_reduce(Lower& node) {
  const ops::OpDef* op = nullptr;
  for (const ops::OpDef* candidate : ops::all_ops())
    for (const ops::OnnxName& name : candidate->onnx)
      if (name.name == node.op_type() && name.domain == node.domain()) op = candidate;
  require(op != nullptr, "internal: no op reduces as {} does", node.op_type());
  ir::Attributes attributes = node.attributes_for(*op);
  ir::ValueId axes = node.input(1);
  if (const auto known = node.known_integers(axes)) {
    attributes = make_attributes(*op, {{"axes", *known},
                                       {"keepdims", node.integer("keepdims", 1)},
                                       {"noop_with_empty_axes", node.integer("noop_with_empty_axes", 0)}});
    axes = {};
  }
  const auto declared = node.declared_shape(0);
  if (axes && node.integer("keepdims", 1) == 0 && declared) {
    // Only the run will tell the axes: the rank is what the model declares for the output.
    const ir::ValueId kept = node.emit(*op, {{"keepdims", true}}, {node.needed_input(0), axes});
    return node.set_output(
        0, node.emit(def::reshape, {{"allowzero", true}}, {kept, node.add_integers(*declared)}));
  }
  node.set_output(0, node.emit(*op, attributes, {node.needed_input(0), axes}));
}

void lower_batch_norm(Lower& node) {
  bool training = node.integer("training_mode") != 0 || (node.opset() < 7 && node.integer("is_test") == 0);
  for (int i = 1; i < node.output_count(); ++i) training = training || node.wants_output(i);
  if (training) throw Refused("training", "BatchNormalization in training mode is not supported");
  if (node.integer("spatial", 1) == 0) node.fail("spatial=0 (statistics per element) is not supported");
  std::vector<ir::ValueId> inputs;
  for (int i = 0; i < 5; ++i) inputs.push_back(node.needed_input(i));
  node.set_output(0, node.emit(def::batch_norm, node.attributes_for(def::batch_norm), inputs));
}

/// Before opset 21, scale and bias had one number per group.
void lower_old_group_norm(Lower& node) {
  const ir::ValueId x = node.needed_input(0);
  const int64_t groups = node.integer("num_groups", 1);
  require(node.rank(x) >= 2 && node.type(x).shape[1].is_constant(),
          "the input is {}; a fixed number of channels is expected", node.type(x).str());
  const int64_t channels = node.type(x).shape[1].constant();
  require(groups >= 1 && channels % groups == 0, "{} channels cannot be split into {} groups", channels,
          groups);
  const auto per_channel = [&](ir::ValueId per_group) {
    const ir::ValueId column = node.emit(def::reshape, {per_group, node.add_integers({groups, 1})});
    const ir::ValueId matrix =
        node.emit(def::expand, {column, node.add_integers({groups, channels / groups})});
    return node.emit(def::reshape, {matrix, node.add_integers({channels})});
  };
  node.set_output(0, node.emit(def::group_norm, node.attributes_for(def::group_norm),
                               {x, per_channel(node.needed_input(1)), per_channel(node.needed_input(2))}));
}

/// x / norm; zeros where the norm is zero.
void lower_lp_normalization(Lower& node) {
  const ir::ValueId x = node.needed_input(0);
  const int64_t p = node.integer("p", 2);
  require(p == 1 || p == 2, "p is {}; 1 or 2 is expected", p);
  const ir::ValueId norm =
      reduce(node, p == 1 ? def::reduce_l1 : def::reduce_l2, x, {node.integer("axis", -1)});
  const ir::ValueId zero = node.add_scalar(node.dtype(x), 0), one = node.add_scalar(node.dtype(x), 1);
  const ir::ValueId divisor = node.emit(def::where, {node.emit(def::equal, {norm, zero}), one, norm});
  node.set_output(0, node.emit(def::div, {x, divisor}));
}

void lower_mean_variance_normalization(Lower& node) {
  const ir::ValueId x = node.needed_input(0);
  const std::vector<int64_t> axes = node.integers("axes", {0, 2, 3});
  const ir::ValueId centred = node.emit(def::sub, {x, reduce(node, def::reduce_mean, x, axes)});
  const ir::ValueId variance = reduce(node, def::reduce_mean, node.emit(def::mul, {centred, centred}), axes);
  const ir::ValueId deviation =
      node.emit(def::add, {node.emit(def::sqrt, {variance}), node.add_scalar(node.dtype(x), 1e-9)});
  node.set_output(0, node.emit(def::div, {centred, deviation}));
}

}  // namespace burnish::onnx
