// resize: sampling on another grid.
#include "ops/resize.h"

#include <algorithm>
#include <cmath>

#include "base/dispatch.h"
#include "base/error.h"
#include "base/numbers.h"
#include "base/parallel.h"
#include "ops/host.h"
#include "ops/infer.h"
#include "ops/strided.h"
#include "ops/table.h"

namespace burnish::ops::def {
namespace {

using ir::Dim;

/// An optional input that ONNX also lets be given empty.
bool given(const InferContext& context, int i) { return context.has(i) && !product(context.shape(i)).is(0); }

std::vector<size_t> named_axes(const InferContext& context) {
  const int64_t rank = context.type(0).rank();
  std::vector<size_t> axes;
  for (int64_t axis : context.attributes<ResizeAttributes>().axes)
    axes.push_back(static_cast<size_t>(normalize_axis(axis, rank)));
  for (size_t d = 0;
       axes.size() < static_cast<size_t>(rank) && context.attributes<ResizeAttributes>().axes.empty(); ++d)
    axes.push_back(d);
  return axes;
}

/// The inputs as resize_axes() takes them, x without data; an empty list while something is not known.
std::vector<Tensor> known_inputs(const InferContext& context) {
  const auto shape = ir::constants(context.shape(0));
  if (!shape) return {};
  std::vector<Tensor> inputs = {Tensor::view(context.dtype(0), *shape, nullptr)};
  for (int i = 1; i < 4; ++i) {
    inputs.emplace_back();
    if (!given(context, i)) continue;
    if (const auto numbers = context.numbers(i))
      inputs.back() = Tensor::of<int64_t>({static_cast<int64_t>(numbers->size())}, *numbers);
    else if (context.constant(i))
      inputs.back() = *context.constant(i);
    else
      return {};
  }
  return inputs;
}

void infer_resize(InferContext& context) {
  const auto& attributes = context.attributes<ResizeAttributes>();
  std::vector<Dim> shape = context.shape(0);
  const std::vector<size_t> axes = named_axes(context);
  const bool sized = given(context, 3),
             stretched = attributes.keep_aspect_ratio_policy == "stretch" || !sized;
  require(sized != given(context, 2) || axes.empty(), "give either scales or sizes");
  const std::vector<Tensor> inputs = stretched ? std::vector<Tensor>() : known_inputs(context);
  const std::vector<Dim>* sizes = sized ? context.contents(3) : nullptr;
  const Tensor* scales = sized ? nullptr : context.constant(2);
  const size_t count = sizes ? sizes->size() : scales ? static_cast<size_t>(scales->size()) : axes.size();
  require(count == axes.size(), "{} scales or sizes for {} dimensions", count, axes.size());
  const std::vector<double> factors = scales ? numbers_of(*scales) : std::vector<double>();
  for (size_t i = 0; i < axes.size(); ++i) {
    Dim& dim = shape[axes[i]];
    std::optional<Dim> resized;
    if (!inputs.empty())
      resized = resize_axes(attributes, inputs)[axes[i]].output;
    else if (sizes && stretched)
      resized = (*sizes)[i];
    else if (scales)
      resized = scaled_dim(dim, static_cast<float>(factors[i]));
    dim = resized ? *resized : context.fresh(0, static_cast<int>(axes[i]));
  }
  context.set(0, context.dtype(0), std::move(shape));
}

/// x with one dimension resized: every output element is a weighted sum of input elements along `axis`.
template <class C>
std::vector<C> apply_taps(const std::vector<C>& x, Shape& shape, size_t axis, const ResizeTaps& taps) {
  int64_t inner = 1, outer = 1;
  for (size_t d = 0; d < shape.size(); ++d) (d < axis ? outer : inner) *= d == axis ? 1 : shape[d];
  const int64_t input = shape[axis], output = static_cast<int64_t>(taps.outside.size());
  std::vector<C> y(static_cast<size_t>(outer * output * inner), C(0));
  parallel_for(outer * output, std::max<int64_t>(1, 16384 / std::max<int64_t>(1, inner * taps.taps)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t row = begin; row < end; ++row) {
                   C* out = y.data() + row * inner;
                   for (int64_t tap = row % output * taps.taps; tap < (row % output + 1) * taps.taps; ++tap) {
                     const C weight = taps.weights[static_cast<size_t>(tap)];
                     if (weight == 0) continue;
                     const C* in =
                         x.data() + (row / output * input + taps.indices[static_cast<size_t>(tap)]) * inner;
                     for (int64_t i = 0; i < inner; ++i) out[i] += weight * in[i];
                   }
                 }
               });
  shape[axis] = output;
  return y;
}

/// Writes the extrapolation value wherever a coordinate lies outside the input.
template <class T>
void extrapolate(const std::vector<ResizeTaps>& taps, double value, Tensor& y) {
  const std::vector<int64_t> strides = dense_strides(y.shape());
  for (int64_t i = 0; i < y.size(); ++i)
    for (size_t d = 0; d < taps.size(); ++d)
      if (taps[d].outside[static_cast<size_t>(i / strides[d] % y.shape()[d])])
        y.data<T>()[i] = element_of<T>(value);
}

void resize_nearest(const Tensor& x, const std::vector<ResizeTaps>& taps, double extrapolation, Tensor& y) {
  Tensor fill(x.dtype(), {});
  dispatch(AllTypes{}, x.dtype(), [&]<class T>(Type<T>) { *fill.data<T>() = element_of<T>(extrapolation); });
  std::vector<AxisMap> maps;
  for (const ResizeTaps& axis : taps) {
    maps.push_back(axis.indices);
    for (size_t i = 0; i < maps.back().size(); ++i)
      if (axis.outside[i]) maps.back()[i] = -1;
  }
  MappedCopy(x.dtype(), x.shape(), std::move(maps)).run(x.raw(), fill.raw(), y.raw());
}

void reference_resize(const ReferenceCall& call) {
  const auto& attributes = call.attribute<ResizeAttributes>();
  const Tensor& x = call.inputs[0];
  Tensor& y = call.outputs[0];
  std::vector<ResizeTaps> taps;
  Shape shape;
  for (const ResizeAxis& axis : resize_axes(attributes, call.inputs)) {
    shape.push_back(axis.output);
    const bool kept = axis.input == axis.output && axis.scale == 1 && attributes.mode != "nearest" &&
                      axis.roi_begin == 0 && axis.roi_end == 1;
    taps.push_back(resize_taps(kept ? ResizeAttributes{} : attributes, axis));
  }
  require(shape == y.shape(), "the resized shape is {}, not {} as inferred", shape_text(shape),
          shape_text(y.shape()));
  if (y.size() == 0) return;
  if (attributes.mode == "nearest") return resize_nearest(x, taps, attributes.extrapolation_value, y);
  dispatch(NumberTypes{}, x.dtype(), [&]<class T>(Type<T>) {
    using C = std::conditional_t<std::is_same_v<T, double>, double, float>;
    std::vector<C> values(x.data<T>(), x.data<T>() + x.size());
    Shape at = x.shape();
    for (size_t d = taps.size(); d-- > 0;)
      if (!taps[d].is_identity()) values = apply_taps(values, at, d, taps[d]);
    for (int64_t i = 0; i < y.size(); ++i) y.data<T>()[i] = static_cast<T>(values[static_cast<size_t>(i)]);
    extrapolate<T>(taps, attributes.extrapolation_value, y);
  });
}

}  // namespace

const OpDef resize =
    op<ResizeAttributes>("resize")
        .input("x")
        .host("roi", true)
        .host("scales", true)
        .host("sizes", true)
        .output("y")
        .infer(infer_resize)
        .reference(reference_resize)
        .onnx("Resize", 11)
        .tolerance(1e-4, 1e-5)
        .summary("x sampled on another grid: nearest, linear or cubic, with every coordinate mode of ONNX");

}  // namespace burnish::ops::def
