// Writing elements at indices: scatter_elements, scatter_nd, tensor_scatter.
#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>

#include "base/dispatch.h"
#include "base/error.h"
#include "ops/data_attributes.h"
#include "ops/host.h"
#include "ops/index.h"
#include "ops/infer.h"
#include "ops/intrinsics.h"
#include "ops/strided.h"
#include "ops/table.h"

namespace burnish::ops::def {
namespace {

using ir::Dim;

void copy_all(const Tensor& x, Tensor& y) {
  if (x.bytes() > 0) std::memcpy(y.raw(), x.raw(), static_cast<size_t>(x.bytes()));
}

void check_scatter(InferContext& context) {
  check_indices(context, 1);
  require(context.dtype(2) == context.dtype(0), "updates must be {}, not {}", dtype_name(context.dtype(0)),
          dtype_name(context.dtype(2)));
  const std::string& reduction = context.attributes<ScatterAttributes>().reduction;
  const bool known = reduction == "none" || reduction == "add" || reduction == "mul" || reduction == "max" ||
                     reduction == "min";
  require(known, "reduction must be none, add, mul, max or min, not '{}'", reduction);
  context.set(0, context.type(0));
}

/// Joins a run of updates with what stands at each place that `for_each_place` gives, in order: of equal
/// places, the last one wins.
template <class ForEachPlace>
void scatter(const Tensor& updates, ForEachPlace for_each_place, int64_t run, const std::string& reduction,
             Tensor& y) {
  const auto apply = [&]<class T>(Type<T>, auto combine) {
    const T* update = static_cast<const T*>(updates.raw());
    for_each_place([&](int64_t place) {
      T* out = static_cast<T*>(y.raw()) + place;
      for (int64_t i = 0; i < run; ++i) out[i] = combine(out[i], *update++);
    });
  };
  if (reduction == "none")
    return dispatch_bytes(y.dtype(),
                          [&](auto type) { apply(type, [](auto, auto update) { return update; }); });
  dispatch(NumberTypes{}, y.dtype(), [&]<class T>(Type<T> type) {
    using C = compute_t<T>;
    if (reduction == "add")
      apply(type, [](T a, T b) { return static_cast<T>(intrinsics::wrap_add<C>(a, b)); });
    if (reduction == "mul")
      apply(type, [](T a, T b) { return static_cast<T>(intrinsics::wrap_mul<C>(a, b)); });
    if (reduction == "max")
      apply(type, [](T a, T b) { return static_cast<T>(intrinsics::max_nan<C>(a, b)); });
    if (reduction == "min")
      apply(type, [](T a, T b) { return static_cast<T>(intrinsics::min_nan<C>(a, b)); });
  });
}

void infer_scatter_elements(InferContext& context) {
  check_scatter(context);
  const int64_t rank = context.type(0).rank();
  require(context.type(1).rank() == rank && context.type(2).rank() == rank,
          "indices and updates must have the rank of x");
  normalize_axis(context.attributes<ScatterAttributes>().axis, rank);
}

void reference_scatter_elements(const ReferenceCall& call) {
  const Tensor &x = call.inputs[0], &updates = call.inputs[2];
  const auto& attributes = call.attribute<ScatterAttributes>();
  require(call.inputs[1].shape() == updates.shape(), "indices and updates must have one shape, not {} and {}",
          shape_text(call.inputs[1].shape()), shape_text(updates.shape()));
  copy_all(x, call.outputs[0]);
  const int64_t axis = normalize_axis(attributes.axis, x.rank());
  scatter(
      updates, [&](auto body) { for_each_element_place(x.shape(), call.inputs[1], axis, body); }, 1,
      attributes.reduction, call.outputs[0]);
}

void infer_scatter_nd(InferContext& context) {
  check_scatter(context);
  const auto& indices = context.shape(1);
  require(
      !indices.empty() && indices.back().is_constant() && indices.back().constant() <= context.type(0).rank(),
      "the last dimension of indices must be known and at most the rank of x, not {}", context.type(1).str());
  require(context.type(2).rank() ==
              context.type(1).rank() - 1 + context.type(0).rank() - indices.back().constant(),
          "updates of {} do not fit indices of {} into {}", context.type(2).str(), context.type(1).str(),
          context.type(0).str());
}

void reference_scatter_nd(const ReferenceCall& call) {
  const Tensor &x = call.inputs[0], &indices = call.inputs[1], &updates = call.inputs[2];
  const auto depth = static_cast<std::ptrdiff_t>(indices.shape().back());
  const auto slice = x.shape().begin() + depth, vectors_end = indices.shape().end() - 1;
  const auto [update, index] =
      std::mismatch(updates.shape().begin(), updates.shape().end(), indices.shape().begin(), vectors_end);
  require(index == vectors_end && std::equal(update, updates.shape().end(), slice, x.shape().end()),
          "updates of shape {} do not fit indices of {} into {}", shape_text(updates.shape()),
          shape_text(indices.shape()), shape_text(x.shape()));
  const int64_t run = std::accumulate(slice, x.shape().end(), int64_t{1}, std::multiplies<>());
  copy_all(x, call.outputs[0]);
  scatter(
      updates, [&](auto body) { for_each_slice_place(x.shape(), indices, 0, body); }, run,
      call.attribute<ScatterAttributes>().reduction, call.outputs[0]);
}

void infer_tensor_scatter(InferContext& context) {
  const auto& attributes = context.attributes<TensorScatterAttributes>();
  require(attributes.mode == "linear" || attributes.mode == "circular",
          "mode must be linear or circular, not '{}'", attributes.mode);
  require(normalize_axis(attributes.axis, context.type(0).rank()) > 0,
          "the batch dimension cannot be the sequence");
  require(context.type(1).rank() == context.type(0).rank() && context.dtype(1) == context.dtype(0),
          "cannot write {} into {}", context.type(1).str(), context.type(0).str());
  if (context.has(2)) check_indices(context, 2);
  context.set(0, context.type(0));
}

void reference_tensor_scatter(const ReferenceCall& call) {
  const Tensor &x = call.inputs[0], &update = call.inputs[1];
  Tensor& y = call.outputs[0];
  const auto& attributes = call.attribute<TensorScatterAttributes>();
  const size_t axis = static_cast<size_t>(normalize_axis(attributes.axis, x.rank()));
  for (size_t d = 0; d < x.shape().size(); ++d)
    require(d == axis ? update.shape()[d] <= x.shape()[d] : update.shape()[d] == x.shape()[d],
            "an update of shape {} does not fit into {}", shape_text(update.shape()), shape_text(x.shape()));
  const int64_t batch = x.shape()[0], length = x.shape()[axis], written = update.shape()[axis];
  const std::vector<int64_t> starts =
      call.has(2) ? integers_of(call.inputs[2]) : std::vector<int64_t>(static_cast<size_t>(batch), 0);
  require(static_cast<int64_t>(starts.size()) == batch, "{} write indices for a batch of {}", starts.size(),
          batch);
  copy_all(x, y);
  if (update.size() == 0) return;
  const int64_t bytes = dense_strides(x.shape())[axis] * dtype_bytes(x.dtype());
  const int64_t rows = update.bytes() / bytes, rows_per_batch = rows / batch;
  for (int64_t row = 0; row < rows; ++row) {
    int64_t at = starts[static_cast<size_t>(row / rows_per_batch)] + row % written;
    if (attributes.mode == "circular") at = (at % length + length) % length;
    require(at >= 0 && at < length, "position {} lies outside the cache of {}", at, length);
    std::memcpy(static_cast<char*>(y.raw()) + (row / written * length + at) * bytes,
                static_cast<const char*>(update.raw()) + row * bytes, static_cast<size_t>(bytes));
  }
}

}  // namespace

const OpDef scatter_elements = op<ScatterAttributes>("scatter_elements")
                                   .input("x")
                                   .input("indices")
                                   .input("updates")
                                   .output("y")
                                   .infer(infer_scatter_elements)
                                   .reference(reference_scatter_elements)
                                   .onnx("ScatterElements", 11)
                                   .onnx("Scatter", 9)
                                   .summary("x with elements replaced, or joined, at indices along axis");
const OpDef scatter_nd = op<ScatterAttributes>("scatter_nd")
                             .input("x")
                             .input("indices")
                             .input("updates")
                             .output("y")
                             .infer(infer_scatter_nd)
                             .reference(reference_scatter_nd)
                             .onnx("ScatterND", 11)
                             .summary("x with slices replaced, or joined, at vectors of indices");
const OpDef tensor_scatter = op<TensorScatterAttributes>("tensor_scatter")
                                 .input("cache")
                                 .input("update")
                                 .optional("write_indices")
                                 .output("y")
                                 .infer(infer_tensor_scatter)
                                 .reference(reference_tensor_scatter)
                                 .onnx("TensorScatter", 24)
                                 .summary("a key or value cache with new positions written per batch");

}  // namespace burnish::ops::def
