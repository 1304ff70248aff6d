// An op in one file: x / (1 + |x|).
#include "ops/pointwise.h"

namespace burnish::ops::def {

extern const OpDef softsign;  // a line X(softsign) in src/ops/list.h declares it, and puts it into the table
const OpDef softsign = BURNISH_UNARY("softsign", ir::NoAttributes, FloatTypes, x / (T(1) + abs(x)))
                           .onnx("Softsign")
                           .summary("x / (1 + |x|)");

}  // namespace burnish::ops::def
