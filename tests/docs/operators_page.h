// docs/operators.md, made from the table of ops.
#pragma once

#include <string>

namespace burnish::docs {

/// The whole page: one section per kind of op, one row per op, and the ONNX ops that are lowered to several.
std::string operators_page();

}  // namespace burnish::docs
