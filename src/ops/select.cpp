// Ops that choose elements by their values: compress, nonzero, one_hot, topk, unique.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "base/dispatch.h"
#include "base/error.h"
#include "base/numbers.h"
#include "base/parallel.h"
#include "ops/data_attributes.h"
#include "ops/host.h"
#include "ops/infer.h"
#include "ops/strided.h"
#include "ops/table.h"

namespace burnish::ops::def {
namespace {

using ir::Dim;

/// A tensor as [outer, size, inner] round one dimension.
struct Around {
  int64_t outer = 1, size = 1, inner = 1;
  Around(const Shape& shape, size_t axis) : size(shape[axis]) {
    for (size_t d = 0; d < shape.size(); ++d)
      (d < axis ? outer : d > axis ? inner : size) *= d == axis ? 1 : shape[d];
  }
};

/// Copies the slices `picked` along `axis`, in that order.
void pick(const Tensor& x, size_t axis, const std::vector<int64_t>& picked, Tensor& y) {
  const Around at(x.shape(), axis);
  const int64_t bytes = at.inner * dtype_bytes(x.dtype());
  char* out = static_cast<char*>(y.raw());
  for (int64_t outer = 0; outer < at.outer; ++outer)
    for (int64_t index : picked) {
      if (bytes > 0)
        std::memcpy(out, static_cast<const char*>(x.raw()) + (outer * at.size + index) * bytes,
                    static_cast<size_t>(bytes));
      out += bytes;
    }
}

void infer_compress(InferContext& context) {
  std::vector<Dim> shape = context.shape(0);
  const int64_t axis = normalize_axis(context.attributes<AxisAttributes>().axis, context.type(0).rank());
  require(context.dtype(1) == DType::boolean && context.type(1).rank() == 1,
          "the condition must be a vector of bool, not {}", context.type(1).str());
  shape[static_cast<size_t>(axis)] = context.fresh(0, static_cast<int>(axis));
  context.set(0, context.dtype(0), std::move(shape));
}

void reference_compress(const ReferenceCall& call) {
  const Tensor &x = call.inputs[0], &condition = call.inputs[1];
  const size_t axis = static_cast<size_t>(normalize_axis(call.attribute<AxisAttributes>().axis, x.rank()));
  std::vector<int64_t> picked;
  for (int64_t i = 0; i < condition.size(); ++i) {
    if (!condition.data<bool>()[i]) continue;
    require(i < x.shape()[axis], "the condition selects element {} of {}", i, x.shape()[axis]);
    picked.push_back(i);
  }
  Shape shape = x.shape();
  shape[axis] = static_cast<int64_t>(picked.size());
  call.outputs[0] = Tensor(x.dtype(), shape);
  pick(x, axis, picked, call.outputs[0]);
}

void infer_nonzero(InferContext& context) {
  context.set(0, DType::i64, {Dim(context.type(0).rank()), context.fresh(0, 1)});
}

void reference_nonzero(const ReferenceCall& call) {
  const Tensor& x = call.inputs[0];
  std::vector<int64_t> found;
  dispatch(NumberAndBoolTypes{}, x.dtype(), [&]<class T>(Type<T>) {
    const T* data = x.data<T>();
    for (int64_t i = 0; i < x.size(); ++i)
      if (static_cast<compute_t<T>>(data[i]) != 0) found.push_back(i);
  });
  const int64_t count = static_cast<int64_t>(found.size());
  Tensor& y = call.outputs[0] = Tensor(DType::i64, {x.rank(), count});
  const std::vector<int64_t> strides = dense_strides(x.shape());
  for (size_t d = 0; d < strides.size(); ++d)
    for (int64_t i = 0; i < count; ++i)
      y.data<int64_t>()[static_cast<int64_t>(d) * count + i] =
          found[static_cast<size_t>(i)] / strides[d] % x.shape()[d];
}

void infer_one_hot(InferContext& context) {
  require(product(context.shape(1)).is(1), "depth must be one number, not {}", context.type(1).str());
  std::vector<Dim> shape = context.shape(0);
  const int64_t axis =
      normalize_axis(context.attributes<OneHotAttributes>().axis, context.type(0).rank() + 1);
  Dim depth = context.fresh(0, static_cast<int>(axis));
  if (context.contents(1))
    depth = context.contents(1)->at(0);
  else if (context.constant(1))
    depth = whole_part(number_of(*context.constant(1)));
  shape.insert(shape.begin() + axis, depth);
  context.set(0, context.dtype(2), std::move(shape));
}

void reference_one_hot(const ReferenceCall& call) {
  const Tensor& values = call.inputs[2];
  Tensor& y = call.outputs[0];
  const Around at(y.shape(),
                  static_cast<size_t>(normalize_axis(call.attribute<OneHotAttributes>().axis, y.rank())));
  require(values.size() == 2, "values must be [off, on], not {} numbers", values.size());
  const std::vector<double> indices = numbers_of(call.inputs[0]);
  dispatch_bytes(y.dtype(), [&]<class T>(Type<T>) {
    const T *off = static_cast<const T*>(values.raw()), *on = off + 1;
    T* out = static_cast<T*>(y.raw());
    std::fill(out, out + y.size(), *off);
    for (size_t i = 0; i < indices.size(); ++i) {
      const double index = indices[i] < 0 ? indices[i] + static_cast<double>(at.size) : indices[i];
      if (!(index >= 0 && index < static_cast<double>(at.size))) continue;
      const int64_t place = static_cast<int64_t>(i);
      out[(place / at.inner * at.size + static_cast<int64_t>(index)) * at.inner + place % at.inner] = *on;
    }
  });
}

void infer_topk(InferContext& context) {
  std::vector<Dim> shape = context.shape(0);
  const size_t axis =
      static_cast<size_t>(normalize_axis(context.attributes<TopKAttributes>().axis, context.type(0).rank()));
  const auto* k = context.contents(1);
  const Dim count = k && k->size() == 1 ? k->front() : context.fresh(0, static_cast<int>(axis));
  require(!count.is_constant() || !shape[axis].is_constant() ||
              (count.constant() >= 0 && count.constant() <= shape[axis].constant()),
          "k is {}, but dimension {} of {} has {} elements", count.str(), axis, context.type(0).str(),
          shape[axis].str());
  shape[axis] = count;
  context.set(0, context.dtype(0), shape);
  context.set(1, DType::i64, std::move(shape));
}

/// a before b, with NaN above every number; never both ways round, so that it orders.
template <class T>
bool orders_above(T a, T b) {
  if (a != a) return !(b != b);
  return a > b;
}

void reference_topk(const ReferenceCall& call) {
  const Tensor& x = call.inputs[0];
  const auto& attributes = call.attribute<TopKAttributes>();
  const size_t axis = static_cast<size_t>(normalize_axis(attributes.axis, x.rank()));
  const Around at(x.shape(), axis);
  const int64_t k = call.outputs[0].shape()[axis];
  require(k <= at.size, "k is {}, but there are {} elements", k, at.size);
  dispatch(NumberTypes{}, x.dtype(), [&]<class T>(Type<T>) {
    parallel_for(
        at.outer * at.inner, std::max<int64_t>(1, 4096 / std::max<int64_t>(1, at.size)),
        [&](int64_t begin, int64_t end) {
          std::vector<int64_t> order(static_cast<size_t>(at.size));
          for (int64_t row = begin; row < end; ++row) {
            const T* in = x.data<T>() + row / at.inner * at.size * at.inner + row % at.inner;
            const auto value = [&](int64_t i) { return static_cast<compute_t<T>>(in[i * at.inner]); };
            const auto before = [&](int64_t a, int64_t b) {
              if (orders_above(value(a), value(b))) return attributes.largest;
              if (orders_above(value(b), value(a))) return !attributes.largest;
              return a < b;
            };
            std::iota(order.begin(), order.end(), 0);
            std::partial_sort(order.begin(), order.begin() + k, order.end(), before);
            const int64_t to = row / at.inner * k * at.inner + row % at.inner;
            for (int64_t i = 0; i < k; ++i) {
              call.outputs[0].data<T>()[to + i * at.inner] = in[order[static_cast<size_t>(i)] * at.inner];
              if (call.outputs.size() > 1)
                call.outputs[1].data<int64_t>()[to + i * at.inner] = order[static_cast<size_t>(i)];
            }
          }
        });
  });
}

void infer_unique(InferContext& context) {
  std::vector<Dim> shape = context.shape(0);
  const size_t axis = static_cast<size_t>(
      normalize_axis(context.attributes<UniqueAttributes>().axis, context.type(0).rank()));
  const Dim all = shape[axis], found = context.fresh(0, static_cast<int>(axis));
  shape[axis] = found;
  context.set(0, context.dtype(0), std::move(shape));
  context.set(1, DType::i64, {found});
  context.set(2, DType::i64, {all});
  context.set(3, DType::i64, {found});
}

/// The slices along an axis in ascending order, equal ones in the order of their places; -1, 0 or 1 compares
/// two.
template <class T>
int compare_slices(const T* data, const Around& at, int64_t a, int64_t b) {
  for (int64_t outer = 0; outer < at.outer; ++outer)
    for (int64_t inner = 0; inner < at.inner; ++inner) {
      const auto value = [&](int64_t slice) {
        return static_cast<compute_t<T>>(data[(outer * at.size + slice) * at.inner + inner]);
      };
      if (orders_above(value(b), value(a))) return -1;
      if (orders_above(value(a), value(b))) return 1;
    }
  return 0;
}

void reference_unique(const ReferenceCall& call) {
  const Tensor& x = call.inputs[0];
  const auto& attributes = call.attribute<UniqueAttributes>();
  const size_t axis = static_cast<size_t>(normalize_axis(attributes.axis, x.rank()));
  const Around at(x.shape(), axis);
  std::vector<std::vector<int64_t>> groups;  // of equal slices, each in order
  dispatch(NumberAndBoolTypes{}, x.dtype(), [&]<class T>(Type<T>) {
    std::vector<int64_t> order(static_cast<size_t>(at.size));
    std::iota(order.begin(), order.end(), 0);
    const T* data = x.data<T>();
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t a, int64_t b) { return compare_slices(data, at, a, b) < 0; });
    for (int64_t slice : order) {
      if (groups.empty() || compare_slices(data, at, groups.back().front(), slice) != 0)
        groups.emplace_back();
      groups.back().push_back(slice);
    }
  });
  if (!attributes.sorted)
    std::sort(groups.begin(), groups.end(),
              [](const auto& a, const auto& b) { return a.front() < b.front(); });

  const int64_t count = static_cast<int64_t>(groups.size());
  Tensor indices(DType::i64, {count}), inverse(DType::i64, {at.size}), counts(DType::i64, {count});
  std::vector<int64_t> picked;
  for (int64_t g = 0; g < count; ++g) {
    const std::vector<int64_t>& group = groups[static_cast<size_t>(g)];
    picked.push_back(group.front());
    indices.data<int64_t>()[g] = group.front();
    counts.data<int64_t>()[g] = static_cast<int64_t>(group.size());
    for (int64_t slice : group) inverse.data<int64_t>()[slice] = g;
  }
  Shape shape = x.shape();
  shape[axis] = count;
  const Tensor made[] = {Tensor(x.dtype(), shape), indices, inverse, counts};
  for (size_t i = 0; i < call.outputs.size(); ++i) {
    if (call.outputs[i].empty())
      call.outputs[i] = made[i];
    else if (made[i].bytes() > 0)
      std::memcpy(call.outputs[i].raw(), made[i].raw(), static_cast<size_t>(made[i].bytes()));
  }
  pick(x, axis, picked, call.outputs[0]);
}

}  // namespace

const OpDef compress = op<AxisAttributes>("compress")
                           .input("x")
                           .input("condition")
                           .output("y")
                           .infer(infer_compress)
                           .reference(reference_compress)
                           .summary("the slices of x along axis where the condition is true");
const OpDef nonzero = op("nonzero")
                          .input("x")
                          .output("y")
                          .infer(infer_nonzero)
                          .reference(reference_nonzero)
                          .onnx("NonZero", 9)
                          .summary("the coordinates of the elements that are not 0, one column each");
const OpDef one_hot = op<OneHotAttributes>("one_hot")
                          .input("indices")
                          .host("depth")
                          .input("values")
                          .output("y")
                          .infer(infer_one_hot)
                          .reference(reference_one_hot)
                          .onnx("OneHot", 9)
                          .summary("values[1] where the place along axis is the index, values[0] elsewhere");
const OpDef topk =
    op<TopKAttributes>("topk")
        .input("x")
        .host("k")
        .output("values")
        .output("indices")
        .infer(infer_topk)
        .reference(reference_topk)
        .onnx("TopK", 10)
        .summary("the k largest or smallest elements along axis, best first, and their places");
const OpDef unique = op<UniqueAttributes>("unique")
                         .input("x")
                         .output("y")
                         .output("indices")
                         .output("inverse")
                         .output("counts")
                         .infer(infer_unique)
                         .reference(reference_unique)
                         .summary(
                             "the different slices along axis; where each first occurs, which one each slice "
                             "is, and how often");

}  // namespace burnish::ops::def
