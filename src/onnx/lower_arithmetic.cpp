// Arithmetic and comparison: variadic forms, old broadcasting, mixed types.
#include <cmath>
#include <map>

#include "onnx/lower.h"
#include "onnx/lower_broadcast.h"
#include "onnx/lowerings.h"

namespace burnish::onnx {

using namespace ops;

ir::ValueId align_old_broadcast(Lower& node, ir::ValueId a, ir::ValueId b) {
  const int64_t axis = node.integer("axis", -1), rank_a = node.rank(a), rank_b = node.rank(b);
  if (axis < 0 || rank_b == 0) return b;
  const int64_t trailing = rank_a - axis - rank_b;
  require(trailing >= 0,
          "axis {} leaves no room for the {} dimensions of the second input in the {} of the first", axis,
          rank_b, rank_a);
  if (trailing == 0) return b;
  std::vector<int64_t> axes;
  for (int64_t i = 0; i < trailing; ++i) axes.push_back(rank_b + i);
  return node.emit(def::unsqueeze, {{"axes", axes}}, {b});
}

void lower_old_broadcast(Lower& node) {
  static const std::map<std::string_view, const OpDef*> table = {
      {"Add", &def::add},         {"Sub", &def::sub},         {"Mul", &def::mul},
      {"Div", &def::div},         {"And", &def::logical_and}, {"Or", &def::logical_or},
      {"Xor", &def::logical_xor}, {"Equal", &def::equal},     {"Less", &def::less},
      {"Greater", &def::greater}};
  const ir::ValueId a = node.needed_input(0), b = node.needed_input(1);
  node.set_output(0, node.emit(*table.at(node.op_type()), {a, align_old_broadcast(node, a, b)}));
}

namespace {

ir::ValueId as_type(Lower& node, ir::ValueId value, DType dtype) {
  return node.dtype(value) == dtype ? value : node.emit(def::cast, {{"to", dtype}}, {value});
}

/// All inputs joined two by two; one input passes through.
ir::ValueId chain(Lower& node, const OpDef& op) {
  ir::ValueId joined = node.needed_input(0);
  for (int i = 1; i < node.input_count(); ++i) joined = node.emit(op, {joined, node.needed_input(i)});
  return joined;
}

}  // namespace

/// The result has the base's type. Computed in the exponent's where only that is a float: 2^0.5 is not 2^0.
void lower_pow(Lower& node) {
  const ir::ValueId base = node.needed_input(0);
  ir::ValueId exponent = node.needed_input(1);
  if (node.opset() < 7) exponent = align_old_broadcast(node, base, exponent);
  const DType base_type = node.dtype(base), exponent_type = node.dtype(exponent);
  const DType type = is_integer(base_type) && is_floating(exponent_type) ? exponent_type : base_type;
  const ir::ValueId power = node.emit(def::pow, {as_type(node, base, type), as_type(node, exponent, type)});
  node.set_output(0, as_type(node, power, base_type));
}

void lower_mod(Lower& node) {
  const OpDef& op = node.integer("fmod") != 0 ? def::fmod : def::mod;
  node.set_output(0, node.emit(op, {node.needed_input(0), node.needed_input(1)}));
}

void lower_bit_shift(Lower& node) {
  const std::string direction = node.text("direction");
  require(direction == "LEFT" || direction == "RIGHT", "direction must be LEFT or RIGHT, not '{}'",
          direction);
  node.set_output(0, node.emit(direction == "LEFT" ? def::shift_left : def::shift_right,
                               {node.needed_input(0), node.needed_input(1)}));
}

void lower_sum(Lower& node) { node.set_output(0, chain(node, def::add)); }
void lower_max(Lower& node) { node.set_output(0, chain(node, def::maximum)); }
void lower_min(Lower& node) { node.set_output(0, chain(node, def::minimum)); }

void lower_mean(Lower& node) {
  const ir::ValueId sum = chain(node, def::add);
  if (node.input_count() == 1) return node.set_output(0, sum);
  node.set_output(0, node.emit(def::div, {sum, node.add_scalar(node.dtype(sum), node.input_count())}));
}

void lower_old_clip(Lower& node) {
  const ir::ValueId x = node.needed_input(0);
  node.set_output(0, node.emit(def::clip, node.attributes_for(def::clip), {x}));
}

void lower_clip(Lower& node) {
  const ir::ValueId x = node.needed_input(0), low = node.input(1), high = node.input(2);
  const Tensor low_data = node.constant(low), high_data = node.constant(high);
  const auto is_known = [&](ir::ValueId bound, const Tensor& data) {
    return !bound || (data.size() == 1 && data.dtype() == DType::f32);
  };
  if (node.dtype(x) == DType::f32 && is_known(low, low_data) && is_known(high, high_data)) {
    const double min = low ? static_cast<double>(*low_data.data<float>()) : -INFINITY;
    const double max = high ? static_cast<double>(*high_data.data<float>()) : INFINITY;
    return node.set_output(0, node.emit(def::clip, {{"min", min}, {"max", max}}, {x}));
  }
  ir::ValueId clipped = low ? node.emit(def::maximum, {x, low}) : x;
  if (high) clipped = node.emit(def::minimum, {clipped, high});
  node.set_output(0, clipped);
}

}  // namespace burnish::onnx
