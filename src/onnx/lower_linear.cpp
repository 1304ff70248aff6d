// Convolutions, pooling and Gemm.
#include "onnx/lower.h"
#include "onnx/lowerings.h"
#include "ops/contraction.h"
#include "ops/pool.h"

namespace burnish::onnx {
namespace {

using ir::Dim;
namespace def = ops::def;

std::vector<Dim> spatial(const ir::TensorType& type) {
  return type.rank() < 2 ? std::vector<Dim>() : std::vector<Dim>(type.shape.begin() + 2, type.shape.end());
}

/// The pooling op with the node's attributes, its pads explicit where they can be.
template <class Attributes>
void emit_pool(Lower& node, const ops::OpDef& op) {
  ir::Attributes attributes = node.attributes_for(op);
  auto& window = attributes.edit<Attributes>();
  const std::vector<Dim> kernel(window.kernel_shape.begin(), window.kernel_shape.end());
  ops::make_pads_explicit(window, kernel, spatial(node.type(node.needed_input(0))));
  const int outputs = node.wants_output(1) ? 2 : 1;
  const auto made = node.emit_many(op, attributes, {node.input(0)}, outputs);
  for (int i = 0; i < outputs; ++i) node.set_output(i, made[static_cast<size_t>(i)]);
}

/// All spatial axes of input 0.
std::vector<int64_t> spatial_axes(Lower& node) {
  const int64_t rank = node.rank(node.needed_input(0));
  require(rank >= 2, "the input is {}; [N, C, spatial...] is expected", node.type(node.input(0)).str());
  std::vector<int64_t> axes;
  for (int64_t axis = 2; axis < rank; ++axis) axes.push_back(axis);
  return axes;
}

/// A reduction of the spatial axes, which stay as ones.
ir::ValueId reduce_spatial(Lower& node, const ops::OpDef& reduction, ir::ValueId x) {
  return node.emit(reduction, {{"axes", spatial_axes(node)}, {"noop_with_empty_axes", true}}, {x});
}

}  // namespace

void lower_conv(Lower& node) {
  ir::Attributes attributes = node.attributes_for(def::conv);
  const ir::ValueId x = node.needed_input(0), w = node.needed_input(1);
  ops::make_pads_explicit(attributes.edit<ops::ConvAttributes>(), spatial(node.type(w)),
                          spatial(node.type(x)));
  node.set_output(0, node.emit(def::conv, attributes, {x, w, node.input(2)}));
}

void lower_max_pool(Lower& node) { emit_pool<ops::MaxPoolAttributes>(node, def::max_pool); }
void lower_average_pool(Lower& node) { emit_pool<ops::AveragePoolAttributes>(node, def::average_pool); }
void lower_lp_pool(Lower& node) { emit_pool<ops::LpPoolAttributes>(node, def::lp_pool); }

void lower_global_average_pool(Lower& node) {
  node.set_output(0, reduce_spatial(node, def::reduce_mean, node.needed_input(0)));
}
void lower_global_max_pool(Lower& node) {
  node.set_output(0, reduce_spatial(node, def::reduce_max, node.needed_input(0)));
}

void lower_global_lp_pool(Lower& node) {
  const ir::ValueId x = node.needed_input(0);
  const double p = node.opset() < 2 ? node.number("p", 2) : static_cast<double>(node.integer("p", 2));
  if (p == 1 || p == 2) {
    node.set_output(0, reduce_spatial(node, p == 1 ? def::reduce_l1 : def::reduce_l2, x));
    return;
  }
  const ir::ValueId powers =
      node.emit(def::pow, {node.emit(def::abs, {x}), node.add_scalar(node.dtype(x), p)});
  const ir::ValueId sum = reduce_spatial(node, def::reduce_sum, powers);
  node.set_output(0, node.emit(def::pow, {sum, node.add_scalar(node.dtype(x), 1 / p)}));
}

void lower_gemm(Lower& node) {
  const auto scaled = [&](ir::ValueId value, double factor) {
    return factor == 1 ? value : node.emit(def::mul, {value, node.add_scalar(node.dtype(value), factor)});
  };
  const ir::ValueId a = node.needed_input(0), b = node.needed_input(1);
  require(node.rank(a) == 2 && node.rank(b) == 2, "A is {}, B is {}; matrices are expected",
          node.type(a).str(), node.type(b).str());
  ir::ValueId y = node.emit(
      def::matmul,
      {{"transpose_a", node.integer("transA") != 0}, {"transpose_b", node.integer("transB") != 0}}, {a, b});
  y = scaled(y, node.number("alpha", 1));
  if (node.input(2)) y = node.emit(def::add, {y, scaled(node.input(2), node.number("beta", 1))});
  node.set_output(0, y);
}

}  // namespace burnish::onnx
