// Bits of integers.
#include "ops/pointwise.h"
#include "ops/table.h"

namespace burnish::ops::def {

using ir::NoAttributes;

const OpDef shift_left = BURNISH_BINARY("shift_left", NoAttributes, IntegerTypes, shift_left(a, b)).summary("a << b; 0 when b is negative, or the width or more");
const OpDef shift_right = BURNISH_BINARY("shift_right", NoAttributes, IntegerTypes, shift_right(a, b)).summary("a >> b with the sign kept; the sign alone when b is negative, or the width or more");
const OpDef bitwise_and = BURNISH_BINARY("bitwise_and", NoAttributes, IntegerTypes, T(a & b)).onnx("BitwiseAnd", 18).summary("a & b");
const OpDef bitwise_or = BURNISH_BINARY("bitwise_or", NoAttributes, IntegerTypes, T(a | b)).onnx("BitwiseOr", 18).summary("a | b");
const OpDef bitwise_xor = BURNISH_BINARY("bitwise_xor", NoAttributes, IntegerTypes, T(a ^ b)).onnx("BitwiseXor", 18).summary("a ^ b");
const OpDef bitwise_not = BURNISH_UNARY("bitwise_not", NoAttributes, IntegerTypes, T(~x)).onnx("BitwiseNot", 18).summary("~x");

}  // namespace burnish::ops::def
