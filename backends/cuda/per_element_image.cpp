// Ops that sample images: resize, grid_sample, affine_grid.
#include <algorithm>
#include <bit>

#include "cuda/per_element.h"
#include "ops/infer.h"
#include "ops/resize.h"
#include "ops/table.h"
#include "ops/vision_attributes.h"

namespace burnish::cuda {
namespace {

using device::Problem;
using Numbers = std::vector<int64_t>;

/// The place of `name` among `names`, the order in which a kernel's text numbers them.
int number_of(const std::string& name, std::initializer_list<const char*> names) {
  return static_cast<int>(std::find(names.begin(), names.end(), name) - names.begin());
}

int64_t bits_of(float value) { return std::bit_cast<int32_t>(value); }

/// For each dimension whether it is resized, then the scales', begins' and ends' bits; nullopt where an
/// operand or a size is not known.
std::optional<Numbers> resize_list(const Problem& problem) {
  const auto shape = ir::constants(operand_type(problem, 0).shape);
  if (!shape) return std::nullopt;
  std::vector<Tensor> inputs = {Tensor::view(operand_type(problem, 0).dtype, *shape, nullptr)};
  for (size_t i = 1; i < problem.node(0).inputs.size(); ++i) {
    inputs.push_back(known_operand(problem, i));
    const bool nothing = !has_operand(problem, i) || ir::product(operand_type(problem, i).shape).is(0);
    if (inputs.back().empty() && !nothing) return std::nullopt;
  }
  const auto& attributes = attributes_of<ops::ResizeAttributes>(problem);
  const std::vector<ops::ResizeAxis> axes = ops::resize_axes(attributes, inputs);
  Numbers list(4 * axes.size());
  for (size_t d = 0; d < axes.size(); ++d) {
    const ops::ResizeAxis& axis = axes[d];
    list[d] = axis.input != axis.output || axis.scale != 1 || axis.roi_begin != 0 || axis.roi_end != 1;
    list[axes.size() + d] = bits_of(axis.scale);
    list[2 * axes.size() + d] = bits_of(axis.roi_begin);
    list[3 * axes.size() + d] = bits_of(axis.roi_end);
  }
  return list;
}

size_t resize_count(const Problem& problem) { return 4 * operand_type(problem, 0).shape.size(); }
void resize_sizes(const Problem& problem, Sizes& sizes) {
  add_list(sizes, "axis", resize_list(problem), resize_count(problem));
}
ir::Bindings resize_late(const Problem& problem) {
  return late_list("axis", resize_list(problem).value_or(Numbers()));
}

Support resize_supports(const Problem& problem) {
  const DType dtype = operand_type(problem, 0).dtype;
  const bool nearest = attributes_of<ops::ResizeAttributes>(problem).mode == "nearest";
  return nearest || (is_floating(dtype) && dtype != DType::f64)
             ? Support::yes()
             : Support::no("it interpolates f32, f16 and bf16");
}
std::string resize_constants(const Problem& problem) {
  const auto& attributes = attributes_of<ops::ResizeAttributes>(problem);
  const int coordinates = number_of(attributes.coordinate_transformation_mode,
                                    {"half_pixel", "pytorch_half_pixel", "asymmetric", "tf_half_pixel_for_nn",
                                     "align_corners", "half_pixel_symmetric"});
  return list_text("axis", resize_count(problem)) +
         constants_text(
             {{"MODE", number_of(attributes.mode, {"nearest", "linear", "cubic"})},
              {"COORDINATES", coordinates},
              {"ROUND", number_of(attributes.nearest_mode,
                                  {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil", "simple"})},
              {"EXCLUDE_OUTSIDE", attributes.exclude_outside},
              {"ANTIALIAS", attributes.antialias}}) +
         fmt::format("constexpr float CUBIC_A = {:a};\n#define OUTSIDE_VALUE {:a}\n",
                     attributes.cubic_coeff_a, attributes.extrapolation_value);
}

Support grid_supports(const Problem& problem) {
  const DType dtype = operand_type(problem, 0).dtype;
  return dtype != DType::boolean && operand_type(problem, 0).rank() > 2 ? Support::yes()
                                                                        : Support::no("it takes numbers");
}
std::string grid_constants(const Problem& problem) {
  const auto& attributes = attributes_of<ops::GridSampleAttributes>(problem);
  return constants_text({{"MODE", number_of(attributes.mode, {"nearest", "linear", "cubic"})},
                         {"PADDING", number_of(attributes.padding_mode, {"zeros", "border", "reflection"})},
                         {"ALIGN", attributes.align_corners}});
}
std::string affine_constants(const Problem& problem) {
  return constants_text({{"ALIGN", attributes_of<ops::AffineGridAttributes>(problem).align_corners}});
}

}  // namespace

std::span<const ElementOp> image_element_ops() {
  static const ElementOp ops[] = {
      {.op = &ops::def::resize,
       .kernel = "resize",
       .supports = resize_supports,
       .constants = resize_constants,
       .sizes = resize_sizes,
       .late = resize_late,
       .images = true},
      {.op = &ops::def::grid_sample,
       .kernel = "grid_sample",
       .supports = grid_supports,
       .constants = grid_constants},
      {.op = &ops::def::affine_grid, .kernel = "affine_grid", .constants = affine_constants},
  };
  return ops;
}

}  // namespace burnish::cuda
