// Attributes of recurrent layers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace burnish::ops {

struct RecurrentAttributes {
  std::string direction = "forward";     ///< forward, reverse or bidirectional
  std::vector<std::string> activations;  ///< per direction, ONNX's names; empty: the op's usual ones
  std::vector<double> activation_alpha, activation_beta;  ///< for those that take them, in order
  double clip = 0;  ///< limits the activations' inputs to [-clip, clip]; 0: no limit

  void visit_common(auto&& v) {
    v("direction", direction);
    v("activations", activations);
    v("activation_alpha", activation_alpha);
    v("activation_beta", activation_beta);
    v("clip", clip);
  }
  int64_t directions() const { return direction == "bidirectional" ? 2 : 1; }
};

struct RnnAttributes : RecurrentAttributes {
  void visit(auto&& v) { visit_common(v); }
};

struct LstmAttributes : RecurrentAttributes {
  bool input_forget = false;  ///< the forget gate is 1 - the input gate
  void visit(auto&& v) {
    visit_common(v);
    v("input_forget", input_forget);
  }
};

struct GruAttributes : RecurrentAttributes {
  bool linear_before_reset = false;  ///< multiply by the reset gate after the recurrent product, not before
  void visit(auto&& v) {
    visit_common(v);
    v("linear_before_reset", linear_before_reset);
  }
};

}  // namespace burnish::ops
