// grid_sample and affine_grid: spatial transformers, in two and three dimensions.
#include <algorithm>
#include <cmath>

#include "base/dispatch.h"
#include "base/error.h"
#include "base/parallel.h"
#include "ops/host.h"
#include "ops/infer.h"
#include "ops/strided.h"
#include "ops/table.h"
#include "ops/vision_attributes.h"
#include "ops/wide.h"

namespace burnish::ops::def {
namespace {

using ir::Dim;

void infer_grid_sample(InferContext& context) {
  const auto& attributes = context.attributes<GridSampleAttributes>();
  const std::string &mode = attributes.mode, &padding = attributes.padding_mode;
  require(mode == "linear" || mode == "nearest" || mode == "cubic",
          "mode must be linear, nearest or cubic, not '{}'", mode);
  require(padding == "zeros" || padding == "border" || padding == "reflection",
          "padding_mode must be zeros, border or reflection, not '{}'", padding);
  const auto &x = context.shape(0), &grid = context.shape(1);
  const int64_t spatial = context.type(0).rank() - 2;
  require(spatial > 0 && grid.size() == x.size() && (!grid.back().is_constant() || grid.back().is(spatial)),
          "expected x [N,C,spatial...] and a grid [N,output...,{}], not {} and {}", spatial,
          context.type(0).str(), context.type(1).str());
  std::vector<Dim> shape = {x[0], x[1]};
  shape.insert(shape.end(), grid.begin() + 1, grid.end() - 1);
  context.set(0, context.dtype(0), std::move(shape));
}

/// Mirrors a coordinate at both borders until it lies between them.
double reflected(double at, double low, double high) {
  const double range = high - low;
  if (range <= 0) return low;
  const double distance = std::fabs(at - low), rest = std::fmod(distance, 2 * range);
  return low + (rest <= range ? rest : 2 * range - rest);
}

/// The input pixels of one dimension that a sample reads; index -1 reads 0.
struct Samples {
  int count = 0;
  int64_t indices[4];
  double weights[4];
  void add(int64_t index, double weight) {
    indices[count] = index;
    weights[count++] = weight;
  }
};

struct Sampler {
  const GridSampleAttributes& attributes;
  int64_t size;

  double low() const { return attributes.align_corners ? 0 : -0.5; }
  double high() const { return static_cast<double>(size) - (attributes.align_corners ? 1 : 0.5); }

  /// The pixel that stands at an integer coordinate, which may lie outside.
  int64_t pixel(double at) const {
    if (at >= 0 && at <= static_cast<double>(size - 1)) return static_cast<int64_t>(at);
    if (attributes.padding_mode == "zeros") return -1;
    if (attributes.padding_mode == "reflection") at = std::nearbyint(reflected(at, low(), high()));
    return static_cast<int64_t>(std::clamp(at, 0.0, static_cast<double>(size - 1)));
  }

  Samples operator()(double normalized) const {
    double at = attributes.align_corners ? (normalized + 1) / 2 * static_cast<double>(size - 1)
                                         : ((normalized + 1) * static_cast<double>(size) - 1) / 2;
    Samples samples;
    if (!(std::fabs(at) < 1e15)) at = -1e15;  // NaN and what no pixel is near
    if (attributes.mode == "nearest") at = std::nearbyint(at);
    // As PyTorch and ONNX Runtime do, a cubic sample moves each of its pixels inside by itself.
    if (attributes.mode != "cubic" && (at < low() || at > high())) {
      if (attributes.padding_mode == "border") at = std::clamp(at, 0.0, static_cast<double>(size - 1));
      if (attributes.padding_mode == "reflection") at = reflected(at, low(), high());
    }
    if (attributes.mode == "nearest") {
      samples.add(pixel(at), 1);
      return samples;
    }
    const double base = std::floor(at), t = at - base;
    if (attributes.mode == "linear") {
      samples.add(pixel(base), 1 - t);
      samples.add(pixel(base + 1), t);
      return samples;
    }
    constexpr double a = -0.75;  // Keys' cubic convolution
    const auto near = [](double d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
    const auto far = [](double d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
    samples.add(pixel(base - 1), far(1 + t));
    samples.add(pixel(base), near(t));
    samples.add(pixel(base + 1), near(1 - t));
    samples.add(pixel(base + 2), far(2 - t));
    return samples;
  }
};

/// One output point: the sum over the product of the dimensions' samples.
template <class T>
double weighted_sum(const T* x, const std::vector<int64_t>& strides, std::span<const Samples> samples,
                    int64_t offset = 0, size_t d = 0) {
  if (d == samples.size()) return static_cast<double>(x[offset]);
  double sum = 0;
  for (int i = 0; i < samples[d].count; ++i)
    if (samples[d].indices[i] >= 0)
      sum += samples[d].weights[i] *
             weighted_sum(x, strides, samples, offset + samples[d].indices[i] * strides[d], d + 1);
  return sum;
}

void reference_grid_sample(const ReferenceCall& call) {
  const Tensor &x = call.inputs[0], &grid = call.inputs[1];
  Tensor& y = call.outputs[0];
  if (y.size() == 0) return;
  const Shape image(x.shape().begin() + 2, x.shape().end());
  const std::vector<int64_t> strides = dense_strides(image);
  const int64_t pixels = element_count(image), channels = x.shape()[1];
  const int64_t batches = x.shape()[0], points = y.size() / (batches * channels),
                rank = static_cast<int64_t>(image.size());
  require(grid.size() == batches * points * rank, "a grid of shape {} does not give {}",
          shape_text(grid.shape()), shape_text(y.shape()));
  const std::vector<double> coordinates = numbers_of(grid);
  dispatch(NumberTypes{}, x.dtype(), [&]<class T>(Type<T>) {
    parallel_for(batches * points, 256, [&](int64_t begin, int64_t end) {
      std::vector<Samples> samples(image.size());
      for (int64_t point = begin; point < end; ++point) {
        // The grid's last dimension is x, y, z: innermost first.
        for (int64_t d = 0; d < rank; ++d)
          samples[static_cast<size_t>(d)] =
              Sampler{call.attribute<GridSampleAttributes>(), image[static_cast<size_t>(d)]}(
                  coordinates[static_cast<size_t>(point * rank + rank - 1 - d)]);
        for (int64_t c = 0; c < channels; ++c) {
          const int64_t plane = point / points * channels + c;
          const double sum = weighted_sum(x.data<T>() + plane * pixels, strides, samples);
          y.data<T>()[plane * points + point % points] = static_cast<T>(static_cast<compute_t<T>>(sum));
        }
      }
    });
  });
}

void infer_affine_grid(InferContext& context) {
  const auto& theta = context.shape(0);
  const Dim extent = context.contents(1) ? Dim(static_cast<int64_t>(context.contents(1)->size()))
                                         : product(context.shape(1));
  require(theta.size() == 3 && (extent.is(4) || extent.is(5)),
          "expected theta [N,2,3] with sizes N,C,H,W or [N,3,4] with N,C,D,H,W, not {}",
          context.type(0).str());
  const int64_t spatial = extent.constant() - 2;
  require((!theta[1].is_constant() || theta[1].is(spatial)) &&
              (!theta[2].is_constant() || theta[2].is(spatial + 1)),
          "theta must be [N,{},{}], not {}", spatial, spatial + 1, context.type(0).str());
  std::vector<Dim> shape = {theta[0]};
  for (int64_t d = 0; d < spatial; ++d)
    shape.push_back(context.contents(1) ? (*context.contents(1))[static_cast<size_t>(d + 2)]
                                        : context.fresh(0, static_cast<int>(d + 1)));
  shape.push_back(spatial);
  context.set(0, context.dtype(0), std::move(shape));
}

void reference_affine_grid(const ReferenceCall& call) {
  const Tensor& theta = call.inputs[0];
  Tensor& y = call.outputs[0];
  const int64_t rank = y.shape().back();
  const bool align = call.attribute<AffineGridAttributes>().align_corners;
  const int64_t points = y.size() / std::max<int64_t>(1, y.shape()[0] * rank);
  dispatch(WideFloatTypes{}, theta.dtype(), [&]<class T>(Type<T>) {
    for (int64_t i = 0; i < y.shape()[0] * points; ++i) {
      const T* matrix = theta.data<T>() + i / points * rank * (rank + 1);
      std::vector<T> at(static_cast<size_t>(rank));  // x, y, z in [-1, 1]
      for (int64_t d = rank, rest = i % points; d-- > 0;) {
        const int64_t size = y.shape()[static_cast<size_t>(d + 1)];
        const T place = static_cast<T>(rest % size), extent = static_cast<T>(size);
        rest /= size;
        at[static_cast<size_t>(rank - 1 - d)] =
            align ? (size > 1 ? T(2) * place / (extent - 1) - 1 : T(-1)) : (T(2) * place + 1) / extent - 1;
      }
      for (int64_t row = 0; row < rank; ++row) {
        T sum = matrix[row * (rank + 1) + rank];
        for (int64_t d = 0; d < rank; ++d) sum += matrix[row * (rank + 1) + d] * at[static_cast<size_t>(d)];
        y.data<T>()[i * rank + row] = sum;
      }
    }
  });
}

}  // namespace

const OpDef grid_sample =
    op<GridSampleAttributes>("grid_sample")
        .input("x")
        .input("grid")
        .output("y")
        .infer(infer_grid_sample)
        .reference(reference_grid_sample)
        .tolerance(1e-4, 1e-5)
        .summary(
            "x sampled at the places that a grid gives, -1 to 1 across each dimension (arXiv:1506.02025)");
const OpDef affine_grid = op<AffineGridAttributes>("affine_grid")
                              .input("theta")
                              .host("size")
                              .output("grid")
                              .infer(infer_affine_grid)
                              .reference(widen<reference_affine_grid>)
                              .onnx("AffineGrid", 20)
                              .summary("the grid that samples an affine transform, for grid_sample");

}  // namespace burnish::ops::def
