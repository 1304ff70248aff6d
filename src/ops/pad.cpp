#include "ops/pad.h"

#include <algorithm>

#include "base/error.h"
#include "ops/data_attributes.h"
#include "ops/host.h"
#include "ops/infer.h"
#include "ops/table.h"

namespace burnish::ops {
namespace {

/// The dimension that each of `count` numbers is about: those of `axes`, or 0, 1, 2, ...
std::vector<size_t> named_axes(const std::optional<std::vector<int64_t>>& axes, size_t count, int64_t rank) {
  require(!axes || axes->size() == count, "{} axes for {} numbers", axes ? axes->size() : 0, count);
  require(axes || static_cast<int64_t>(count) == rank, "{} numbers for {} dimensions", count, rank);
  std::vector<size_t> named;
  for (size_t i = 0; i < count; ++i)
    named.push_back(static_cast<size_t>(axes ? normalize_axis((*axes)[i], rank) : static_cast<int64_t>(i)));
  return named;
}

/// Which input index stands at each output index of one dimension.
AxisMap pad_map(const std::string& mode, int64_t size, int64_t before, int64_t padded) {
  constexpr int64_t largest = int64_t{1} << 62;  // what an index may be from, and still be counted
  require(before >= -largest && before <= largest, "a dimension cannot be padded by {}", before);
  AxisMap map(static_cast<size_t>(padded), -1);
  require(size > 0 || padded == 0 || mode == "constant", "an empty dimension cannot be padded in mode '{}'",
          mode);
  const auto wrapped = [](int64_t at, int64_t period) { return (at % period + period) % period; };
  for (int64_t i = 0; i < padded; ++i) {
    int64_t at = i - before;
    if (mode == "edge") {
      at = std::clamp<int64_t>(at, 0, size - 1);
    } else if (mode == "wrap") {
      at = wrapped(at, size);
    } else if (mode == "reflect") {
      const int64_t period = std::max<int64_t>(1, 2 * (size - 1));
      at = wrapped(at, period);
      if (at >= size) at = period - at;
    }
    map[static_cast<size_t>(i)] = at >= 0 && at < size ? at : -1;
  }
  return map;
}

}  // namespace

std::vector<AxisMap> pad_maps(const std::string& mode, const Shape& x, const Shape& padded,
                              std::span<const Tensor> inputs) {
  const std::vector<int64_t> pads = integers_of(inputs[1]);
  std::optional<std::vector<int64_t>> axes;
  if (inputs.size() > 3 && !inputs[3].empty()) axes = integers_of(inputs[3]);
  std::vector<int64_t> before(x.size(), 0);
  const std::vector<size_t> named = named_axes(axes, pads.size() / 2, static_cast<int64_t>(x.size()));
  for (size_t i = 0; i < named.size(); ++i) before[named[i]] = pads[i];
  std::vector<AxisMap> maps;
  for (size_t d = 0; d < before.size(); ++d) maps.push_back(pad_map(mode, x[d], before[d], padded[d]));
  return maps;
}

std::vector<AxisMap> center_crop_pad_maps(const Shape& x, const Shape& cropped) {
  std::vector<AxisMap> maps;
  for (size_t d = 0; d < x.size(); ++d)  // rounds towards no change on both sides
    maps.push_back(pad_map("constant", x[d], (cropped[d] - x[d]) / 2, cropped[d]));
  return maps;
}

namespace def {
namespace {

using ir::Dim;

void infer_pad(InferContext& context) {
  const std::string& mode = context.attributes<PadAttributes>().mode;
  require(mode == "constant" || mode == "reflect" || mode == "edge" || mode == "wrap",
          "mode must be constant, reflect, edge or wrap, not '{}'", mode);
  require(!context.has(2) || context.dtype(2) == context.dtype(0), "the value to pad with must be {}, not {}",
          dtype_name(context.dtype(0)), dtype_name(context.has(2) ? context.dtype(2) : DType::f32));
  std::vector<Dim> shape = context.shape(0);
  const auto* pads = context.contents(1);
  const auto axes = context.numbers(3);
  if (!pads || (context.has(3) && !axes)) {
    for (size_t d = 0; d < shape.size(); ++d) {
      const bool padded = !axes || std::any_of(axes->begin(), axes->end(), [&](int64_t axis) {
        return normalize_axis(axis, context.type(0).rank()) == static_cast<int64_t>(d);
      });
      if (padded) shape[d] = context.fresh(0, static_cast<int>(d));
    }
  } else {
    require(pads->size() % 2 == 0, "pads must name a begin and an end for each dimension, not {} numbers",
            pads->size());
    const std::vector<size_t> named = named_axes(axes, pads->size() / 2, context.type(0).rank());
    for (size_t i = 0; i < named.size(); ++i)
      shape[named[i]] = shape[named[i]] + (*pads)[i] + (*pads)[i + named.size()];
  }
  context.set(0, context.dtype(0), std::move(shape));
}

void reference_pad(const ReferenceCall& call) {
  const Tensor& x = call.inputs[0];
  require(!call.has(2) || call.inputs[2].size() == 1, "the value to pad with must be one number");
  const MappedCopy copy(
      x.dtype(), x.shape(),
      pad_maps(call.attribute<PadAttributes>().mode, x.shape(), call.outputs[0].shape(), call.inputs));
  copy.run(x.raw(), call.has(2) ? call.inputs[2].raw() : nullptr, call.outputs[0].raw());
}

void infer_center_crop_pad(InferContext& context) {
  const auto& attributes = context.attributes<AxesAttributes>();
  std::optional<std::vector<int64_t>> axes;
  if (!attributes.axes.empty()) axes = attributes.axes;
  std::vector<Dim> shape = context.shape(0);
  const auto* wanted = context.contents(1);
  const Dim count = wanted ? Dim(static_cast<int64_t>(wanted->size())) : product(context.shape(1));
  require(count.is_constant(), "the number of sizes must be known");
  const std::vector<size_t> named =
      named_axes(axes, static_cast<size_t>(count.constant()), context.type(0).rank());
  for (size_t i = 0; i < named.size(); ++i)
    shape[named[i]] = wanted ? (*wanted)[i] : context.fresh(0, static_cast<int>(named[i]));
  context.set(0, context.dtype(0), std::move(shape));
}

void reference_center_crop_pad(const ReferenceCall& call) {
  const Tensor& x = call.inputs[0];
  const MappedCopy copy(x.dtype(), x.shape(), center_crop_pad_maps(x.shape(), call.outputs[0].shape()));
  copy.run(x.raw(), nullptr, call.outputs[0].raw());
}

}  // namespace

const OpDef pad =
    op<PadAttributes>("pad")
        .input("x")
        .host("pads")
        .optional("value")
        .host("axes", true)
        .output("y")
        .infer(infer_pad)
        .reference(reference_pad)
        .fusion(Fusion::injective)
        .onnx("Pad", 11)
        .summary("x with elements added (or, where negative, cut off) before and behind each dimension");
const OpDef center_crop_pad = op<AxesAttributes>("center_crop_pad")
                                  .input("x")
                                  .host("sizes")
                                  .output("y")
                                  .infer(infer_center_crop_pad)
                                  .reference(reference_center_crop_pad)
                                  .fusion(Fusion::injective)
                                  .onnx("CenterCropPad", 18)
                                  .summary("the middle of x, cut or padded with zeros to the given sizes");

}  // namespace def
}  // namespace burnish::ops
