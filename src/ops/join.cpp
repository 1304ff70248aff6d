// concat and split.
#include "base/error.h"
#include "ops/data_attributes.h"
#include "ops/host.h"
#include "ops/infer.h"
#include "ops/strided.h"
#include "ops/table.h"

namespace burnish::ops::def {
namespace {

using ir::Dim;

void infer_concat(InferContext& context) {
  require(context.inputs() > 0, "concat needs an input");
  std::vector<Dim> shape = context.shape(0), contents;
  const int64_t rank = static_cast<int64_t>(shape.size());
  const size_t axis = static_cast<size_t>(normalize_axis(context.attributes<AxisAttributes>().axis, rank));
  bool known = rank == 1;
  Dim total = 0;
  for (int i = 0; i < context.inputs(); ++i) {
    const auto& input = context.shape(i);
    require(context.dtype(i) == context.dtype(0) && input.size() == shape.size(), "cannot join {} and {}",
            context.type(0).str(), context.type(i).str());
    for (size_t d = 0; d < shape.size(); ++d) {
      if (d == axis) continue;
      require(!input[d].is_constant() || !shape[d].is_constant() || input[d] == shape[d],
              "cannot join {} and {} along dimension {}", context.type(0).str(), context.type(i).str(), axis);
      if (input[d].is_constant()) shape[d] = input[d];
    }
    total = total + input[axis];
    known = known && context.contents(i);
    if (known) contents.insert(contents.end(), context.contents(i)->begin(), context.contents(i)->end());
  }
  shape[axis] = total;
  context.set(0, context.dtype(0), std::move(shape));
  if (known) context.set_contents(0, std::move(contents));
}

/// Copies a part [offset, offset + length) of dimension `axis` of `whole` to or from the dense `part`.
void copy_part(const Tensor& source, Tensor& destination, bool part_is_source, size_t axis, int64_t offset) {
  const Tensor& part = part_is_source ? source : destination;
  const Tensor& whole = part_is_source ? destination : source;
  const std::vector<int64_t> strides = dense_strides(whole.shape());
  const Strided inside{offset * strides[axis], strides}, alone{0, dense_strides(part.shape())};
  copy_strided(part.dtype(), part.shape(), source.raw(), part_is_source ? alone : inside, destination.raw(),
               part_is_source ? inside : alone);
}

void check_part(const Tensor& part, const Tensor& whole, size_t axis, int64_t offset) {
  bool fits = part.rank() == whole.rank() && offset + part.shape()[axis] <= whole.shape()[axis];
  for (size_t d = 0; fits && d < part.shape().size(); ++d)
    fits = d == axis || part.shape()[d] == whole.shape()[d];
  require(fits, "a part of shape {} does not fit into {} at {}", shape_text(part.shape()),
          shape_text(whole.shape()), offset);
}

void reference_concat(const ReferenceCall& call) {
  Tensor& y = call.outputs[0];
  const size_t axis = static_cast<size_t>(normalize_axis(call.attribute<AxisAttributes>().axis, y.rank()));
  int64_t offset = 0;
  for (const Tensor& part : call.inputs) {
    check_part(part, y, axis, offset);
    copy_part(part, y, true, axis, offset);
    offset += part.shape()[axis];
  }
}

/// The parts' lengths when none are given: all as long as the first, but for the last, which takes the rest.
std::vector<Dim> equal_parts(const Dim& whole, int64_t count) {
  const Dim length = ceil_div(whole, count);
  std::vector<Dim> lengths;
  for (int64_t i = 0; i < count; ++i) {
    const Dim left = ir::max(0, whole - length * Dim(i));
    lengths.push_back(i + 1 < count && !left.is_constant() ? length : ir::min(length, left));
  }
  return lengths;
}

void infer_split(InferContext& context) {
  const auto& attributes = context.attributes<SplitAttributes>();
  const auto& input = context.shape(0);
  const size_t axis = static_cast<size_t>(normalize_axis(attributes.axis, context.type(0).rank()));
  require(!attributes.num_outputs || context.has(1) || attributes.num_outputs == context.outputs(),
          "num_outputs is {}, but the node has {} outputs", attributes.num_outputs, context.outputs());
  std::vector<Dim> lengths;
  if (!context.has(1)) {
    lengths = equal_parts(input[axis], context.outputs());
  } else if (context.contents(1)) {
    lengths = *context.contents(1);
  } else {
    for (int i = 0; i < context.outputs(); ++i) lengths.push_back(context.fresh(i, static_cast<int>(axis)));
  }
  require(static_cast<int>(lengths.size()) == context.outputs(), "{} sizes for {} outputs", lengths.size(),
          context.outputs());
  Dim begin = 0;
  for (int i = 0; i < context.outputs(); ++i) {
    std::vector<Dim> shape = input;
    const Dim length = shape[axis] = lengths[static_cast<size_t>(i)];
    context.set(i, context.dtype(0), std::move(shape));
    const auto* contents = context.contents(0);
    if (contents && input.size() == 1 && begin.is_constant() && length.is_constant() &&
        (begin + length).constant() <= static_cast<int64_t>(contents->size()))
      context.set_contents(
          i, {contents->begin() + begin.constant(), contents->begin() + (begin + length).constant()});
    begin = begin + length;
  }
  require(!begin.is_constant() || !input[axis].is_constant() || begin == input[axis],
          "the sizes add up to {}, but dimension {} of {} is {}", begin.str(), axis, context.type(0).str(),
          input[axis].str());
}

void reference_split(const ReferenceCall& call) {
  const Tensor& x = call.inputs[0];
  const size_t axis = static_cast<size_t>(normalize_axis(call.attribute<SplitAttributes>().axis, x.rank()));
  int64_t offset = 0;
  for (Tensor& part : call.outputs) {
    check_part(part, x, axis, offset);
    copy_part(x, part, false, axis, offset);
    offset += part.shape()[axis];
  }
}

}  // namespace

const OpDef concat = op<AxisAttributes>("concat")
                         .variadic("inputs")
                         .output("y")
                         .infer(infer_concat)
                         .reference(reference_concat)
                         .fusion(Fusion::injective)
                         .onnx("Concat", 4)
                         .summary("the inputs one behind the other along axis");
const OpDef split =
    op<SplitAttributes>("split")
        .input("x")
        .host("sizes", true)
        .outputs_variadic("parts")
        .infer(infer_split)
        .reference(reference_split)
        .fusion(Fusion::injective)
        .summary("parts of x along axis: of the given sizes, or equal with a smaller last one");

}  // namespace burnish::ops::def
