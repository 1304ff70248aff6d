// A window that slides over the spatial dimensions: what convolutions and pooling share.
#pragma once

#include <burnish/tensor.h>

#include <span>
#include <string>
#include <vector>

#include "ir/dim.h"

namespace burnish::ops {

/// How the window moves; one entry per spatial dimension. Empty lists mean 1, 0 and 1.
struct WindowAttributes {
  std::vector<int64_t> strides;
  std::vector<int64_t> pads;  ///< all begins, then all ends
  std::vector<int64_t> dilations;
  /// "NOTSET": pads count. "VALID": none. "SAME_UPPER", "SAME_LOWER": as many as make the output
  /// ceil(input / stride), an odd one at the end or at the beginning.
  std::string auto_pad = "NOTSET";

  void visit_window(auto&& v) {
    v("strides", strides);
    v("pads", pads);
    v("dilations", dilations);
    v("auto_pad", auto_pad);
  }
};

/// The same with every list filled in and auto_pad resolved for one input shape.
struct Window {
  Shape kernel, strides, dilations, pads_begin, pads_end;

  size_t rank() const { return kernel.size(); }
  /// The input coordinate in dimension `d` that output coordinate `output` reads at kernel offset `offset`.
  int64_t input_at(size_t d, int64_t output, int64_t offset) const {
    return output * strides[d] + offset * dilations[d] - pads_begin[d];
  }
};

/// Throws Error if a list has the wrong length, or a stride or dilation is not positive.
void check_window(const WindowAttributes& attributes, size_t spatial_rank);

/// The spatial output dimensions of a convolution or pooling. With `ceil_mode` the last window may hang over
/// the end, as long as it starts inside the input or the padding before it.
std::vector<ir::Dim> window_outputs(const WindowAttributes& attributes, std::span<const ir::Dim> kernel,
                                    std::span<const ir::Dim> input, bool ceil_mode = false);

/// Turns auto_pad into pads, and VALID into none, where they are known without knowing symbols.
void make_pads_explicit(WindowAttributes& attributes, std::span<const ir::Dim> kernel,
                        std::span<const ir::Dim> input);

/// `kernel` and `input` are the spatial sizes.
Window resolve_window(const WindowAttributes& attributes, std::span<const int64_t> kernel,
                      std::span<const int64_t> input);

}  // namespace burnish::ops
