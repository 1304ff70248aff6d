// The arithmetic of ONNX's Resize, shared by inference, the reference and backends.
#pragma once

#include <burnish/tensor.h>

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ir/dim.h"

namespace burnish::ops {

/// ONNX's attributes of Resize-19, under their names.
struct ResizeAttributes {
  std::string mode = "nearest";  ///< nearest, linear or cubic
  std::string coordinate_transformation_mode = "half_pixel";
  /// round_prefer_floor, round_prefer_ceil, floor, ceil; or simple: up where the axis shrinks, else down
  /// (opset 10)
  std::string nearest_mode = "round_prefer_floor";
  std::string keep_aspect_ratio_policy = "stretch";  ///< stretch, not_larger or not_smaller; of sizes
  double cubic_coeff_a = -0.75;
  double extrapolation_value = 0;  ///< of tf_crop_and_resize
  bool exclude_outside = false;    ///< weights of pixels outside become 0 and the rest is scaled up
  bool antialias = false;
  std::vector<int64_t> axes;  ///< which dimensions roi, scales and sizes speak of; empty: all
  void visit(auto&& v) {
    v("mode", mode);
    v("coordinate_transformation_mode", coordinate_transformation_mode);
    v("nearest_mode", nearest_mode);
    v("keep_aspect_ratio_policy", keep_aspect_ratio_policy);
    v("cubic_coeff_a", cubic_coeff_a);
    v("extrapolation_value", extrapolation_value);
    v("exclude_outside", exclude_outside);
    v("antialias", antialias);
    v("axes", axes);
  }
};

/// How one dimension is resized.
struct ResizeAxis {
  int64_t input = 1, output = 1;
  float scale = 1;                   ///< output coordinates per input coordinate
  float roi_begin = 0, roi_end = 1;  ///< the part of the input that tf_crop_and_resize takes, in [0, 1]
};

/// floor(dim * scale), the same for a number and for an expression; nullopt for an expression and a scale
/// that is no simple fraction. Throws Error unless the scale is positive.
std::optional<ir::Dim> scaled_dim(const ir::Dim& dim, float scale);

/// One ResizeAxis per dimension, from the op's inputs (x, roi, scales, sizes).
std::vector<ResizeAxis> resize_axes(const ResizeAttributes& attributes, std::span<const Tensor> inputs);

/// Each output element of one dimension as a weighted sum of `taps` input elements.
struct ResizeTaps {
  int64_t input = 1, taps = 1;
  std::vector<int64_t> indices;  ///< [output, taps], within the input
  std::vector<float> weights;    ///< [output, taps]
  std::vector<bool> outside;     ///< [output]: takes the extrapolation value instead
  bool is_identity() const;
};
ResizeTaps resize_taps(const ResizeAttributes& attributes, const ResizeAxis& axis);

}  // namespace burnish::ops
