// cumsum and cumprod.
#include <algorithm>

#include "base/dispatch.h"
#include "base/error.h"
#include "base/parallel.h"
#include "ops/data_attributes.h"
#include "ops/host.h"
#include "ops/infer.h"
#include "ops/intrinsics.h"
#include "ops/table.h"

namespace burnish::ops::def {
namespace {

void infer_cumulative(InferContext& context) {
  const auto axis = context.numbers(1);
  if (axis) normalize_axis(axis->at(0), context.type(0).rank());
  context.set(0, context.type(0));
}

/// Each element: `start` combined with those before it along the axis and, unless exclusive, with itself.
template <class T, class Combine>
void accumulate(const ReferenceCall& call, compute_t<T> start, Combine combine) {
  const Tensor& x = call.inputs[0];
  Tensor& y = call.outputs[0];
  const auto& attributes = call.attribute<CumulativeAttributes>();
  const size_t axis = static_cast<size_t>(normalize_axis(integer_of(call.inputs[1]), x.rank()));
  const int64_t size = x.shape()[axis];
  int64_t inner = 1;
  for (size_t d = axis + 1; d < x.shape().size(); ++d) inner *= x.shape()[d];
  if (x.size() == 0) return;
  parallel_for(x.size() / size, std::max<int64_t>(1, 16384 / size), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t first = row / inner * size * inner + row % inner;
      compute_t<T> total = start;
      for (int64_t i = 0; i < size; ++i) {
        const int64_t place = first + (attributes.reverse ? size - 1 - i : i) * inner;
        const compute_t<T> before = total;
        total = combine(total, static_cast<compute_t<T>>(x.data<T>()[place]));
        y.data<T>()[place] = static_cast<T>(attributes.exclusive ? before : total);
      }
    }
  });
}

void reference_cumsum(const ReferenceCall& call) {
  dispatch(NumberTypes{}, call.inputs[0].dtype(), [&]<class T>(Type<T>) {
    accumulate<T>(call, 0, [](compute_t<T> a, compute_t<T> b) { return intrinsics::wrap_add(a, b); });
  });
}

void reference_cumprod(const ReferenceCall& call) {
  dispatch(NumberTypes{}, call.inputs[0].dtype(), [&]<class T>(Type<T>) {
    accumulate<T>(call, 1, [](compute_t<T> a, compute_t<T> b) { return intrinsics::wrap_mul(a, b); });
  });
}

}  // namespace

const OpDef cumsum = op<CumulativeAttributes>("cumsum")
                         .input("x")
                         .host("axis")
                         .output("y")
                         .infer(infer_cumulative)
                         .reference(reference_cumsum)
                         .onnx("CumSum", 11)
                         .summary("sums of the elements up to each place along axis");
const OpDef cumprod = op<CumulativeAttributes>("cumprod")
                          .input("x")
                          .host("axis")
                          .output("y")
                          .infer(infer_cumulative)
                          .reference(reference_cumprod)
                          .onnx("CumProd", 26)
                          .summary("products of the elements up to each place along axis");

}  // namespace burnish::ops::def
