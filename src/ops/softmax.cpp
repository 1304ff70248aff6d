// Softmax and its kin, along one axis.
#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "ops/indexing.h"
#include "ops/infer.h"
#include "ops/norm.h"
#include "ops/table.h"
#include "ops/wide.h"

namespace burnish::ops {
namespace {

void infer_softmax(InferContext& context) {
  normalize_axis(context.attributes<SoftmaxAttributes>().axis, context.type(0).rank());
  infer_same(context);
}

/// Calls body(x, y, n, stride) for every line along the axis, in parallel. `x` and `y` point at its first
/// element.
template <class T, class Body>
void each_line(const ReferenceCall& call, Body&& body) {
  const Tensor& x = call.inputs[0];
  const size_t axis = static_cast<size_t>(normalize_axis(call.attribute<SoftmaxAttributes>().axis, x.rank()));
  const int64_t n = x.shape()[axis], stride = product_of(std::span(x.shape()).subspan(axis + 1));
  const T* from = x.data<T>();
  T* to = call.outputs[0].data<T>();
  constexpr int64_t grain = 1 << 12;
  parallel_for(x.size() / std::max<int64_t>(1, n), grain / (n + 1), [&](int64_t begin, int64_t end) {
    for (int64_t line = begin; line < end; ++line) {
      const int64_t offset = line / stride * n * stride + line % stride;
      body(from + offset, to + offset, n, stride);
    }
  });
}

template <class T>
T largest_of(const T* x, int64_t n, int64_t stride) {
  T largest = x[0];
  for (int64_t i = 1; i < n; ++i) largest = std::max(largest, x[i * stride]);
  return largest;
}

template <bool logarithm>
void softmax_reference(const ReferenceCall& call) {
  dispatch(WideFloatTypes{}, call.inputs[0].dtype(), [&]<class T>(Type<T>) {
    each_line<T>(call, [](const T* x, T* y, int64_t n, int64_t stride) {
      const T largest = largest_of(x, n, stride);
      double sum = 0;
      for (int64_t i = 0; i < n; ++i) {
        const T power = std::exp(x[i * stride] - largest);
        sum += static_cast<double>(power);
        if constexpr (!logarithm) y[i * stride] = power;
      }
      const T shift = static_cast<T>(std::log(sum)), factor = static_cast<T>(1 / sum);
      for (int64_t i = 0; i < n; ++i) {
        if constexpr (logarithm)
          y[i * stride] = x[i * stride] - largest - shift;
        else
          y[i * stride] *= factor;
      }
    });
  });
}

void hardmax_reference(const ReferenceCall& call) {
  dispatch(WideFloatTypes{}, call.inputs[0].dtype(), [&]<class T>(Type<T>) {
    each_line<T>(call, [](const T* x, T* y, int64_t n, int64_t stride) {
      const T largest = largest_of(x, n, stride);
      bool found = false;
      for (int64_t i = 0; i < n; ++i) {
        const bool first = !found && x[i * stride] == largest;
        y[i * stride] = T(first ? 1 : 0);
        found = found || first;
      }
    });
  });
}

}  // namespace

namespace def {

const OpDef softmax = op<SoftmaxAttributes>("softmax")
                          .input("x")
                          .output("y")
                          .infer(infer_softmax)
                          .reference(widen<softmax_reference<false>>)
                          .fusion(Fusion::reduction)
                          .onnx("Softmax", 13)
                          .summary("exp(x) / sum of exp(x) along an axis");
const OpDef log_softmax = op<SoftmaxAttributes>("log_softmax")
                              .input("x")
                              .output("y")
                              .infer(infer_softmax)
                              .reference(widen<softmax_reference<true>>)
                              .fusion(Fusion::reduction)
                              .onnx("LogSoftmax", 13)
                              .tolerance(1e-5, 1e-5)
                              .summary("the logarithm of softmax");
const OpDef hardmax = op<SoftmaxAttributes>("hardmax")
                          .input("x")
                          .output("y")
                          .infer(infer_softmax)
                          .reference(widen<hardmax_reference>)
                          .fusion(Fusion::reduction)
                          .onnx("Hardmax", 13)
                          .summary("1 at the first largest along an axis, 0 elsewhere");

}  // namespace def
}  // namespace burnish::ops
