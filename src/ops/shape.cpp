// What can be told from shapes alone, and tensors made of nothing else.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/dispatch.h"
#include "base/error.h"
#include "ops/data_attributes.h"
#include "ops/host.h"
#include "ops/infer.h"
#include "ops/table.h"

namespace burnish::ops::def {
namespace {

using ir::Dim;

/// [start, end) of the dimensions, as ONNX's Shape clamps them.
std::pair<int64_t, int64_t> dims_range(const ShapeAttributes& attributes, int64_t rank) {
  const auto clamp = [&](int64_t axis) {
    return std::clamp<int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
  };
  const int64_t start = clamp(attributes.start);
  return {start, std::max(start, clamp(attributes.end))};
}

void infer_shape(InferContext& context) {
  const auto& input = context.shape(0);
  const auto [start, end] =
      dims_range(context.attributes<ShapeAttributes>(), static_cast<int64_t>(input.size()));
  context.set(0, DType::i64, {Dim(end - start)});
  context.set_contents(0, {input.begin() + start, input.begin() + end});
}

void reference_shape(const ReferenceCall& call) {
  const Shape& shape = call.inputs[0].shape();
  const auto [start, end] = dims_range(call.attribute<ShapeAttributes>(), call.inputs[0].rank());
  std::copy(shape.begin() + start, shape.begin() + end, call.outputs[0].data<int64_t>());
}

void infer_size(InferContext& context) {
  context.set(0, DType::i64, {});
  context.set_contents(0, {ir::product(context.shape(0))});
}

void reference_size(const ReferenceCall& call) { *call.outputs[0].data<int64_t>() = call.inputs[0].size(); }

void check(const DimsAttributes& attributes) {
  require(attributes.sources.size() == 2 * attributes.symbols.size(),
          "'sources' must have an input and a dimension for each of the {} symbols",
          attributes.symbols.size());
}

void infer_dims(InferContext& context) {
  const auto& attributes = context.attributes<DimsAttributes>();
  check(attributes);
  std::map<std::string, Dim, std::less<>> values;
  for (size_t k = 0; k < attributes.symbols.size(); ++k) {
    const int64_t input = attributes.sources[2 * k], dim = attributes.sources[2 * k + 1];
    require(input >= 0 && input < context.inputs() && dim >= 0 &&
                dim < context.type(static_cast<int>(input)).rank(),
            "symbol '{}' has no source: input {} has no dimension {}", attributes.symbols[k], input, dim);
    values.emplace(attributes.symbols[k], context.shape(static_cast<int>(input))[static_cast<size_t>(dim)]);
  }
  std::vector<Dim> contents;
  for (const std::string& text : attributes.dims) contents.push_back(Dim::parse(text).substitute(values));
  context.set(0, DType::i64, {Dim(static_cast<int64_t>(contents.size()))});
  context.set_contents(0, std::move(contents));
}

void reference_dims(const ReferenceCall& call) {
  const auto& attributes = call.attribute<DimsAttributes>();
  check(attributes);
  ir::Bindings bindings;
  for (size_t k = 0; k < attributes.symbols.size(); ++k)
    bindings[attributes.symbols[k]] = call.inputs[static_cast<size_t>(attributes.sources[2 * k])].shape().at(
        static_cast<size_t>(attributes.sources[2 * k + 1]));
  for (size_t i = 0; i < attributes.dims.size(); ++i)
    call.outputs[0].data<int64_t>()[i] = Dim::parse(attributes.dims[i]).evaluate(bindings);
}

/// How many elements range() has: max(0, ceil((limit - start) / delta)); nullopt where that is not known.
std::optional<Dim> range_count(InferContext& context) {
  const Tensor *start = context.constant(0), *limit = context.constant(1), *delta = context.constant(2);
  if (start && limit && delta) {
    require(number_of(*delta) != 0, "the step of a range is 0");
    if (!is_floating(start->dtype())) {
      const Dim count = ir::ceil_div(Dim(integer_of(*limit)) - Dim(integer_of(*start)), integer_of(*delta));
      return ir::max(0, count);
    }
    const double count = std::ceil((number_of(*limit) - number_of(*start)) / number_of(*delta));
    require(count < 1e15, "a range of {} elements", count);
    return Dim(static_cast<int64_t>(std::max(0.0, count)));
  }
  const auto step = context.numbers(2);
  if (!context.contents(0) || !context.contents(1) || !step || step->size() != 1 || step->at(0) == 0)
    return std::nullopt;
  const Dim span = context.contents(1)->at(0) - context.contents(0)->at(0);
  return ir::max(0, ir::ceil_div(span, (*step)[0]));
}

void infer_range(InferContext& context) {
  for (int i = 0; i < 3; ++i) {
    require(product(context.shape(i)).is(1), "input {} must be a scalar, not {}", i, context.type(i).str());
    require(context.dtype(i) == context.dtype(0), "start, limit and delta must have one element type");
  }
  const auto count = range_count(context);
  context.set(0, context.dtype(0), {count ? *count : context.fresh(0, 0)});
  const auto step = context.numbers(2);
  if (!count || !count->is_constant() || count->constant() > 64 || !context.contents(0) || !step) return;
  std::vector<Dim> contents;
  for (int64_t i = 0; i < count->constant(); ++i)
    contents.push_back(context.contents(0)->at(0) + Dim(i * (*step)[0]));
  context.set_contents(0, std::move(contents));
}

void reference_range(const ReferenceCall& call) {
  Tensor& y = call.outputs[0];
  dispatch(NumberTypes{}, y.dtype(), [&]<class T>(Type<T>) {
    using Compute = compute_t<T>;
    const Compute start = *call.inputs[0].data<T>(), delta = *call.inputs[2].data<T>();
    T* out = y.data<T>();
    for (int64_t i = 0; i < y.size(); ++i) out[i] = static_cast<T>(start + static_cast<Compute>(i) * delta);
  });
}

void infer_eye_like(InferContext& context) {
  require(context.type(0).rank() == 2, "expected a matrix, not {}", context.type(0).str());
  context.set(0, context.attributes<EyeLikeAttributes>().dtype, context.shape(0));
}

void reference_eye_like(const ReferenceCall& call) {
  Tensor& y = call.outputs[0];
  const int64_t rows = y.shape()[0], columns = y.shape()[1], k = call.attribute<EyeLikeAttributes>().k;
  std::memset(y.raw(), 0, static_cast<size_t>(y.bytes()));
  dispatch(NumberAndBoolTypes{}, y.dtype(), [&]<class T>(Type<T>) {
    for (int64_t row = 0; row < rows; ++row)
      if (row + k >= 0 && row + k < columns) y.data<T>()[row * columns + row + k] = T(1);
  });
}

}  // namespace

const OpDef shape = op<ShapeAttributes>("shape")
                        .input("x")
                        .output("y")
                        .infer(infer_shape)
                        .reference(reference_shape)
                        .onnx("Shape")
                        .summary("the dimensions [start, end) of x");
const OpDef size = op("size")
                       .input("x")
                       .output("y")
                       .infer(infer_size)
                       .reference(reference_size)
                       .onnx("Size")
                       .summary("the number of elements of x");
const OpDef dims =
    op<DimsAttributes>("dims")
        .variadic("inputs")
        .output("y")
        .infer(infer_dims)
        .reference(reference_dims)
        .summary("a vector of expressions over its inputs' dimensions: what folded shape arithmetic becomes");
const OpDef range = op("range")
                        .host("start")
                        .host("limit")
                        .host("delta")
                        .output("y")
                        .infer(infer_range)
                        .reference(reference_range)
                        .onnx("Range", 11)
                        .summary("start, start + delta, ... up to but without limit");
const OpDef eye_like = op<EyeLikeAttributes>("eye_like")
                           .input("x")
                           .output("y")
                           .infer(infer_eye_like)
                           .reference(reference_eye_like)
                           .summary("ones on the k-th diagonal of a matrix of x's shape, zeros elsewhere");

}  // namespace burnish::ops::def
