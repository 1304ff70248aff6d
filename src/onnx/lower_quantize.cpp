// Quantisation: the element types that ONNX leaves to inputs are settled, and QLinear ops become an integer
// product, a rescaling and a quantisation.
#include "onnx/lower.h"
#include "onnx/lowerings.h"
#include "ops/contraction.h"

namespace burnish::onnx {

namespace def = ops::def;

namespace {

/// An element type attribute of which 0 means "not given".
DType given_dtype(const Lower& node, std::string_view name, DType otherwise) {
  return node.integer(name) == 0 ? otherwise : node.dtype(name, otherwise);
}

/// A vector of per-channel numbers, shaped to broadcast along dimension `axis` counted from the end (-1: the
/// last).
ir::ValueId along(Lower& node, ir::ValueId vector, int64_t axis) {
  if (node.rank(vector) != 1 || axis == -1) return vector;
  std::vector<int64_t> added;
  for (int64_t d = 1; d < -axis; ++d) added.push_back(d);
  return node.emit(def::unsqueeze, {{"axes", added}}, {vector});
}

ir::ValueId in_f32(Lower& node, ir::ValueId value) {
  return node.dtype(value) == DType::f32 ? value : node.emit(def::cast, {{"to", DType::f32}}, {value});
}

/// The i32 product, rescaled from the inputs' scales to the output's and quantised: outputs 0 of QLinear ops.
void emit_requantized(Lower& node, ir::ValueId product, ir::ValueId a_scale, ir::ValueId b_scale) {
  const ir::ValueId scale = node.emit(def::mul, {in_f32(node, a_scale), in_f32(node, b_scale)});
  const ir::ValueId real = node.emit(def::mul, {in_f32(node, product), scale});
  const ir::ValueId y_scale = in_f32(node, node.needed_input(6)), y_zero = node.needed_input(7);
  node.set_output(0, node.emit(def::quantize_linear, {{"to", node.dtype(y_zero)}}, {real, y_scale, y_zero}));
}

}  // namespace

void lower_quantize(Lower& node) {
  const ir::ValueId x = node.needed_input(0), scale = node.needed_input(1), zero = node.input(2);
  const DType to = given_dtype(node, "output_dtype", zero ? node.dtype(zero) : DType::u8);
  const DType division = node.dtype(scale) == DType::i32 ? DType::f32 : node.dtype(scale);
  node.set_output(0, node.emit(def::quantize_linear,
                               {{"to", to},
                                {"precision", given_dtype(node, "precision", division)},
                                {"axis", node.integer("axis", 1)},
                                {"block_size", node.integer("block_size")},
                                {"saturate", node.integer("saturate", 1)}},
                               {x, scale, zero}));
}

void lower_dequantize(Lower& node) {
  const ir::ValueId x = node.needed_input(0), scale = node.needed_input(1), zero = node.input(2);
  node.set_output(0, node.emit(def::dequantize_linear,
                               {{"to", given_dtype(node, "output_dtype", node.dtype(scale))},
                                {"axis", node.integer("axis", 1)},
                                {"block_size", node.integer("block_size")}},
                               {x, scale, zero}));
}

void lower_qlinear_matmul(Lower& node) {
  const ir::ValueId a = node.needed_input(0), b = node.needed_input(3);
  const ir::ValueId product =
      node.emit(def::matmul_integer, {a, b, node.needed_input(2), node.needed_input(5)});
  emit_requantized(node, product, along(node, node.needed_input(1), -2), node.needed_input(4));
}

void lower_qlinear_conv(Lower& node) {
  const ir::ValueId x = node.needed_input(0), w = node.needed_input(3);
  const int64_t channel_axis = 1 - node.rank(x);
  ir::ValueId product = node.emit(def::conv_integer, node.attributes_for(def::conv_integer),
                                  {x, w, node.needed_input(2), node.needed_input(5)});
  if (node.input(8)) product = node.emit(def::add, {product, along(node, node.input(8), channel_axis)});
  emit_requantized(node, product, node.needed_input(1), along(node, node.needed_input(4), channel_axis));
}

}  // namespace burnish::onnx
