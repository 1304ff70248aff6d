// Which input elements make an output element of Resize, and with what weights. Coordinates are computed in
// float, as ONNX's reference and ONNX Runtime do: where they fall on a tie, a wider type would choose another
// pixel.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/numbers.h"
#include "ops/host.h"
#include "ops/infer.h"
#include "ops/resize.h"

namespace burnish::ops {
namespace {

/// The input coordinate that output coordinate `x` comes from.
float source_coordinate(const std::string& mode, const ResizeAxis& axis, int64_t x) {
  const float at = static_cast<float>(x), input = static_cast<float>(axis.input),
              output = static_cast<float>(axis.output);
  if (mode == "half_pixel") return (at + 0.5f) / axis.scale - 0.5f;
  if (mode == "pytorch_half_pixel") return axis.output > 1 ? (at + 0.5f) / axis.scale - 0.5f : 0;
  if (mode == "asymmetric") return at / axis.scale;
  if (mode == "tf_half_pixel_for_nn") return (at + 0.5f) / axis.scale;
  // ONNX's reference takes scale * input, not the whole number of output pixels, for the output's length.
  if (mode == "align_corners") return axis.output > 1 ? at * (input - 1) / (axis.scale * input - 1) : 0;
  if (mode == "half_pixel_symmetric") {
    const float adjustment = output / (axis.scale * input);
    return input / 2 * (1 - adjustment) + (at + 0.5f) / axis.scale - 0.5f;
  }
  require(mode == "tf_crop_and_resize", "coordinate_transformation_mode '{}' is not known", mode);
  if (axis.output == 1) return 0.5f * (axis.roi_begin + axis.roi_end) * (input - 1);
  return axis.roi_begin * (input - 1) + at * (axis.roi_end - axis.roi_begin) * (input - 1) / (output - 1);
}

int64_t nearest(const std::string& mode, float at, float scale) {
  float chosen = 0;
  if (mode == "round_prefer_floor")
    chosen = std::ceil(at - 0.5f);
  else if (mode == "round_prefer_ceil")
    chosen = std::floor(at + 0.5f);
  else if (mode == "floor" || (mode == "simple" && scale >= 1))
    chosen = std::floor(at);
  else if (mode == "ceil" || mode == "simple")
    chosen = std::ceil(at);
  else
    fail("nearest_mode '{}' is not known", mode);
  return static_cast<int64_t>(chosen);
}

float linear_weight(float distance) { return std::max(0.0f, 1 - std::fabs(distance)); }

/// Keys' cubic convolution kernel.
float cubic_weight(float distance, float a) {
  const float x = std::fabs(distance);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/// Weights around each coordinate; antialias widens the kernel where the axis shrinks.
void weigh(const ResizeAttributes& attributes, const ResizeAxis& axis, const std::vector<float>& coordinates,
           ResizeTaps& made) {
  if (coordinates.empty()) return;  // of any scale, also one that would take more taps than can be counted
  const bool cubic = attributes.mode == "cubic";
  const float radius = cubic ? 2 : 1, shrink = attributes.antialias ? std::min(axis.scale, 1.0f) : 1;
  const int64_t first = static_cast<int64_t>(std::floor(-radius / shrink)) + 1;
  made.taps = 2 - 2 * first;
  for (float at : coordinates) {
    const int64_t base = static_cast<int64_t>(std::floor(at)) + first;
    std::vector<float> weights;
    float total = 0;
    for (int64_t i = 0; i < made.taps; ++i) {
      const float distance = (static_cast<float>(base + i) - at) * shrink;
      const bool dropped = attributes.exclude_outside && (base + i < 0 || base + i >= axis.input);
      weights.push_back(dropped ? 0
                        : cubic ? cubic_weight(distance, static_cast<float>(attributes.cubic_coeff_a))
                                : linear_weight(distance));
      total += weights.back();
      made.indices.push_back(std::clamp<int64_t>(base + i, 0, axis.input - 1));
    }
    const bool normalize = (attributes.exclude_outside || attributes.antialias) && total != 0;
    for (float weight : weights) made.weights.push_back(normalize ? weight / total : weight);
  }
}

/// The one scale that fits all axes into (or around) the wanted sizes, as keep_aspect_ratio_policy asks.
void keep_aspect_ratio(const std::string& policy, std::vector<ResizeAxis*>& axes) {
  const auto order = [](const ResizeAxis* a, const ResizeAxis* b) { return a->scale < b->scale; };
  require(policy == "not_larger" || policy == "not_smaller", "keep_aspect_ratio_policy '{}' is not known",
          policy);
  if (axes.empty()) return;
  const float scale = (policy == "not_larger" ? *std::min_element(axes.begin(), axes.end(), order)
                                              : *std::max_element(axes.begin(), axes.end(), order))
                          ->scale;
  for (ResizeAxis* axis : axes) {
    axis->scale = scale;
    axis->output = whole_part(std::floor(scale * static_cast<float>(axis->input) + 0.5f));
  }
}

}  // namespace

std::optional<ir::Dim> scaled_dim(const ir::Dim& dim, float scale) {
  require(scale > 0 && scale < 1e6f, "a scale must be positive, not {}", scale);
  constexpr int64_t largest_denominator = 64;
  for (int64_t q = 1; q <= largest_denominator; ++q) {
    const double p = std::round(static_cast<double>(scale) * static_cast<double>(q));
    constexpr double rounding = 1.2e-7;  // of a fraction written as a float
    if (p > 0 && std::fabs(scale - p / static_cast<double>(q)) <= rounding * scale)
      return ir::floor_div(dim * ir::Dim(static_cast<int64_t>(p)), q);
  }
  if (!dim.is_constant()) return std::nullopt;
  return ir::Dim(whole_part(std::floor(static_cast<float>(dim.constant()) * scale)));
}

bool ResizeTaps::is_identity() const {
  if (static_cast<int64_t>(outside.size()) != input) return false;
  if (taps != 1 &&
      std::any_of(weights.begin(), weights.end(), [](float weight) { return weight != 0 && weight != 1; }))
    return false;
  const int64_t outputs = static_cast<int64_t>(outside.size());
  for (int64_t i = 0; i < outputs; ++i) {
    if (outside[static_cast<size_t>(i)]) return false;
    for (int64_t tap = i * taps; tap < (i + 1) * taps; ++tap)
      if (weights[static_cast<size_t>(tap)] == 1 && indices[static_cast<size_t>(tap)] != i) return false;
  }
  return true;
}

ResizeTaps resize_taps(const ResizeAttributes& attributes, const ResizeAxis& axis) {
  ResizeTaps made;
  made.input = axis.input;
  require(axis.input > 0 || axis.output == 0, "an empty dimension cannot be resized");
  const bool crop = attributes.coordinate_transformation_mode == "tf_crop_and_resize";
  std::vector<float> coordinates;
  for (int64_t x = 0; x < axis.output; ++x) {
    float at = source_coordinate(attributes.coordinate_transformation_mode, axis, x);
    made.outside.push_back(crop && !(at >= 0 && at <= static_cast<float>(axis.input - 1)));
    if (made.outside.back()) at = 0;
    // Far outside every tap is the border pixel, wherever exactly; this also keeps the conversion to integers
    // safe.
    coordinates.push_back(std::clamp(std::isnan(at) ? 0 : at, -1e6f, static_cast<float>(axis.input) + 1e6f));
  }
  if (attributes.mode == "nearest") {
    for (float at : coordinates)
      made.indices.push_back(
          std::clamp<int64_t>(nearest(attributes.nearest_mode, at, axis.scale), 0, axis.input - 1));
    made.weights.assign(made.indices.size(), 1);
    return made;
  }
  require(attributes.mode == "linear" || attributes.mode == "cubic",
          "mode must be nearest, linear or cubic, not '{}'", attributes.mode);
  weigh(attributes, axis, coordinates, made);
  return made;
}

std::vector<ResizeAxis> resize_axes(const ResizeAttributes& attributes, std::span<const Tensor> inputs) {
  const auto has = [&](size_t i) { return i < inputs.size() && inputs[i].size() > 0; };
  const Shape& shape = inputs[0].shape();
  std::vector<ResizeAxis> axes;
  for (int64_t dim : shape) axes.push_back({dim, dim});
  std::vector<ResizeAxis*> named;
  if (attributes.axes.empty())
    for (ResizeAxis& axis : axes) named.push_back(&axis);
  for (int64_t axis : attributes.axes)
    named.push_back(&axes[static_cast<size_t>(normalize_axis(axis, static_cast<int64_t>(shape.size())))]);

  require(has(2) != has(3) || named.empty(), "give either scales or sizes");
  const std::vector<double> scales = has(2) ? numbers_of(inputs[2]) : std::vector<double>();
  const std::vector<int64_t> sizes = has(3) ? integers_of(inputs[3]) : std::vector<int64_t>();
  const std::vector<double> roi = has(1) ? numbers_of(inputs[1]) : std::vector<double>();
  require((has(2) ? scales.size() : sizes.size()) == named.size(), "{} scales or sizes for {} dimensions",
          has(2) ? scales.size() : sizes.size(), named.size());
  const bool crop = attributes.coordinate_transformation_mode == "tf_crop_and_resize";
  require(!crop || roi.size() == 2 * named.size(), "tf_crop_and_resize needs a roi of {} numbers, not {}",
          2 * named.size(), roi.size());
  for (size_t i = 0; i < named.size(); ++i) {
    ResizeAxis& axis = *named[i];
    if (has(2)) {
      axis.scale = static_cast<float>(scales[i]);
      axis.output = scaled_dim(axis.input, axis.scale)->constant();
    } else {
      axis.output = sizes[i];
      axis.scale = axis.input > 0 ? static_cast<float>(axis.output) / static_cast<float>(axis.input) : 1;
    }
    require(axis.output >= 0, "a dimension of {} cannot be resized to {}", axis.input, axis.output);
    if (crop) {
      axis.roi_begin = static_cast<float>(roi[i]);
      axis.roi_end = static_cast<float>(roi[i + named.size()]);
    }
  }
  if (has(3) && attributes.keep_aspect_ratio_policy != "stretch")
    keep_aspect_ratio(attributes.keep_aspect_ratio_policy, named);
  return axes;
}

}  // namespace burnish::ops
