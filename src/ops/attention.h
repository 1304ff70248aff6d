// Attributes of attention.
#pragma once

#include <cstdint>
#include <string>

namespace burnish::ops {

struct AttentionAttributes {
  double scale = 0;  ///< of the scores; 0: 1 / sqrt(head size)
  /// "none". "top_left": query i sees keys 0 to i. "bottom_right": it sees keys up to i + Lk - Lq, so that
  /// the last query sees all of them.
  std::string causal = "none";
  double softcap = 0;  ///< scores become softcap * tanh(score / softcap); 0: they stay
  void visit(auto&& v) {
    v("scale", scale);
    v("causal", causal);
    v("softcap", softcap);
  }
};

}  // namespace burnish::ops
