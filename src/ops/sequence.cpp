// reverse_sequence and trilu: which elements move or vanish depends on their place in two dimensions.
#include <algorithm>
#include <cstring>

#include "base/dispatch.h"
#include "base/error.h"
#include "base/parallel.h"
#include "ops/data_attributes.h"
#include "ops/host.h"
#include "ops/infer.h"
#include "ops/strided.h"
#include "ops/table.h"

namespace burnish::ops::def {
namespace {

void infer_reverse_sequence(InferContext& context) {
  const auto& attributes = context.attributes<ReverseSequenceAttributes>();
  require(context.type(0).rank() >= 2 && attributes.batch_axis + attributes.time_axis == 1 &&
              attributes.batch_axis * attributes.time_axis == 0,
          "batch_axis and time_axis must be 0 and 1, of a tensor of rank 2 or more");
  context.set(0, context.type(0));
}

void reference_reverse_sequence(const ReferenceCall& call) {
  const Tensor& x = call.inputs[0];
  Tensor& y = call.outputs[0];
  const auto& attributes = call.attribute<ReverseSequenceAttributes>();
  const std::vector<int64_t> lengths = integers_of(call.inputs[1]);
  const size_t batch_axis = static_cast<size_t>(attributes.batch_axis),
               time_axis = static_cast<size_t>(attributes.time_axis);
  const int64_t batches = x.shape()[batch_axis], times = x.shape()[time_axis];
  require(static_cast<int64_t>(lengths.size()) == batches, "{} sequence lengths for a batch of {}",
          lengths.size(), batches);
  const std::vector<int64_t> strides = dense_strides(x.shape());
  const int64_t bytes = strides[1] * dtype_bytes(x.dtype());
  for (int64_t batch = 0; batch < batches; ++batch) {
    const int64_t length = lengths[static_cast<size_t>(batch)];
    require(length >= 0 && length <= times, "a sequence length of {} is not within 0 and {}", length, times);
    for (int64_t time = 0; time < times; ++time) {
      const int64_t source = time < length ? length - 1 - time : time;
      const auto place = [&](int64_t at) {
        return (batch * strides[batch_axis] + at * strides[time_axis]) * dtype_bytes(x.dtype());
      };
      std::memcpy(static_cast<char*>(y.raw()) + place(time),
                  static_cast<const char*>(x.raw()) + place(source), static_cast<size_t>(bytes));
    }
  }
}

void infer_trilu(InferContext& context) {
  require(context.type(0).rank() >= 2, "expected matrices, not {}", context.type(0).str());
  context.set(0, context.type(0));
}

void reference_trilu(const ReferenceCall& call) {
  const Tensor& x = call.inputs[0];
  Tensor& y = call.outputs[0];
  const bool upper = call.attribute<TriluAttributes>().upper;
  const int64_t rows = x.shape()[x.shape().size() - 2], columns = x.shape().back();
  if (x.size() == 0) return;
  const int64_t diagonal = std::clamp(call.has(1) ? integer_of(call.inputs[1]) : 0, -rows, columns);
  dispatch_bytes(x.dtype(), [&]<class T>(Type<T>) {
    parallel_for(x.size() / columns, std::max<int64_t>(1, 32768 / columns), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const T* in = static_cast<const T*>(x.raw()) + row * columns;
        T* out = static_cast<T*>(y.raw()) + row * columns;
        const int64_t edge = row % rows + diagonal;  // the column on the diagonal, which both triangles keep
        for (int64_t column = 0; column < columns; ++column)
          out[column] = (upper ? column >= edge : column <= edge) ? in[column] : T(0);
      }
    });
  });
}

}  // namespace

const OpDef reverse_sequence = op<ReverseSequenceAttributes>("reverse_sequence")
                                   .input("x")
                                   .input("lengths")
                                   .output("y")
                                   .infer(infer_reverse_sequence)
                                   .reference(reference_reverse_sequence)
                                   .onnx("ReverseSequence", 10)
                                   .summary("each sequence of the batch reversed over its own length");
const OpDef trilu =
    op<TriluAttributes>("trilu")
        .input("x")
        .host("k", true)
        .output("y")
        .infer(infer_trilu)
        .reference(reference_trilu)
        .onnx("Trilu", 14)
        .summary("the triangle above (or below) the k-th diagonal of each matrix, zeros elsewhere");

}  // namespace burnish::ops::def
