// Reading elements at indices: gather, gather_elements, gather_nd.
#include <algorithm>
#include <cstring>
#include <span>

#include "base/dispatch.h"
#include "base/error.h"
#include "base/parallel.h"
#include "ops/data_attributes.h"
#include "ops/host.h"
#include "ops/index.h"
#include "ops/infer.h"
#include "ops/strided.h"
#include "ops/table.h"

namespace burnish::ops::def {
namespace {

using ir::Dim;

constexpr int64_t copy_grain = 1 << 15;  // bytes: less is not worth a thread

void infer_gather(InferContext& context) {
  check_indices(context, 1);
  const auto &x = context.shape(0), &indices = context.shape(1);
  const int64_t axis = normalize_axis(context.attributes<AxisAttributes>().axis, context.type(0).rank());
  std::vector<Dim> shape(x.begin(), x.begin() + axis);
  shape.insert(shape.end(), indices.begin(), indices.end());
  shape.insert(shape.end(), x.begin() + axis + 1, x.end());
  context.set(0, context.dtype(0), std::move(shape));
  const auto* contents = context.contents(0);
  const auto picked = context.numbers(1);
  if (!contents || x.size() != 1 || !picked || indices.size() > 1) return;
  std::vector<Dim> gathered;
  for (int64_t index : *picked)
    gathered.push_back(
        (*contents)[static_cast<size_t>(checked_index(index, static_cast<int64_t>(contents->size())))]);
  context.set_contents(0, std::move(gathered));
}

/// Copies the slices of x, each of so many bytes, that `indices` name along an axis of `size` slices. Takes
/// no memory: networks look up rows in every run.
template <class Index>
void copy_slices(const Tensor& x, std::span<const Index> indices, int64_t size, int64_t bytes, Tensor& y) {
  for (const Index index : indices) checked_index(static_cast<int64_t>(index), size);
  if (y.size() == 0) return;
  const auto count = static_cast<int64_t>(indices.size());
  parallel_for(y.bytes() / bytes, std::max<int64_t>(1, copy_grain / bytes), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto index = static_cast<int64_t>(indices[static_cast<size_t>(i % count)]);
      const int64_t source = i / count * size + checked_index(index, size);
      std::memcpy(static_cast<char*>(y.raw()) + i * bytes, static_cast<const char*>(x.raw()) + source * bytes,
                  static_cast<size_t>(bytes));
    }
  });
}

void reference_gather(const ReferenceCall& call) {
  const Tensor &x = call.inputs[0], &indices = call.inputs[1];
  const auto axis = static_cast<size_t>(normalize_axis(call.attribute<AxisAttributes>().axis, x.rank()));
  int64_t bytes = dtype_bytes(x.dtype());  // of a slice
  for (size_t d = axis + 1; d < x.shape().size(); ++d) bytes *= x.shape()[d];
  dispatch(Types<int32_t, int64_t>(), indices.dtype(), [&]<class Index>(Type<Index>) {
    copy_slices<Index>(x, {indices.data<Index>(), static_cast<size_t>(indices.size())}, x.shape()[axis],
                       bytes, call.outputs[0]);
  });
}

void infer_gather_elements(InferContext& context) {
  check_indices(context, 1);
  require(context.type(0).rank() == context.type(1).rank(),
          "indices must have the rank of x, not {} beside {}", context.type(1).str(), context.type(0).str());
  normalize_axis(context.attributes<AxisAttributes>().axis, context.type(0).rank());
  context.set(0, context.dtype(0), context.shape(1));
}

void reference_gather_elements(const ReferenceCall& call) {
  const Tensor& x = call.inputs[0];
  Tensor& y = call.outputs[0];
  const int64_t axis = normalize_axis(call.attribute<AxisAttributes>().axis, x.rank());
  dispatch_bytes(x.dtype(), [&]<class T>(Type<T>) {
    T* out = static_cast<T*>(y.raw());
    for_each_element_place(x.shape(), call.inputs[1], axis,
                           [&](int64_t place) { *out++ = static_cast<const T*>(x.raw())[place]; });
  });
}

void infer_gather_nd(InferContext& context) {
  check_indices(context, 1);
  const auto &x = context.shape(0), &indices = context.shape(1);
  const int64_t batch = context.attributes<GatherNdAttributes>().batch_dims;
  require(!indices.empty() && indices.back().is_constant(),
          "the last dimension of indices must be known, not {}", context.type(1).str());
  const int64_t depth = indices.back().constant();
  require(batch >= 0 && batch < static_cast<int64_t>(indices.size()) &&
              batch + depth <= static_cast<int64_t>(x.size()),
          "{} indices behind {} batch dimensions are too many for {}", depth, batch, context.type(0).str());
  std::vector<Dim> shape(indices.begin(), indices.end() - 1);
  shape.insert(shape.end(), x.begin() + batch + depth, x.end());
  context.set(0, context.dtype(0), std::move(shape));
}

void reference_gather_nd(const ReferenceCall& call) {
  const Tensor& x = call.inputs[0];
  Tensor& y = call.outputs[0];
  const Tensor& indices = call.inputs[1];
  if (y.size() == 0) return;
  int64_t vectors = 1;
  for (size_t d = 0; d + 1 < indices.shape().size(); ++d) vectors *= indices.shape()[d];
  const auto bytes = static_cast<size_t>(y.bytes() / vectors);
  char* out = static_cast<char*>(y.raw());
  for_each_slice_place(
      x.shape(), indices, call.attribute<GatherNdAttributes>().batch_dims, [&](int64_t place) {
        std::memcpy(out, static_cast<const char*>(x.raw()) + place * dtype_bytes(x.dtype()), bytes);
        out += bytes;
      });
}

}  // namespace

const OpDef gather = op<AxisAttributes>("gather")
                         .input("x")
                         .input("indices")
                         .output("y")
                         .infer(infer_gather)
                         .reference(reference_gather)
                         .fusion(Fusion::injective)
                         .onnx("Gather")
                         .summary("the slices of x at the indices along axis");
const OpDef gather_elements =
    op<AxisAttributes>("gather_elements")
        .input("x")
        .input("indices")
        .output("y")
        .infer(infer_gather_elements)
        .reference(reference_gather_elements)
        .onnx("GatherElements", 11)
        .summary("elements of x whose place along axis is an index, and elsewhere the index's own");
const OpDef gather_nd = op<GatherNdAttributes>("gather_nd")
                            .input("x")
                            .input("indices")
                            .output("y")
                            .infer(infer_gather_nd)
                            .reference(reference_gather_nd)
                            .onnx("GatherND", 11)
                            .summary("the slices of x at vectors of indices, behind shared batch dimensions");

}  // namespace burnish::ops::def
