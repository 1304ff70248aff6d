// Attributes of convolutions and products, for whoever matches or runs them.
#pragma once

#include "ops/window.h"

namespace burnish::ops {

struct ConvAttributes : WindowAttributes {
  int64_t group = 1;
  void visit(auto&& v) {
    visit_window(v);
    v("group", group);
  }
};

struct ConvTransposeAttributes : WindowAttributes {
  int64_t group = 1;
  std::vector<int64_t> output_padding;  ///< added to the end of each spatial dimension; empty: zeros
  std::vector<int64_t>
      output_shape;  ///< spatial sizes, from which the pads follow; empty: they follow from the pads
  void visit(auto&& v) {
    visit_window(v);
    v("group", group);
    v("output_padding", output_padding);
    v("output_shape", output_shape);
  }
};

struct DeformConvAttributes : WindowAttributes {
  int64_t group = 1, offset_group = 1;
  void visit(auto&& v) {
    visit_window(v);
    v("group", group);
    v("offset_group", offset_group);
  }
};

struct MatMulAttributes {
  bool transpose_a = false, transpose_b = false;  ///< swap the last two dimensions of a, b (rank >= 2) first
  void visit(auto&& v) {
    v("transpose_a", transpose_a);
    v("transpose_b", transpose_b);
  }
};

struct EinsumAttributes {
  std::string equation;
  void visit(auto&& v) { v("equation", equation); }
};

/// The window of a transposed convolution: its pads are those that give `output` from `input` (spatial
/// sizes).
Window resolve_transposed_window(const ConvTransposeAttributes& attributes, std::span<const int64_t> kernel,
                                 std::span<const int64_t> input, std::span<const int64_t> output);

}  // namespace burnish::ops
