// roi_align and max_roi_pool: regions of an image as tensors of one size.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/dispatch.h"
#include "base/error.h"
#include "base/numbers.h"
#include "base/parallel.h"
#include "ops/host.h"
#include "ops/infer.h"
#include "ops/table.h"
#include "ops/vision_attributes.h"
#include "ops/wide.h"

namespace burnish::ops::def {
namespace {

using ir::Dim;

void infer_rois(InferContext& context, int64_t numbers, int64_t height, int64_t width) {
  const auto &x = context.shape(0), &rois = context.shape(1);
  require(x.size() == 4 && rois.size() == 2 && (!rois[1].is_constant() || rois[1].is(numbers)),
          "expected x [N,C,H,W] and rois [R,{}], not {} and {}", numbers, context.type(0).str(),
          context.type(1).str());
  require(height > 0 && width > 0, "regions of {}x{} are empty", height, width);
  context.set(0, context.dtype(0), {rois[0], x[1], Dim(height), Dim(width)});
}

void infer_roi_align(InferContext& context) {
  const auto& attributes = context.attributes<RoiAlignAttributes>();
  require(attributes.mode == "avg" || attributes.mode == "max", "mode must be avg or max, not '{}'",
          attributes.mode);
  infer_rois(context, 4, attributes.output_height, attributes.output_width);
}

/// The four pixels round a place, with their bilinear weights; weights of 0 outside the image.
struct Corners {
  int64_t places[4];
  double weights[4];
};

Corners corners(double y, double x, int64_t height, int64_t width) {
  if (!(y >= -1 && y <= static_cast<double>(height) && x >= -1 && x <= static_cast<double>(width))) return {};
  const auto split = [](double at, int64_t size, int64_t& low, int64_t& high) {
    at = std::clamp(at, 0.0, static_cast<double>(size - 1));
    low = static_cast<int64_t>(at);
    high = std::min(low + 1, size - 1);
    return at - static_cast<double>(low);
  };
  int64_t top, bottom, left, right;
  const double v = split(y, height, top, bottom), h = split(x, width, left, right);
  return {{top * width + left, top * width + right, bottom * width + left, bottom * width + right},
          {(1 - v) * (1 - h), (1 - v) * h, v * (1 - h), v * h}};
}

/// One dimension of a region: where it begins, how large a bin is, and how many samples a bin takes.
struct Bins {
  double begin, size;
  int64_t samples;
  double sample(int64_t bin, int64_t i) const {
    return begin +
           size * (static_cast<double>(bin) + (static_cast<double>(i) + 0.5) / static_cast<double>(samples));
  }
};

Bins bins(const RoiAlignAttributes& attributes, double begin, double end, int64_t count) {
  const bool half_pixel = attributes.coordinate_transformation_mode == "half_pixel";
  const double shift = half_pixel ? 0.5 : 0;
  begin = begin * attributes.spatial_scale - shift;
  double length = end * attributes.spatial_scale - shift - begin;
  if (!half_pixel) length = std::max(length, 1.0);
  const double size = length / static_cast<double>(count);
  require(size < 1e6, "a region is {} pixels long", length);
  return {
      begin, size,
      attributes.sampling_ratio > 0 ? attributes.sampling_ratio : whole_part(std::max(1.0, std::ceil(size)))};
}

/// The average or the largest over a bin's samples. As in ONNX Runtime, max is over weighted corners.
template <class T>
double pooled(const T* image, int64_t height, int64_t width, const Bins& rows, int64_t row,
              const Bins& columns, int64_t column, bool average) {
  double sum = 0, largest = -std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < rows.samples; ++i)
    for (int64_t j = 0; j < columns.samples; ++j) {
      const Corners at = corners(rows.sample(row, i), columns.sample(column, j), height, width);
      for (int k = 0; k < 4; ++k) {
        const double part = at.weights[k] * static_cast<double>(image[at.places[k]]);
        sum += part;
        largest = std::max(largest, part);
      }
    }
  return average ? sum / static_cast<double>(rows.samples * columns.samples) : largest;
}

void reference_roi_align(const ReferenceCall& call) {
  const auto& attributes = call.attribute<RoiAlignAttributes>();
  const Tensor& x = call.inputs[0];
  Tensor& y = call.outputs[0];
  const int64_t channels = x.shape()[1], height = x.shape()[2], width = x.shape()[3], count = y.shape()[0];
  const std::vector<double> rois = numbers_of(call.inputs[1]);
  const std::vector<int64_t> batches = integers_of(call.inputs[2]);
  require(static_cast<int64_t>(batches.size()) == count, "{} batch indices for {} regions", batches.size(),
          count);
  require(y.size() == 0 || height * width > 0, "the image is empty");
  dispatch(WideFloatTypes{}, x.dtype(), [&]<class T>(Type<T>) {
    parallel_for(count * channels, 1, [&](int64_t begin, int64_t end) {
      for (int64_t plane = begin; plane < end; ++plane) {
        const size_t roi = static_cast<size_t>(plane / channels);
        require(batches[roi] >= 0 && batches[roi] < x.shape()[0], "region {} is of image {}, of {}", roi,
                batches[roi], x.shape()[0]);
        const Bins columns = bins(attributes, rois[roi * 4], rois[roi * 4 + 2], attributes.output_width);
        const Bins rows = bins(attributes, rois[roi * 4 + 1], rois[roi * 4 + 3], attributes.output_height);
        const T* image = x.data<T>() + (batches[roi] * channels + plane % channels) * height * width;
        T* out = y.data<T>() + plane * attributes.output_height * attributes.output_width;
        for (int64_t row = 0; row < attributes.output_height; ++row)
          for (int64_t column = 0; column < attributes.output_width; ++column)
            *out++ = static_cast<T>(
                pooled(image, height, width, rows, row, columns, column, attributes.mode == "avg"));
      }
    });
  });
}

void infer_max_roi_pool(InferContext& context) {
  const auto& pooled_shape = context.attributes<MaxRoiPoolAttributes>().pooled_shape;
  require(pooled_shape.size() == 2, "pooled_shape must be [height, width], not {} numbers",
          pooled_shape.size());
  infer_rois(context, 5, pooled_shape[0], pooled_shape[1]);
}

/// The pixels [first, last) of bin `bin` of a region from `begin` to `end`, both included.
std::pair<int64_t, int64_t> bin_range(double begin, double end, int64_t bins, int64_t bin, int64_t size) {
  const double first = std::round(begin),
               length = std::max(std::round(end) - first + 1, 1.0) / static_cast<double>(bins);
  const auto clamped = [&](double at) {
    return whole_part(std::clamp(at + first, 0.0, static_cast<double>(size)));
  };
  return {clamped(std::floor(static_cast<double>(bin) * length)),
          clamped(std::ceil(static_cast<double>(bin + 1) * length))};
}

void reference_max_roi_pool(const ReferenceCall& call) {
  const auto& attributes = call.attribute<MaxRoiPoolAttributes>();
  const Tensor& x = call.inputs[0];
  Tensor& y = call.outputs[0];
  const int64_t channels = x.shape()[1], height = x.shape()[2], width = x.shape()[3];
  const int64_t rows = attributes.pooled_shape[0], columns = attributes.pooled_shape[1];
  const std::vector<double> rois = numbers_of(call.inputs[1]);
  dispatch(WideFloatTypes{}, x.dtype(), [&]<class T>(Type<T>) {
    for (int64_t i = 0; i < y.size(); ++i) {
      const int64_t column = i % columns, row = i / columns % rows, channel = i / (columns * rows) % channels;
      const double* roi = rois.data() + i / (columns * rows * channels) * 5;
      require(roi[0] >= 0 && roi[0] < static_cast<double>(x.shape()[0]), "a region is of image {}, of {}",
              roi[0], x.shape()[0]);
      const double scale = attributes.spatial_scale;
      const auto [left, right] = bin_range(roi[1] * scale, roi[3] * scale, columns, column, width);
      const auto [top, bottom] = bin_range(roi[2] * scale, roi[4] * scale, rows, row, height);
      const T* image = x.data<T>() + (static_cast<int64_t>(roi[0]) * channels + channel) * height * width;
      T largest = top < bottom && left < right ? image[top * width + left] : T(0);
      for (int64_t v = top; v < bottom; ++v)
        for (int64_t h = left; h < right; ++h) largest = std::max(largest, image[v * width + h]);
      y.data<T>()[i] = largest;
    }
  });
}

}  // namespace

const OpDef roi_align =
    op<RoiAlignAttributes>("roi_align")
        .input("x")
        .input("rois")
        .input("batch_indices")
        .output("y")
        .infer(infer_roi_align)
        .reference(widen<reference_roi_align>)
        .onnx("RoiAlign", 16)
        .tolerance(1e-4, 1e-5)
        .summary("regions [x1, y1, x2, y2] in bins of bilinear samples (arXiv:1703.06870)");
const OpDef max_roi_pool =
    op<MaxRoiPoolAttributes>("max_roi_pool")
        .input("x")
        .input("rois")
        .output("y")
        .infer(infer_max_roi_pool)
        .reference(widen<reference_max_roi_pool>)
        .onnx("MaxRoiPool")
        .summary("regions [image, x1, y1, x2, y2] in bins, the largest pixel of each (arXiv:1504.08083)");

}  // namespace burnish::ops::def
