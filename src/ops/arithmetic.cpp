// Arithmetic on numbers, element by element.
#include "ops/pointwise.h"
#include "ops/table.h"

namespace burnish::ops::def {

using ir::NoAttributes;

const OpDef add = BURNISH_BINARY("add", NoAttributes, NumberTypes, wrap_add(a, b)).onnx("Add", 7).summary("a + b; integers wrap").commutative();
const OpDef sub = BURNISH_BINARY("sub", NoAttributes, NumberTypes, wrap_sub(a, b)).onnx("Sub", 7).summary("a - b; integers wrap");
const OpDef mul = BURNISH_BINARY("mul", NoAttributes, NumberTypes, wrap_mul(a, b)).onnx("Mul", 7).summary("a * b; integers wrap").commutative();
const OpDef div = BURNISH_BINARY("div", NoAttributes, NumberTypes, divide(a, b)).onnx("Div", 7).summary("a / b; integers truncate, and x / 0 is 0");
const OpDef pow = BURNISH_BINARY("pow", NoAttributes, NumberTypes, pow(a, b)).summary("a to the power b");
const OpDef mod = BURNISH_BINARY("mod", NoAttributes, NumberTypes, mod_floor(a, b)).summary("remainder with the divisor's sign");
const OpDef fmod = BURNISH_BINARY("fmod", NoAttributes, NumberTypes, mod_trunc(a, b)).summary("remainder with the dividend's sign");
const OpDef minimum = BURNISH_BINARY("minimum", NoAttributes, NumberTypes, min_nan(a, b)).summary("the smaller of a and b; NaN if either is").commutative();
const OpDef maximum = BURNISH_BINARY("maximum", NoAttributes, NumberTypes, max_nan(a, b)).summary("the larger of a and b; NaN if either is").commutative();

const OpDef neg = BURNISH_UNARY("neg", NoAttributes, NumberTypes, wrap_sub(T(0), x)).onnx("Neg").summary("-x");
const OpDef abs = BURNISH_UNARY("abs", NoAttributes, NumberTypes, abs(x)).onnx("Abs").summary("|x|");
const OpDef sign = BURNISH_UNARY("sign", NoAttributes, NumberTypes, sign(x)).onnx("Sign").summary("-1, 0 or 1");
const OpDef exp = BURNISH_UNARY("exp", NoAttributes, FloatTypes, exp(x)).onnx("Exp").summary("e to the power x");
const OpDef log = BURNISH_UNARY("log", NoAttributes, FloatTypes, log(x)).onnx("Log").summary("natural logarithm");
const OpDef sqrt = BURNISH_UNARY("sqrt", NoAttributes, FloatTypes, sqrt(x)).onnx("Sqrt").summary("square root");
const OpDef rsqrt = BURNISH_UNARY("rsqrt", NoAttributes, FloatTypes, rsqrt(x)).summary("1 / sqrt(x)");
const OpDef reciprocal = BURNISH_UNARY("reciprocal", NoAttributes, FloatTypes, T(1) / x).onnx("Reciprocal").summary("1 / x");
const OpDef floor = BURNISH_UNARY("floor", NoAttributes, FloatTypes, floor(x)).onnx("Floor").summary("largest integer not above x");
const OpDef ceil = BURNISH_UNARY("ceil", NoAttributes, FloatTypes, ceil(x)).onnx("Ceil").summary("smallest integer not below x");
const OpDef round = BURNISH_UNARY("round", NoAttributes, FloatTypes, round_even(x)).onnx("Round", 11).summary("nearest integer, ties to even");
const OpDef erf = BURNISH_UNARY("erf", NoAttributes, FloatTypes, erf(x)).onnx("Erf").summary("the error function");

}  // namespace burnish::ops::def
