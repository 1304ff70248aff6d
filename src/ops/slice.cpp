#include "ops/slice.h"

#include <algorithm>
#include <limits>
#include <set>
#include <string>

#include "base/error.h"
#include "ops/host.h"
#include "ops/infer.h"
#include "ops/strided.h"
#include "ops/table.h"

namespace burnish::ops {

SliceWindow slice_window(int64_t dim, int64_t start, int64_t end, int64_t step) {
  require(step != 0, "the step of a slice is 0");
  const auto from_front = [&](int64_t at) { return at < 0 ? std::max(at, -dim - 1) + dim : at; };
  const int64_t highest = step < 0 ? dim - 1 : dim;
  start = std::clamp<int64_t>(from_front(start), 0, std::max<int64_t>(highest, 0));
  end = std::clamp<int64_t>(from_front(end), step < 0 ? -1 : 0, std::max<int64_t>(highest, -1));
  const int64_t span = step < 0 ? start - end : end - start;
  if (span <= 0 || dim == 0) return {0, 0, step};
  // -step overflows for the smallest integer; a step that large gives one element either way.
  const int64_t stride =
      step == std::numeric_limits<int64_t>::min() ? std::numeric_limits<int64_t>::max() : std::abs(step);
  return {start, 1 + (span - 1) / stride, step};
}

std::vector<SliceWindow> slice_windows(const Shape& shape, std::span<const Tensor> inputs) {
  std::vector<SliceWindow> windows;
  for (int64_t dim : shape) windows.push_back({0, dim, 1});
  const auto has = [&](size_t i) { return i < inputs.size() && !inputs[i].empty(); };
  const std::vector<int64_t> starts = integers_of(inputs[1]), ends = integers_of(inputs[2]);
  const std::vector<int64_t> axes = has(3) ? integers_of(inputs[3]) : std::vector<int64_t>();
  const std::vector<int64_t> steps = has(4) ? integers_of(inputs[4]) : std::vector<int64_t>(starts.size(), 1);
  for (size_t i = 0; i < starts.size(); ++i) {
    const int64_t axis =
        has(3) ? normalize_axis(axes.at(i), static_cast<int64_t>(shape.size())) : static_cast<int64_t>(i);
    windows.at(static_cast<size_t>(axis)) =
        slice_window(shape.at(static_cast<size_t>(axis)), starts[i], ends.at(i), steps.at(i));
  }
  return windows;
}

namespace def {
namespace {

using ir::Dim;

/// Beyond it an end means "to the end": exporters write INT32_MAX or INT64_MAX.
constexpr int64_t open_end = std::numeric_limits<int32_t>::max();

/// True of what is below zero where all sizes are large: minus a convolution's output, say.
bool falls_with_sizes(const Dim& dim) {
  std::set<std::string> symbols;
  dim.collect_symbols(symbols);
  ir::Bindings large;
  for (const std::string& symbol : symbols) large[symbol] = 1 << 12;
  try {
    return dim.evaluate(large) < 0;
  } catch (const Error&) {  // such sizes do not go together
    return false;
  }
}

/// A bound that may be symbolic, counted from the front; nullopt where its sign decides and is not known.
/// Expressions over sizes are taken for positions from the front unless they cannot be positive, or fall as
/// sizes grow.
std::optional<Dim> from_front(const Dim& dim, const Dim& at) {
  if (at.is_constant()) {
    constexpr int64_t far = int64_t{1} << 40;  // beyond any dimension, and safe to add to one
    const int64_t place = std::clamp(at.constant(), -far, far);
    return place < 0 ? dim + place : Dim(place);
  }
  if ((Dim(0) - at).never_negative() || falls_with_sizes(at)) {
    if ((dim + at).is(0)) return Dim(0);  // the whole dimension, also where it is empty
    return std::nullopt;
  }
  return at;
}

/// How many elements a slice of a dimension has, symbolically.
std::optional<Dim> slice_count(const Dim& dim, const Dim& start, const Dim& end, int64_t step) {
  require(step != 0, "the step of a slice is 0");
  if (dim.is_constant() && start.is_constant() && end.is_constant())
    return Dim(slice_window(dim.constant(), start.constant(), end.constant(), step).count);
  const auto first = from_front(dim, start), last = from_front(dim, end);
  if (!first || !last) return std::nullopt;
  const bool start_from_back = start.is_constant() && start.constant() < 0;
  if (step > 0) {
    const bool to_end = end.is_constant() && end.constant() >= open_end;
    if (to_end && start_from_back) return ceil_div(ir::min(dim, Dim(0) - start), step);
    const Dim begin = start_from_back ? ir::max(0, *first) : *first;
    return ir::max(0, ceil_div((to_end ? dim : ir::min(*last, dim)) - begin, step));
  }
  const bool from_end = start.is_constant() && (start.is(-1) || start.constant() >= open_end);
  const bool to_front = end.is_constant() && end.constant() <= -open_end;
  const Dim begin = from_end ? dim - 1 : ir::min(ir::max(0, *first), dim - 1);
  const Dim stop = to_front                                  ? Dim(-1)
                   : end.is_constant() && end.constant() < 0 ? ir::max(-1, *last)
                                                             : ir::min(*last, dim - 1);
  return ir::max(0, ceil_div(stop - begin, step));
}

void infer_contents(InferContext& context) {
  const auto* contents = context.contents(0);
  const auto start = context.numbers(1), end = context.numbers(2), step = context.numbers(4);
  if (!contents || context.type(0).rank() != 1 || !start || start->size() != 1 || !end ||
      (context.has(4) && !step))
    return;
  const SliceWindow window = slice_window(static_cast<int64_t>(contents->size()), start->front(),
                                          end->front(), step ? step->front() : 1);
  std::vector<Dim> sliced;
  for (int64_t i = 0; i < window.count; ++i)
    sliced.push_back((*contents)[static_cast<size_t>(window.start + i * window.step)]);
  context.set_contents(0, std::move(sliced));
}

void infer_slice(InferContext& context) {
  std::vector<Dim> shape = context.shape(0);
  const int64_t rank = static_cast<int64_t>(shape.size());
  const auto *starts = context.contents(1), *ends = context.contents(2);
  const auto axes = context.numbers(3), steps = context.numbers(4);
  if ((context.has(3) && !axes) ||
      (!starts && !ends && !context.has(3) && !product(context.shape(1)).is_constant())) {
    for (int64_t d = 0; d < rank; ++d) shape[static_cast<size_t>(d)] = context.fresh(0, static_cast<int>(d));
    context.set(0, context.dtype(0), std::move(shape));
    return;
  }
  const Dim extent = product(context.shape(1));
  const size_t count = axes ? axes->size() : static_cast<size_t>(extent.constant());
  require((!starts || starts->size() == count) && (!ends || ends->size() == count) &&
              (!steps || steps->size() == count) && (axes || static_cast<int64_t>(count) <= rank),
          "starts, ends, axes and steps must have one length, at most the rank {}", rank);
  for (size_t i = 0; i < count; ++i) {
    const size_t axis =
        static_cast<size_t>(axes ? normalize_axis((*axes)[i], rank) : static_cast<int64_t>(i));
    std::optional<Dim> length;
    if (starts && ends && (steps || !context.has(4)))
      length = slice_count(shape[axis], (*starts)[i], (*ends)[i], steps ? (*steps)[i] : 1);
    shape[axis] = length ? *length : context.fresh(0, static_cast<int>(axis));
  }
  context.set(0, context.dtype(0), std::move(shape));
  infer_contents(context);
}

void reference_slice(const ReferenceCall& call) {
  const Tensor& x = call.inputs[0];
  Tensor& y = call.outputs[0];
  Strided from{0, dense_strides(x.shape())};
  const std::vector<SliceWindow> windows = slice_windows(x.shape(), call.inputs);
  Shape shape;
  for (size_t d = 0; d < windows.size(); ++d) {
    shape.push_back(windows[d].count);
    from.offset += windows[d].start * from.strides[d];
    // One element needs no stride, and a huge step must not overflow.
    from.strides[d] = windows[d].count > 1 ? from.strides[d] * windows[d].step : 0;
  }
  require(shape == y.shape(), "the slice has shape {}, not {} as inferred", shape_text(shape),
          shape_text(y.shape()));
  copy_strided(x.dtype(), shape, x.raw(), from, y.raw(), {0, dense_strides(shape)});
}

}  // namespace

const OpDef slice =
    op("slice")
        .input("x")
        .host("starts")
        .host("ends")
        .host("axes", true)
        .host("steps", true)
        .output("y")
        .infer(infer_slice)
        .reference(reference_slice)
        .fusion(Fusion::injective)
        .onnx("Slice", 10)
        .summary("every step-th element from start up to but without end, along the given axes");

}  // namespace def
}  // namespace burnish::ops
