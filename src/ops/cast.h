// Conversion between element types.
#pragma once

#include <burnish/dtype.h>

namespace burnish::ops {

struct CastAttributes {
  DType to = DType::f32;
  /// Into eight-bit floats: clamp to the largest finite value; otherwise an overflow becomes NaN or infinity.
  bool saturate = true;
  void visit(auto&& v) {
    v("to", to);
    v("saturate", saturate);
  }
};

}  // namespace burnish::ops
