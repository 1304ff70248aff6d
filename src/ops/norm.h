// Attributes of normalisations.
#pragma once

#include <cstdint>

namespace burnish::ops {

struct EpsilonAttributes {
  double epsilon = 1e-5;  ///< added to the variance
  void visit(auto&& v) { v("epsilon", epsilon); }
};

struct LayerNormAttributes {
  int64_t axis = -1;  ///< this axis and all behind it are normalised together
  double epsilon = 1e-5;
  void visit(auto&& v) {
    v("axis", axis);
    v("epsilon", epsilon);
  }
};

struct GroupNormAttributes {
  int64_t num_groups = 1;
  double epsilon = 1e-5;
  void visit(auto&& v) {
    v("num_groups", num_groups);
    v("epsilon", epsilon);
  }
};

struct LrnAttributes {
  double alpha = 1e-4, beta = 0.75, bias = 1;
  int64_t size = 1;  ///< channels in the window
  void visit(auto&& v) {
    v("alpha", alpha);
    v("beta", beta);
    v("bias", bias);
    v("size", size);
  }
};

struct SoftmaxAttributes {
  int64_t axis = -1;
  void visit(auto&& v) { v("axis", axis); }
};

}  // namespace burnish::ops
