// Pooling over windows.
#include "ops/pool.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/parallel.h"
#include "ops/host.h"
#include "ops/indexing.h"
#include "ops/infer.h"
#include "ops/intrinsics.h"
#include "ops/table.h"
#include "ops/wide.h"

namespace burnish::ops {
namespace {

using ir::Dim;

std::vector<Dim> pooled_shape(const InferContext& context, const PoolAttributes& attributes) {
  const std::vector<Dim>& x = context.shape(0);
  require(x.size() >= 3, "x is {}; [N, C, spatial...] is expected", context.type(0).str());
  for (int64_t size : attributes.kernel_shape) require(size >= 1, "kernel_shape has the entry {}", size);
  const std::vector<Dim> kernel(attributes.kernel_shape.begin(), attributes.kernel_shape.end()),
      spatial(x.begin() + 2, x.end());
  std::vector<Dim> shape = {x[0], x[1]};
  for (const Dim& dim : window_outputs(attributes, kernel, spatial, attributes.ceil_mode))
    shape.push_back(dim);
  return shape;
}

template <class Attributes>
void infer_pool(InferContext& context) {
  context.set(0, context.dtype(0), pooled_shape(context, context.attributes<Attributes>()));
}

void infer_max_pool(InferContext& context) {
  infer_pool<MaxPoolAttributes>(context);
  if (context.outputs() > 1) context.set(1, DType::i64, context.output_types()[0].shape);
}

/// One pooling's sizes. `plane` is one channel of one image.
struct Pooling {
  Window window;
  Shape input, output;
  int64_t planes, input_size, output_size;
  std::vector<Shape> offsets;  // of each point in the window

  Pooling(const PoolAttributes& attributes, const Tensor& x, const Tensor& y)
      : window(resolve_window(attributes, attributes.kernel_shape, spatial_sizes(x))),
        input(spatial_sizes(x)),
        output(spatial_sizes(y)),
        planes(x.shape()[0] * x.shape()[1]),
        input_size(product_of(input)),
        output_size(product_of(output)) {
    for (int64_t k = 0; k < product_of(window.kernel); ++k) offsets.push_back(unravel(k, window.kernel));
  }

  /// Calls body(index in the plane) for each point of the window of output position `at` that lies inside.
  template <class Body>
  void each_point(const Shape& at, Body&& body) const {
    for (const Shape& offset : offsets) {
      int64_t index = 0;
      bool inside = true;
      for (size_t d = 0; d < input.size(); ++d) {
        const int64_t coordinate = window.input_at(d, at[d], offset[d]);
        inside = inside && coordinate >= 0 && coordinate < input[d];
        index = index * input[d] + coordinate;
      }
      if (inside) body(index);
    }
  }

  /// How many points of the window of `at` lie inside the input or its padding.
  int64_t padded_points(const Shape& at) const {
    int64_t count = 1;
    for (size_t d = 0; d < input.size(); ++d) {
      const int64_t start = window.input_at(d, at[d], 0), room = input[d] + window.pads_end[d] - start;
      count *= std::min(window.kernel[d], (room + window.dilations[d] - 1) / window.dilations[d]);
    }
    return count;
  }

  /// Calls body(plane, output coordinates, index in the output) for every output element, in parallel.
  template <class Body>
  void each_output(Body&& body) const {
    parallel_for(output_size, std::max<int64_t>(1, 4096 / (planes + 1)), [&](int64_t begin, int64_t end) {
      for (int64_t position = begin; position < end; ++position) {
        const Shape at = unravel(position, output);
        for (int64_t plane = 0; plane < planes; ++plane) body(plane, at, plane * output_size + position);
      }
    });
  }
};

/// The place of row-major index `index` when the spatial dimensions are stored in reverse order.
int64_t column_major(int64_t index, const Shape& input) {
  const Shape at = unravel(index, input);
  int64_t result = 0;
  for (size_t d = input.size(); d-- > 0;) result = result * input[d] + at[d];
  return result;
}

void max_pool_reference(const ReferenceCall& call) {
  const auto& attributes = call.attribute<MaxPoolAttributes>();
  const Pooling pooling(attributes, call.inputs[0], call.outputs[0]);
  int64_t* indices = call.outputs.size() > 1 ? call.outputs[1].data<int64_t>() : nullptr;
  dispatch(Types<float, double, int8_t, uint8_t, int32_t, int64_t>{}, call.inputs[0].dtype(),
           [&]<class T>(Type<T>) {
             using Limits = std::numeric_limits<T>;
             const T* x = call.inputs[0].data<T>();
             T* y = call.outputs[0].data<T>();
             pooling.each_output([&](int64_t plane, const Shape& at, int64_t output) {
               T largest = Limits::has_infinity ? T(-Limits::infinity()) : Limits::lowest();
               int64_t winner = -1;
               pooling.each_point(at, [&](int64_t index) {
                 const T value = x[plane * pooling.input_size + index];
                 if (winner < 0 || value > largest || value != value) {
                   if (largest != largest) return;  // NaN stays
                   largest = value;
                   winner = index;
                 }
               });
               y[output] = largest;
               if (!indices) return;
               if (winner >= 0 && attributes.storage_order == 1) winner = column_major(winner, pooling.input);
               indices[output] = winner < 0 ? -1 : plane * pooling.input_size + winner;
             });
           });
}

void average_pool_reference(const ReferenceCall& call) {
  const auto& attributes = call.attribute<AveragePoolAttributes>();
  const Pooling pooling(attributes, call.inputs[0], call.outputs[0]);
  dispatch(WideFloatTypes{}, call.inputs[0].dtype(), [&]<class T>(Type<T>) {
    const T* x = call.inputs[0].data<T>();
    T* y = call.outputs[0].data<T>();
    pooling.each_output([&](int64_t plane, const Shape& at, int64_t output) {
      double sum = 0;
      int64_t count = 0;
      pooling.each_point(at, [&](int64_t index) {
        sum += static_cast<double>(x[plane * pooling.input_size + index]);
        ++count;
      });
      y[output] = static_cast<T>(
          sum / static_cast<double>(attributes.count_include_pad ? pooling.padded_points(at) : count));
    });
  });
}

void lp_pool_reference(const ReferenceCall& call) {
  const auto& attributes = call.attribute<LpPoolAttributes>();
  const Pooling pooling(attributes, call.inputs[0], call.outputs[0]);
  const double p = static_cast<double>(attributes.p);
  dispatch(WideFloatTypes{}, call.inputs[0].dtype(), [&]<class T>(Type<T>) {
    const T* x = call.inputs[0].data<T>();
    T* y = call.outputs[0].data<T>();
    pooling.each_output([&](int64_t plane, const Shape& at, int64_t output) {
      double sum = 0;
      pooling.each_point(at, [&](int64_t index) {
        sum += std::pow(std::fabs(static_cast<double>(x[plane * pooling.input_size + index])), p);
      });
      y[output] = static_cast<T>(std::pow(sum, 1 / p));
    });
  });
}

/// The spatial sizes that pooling had, as far as the window says.
template <class Size>
std::vector<Size> unpooled_sizes(const MaxUnpoolAttributes& attributes, const std::vector<Size>& x) {
  const size_t rank = x.size() - 2;
  check_window(attributes, rank);
  require(attributes.kernel_shape.size() == rank, "kernel_shape has {} entries for {} spatial dimensions",
          attributes.kernel_shape.size(), rank);
  std::vector<Size> sizes;
  for (size_t d = 0; d < rank; ++d) {
    const int64_t stride = attributes.strides.empty() ? 1 : attributes.strides[d];
    const int64_t pads = attributes.pads.empty() ? 0 : attributes.pads[d] + attributes.pads[d + rank];
    sizes.push_back((x[d + 2] - 1) * Size(stride) + Size(attributes.kernel_shape[d] - pads));
  }
  return sizes;
}

void infer_max_unpool(InferContext& context) {
  const std::vector<Dim> x = context.shape(0);
  require(x.size() >= 3, "x is {}; [N, C, spatial...] is expected", context.type(0).str());
  require(context.dtype(1) == DType::i64 && context.type(1).rank() == context.type(0).rank(),
          "the indices are {}; i64 of x's shape is expected", context.type(1).str());
  std::vector<Dim> shape = {x[0], x[1]};
  for (const Dim& dim : unpooled_sizes(context.attributes<MaxUnpoolAttributes>(), x)) shape.push_back(dim);
  if (const auto* given = context.contents(2)) {
    require(given->size() == x.size(), "output_shape has {} entries for rank {}", given->size(), x.size());
    shape = *given;
  } else if (context.has(2)) {
    for (size_t d = 0; d < shape.size(); ++d) shape[d] = context.fresh(0, static_cast<int>(d));
  }
  context.set(0, context.dtype(0), std::move(shape));
}

/// The indices count in the shape that the window implies; a larger output_shape adds zeros at the ends.
void max_unpool_reference(const ReferenceCall& call) {
  const Tensor &x = call.inputs[0], &indices = call.inputs[1];
  require(x.shape() == indices.shape(), "x is {}, the indices are {}", shape_text(x.shape()),
          shape_text(indices.shape()));
  Tensor& y = call.outputs[0];
  Shape pooled_from = {x.shape()[0], x.shape()[1]};
  for (int64_t size : unpooled_sizes(call.attribute<MaxUnpoolAttributes>(), x.shape()))
    pooled_from.push_back(size);
  const int64_t elements = element_count(pooled_from);
  dispatch(WideFloatTypes{}, x.dtype(), [&]<class T>(Type<T>) {
    std::fill_n(y.data<T>(), y.size(), T(0));
    for (int64_t i = 0; i < x.size(); ++i) {
      const int64_t index = indices.data<int64_t>()[i];
      require(index >= 0 && index < elements, "index {} lies outside {} elements", index, elements);
      const Shape at = unravel(index, pooled_from);
      int64_t target = 0;
      for (size_t d = 0; d < at.size(); ++d) {
        require(at[d] < y.shape()[d], "index {} lies outside the output of shape {}", index,
                shape_text(y.shape()));
        target = target * y.shape()[d] + at[d];
      }
      y.data<T>()[target] = x.data<T>()[i];
    }
  });
}

}  // namespace

namespace def {

const OpDef max_pool =
    op<MaxPoolAttributes>("max_pool")
        .input("x")
        .output("y")
        .output("indices")
        .infer(infer_max_pool)
        .reference(widen<max_pool_reference>)
        .fusion(Fusion::reduction)
        .onnx("MaxPool")
        .summary("largest in each window of x [N, C, spatial...], and its flat index; padding never wins");
const OpDef average_pool = op<AveragePoolAttributes>("average_pool")
                               .input("x")
                               .output("y")
                               .infer(infer_pool<AveragePoolAttributes>)
                               .reference(widen<average_pool_reference>)
                               .fusion(Fusion::reduction)
                               .onnx("AveragePool")
                               .summary("mean of each window of x [N, C, spatial...]");
const OpDef lp_pool = op<LpPoolAttributes>("lp_pool")
                          .input("x")
                          .output("y")
                          .infer(infer_pool<LpPoolAttributes>)
                          .reference(widen<lp_pool_reference>)
                          .fusion(Fusion::reduction)
                          .onnx("LpPool", 2)
                          .summary("p-norm of each window of x [N, C, spatial...]");
const OpDef max_unpool = op<MaxUnpoolAttributes>("max_unpool")
                             .input("x")
                             .input("indices")
                             .host("output_shape", true)
                             .output("y")
                             .infer(infer_max_unpool)
                             .reference(widen<max_unpool_reference>)
                             .onnx("MaxUnpool")
                             .summary("puts what max_pool took back at its indices, zeros elsewhere");

}  // namespace def
}  // namespace burnish::ops
