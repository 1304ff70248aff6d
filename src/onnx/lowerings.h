// The table of lowerings: ONNX ops that do not map one to one on an IR op. See OpDef::onnx for those that do.
#pragma once

#include <span>
#include <string_view>

namespace burnish::onnx {

class Lower;

// X(op, domain, since, function), by the file that has the function. Of an op's rows, and the names that ops
// declare, the one with the newest `since` that is not above the model's opset is taken.
#define BURNISH_LOWERINGS(X)           \
  /* lower_constant.cpp */             \
  X("Identity", "", 1, lower_identity) \
  X("Constant", "", 1, lower_constant) \
  /* lower_data.cpp */                 \
  X("Reshape", "", 1, lower_reshape_1) \
  X("Squeeze", "", 1, lower_squeeze)   \
  X("Unsqueeze", "", 1, lower_unsqueeze) \
  X("ConstantOfShape", "", 9, lower_constant_of_shape) \
  X("EyeLike", "", 9, lower_eye_like)  \
  X("Concat", "", 1, lower_concat_1)   \
  X("Split", "", 1, lower_split)       \
  X("Slice", "", 1, lower_slice_1)     \
  X("Pad", "", 1, lower_pad_1)         \
  X("Tile", "", 1, lower_tile_1)

#define BURNISH_DECLARE(OP, DOMAIN, SINCE, FUNCTION) void FUNCTION(Lower& node);
BURNISH_LOWERINGS(BURNISH_DECLARE)
#undef BURNISH_DECLARE

struct Lowering {
  std::string_view op, domain;
  int since;
  void (*lower)(Lower& node);
};

std::span<const Lowering> all_lowerings();

}  // namespace burnish::onnx
