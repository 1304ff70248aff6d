// Activations that the IR spells out in simpler ops; a fused kernel makes one of them again.
#include "onnx/lower.h"
#include "onnx/lower_broadcast.h"
#include "onnx/lowerings.h"

namespace burnish::onnx {

using namespace ops;

namespace {

/// A scalar of the type of `x`, from an attribute.
ir::ValueId scalar(Lower& node, ir::ValueId x, double value) { return node.add_scalar(node.dtype(x), value); }

}  // namespace

void lower_gelu(Lower& node) {
  const std::string approximate = node.text("approximate", "none");
  require(approximate == "none" || approximate == "tanh", "approximate must be none or tanh, not '{}'",
          approximate);
  node.set_output(0, node.emit(def::gelu, {{"approximate", approximate == "tanh"}}, {node.needed_input(0)}));
}

namespace {

/// x * sigmoid(alpha * x)
ir::ValueId swish(Lower& node, ir::ValueId x) {
  const double alpha = node.number("alpha", 1.0);
  if (alpha == 1.0) return node.emit(def::silu, {x});
  const ir::ValueId gate = node.emit(def::sigmoid, {node.emit(def::mul, {x, scalar(node, x, alpha)})});
  return node.emit(def::mul, {x, gate});
}

}  // namespace

void lower_swish(Lower& node) { node.set_output(0, swish(node, node.needed_input(0))); }

void lower_swiglu(Lower& node) {
  const ir::ValueId gate = swish(node, node.needed_input(0));
  node.set_output(0, node.emit(def::mul, {gate, node.needed_input(1)}));
}

void lower_selu(Lower& node) {
  const ir::ValueId x = node.needed_input(0);
  const bool old = node.opset() < 6;  // opset 1 had fewer digits
  const double alpha = node.number("alpha", old ? 1.6732 : 1.67326319217681884765625);
  const double gamma = node.number("gamma", old ? 1.0507 : 1.05070102214813232421875);
  const ir::ValueId elu = node.emit(def::elu, {{"alpha", alpha}}, {x});
  node.set_output(0, node.emit(def::mul, {elu, scalar(node, x, gamma)}));
}

void lower_celu(Lower& node) {
  const ir::ValueId x = node.needed_input(0);
  const double alpha = node.number("alpha", 1.0);
  if (alpha == 1.0) return node.set_output(0, node.emit(def::elu, {x}));
  const ir::ValueId divisor = scalar(node, x, alpha);
  const ir::ValueId elu = node.emit(def::elu, {node.emit(def::div, {x, divisor})});
  node.set_output(0, node.emit(def::mul, {elu, divisor}));
}

void lower_mish(Lower& node) {
  const ir::ValueId x = node.needed_input(0);
  node.set_output(0, node.emit(def::mul, {x, node.emit(def::tanh, {node.emit(def::softplus, {x})})}));
}

void lower_softsign(Lower& node) {
  const ir::ValueId x = node.needed_input(0);
  const ir::ValueId divisor = node.emit(def::add, {node.emit(def::abs, {x}), scalar(node, x, 1)});
  node.set_output(0, node.emit(def::div, {x, divisor}));
}

/// x + bias where x < -lambd, x - bias where x > lambd, else 0.
void lower_shrink(Lower& node) {
  const ir::ValueId x = node.needed_input(0);
  const double bias = node.number("bias", 0.0), lambd = node.number("lambd", 0.5);
  const auto shifted = [&](const OpDef& op) {
    return bias == 0 ? x : node.emit(op, {x, scalar(node, x, bias)});
  };
  // Integers are compared as floats: lambd is one.
  const ir::ValueId compared =
      is_floating(node.dtype(x)) ? x : node.emit(def::cast, {{"to", DType::f32}}, {x});
  const ir::ValueId below = node.emit(def::less, {compared, scalar(node, compared, -lambd)});
  const ir::ValueId above = node.emit(def::greater, {compared, scalar(node, compared, lambd)});
  const ir::ValueId upper = node.emit(def::where, {above, shifted(def::sub), scalar(node, x, 0)});
  node.set_output(0, node.emit(def::where, {below, shifted(def::add), upper}));
}

void lower_thresholded_relu(Lower& node) {
  const ir::ValueId x = node.needed_input(0);
  const ir::ValueId above = node.emit(def::greater, {x, scalar(node, x, node.number("alpha", 1.0))});
  node.set_output(0, node.emit(def::where, {above, x, scalar(node, x, 0)}));
}

/// Before opset 7 a slope of rank 1 is one number per channel.
void lower_prelu(Lower& node) {
  const ir::ValueId x = node.needed_input(0);
  ir::ValueId slope = node.needed_input(1);
  if (node.opset() < 7 && node.rank(slope) == 1 && !node.type(slope).shape[0].is(1) && node.rank(x) > 2) {
    std::vector<int64_t> axes;
    for (int64_t i = 1; i + 1 < node.rank(x); ++i) axes.push_back(i);
    slope = node.emit(def::unsqueeze, {{"axes", axes}}, {slope});
  }
  node.set_output(0, node.emit(def::prelu, {x, slope}));
}

}  // namespace burnish::onnx
