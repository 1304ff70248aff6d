// Ops that change a tensor's type and leave its memory as it is.
#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "ops/data_attributes.h"
#include "ops/host.h"
#include "ops/infer.h"
#include "ops/table.h"

namespace burnish::ops::def {
namespace {

using ir::Dim;

void reference_view(const ReferenceCall& call) {
  const Tensor& x = call.inputs[0];
  Tensor& y = call.outputs[0];
  require(x.bytes() == y.bytes(), "cannot view {} elements of shape {} as shape {}", x.size(),
          shape_text(x.shape()), shape_text(y.shape()));
  if (x.bytes() > 0) std::memcpy(y.raw(), x.raw(), static_cast<size_t>(x.bytes()));
}

/// Output 0: input 0's elements in another shape.
void set_view(InferContext& context, std::vector<Dim> shape) {
  const size_t rank = shape.size();
  context.set(0, context.dtype(0), std::move(shape));
  if (rank <= 1 && context.contents(0)) context.set_contents(0, *context.contents(0));
}

/// The dimensions that `target` asks for: 0 copies the input's, one -1 takes what is left.
std::vector<Dim> reshaped(const std::vector<Dim>& input, const std::vector<Dim>& target, bool allow_zero) {
  std::vector<Dim> shape, left(input), given;
  std::optional<size_t> open;
  for (size_t i = 0; i < target.size(); ++i) {
    shape.push_back(target[i]);
    if (target[i].is(-1)) {
      require(!open, "only one dimension of [{}] may be -1", ir::dims_text(target));
      open = i;
    } else if (target[i].is(0) && !allow_zero) {
      require(i < input.size(), "dimension {} of [{}] copies one that the input [{}] does not have", i,
              ir::dims_text(target), ir::dims_text(input));
      shape[i] = input[i];
      left[i] = 1;  // on both sides of the quotient, so that -1 beside an empty dimension is defined
    } else {
      given.push_back(target[i]);
    }
  }
  const Dim total = ir::product(left), known = ir::product(given);
  if (open) {
    require(!known.is(0), "the -1 in [{}] is undefined beside a 0", ir::dims_text(target));
    require(!total.is_constant() || !known.is_constant() || total.constant() % known.constant() == 0,
            "cannot reshape [{}] to [{}]: the numbers of elements do not divide", ir::dims_text(input),
            ir::dims_text(target));
    shape[*open] = ir::exact_div(total, known);
  } else {
    require(!total.is_constant() || !known.is_constant() || total == known,
            "cannot reshape [{}] to [{}]: the numbers of elements differ", ir::dims_text(input),
            ir::dims_text(target));
  }
  return shape;
}

void infer_reshape(InferContext& context) {
  if (const auto* target = context.contents(1)) {
    set_view(context,
             reshaped(context.shape(0), *target, context.attributes<ReshapeAttributes>().allow_zero));
    return;
  }
  const auto& extent = context.shape(1);
  require(extent.size() == 1 && extent[0].is_constant(),
          "input 'shape' must be a vector of known length, not {}", context.type(1).str());
  std::vector<Dim> shape;
  for (int i = 0; i < extent[0].constant(); ++i) shape.push_back(context.fresh(0, i));
  set_view(context, std::move(shape));
}

/// The attribute's axes, or those of input 1 where it is given; nullopt where those are not known yet.
std::optional<std::vector<int64_t>> axes_of(InferContext& context) {
  if (!context.has(1)) return context.attributes<AxesAttributes>().axes;
  return context.numbers(1);
}

/// Counted from the front and sorted.
std::vector<int64_t> normalized(std::vector<int64_t> axes, int64_t rank) {
  for (int64_t& axis : axes) axis = normalize_axis(axis, rank);
  std::sort(axes.begin(), axes.end());
  require(std::adjacent_find(axes.begin(), axes.end()) == axes.end(), "an axis is given twice");
  return axes;
}

/// Where axes come while the model runs, their number still gives the rank.
void set_unknown_view(InferContext& context, int64_t sign) {
  const Dim count = ir::product(context.shape(1));
  require(count.is_constant(), "the number of axes must be known: it decides the rank");
  std::vector<Dim> shape;
  for (int i = 0; i < context.type(0).rank() + sign * count.constant(); ++i)
    shape.push_back(context.fresh(0, i));
  set_view(context, std::move(shape));
}

void infer_squeeze(InferContext& context) {
  const auto& input = context.shape(0);
  const auto given = axes_of(context);
  if (!given) return set_unknown_view(context, -1);
  const std::vector<int64_t> axes = normalized(*given, context.type(0).rank());
  const bool all = axes.empty() && !context.has(1);
  std::vector<Dim> shape;
  for (size_t i = 0; i < input.size(); ++i) {
    const bool named = std::binary_search(axes.begin(), axes.end(), static_cast<int64_t>(i));
    if (all ? !input[i].is(1) : !named) shape.push_back(input[i]);
    require(!named || !input[i].is_constant() || input[i].is(1),
            "cannot squeeze dimension {} of [{}]: it is not 1", i, ir::dims_text(input));
  }
  set_view(context, std::move(shape));
}

void infer_unsqueeze(InferContext& context) {
  std::vector<Dim> shape = context.shape(0);
  const auto given = axes_of(context);
  if (!given) return set_unknown_view(context, 1);
  for (int64_t axis : normalized(*given, static_cast<int64_t>(shape.size() + given->size())))
    shape.insert(shape.begin() + axis, Dim(1));
  set_view(context, std::move(shape));
}

void infer_flatten(InferContext& context) {
  const auto& input = context.shape(0);
  const int64_t rank = static_cast<int64_t>(input.size()),
                axis = context.attributes<FlattenAttributes>().axis;
  const auto middle = input.begin() + (axis == rank ? rank : normalize_axis(axis, rank));
  set_view(context, {ir::product({input.begin(), middle}), ir::product({middle, input.end()})});
}

void infer_bitcast(InferContext& context) {
  const DType from = context.dtype(0), to = context.attributes<BitcastAttributes>().to;
  // In memory a four-bit integer takes a whole byte and a bool is 0 or 1: other bits would not be values of
  // theirs.
  const auto has_own_form = [](DType dtype) { return dtype == DType::i4 || dtype == DType::u4; };
  require(from == to || (!has_own_form(from) && !has_own_form(to) && to != DType::boolean),
          "the bits of {} cannot be taken for {}", dtype_name(from), dtype_name(to));
  require(dtype_bytes(to) == dtype_bytes(from), "cannot take the bits of {} for {}: the widths differ",
          dtype_name(from), dtype_name(to));
  context.set(0, to, context.shape(0));
}

}  // namespace

const OpDef reshape =
    op<ReshapeAttributes>("reshape")
        .input("x")
        .host("shape")
        .output("y")
        .view()
        .infer(infer_reshape)
        .reference(reference_view)
        .fusion(Fusion::injective)
        .onnx("Reshape", 5)
        .summary("the elements in another shape; 0 copies a dimension, -1 takes what is left");
const OpDef squeeze = op<AxesAttributes>("squeeze")
                          .input("x")
                          .host("axes", true)
                          .output("y")
                          .view()
                          .infer(infer_squeeze)
                          .reference(reference_view)
                          .fusion(Fusion::injective)
                          .summary("without the dimensions of 1 that axes names, or without any");
const OpDef unsqueeze = op<AxesAttributes>("unsqueeze")
                            .input("x")
                            .host("axes", true)
                            .output("y")
                            .view()
                            .infer(infer_unsqueeze)
                            .reference(reference_view)
                            .fusion(Fusion::injective)
                            .summary("with dimensions of 1 where axes says, counted in the result");
const OpDef flatten = op<FlattenAttributes>("flatten")
                          .input("x")
                          .output("y")
                          .view()
                          .infer(infer_flatten)
                          .reference(reference_view)
                          .fusion(Fusion::injective)
                          .onnx("Flatten")
                          .summary("a matrix: the dimensions before axis by those from it on");
const OpDef bitcast = op<BitcastAttributes>("bitcast")
                          .input("x")
                          .output("y")
                          .view()
                          .infer(infer_bitcast)
                          .reference(reference_view)
                          .fusion(Fusion::injective)
                          .onnx("BitCast", 26)
                          .summary("the same bits as another type of the same width");

}  // namespace burnish::ops::def
