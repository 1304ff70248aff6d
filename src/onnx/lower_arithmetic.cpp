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

/// Whether `corrects` is 1 where a / b, truncated, lies above the floor, and else 0, as PyTorch's exporter
/// writes it: cast(not(sign(a) == sign(b)) and cast(mod(a, b))).
bool corrects_division(const Lower& node, ir::ValueId corrects, ir::ValueId a, ir::ValueId b) {
  const auto positive = [&](ir::ValueId value) {
    const auto known = node.known_integers(value);
    return known && known->size() == 1 && known->front() > 0;
  };
  const auto is_sign_of = [&](ir::ValueId sign, ir::ValueId value) {
    const auto known = node.known_integers(sign);
    return node.inputs_of(sign, def::sign) == std::vector{value} ||
           (known == std::vector<int64_t>{1} && positive(value));
  };
  const auto differ_in_sign = [&](ir::ValueId value) {
    const auto equal = node.inputs_of(value, def::logical_not);
    const auto signs = equal.empty() ? equal : node.inputs_of(equal[0], def::equal);
    return signs.size() == 2 && ((is_sign_of(signs[0], a) && is_sign_of(signs[1], b)) ||
                                 (is_sign_of(signs[1], a) && is_sign_of(signs[0], b)));
  };
  const auto leaves_something = [&](ir::ValueId value) {
    const auto remainder = node.inputs_of(value, def::cast);
    return !remainder.empty() && node.inputs_of(remainder[0], def::mod) == std::vector{a, b};
  };
  const auto cast = node.inputs_of(corrects, def::cast);
  const auto both = cast.empty() ? cast : node.inputs_of(cast[0], def::logical_and);
  return both.size() == 2 && ((differ_in_sign(both[0]) && leaves_something(both[1])) ||
                              (differ_in_sign(both[1]) && leaves_something(both[0])));
}

/// All inputs joined two by two; one input passes through.
ir::ValueId chain(Lower& node, const OpDef& op) {
  ir::ValueId joined = node.needed_input(0);
  for (int i = 1; i < node.input_count(); ++i) joined = node.emit(op, {joined, node.needed_input(i)});
  return joined;
}

}  // namespace

/// Where it rounds a quotient of integers down, as PyTorch's exporter does: what is left over is taken away
/// before, so that shape inference can tell the quotient.
void lower_sub(Lower& node) {
  const ir::ValueId x = node.needed_input(0), y = node.needed_input(1);
  const auto quotient = is_integer(node.dtype(x)) ? node.inputs_of(x, def::div) : std::vector<ir::ValueId>{};
  if (quotient.empty() || !corrects_division(node, y, quotient[0], quotient[1]))
    return node.set_output(0, node.emit(def::sub, {x, y}));
  const ir::ValueId a = quotient[0], b = quotient[1];
  node.set_output(0, node.emit(def::div, {node.emit(def::sub, {a, node.emit(def::mod, {a, b})}), b}));
}

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
