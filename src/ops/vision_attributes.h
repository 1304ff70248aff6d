// Attributes of the ops that sample images, named as ONNX names them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace burnish::ops {

struct GridSampleAttributes {
  std::string mode = "linear";         ///< linear, nearest or cubic
  std::string padding_mode = "zeros";  ///< zeros, border or reflection
  bool align_corners = false;  ///< -1 and 1 are the centres of the corner pixels, not their outer edges
  void visit(auto&& v) {
    v("mode", mode);
    v("padding_mode", padding_mode);
    v("align_corners", align_corners);
  }
};

struct AffineGridAttributes {
  bool align_corners = false;
  void visit(auto&& v) { v("align_corners", align_corners); }
};

struct RoiAlignAttributes {
  std::string mode = "avg";                                   ///< avg or max
  std::string coordinate_transformation_mode = "half_pixel";  ///< half_pixel or output_half_pixel
  int64_t output_height = 1, output_width = 1;
  int64_t sampling_ratio = 0;  ///< samples per bin and dimension; 0: as many as the bin has pixels
  double spatial_scale = 1;
  void visit(auto&& v) {
    v("mode", mode);
    v("coordinate_transformation_mode", coordinate_transformation_mode);
    v("output_height", output_height);
    v("output_width", output_width);
    v("sampling_ratio", sampling_ratio);
    v("spatial_scale", spatial_scale);
  }
};

struct MaxRoiPoolAttributes {
  std::vector<int64_t> pooled_shape;
  double spatial_scale = 1;
  void visit(auto&& v) {
    v("pooled_shape", pooled_shape);
    v("spatial_scale", spatial_scale);
  }
};

/// Empty lists mean 1, 0 and 1; pads are all begins, then all ends.
struct Col2ImAttributes {
  std::vector<int64_t> strides, pads, dilations;
  void visit(auto&& v) {
    v("strides", strides);
    v("pads", pads);
    v("dilations", dilations);
  }
};

}  // namespace burnish::ops
