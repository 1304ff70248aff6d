// Attributes of activation functions, for whoever matches or runs them.
#pragma once

#include <cmath>

namespace burnish::ops {

struct LeakyReluAttributes {
  double alpha = 0.01;
  void visit(auto&& v) { v("alpha", alpha); }
};

struct EluAttributes {
  double alpha = 1.0;
  void visit(auto&& v) { v("alpha", alpha); }
};

struct HardSigmoidAttributes {
  double alpha = 0.2, beta = 0.5;
  void visit(auto&& v) {
    v("alpha", alpha);
    v("beta", beta);
  }
};

struct GeluAttributes {
  bool approximate = false;  ///< false: x * Phi(x) by erf; true: its approximation by tanh
  void visit(auto&& v) { v("approximate", approximate); }
};

struct ClipAttributes {
  double min = -INFINITY, max = INFINITY;
  void visit(auto&& v) {
    v("min", min);
    v("max", max);
  }
};

}  // namespace burnish::ops
