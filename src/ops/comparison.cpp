// Comparisons, logic and selection.
#include "ops/pointwise.h"
#include "ops/table.h"

namespace burnish::ops::def {

using ir::NoAttributes;
using BoolTypes = Types<bool>;
using AllFloatTypes = Types<float, Half, BFloat16, double, Float8E4M3, Float8E5M2>;

namespace {

struct IsInf {
  bool detect_negative = true, detect_positive = true;
  void visit(auto&& v) { v("detect_negative", detect_negative); v("detect_positive", detect_positive); }
};

}  // namespace

const OpDef equal = BURNISH_COMPARE("equal", NumberAndBoolTypes, a == b).onnx("Equal", 7).summary("a == b").commutative();
const OpDef less = BURNISH_COMPARE("less", NumberTypes, a < b).onnx("Less", 7).summary("a < b");
const OpDef less_or_equal = BURNISH_COMPARE("less_or_equal", NumberTypes, a <= b).onnx("LessOrEqual", 12).summary("a <= b");
const OpDef greater = BURNISH_COMPARE("greater", NumberTypes, a > b).onnx("Greater", 7).summary("a > b");
const OpDef greater_or_equal = BURNISH_COMPARE("greater_or_equal", NumberTypes, a >= b).onnx("GreaterOrEqual", 12).summary("a >= b");
const OpDef logical_and = BURNISH_BINARY("logical_and", NoAttributes, BoolTypes, a && b).onnx("And", 7).summary("a and b").commutative();
const OpDef logical_or = BURNISH_BINARY("logical_or", NoAttributes, BoolTypes, a || b).onnx("Or", 7).summary("a or b").commutative();
const OpDef logical_xor = BURNISH_BINARY("logical_xor", NoAttributes, BoolTypes, a != b).onnx("Xor", 7).summary("a or b, not both").commutative();
const OpDef logical_not = BURNISH_UNARY("logical_not", NoAttributes, BoolTypes, !x).onnx("Not").summary("not x");

const OpDef is_nan = BURNISH_TEST("is_nan", NoAttributes, AllFloatTypes, is_nan(x)).onnx("IsNaN", 9).summary("whether x is not a number");
const OpDef is_inf = BURNISH_TEST("is_inf", IsInf, AllFloatTypes, is_inf(x) && (x > T(0) ? attr.detect_positive : attr.detect_negative)).onnx("IsInf", 10).summary("whether x is infinite, of the signs asked for");

const OpDef where = pointwise_op<NoAttributes, Result::same, true, false, false>(
    "where", []<class T>(const NoAttributes&, bool c, T a, T b) { return c ? a : b; }, "c ? a : b", {"c", "a", "b"},
    NumberAndBoolTypes{}).onnx("Where", 9).summary("a where c, b elsewhere");

}  // namespace burnish::ops::def
