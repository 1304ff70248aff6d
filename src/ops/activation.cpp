// Activation functions.
#include "ops/activation.h"

#include "ops/pointwise.h"
#include "ops/table.h"

namespace burnish::ops::def {

using ir::NoAttributes;

const OpDef relu = BURNISH_UNARY("relu", NoAttributes, NumberTypes, max_nan(x, T(0))).onnx("Relu").summary("max(x, 0)");
const OpDef leaky_relu = BURNISH_UNARY("leaky_relu", LeakyReluAttributes, FloatTypes, x < T(0) ? T(attr.alpha) * x : x).onnx("LeakyRelu").summary("x, or alpha * x where x < 0");
const OpDef sigmoid = BURNISH_UNARY("sigmoid", NoAttributes, FloatTypes, sigmoid(x)).onnx("Sigmoid").summary("1 / (1 + exp(-x))");
const OpDef tanh = BURNISH_UNARY("tanh", NoAttributes, FloatTypes, tanh(x)).onnx("Tanh").summary("hyperbolic tangent");
const OpDef gelu = BURNISH_UNARY("gelu", GeluAttributes, FloatTypes,
                                 attr.approximate ? T(0.5) * x * (T(1) + tanh(T(0.7978845608028654) * (x + T(0.044715) * x * x * x)))
                                                  : T(0.5) * x * (T(1) + erf(x * T(0.7071067811865476))))
                       .summary("x * Phi(x), by erf or by tanh (arXiv:1606.08415)");
const OpDef silu = BURNISH_UNARY("silu", NoAttributes, FloatTypes, x * sigmoid(x)).summary("x * sigmoid(x)");
const OpDef hardsigmoid = BURNISH_UNARY("hardsigmoid", HardSigmoidAttributes, FloatTypes, max_nan(T(0), min_nan(T(1), T(attr.alpha) * x + T(attr.beta)))).onnx("HardSigmoid").summary("alpha * x + beta, clipped to [0, 1]");
const OpDef hardswish = BURNISH_UNARY("hardswish", NoAttributes, FloatTypes, x * max_nan(T(0), min_nan(T(1), x * T(0.16666666666666666) + T(0.5)))).onnx("HardSwish", 14).summary("x * hardsigmoid(x / 6 + 1/2)");
const OpDef elu = BURNISH_UNARY("elu", EluAttributes, FloatTypes, x < T(0) ? T(attr.alpha) * expm1(x) : x).onnx("Elu").summary("x, or alpha * (exp(x) - 1) where x < 0");
const OpDef softplus = BURNISH_UNARY("softplus", NoAttributes, FloatTypes, max_nan(x, T(0)) + log1p(exp(-abs(x)))).onnx("Softplus").summary("log(1 + exp(x))");
const OpDef prelu = BURNISH_BINARY("prelu", NoAttributes, NumberTypes, a < T(0) ? wrap_mul(a, b) : a).summary("a, or a * b where a < 0");
const OpDef clip = BURNISH_UNARY("clip", ClipAttributes, FloatTypes, min_nan(max_nan(x, T(attr.min)), T(attr.max))).summary("x limited to [min, max]; both bounds known");

}  // namespace burnish::ops::def
