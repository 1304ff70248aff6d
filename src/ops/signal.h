// Attributes of Fourier transforms and what goes with them.
#pragma once

#include <burnish/dtype.h>

namespace burnish::ops {

struct DftAttributes {
  int64_t axis = -2;  ///< of the signal; input 2, where given, overrides it
  bool inverse = false;
  /// Forward: only the first n / 2 + 1 frequencies. Inverse: those are given, and the result is real.
  bool onesided = false;
  void visit(auto&& v) {
    v("axis", axis);
    v("inverse", inverse);
    v("onesided", onesided);
  }
};

struct StftAttributes {
  bool onesided = true;
  void visit(auto&& v) { v("onesided", onesided); }
};

struct MelWeightMatrixAttributes {
  DType output_datatype = DType::f32;
  void visit(auto&& v) { v("output_datatype", output_datatype); }
};

}  // namespace burnish::ops
