// Reductions over axes.
#include "ops/reduce.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/parallel.h"
#include "ops/host.h"
#include "ops/indexing.h"
#include "ops/infer.h"
#include "ops/intrinsics.h"
#include "ops/strided.h"
#include "ops/table.h"
#include "ops/wide.h"

namespace burnish::ops {
namespace {

using ir::Dim;
using ReducibleTypes =
    Types<float, double, int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t, int64_t, uint64_t>;
using OrderedTypes =
    Types<float, double, int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t, int64_t, uint64_t, bool>;

/// Which axes of a tensor of `rank` go away.
std::vector<bool> reduced_axes(const ReduceAttributes& attributes, const std::vector<int64_t>& axes,
                               int64_t rank) {
  std::vector<bool> reduced(static_cast<size_t>(rank), axes.empty() && !attributes.noop_with_empty_axes);
  for (int64_t axis : axes) {
    const size_t at = static_cast<size_t>(normalize_axis(axis, rank));
    require(!reduced[at], "axis {} is given twice", axis);
    reduced[at] = true;
  }
  return reduced;
}

/// The result of reducing all of a known shape or a list of sizes.
std::optional<Dim> reduce_contents(const std::string& op, const std::vector<Dim>& contents) {
  if (op != "reduce_sum" && contents.empty())
    return op == "reduce_prod" ? std::optional<Dim>(1) : std::nullopt;
  Dim result = op == "reduce_sum" ? Dim(0) : contents[0];
  for (size_t i = op == "reduce_sum" ? 0 : 1; i < contents.size(); ++i) {
    if (op == "reduce_sum")
      result = result + contents[i];
    else if (op == "reduce_prod")
      result = result * contents[i];
    else if (op == "reduce_max")
      result = max(result, contents[i]);
    else if (op == "reduce_min")
      result = min(result, contents[i]);
    else
      return std::nullopt;
  }
  return result;
}

/// Which axes go is not known yet, but how many is: that gives the rank.
void infer_unknown_axes(InferContext& context) {
  const std::vector<Dim>& count = context.shape(1);
  const int64_t rank = context.type(0).rank();
  require(count.size() == 1 && count[0].is_constant() && count[0].constant() <= rank,
          "the axes are {}; a vector of known length, at most {}, is expected", context.type(1).str(), rank);
  const auto& attributes = context.attributes<ReduceAttributes>();
  const int64_t gone = count[0].is(0) && !attributes.noop_with_empty_axes ? rank : count[0].constant();
  std::vector<Dim> shape;
  for (int64_t d = 0; d < rank - (attributes.keepdims ? 0 : gone); ++d)
    shape.push_back(context.fresh(0, static_cast<int>(d)));
  context.set(0, context.dtype(0), std::move(shape));
}

void infer_reduce(InferContext& context) {
  const auto& attributes = context.attributes<ReduceAttributes>();
  const std::vector<Dim>& x = context.shape(0);
  std::vector<int64_t> axes = attributes.axes;
  if (context.has(1)) {
    const auto given = context.numbers(1);
    if (!given) return infer_unknown_axes(context);
    axes = *given;
  }
  const std::vector<bool> reduced = reduced_axes(attributes, axes, static_cast<int64_t>(x.size()));
  std::vector<Dim> shape;
  for (size_t d = 0; d < x.size(); ++d) {
    if (!reduced[d])
      shape.push_back(x[d]);
    else if (attributes.keepdims)
      shape.emplace_back(1);
  }
  context.set(0, context.dtype(0), std::move(shape));
  const auto* contents = context.contents(0);
  if (!contents || x.size() != 1 || !reduced[0]) return;
  if (const auto result = reduce_contents(context.op().name, *contents)) context.set_contents(0, {*result});
}

/// Walks the elements that one output element is made of: for each of `starts`, `count` elements at `stride`.
struct Walk {
  Shape kept, kept_strides;
  std::vector<int64_t> starts = {0};
  int64_t count = 1, stride = 0;

  Walk(const Shape& shape, const std::vector<bool>& reduced) {
    const std::vector<int64_t> strides = dense_strides(shape);
    for (size_t d = shape.size(); d-- > 0;) {
      if (!reduced[d]) {
        kept.insert(kept.begin(), shape[d]);
        kept_strides.insert(kept_strides.begin(), strides[d]);
      } else if (stride == 0 || stride * count == strides[d]) {  // the innermost, or one that continues it
        if (stride == 0) stride = strides[d];
        count *= shape[d];
      } else {
        add_outer(shape[d], strides[d]);
      }
    }
  }

  int64_t elements() const { return count * static_cast<int64_t>(starts.size()); }
  int64_t base(int64_t output) const {
    int64_t offset = 0;
    for (size_t d = kept.size(); d-- > 0; output /= kept[d]) offset += output % kept[d] * kept_strides[d];
    return offset;
  }
  template <class Body>
  void each(int64_t output, Body&& body) const {
    const int64_t offset = base(output);
    for (int64_t start : starts)
      for (int64_t i = 0; i < count; ++i) body(offset + start + i * stride);
  }

 private:
  void add_outer(int64_t size, int64_t step) {
    std::vector<int64_t> longer;
    for (int64_t i = 0; i < size; ++i)
      for (int64_t start : starts) longer.push_back(i * step + start);
    starts = std::move(longer);
  }
};

// What is reduced: A is the accumulator, double for floats and 64 bits of T's signedness for integers.
// A reducer says how to begin, how to take one element, and what comes out of `count` elements.
template <class T>
using Accumulator = std::conditional_t<std::is_floating_point_v<T>, double,
                                       std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>>;

struct Sum {
  template <class A>
  static A begin() {
    return A(0);
  }
  template <class A>
  static A take(A sum, A x) {
    return intrinsics::wrap_add(sum, x);
  }
  template <class A>
  static A end(A sum, int64_t) {
    return sum;
  }
};
struct Mean : Sum {
  template <class A>
  static A end(A sum, int64_t count) {
    if constexpr (std::is_floating_point_v<A>)
      return sum / static_cast<A>(count);
    else
      return intrinsics::divide(sum, static_cast<A>(count));
  }
};
struct Product {
  template <class A>
  static A begin() {
    return A(1);
  }
  template <class A>
  static A take(A product, A x) {
    return intrinsics::wrap_mul(product, x);
  }
  template <class A>
  static A end(A product, int64_t) {
    return product;
  }
};
struct AbsoluteSum : Sum {
  template <class A>
  static A take(A sum, A x) {
    return intrinsics::wrap_add(sum, intrinsics::abs(x));
  }
};
struct SquareSum : Sum {
  template <class A>
  static A take(A sum, A x) {
    return intrinsics::wrap_add(sum, intrinsics::wrap_mul(x, x));
  }
};
struct EuclideanNorm : SquareSum {
  template <class A>
  static double end(A sum, int64_t) {
    return std::sqrt(static_cast<double>(sum));
  }
};
struct LogSum : Sum {
  template <class A>
  static double end(A sum, int64_t) {
    return std::log(static_cast<double>(sum));
  }
};

template <class T>
T* output_of(const ReferenceCall& call) {
  return call.outputs[0].data<T>();
}

/// The walk of a node, with the output allocated where its shape was not known before.
Walk walk_of(const ReferenceCall& call) {
  const auto& attributes = call.attribute<ReduceAttributes>();
  const Tensor& x = call.inputs[0];
  const std::vector<bool> reduced =
      reduced_axes(attributes, call.has(1) ? integers_of(call.inputs[1]) : attributes.axes, x.rank());
  return Walk(x.shape(), reduced);
}

constexpr int64_t grain = 1 << 14;

template <class Body>
void for_outputs(const ReferenceCall& call, const Walk& walk, Body&& body) {
  parallel_for(call.outputs[0].size(), grain / std::max<int64_t>(1, walk.elements()),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) body(i);
               });
}

template <class Reducer>
void fold(const ReferenceCall& call) {
  const Walk walk = walk_of(call);
  dispatch(ReducibleTypes{}, call.inputs[0].dtype(), [&]<class T>(Type<T>) {
    using A = Accumulator<T>;
    const T* x = call.inputs[0].data<T>();
    T* y = output_of<T>(call);
    for_outputs(call, walk, [&](int64_t i) {
      A state = Reducer::template begin<A>();
      walk.each(i, [&](int64_t at) { state = Reducer::take(state, static_cast<A>(x[at])); });
      y[i] = static_cast<T>(Reducer::end(state, walk.elements()));
    });
  });
}

template <bool largest>
void fold_extreme(const ReferenceCall& call) {
  const Walk walk = walk_of(call);
  dispatch(OrderedTypes{}, call.inputs[0].dtype(), [&]<class T>(Type<T>) {
    using Limits = std::numeric_limits<T>;
    constexpr T lowest = Limits::has_infinity ? T(-Limits::infinity()) : Limits::lowest();
    constexpr T highest = Limits::has_infinity ? Limits::infinity() : Limits::max();
    const T* x = call.inputs[0].data<T>();
    T* y = output_of<T>(call);
    for_outputs(call, walk, [&](int64_t i) {
      T extreme = largest ? lowest : highest;
      walk.each(i, [&](int64_t at) {
        extreme = largest ? intrinsics::max_nan(extreme, x[at]) : intrinsics::min_nan(extreme, x[at]);
      });
      y[i] = extreme;
    });
  });
}

/// log(sum(exp(x))), shifted by the largest x so that nothing overflows.
void fold_log_sum_exp(const ReferenceCall& call) {
  const Walk walk = walk_of(call);
  dispatch(ReducibleTypes{}, call.inputs[0].dtype(), [&]<class T>(Type<T>) {
    const T* x = call.inputs[0].data<T>();
    T* y = output_of<T>(call);
    for_outputs(call, walk, [&](int64_t i) {
      double largest = -std::numeric_limits<double>::infinity(), sum = 0;
      walk.each(i, [&](int64_t at) { largest = intrinsics::max_nan(largest, static_cast<double>(x[at])); });
      const double shift = std::isfinite(largest) ? largest : 0.0;
      walk.each(i, [&](int64_t at) { sum += std::exp(static_cast<double>(x[at]) - shift); });
      y[i] = static_cast<T>(std::log(sum) + shift);
    });
  });
}

void infer_arg(InferContext& context) {
  const auto& attributes = context.attributes<ArgReduceAttributes>();
  std::vector<Dim> shape = context.shape(0);
  const int64_t axis = normalize_axis(attributes.axis, static_cast<int64_t>(shape.size()));
  require(!shape[static_cast<size_t>(axis)].is(0), "axis {} has no elements to choose from", axis);
  if (attributes.keepdims)
    shape[static_cast<size_t>(axis)] = 1;
  else
    shape.erase(shape.begin() + axis);
  context.set(0, DType::i64, std::move(shape));
}

template <bool largest>
void find_extreme(const ReferenceCall& call) {
  const auto& attributes = call.attribute<ArgReduceAttributes>();
  const Tensor& x = call.inputs[0];
  std::vector<bool> reduced(x.shape().size());
  reduced[static_cast<size_t>(normalize_axis(attributes.axis, x.rank()))] = true;
  const Walk walk(x.shape(), reduced);
  require(walk.count > 0, "axis {} has no elements to choose from", attributes.axis);
  dispatch(ReducibleTypes{}, x.dtype(), [&]<class T>(Type<T>) {
    const T* data = x.data<T>();
    int64_t* y = output_of<int64_t>(call);
    for_outputs(call, walk, [&](int64_t i) {
      const T* row = data + walk.base(i);
      int64_t best = 0;
      for (int64_t j = 1; j < walk.count; ++j) {
        const T candidate = row[j * walk.stride], holder = row[best * walk.stride];
        if (holder != holder) break;  // NaN wins, the first one
        const bool better = candidate != candidate || (largest ? candidate > holder : candidate < holder);
        if (better || (attributes.select_last_index && candidate == holder)) best = j;
      }
      y[i] = best;
    });
  });
}

OpBuilder reduction(const char* name, void (*reference)(const ReferenceCall&), const char* onnx,
                    const char* summary) {
  OpBuilder builder = op<ReduceAttributes>(name);
  return builder.input("x")
      .host("axes", true)
      .output("y")
      .infer(infer_reduce)
      .reference(reference)
      .fusion(Fusion::reduction)
      .onnx(onnx)
      .summary(summary);
}
OpBuilder arg_reduction(const char* name, void (*reference)(const ReferenceCall&), const char* onnx,
                        const char* summary) {
  OpBuilder builder = op<ArgReduceAttributes>(name);
  return builder.input("x")
      .output("y")
      .infer(infer_arg)
      .reference(reference)
      .fusion(Fusion::reduction)
      .onnx(onnx)
      .summary(summary);
}

}  // namespace

namespace def {

const OpDef reduce_sum = reduction("reduce_sum", widen<fold<Sum>>, "ReduceSum", "sum over axes");
const OpDef reduce_mean =
    reduction("reduce_mean", widen<fold<Mean>>, "ReduceMean", "mean over axes; integers truncate");
const OpDef reduce_max = reduction("reduce_max", widen<fold_extreme<true>>, "ReduceMax",
                                   "largest over axes; NaN if any is, -inf or the type's lowest of none");
const OpDef reduce_min = reduction("reduce_min", widen<fold_extreme<false>>, "ReduceMin",
                                   "smallest over axes; NaN if any is, inf or the type's largest of none");
const OpDef reduce_prod = reduction("reduce_prod", widen<fold<Product>>, "ReduceProd", "product over axes");
const OpDef reduce_l1 =
    reduction("reduce_l1", widen<fold<AbsoluteSum>>, "ReduceL1", "sum of absolute values over axes");
const OpDef reduce_l2 = reduction("reduce_l2", widen<fold<EuclideanNorm>>, "ReduceL2",
                                  "square root of the sum of squares over axes");
const OpDef reduce_sum_square =
    reduction("reduce_sum_square", widen<fold<SquareSum>>, "ReduceSumSquare", "sum of squares over axes");
const OpDef reduce_log_sum =
    reduction("reduce_log_sum", widen<fold<LogSum>>, "ReduceLogSum", "logarithm of the sum over axes");
const OpDef reduce_log_sum_exp =
    reduction("reduce_log_sum_exp", widen<fold_log_sum_exp>, "ReduceLogSumExp",
              "logarithm of the sum of exponentials over axes, without overflow");
const OpDef arg_max = arg_reduction("arg_max", widen<find_extreme<true>>, "ArgMax",
                                    "index of the largest along an axis; NaN counts as largest");
const OpDef arg_min = arg_reduction("arg_min", widen<find_extreme<false>>, "ArgMin",
                                    "index of the smallest along an axis; NaN counts as smallest");

}  // namespace def
}  // namespace burnish::ops
