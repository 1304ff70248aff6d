// The quantised ops of ONNX Runtime (domain com.microsoft), which its quantiser writes in its operator format
// beside ONNX's own QLinearConv and QLinearMatMul: what the integers stand for goes through the float op, and
// is quantised again. Source: ONNX Runtime's docs/ContribOperators.md.
#include "onnx/lower.h"
#include "onnx/lowerings.h"

namespace burnish::onnx {

namespace def = ops::def;

namespace {

/// The numbers that inputs x, scale and zero point (0 where it is omitted) from number `first` on stand for.
ir::ValueId real(Lower& node, int first) {
  return node.emit(def::dequantize_linear,
                   {node.needed_input(first), node.needed_input(first + 1), node.input(first + 2)});
}

/// Output 0: `value` by the scale and the zero point that are inputs `scale` and `scale` + 1, of the type of
/// `like`.
void set_quantized(Lower& node, ir::ValueId value, int scale, ir::ValueId like) {
  node.set_output(0, node.emit(def::quantize_linear, {{"to", node.dtype(like)}},
                               {value, node.needed_input(scale), node.input(scale + 1)}));
}

/// x, its scale and zero point, then those of y.
void emit_unary(Lower& node, const ops::OpDef& op, ir::Attributes attributes) {
  set_quantized(node, node.emit(op, std::move(attributes), {real(node, 0)}), 3, node.needed_input(0));
}

/// a and b with a scale and a zero point each, then those of y.
void emit_binary(Lower& node, const ops::OpDef& op) {
  set_quantized(node, node.emit(op, {real(node, 0), real(node, 3)}), 6, node.needed_input(0));
}

void require_channels_first(const Lower& node) {
  require(node.integer("channels_last") == 0, "channels_last is not supported: channels are to come first");
}

}  // namespace

void lower_qlinear_add(Lower& node) { emit_binary(node, def::add); }
void lower_qlinear_mul(Lower& node) { emit_binary(node, def::mul); }

void lower_qlinear_sigmoid(Lower& node) { emit_unary(node, def::sigmoid, def::sigmoid.default_attributes); }

void lower_qlinear_leaky_relu(Lower& node) {
  emit_unary(node, def::leaky_relu, node.attributes_for(def::leaky_relu));
}

void lower_qlinear_average_pool(Lower& node) {
  require_channels_first(node);
  emit_unary(node, def::average_pool, node.attributes_for(def::average_pool));
}

void lower_qlinear_global_average_pool(Lower& node) {
  require_channels_first(node);
  std::vector<int64_t> axes;
  for (int64_t d = 2; d < node.rank(node.needed_input(0)); ++d) axes.push_back(d);
  emit_unary(node, def::reduce_mean,
             make_attributes(def::reduce_mean, {{"axes", axes}, {"noop_with_empty_axes", true}}));
}

void lower_qlinear_softmax(Lower& node) {
  const int64_t axis = node.integer("axis", -1), rank = node.rank(node.needed_input(0));
  // Before opset 13 all dimensions from the axis on were one.
  require(node.integer("opset", 13) >= 13 || axis == -1 || axis == rank - 1,
          "the softmax of opset {} over axis {} of {} is not supported: the last axis is expected",
          node.integer("opset"), axis, rank);
  emit_unary(node, def::softmax, make_attributes(def::softmax, {{"axis", axis}}));
}

void lower_qlinear_where(Lower& node) {
  const ir::ValueId chosen = node.emit(def::where, {node.needed_input(0), real(node, 1), real(node, 4)});
  set_quantized(node, chosen, 7, node.needed_input(1));
}

void lower_qlinear_concat(Lower& node) {
  std::vector<ir::ValueId> parts;
  for (int i = 2; i < node.input_count(); i += 3) parts.push_back(real(node, i));
  require(!parts.empty(), "there is nothing to concatenate");
  set_quantized(node, node.emit(def::concat, {{"axis", node.integer("axis")}}, parts), 0,
                node.needed_input(2));
}

/// alpha a b + c, where c counts in units of alpha a_scale b_scale; of f32 where y has no scale.
void lower_qgemm(Lower& node) {
  const auto matrix = [&](int i, const char* transposed) {
    const ir::ValueId value = node.needed_input(i);
    require(node.rank(value) == 2, "{} is no matrix", node.type(value).str());
    return node.integer(transposed) == 0
               ? value
               : node.emit(def::transpose, {{"perm", std::vector<int64_t>{1, 0}}}, {value});
  };
  const ir::ValueId a = matrix(0, "transA"), b = matrix(3, "transB");
  ir::ValueId sum = node.emit(def::matmul_integer, {a, b, node.input(2), node.input(5)});
  if (node.input(6)) sum = node.emit(def::add, {sum, node.input(6)});
  const ir::ValueId unit = node.emit(def::mul, {node.needed_input(1), node.needed_input(4)});
  ir::ValueId y = node.emit(def::mul, {node.emit(def::cast, {{"to", DType::f32}}, {sum}), unit});
  if (const double alpha = node.number("alpha", 1); alpha != 1)
    y = node.emit(def::mul, {y, node.add_scalar(DType::f32, alpha)});
  if (node.input(7))
    set_quantized(node, y, 7, node.needed_input(0));
  else
    node.set_output(0, y);
}

}  // namespace burnish::onnx
