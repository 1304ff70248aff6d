// Resampling: older opsets, and names that changed.
#include "onnx/lower.h"
#include "onnx/lowerings.h"

namespace burnish::onnx {

namespace def = ops::def;

/// Upsample and Resize-10: places are x / scale; nearest rounds down, or up where the axis shrinks.
static void emit_asymmetric(Lower& node, ir::ValueId scales) {
  std::string mode = node.text("mode", "nearest");
  if (mode == "bilinear") mode = "linear";
  node.set_output(
      0, node.emit(
             def::resize,
             {{"mode", mode}, {"coordinate_transformation_mode", "asymmetric"}, {"nearest_mode", "simple"}},
             {node.needed_input(0), {}, scales}));
}

static ir::ValueId add_floats(Lower& node, const std::vector<double>& values) {
  return node.add_constant(
      Tensor::of<float>({static_cast<int64_t>(values.size())}, {values.begin(), values.end()}));
}

/// Upsample-1 scales the last two of four dimensions.
void lower_upsample_1(Lower& node) {
  emit_asymmetric(node,
                  add_floats(node, {1, 1, node.number("height_scale", 1), node.number("width_scale", 1)}));
}

void lower_upsample_7(Lower& node) { emit_asymmetric(node, add_floats(node, node.numbers("scales"))); }

void lower_resize_10(Lower& node) { emit_asymmetric(node, node.needed_input(1)); }

/// GridSample before opset 20 says bilinear and bicubic.
void lower_grid_sample(Lower& node) {
  std::string mode = node.text("mode", "linear");
  if (mode == "bilinear") mode = "linear";
  if (mode == "bicubic") mode = "cubic";
  node.set_output(0, node.emit(def::grid_sample,
                               {{"mode", mode},
                                {"padding_mode", node.text("padding_mode", "zeros")},
                                {"align_corners", node.integer("align_corners")}},
                               {node.needed_input(0), node.needed_input(1)}));
}

/// RoiAlign-10 has no coordinate mode and does not shift by half a pixel.
void lower_roi_align_10(Lower& node) {
  node.set_output(0, node.emit(def::roi_align,
                               {{"mode", node.text("mode", "avg")},
                                {"coordinate_transformation_mode", "output_half_pixel"},
                                {"output_height", node.integer("output_height", 1)},
                                {"output_width", node.integer("output_width", 1)},
                                {"sampling_ratio", node.integer("sampling_ratio")},
                                {"spatial_scale", node.number("spatial_scale", 1)}},
                               {node.needed_input(0), node.needed_input(1), node.needed_input(2)}));
}

}  // namespace burnish::onnx
