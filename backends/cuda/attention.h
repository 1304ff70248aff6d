// Attention as the CUDA kernels see it: where q, k, v and the mask lie and where the result goes, through
// transposes, splits and changes of shape round the op, so that none of these runs.
#pragma once

#include "cuda/generated.h"

namespace burnish::cuda {

/// Four dimensions (batch, head, row, column) of a tensor of the problem.
struct AttentionOperand {
  int tensor = -1;  ///< input, or output
  ir::Dim offset = 0;
  std::array<ir::Dim, 4> strides = {0, 0, 0, 0};

  /// Whether pieces of `elements` neighbours in a row lie at multiples of their size.
  bool in_pieces(const ir::Dim& row, int64_t elements) const;
};

struct Attention {
  enum class Mask : int { none, boolean, added };
  enum class Causal : int { none, top_left, bottom_right };

  DType dtype = DType::f16;
  AttentionOperand q, k, v, mask, y;
  Mask mask_kind = Mask::none;
  Causal causal = Causal::none;
  double scale = 1, softcap = 0;
  ir::Dim batch, heads, sharing, queries, keys;
  int64_t depth = 0, depth_v = 0;

  /// Fills `into`, or says why the problem is none.
  static Support analyse(const device::Problem& problem, Attention& into);
  static Attention of(const device::Problem& problem);
  bool mask_is_weight(const device::Problem& problem) const {
    return mask_kind != Mask::none && problem.is_weight(mask.tensor);
  }
  /// What both kernels are written over: Element, SCALE, SOFTCAP, MASK, CAUSAL, q_operand(p), ...,
  /// y_operand(p), mask(p, place).
  std::string text(const device::Problem& problem) const;
  /// heads, sharing, queries, keys, depth, depth_v, and each operand's offset and strides.
  void add_sizes(Sizes& sizes) const;
};

}  // namespace burnish::cuda
