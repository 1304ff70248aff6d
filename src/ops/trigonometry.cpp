// Trigonometric and hyperbolic functions.
#include "ops/pointwise.h"
#include "ops/table.h"

namespace burnish::ops::def {

using ir::NoAttributes;

const OpDef sin = BURNISH_UNARY("sin", NoAttributes, FloatTypes, sin(x)).onnx("Sin", 7).summary("sine, of radians");
const OpDef cos = BURNISH_UNARY("cos", NoAttributes, FloatTypes, cos(x)).onnx("Cos", 7).summary("cosine, of radians");
const OpDef tan = BURNISH_UNARY("tan", NoAttributes, FloatTypes, tan(x)).onnx("Tan", 7).summary("tangent, of radians");
const OpDef asin = BURNISH_UNARY("asin", NoAttributes, FloatTypes, asin(x)).onnx("Asin", 7).summary("inverse sine");
const OpDef acos = BURNISH_UNARY("acos", NoAttributes, FloatTypes, acos(x)).onnx("Acos", 7).summary("inverse cosine");
const OpDef atan = BURNISH_UNARY("atan", NoAttributes, FloatTypes, atan(x)).onnx("Atan", 7).summary("inverse tangent");
const OpDef sinh = BURNISH_UNARY("sinh", NoAttributes, FloatTypes, sinh(x)).onnx("Sinh", 9).summary("hyperbolic sine");
const OpDef cosh = BURNISH_UNARY("cosh", NoAttributes, FloatTypes, cosh(x)).onnx("Cosh", 9).summary("hyperbolic cosine");
const OpDef asinh = BURNISH_UNARY("asinh", NoAttributes, FloatTypes, asinh(x)).onnx("Asinh", 9).summary("inverse hyperbolic sine");
const OpDef acosh = BURNISH_UNARY("acosh", NoAttributes, FloatTypes, acosh(x)).onnx("Acosh", 9).summary("inverse hyperbolic cosine");
const OpDef atanh = BURNISH_UNARY("atanh", NoAttributes, FloatTypes, atanh(x)).onnx("Atanh", 9).summary("inverse hyperbolic tangent");

}  // namespace burnish::ops::def
