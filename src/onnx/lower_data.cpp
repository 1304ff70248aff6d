// Views, shapes and data movement: the older opsets' attributes become the newest one's inputs.
#include <algorithm>

#include "base/numbers.h"
#include "onnx/lower.h"
#include "onnx/lowerings.h"
#include "ops/data_attributes.h"
#include "ops/host.h"
#include "ops/infer.h"

namespace burnish::onnx {

namespace def = ops::def;

void lower_reshape_1(Lower& node) {
  node.set_output(0,
                  node.emit(def::reshape, {node.needed_input(0), node.add_integers(node.integers("shape"))}));
}

namespace {

/// Where only the run will tell the axes, the rank is what the model declares for the output.
bool reshaped_as_declared(Lower& node) {
  const auto shape = node.declared_shape(0);
  if (shape)
    node.set_output(
        0, node.emit(def::reshape, {{"allowzero", true}}, {node.needed_input(0), node.add_integers(*shape)}));
  return shape.has_value();
}

}  // namespace

/// Axes that are known become an attribute, whichever way they came.
void lower_squeeze(Lower& node) {
  const ir::ValueId x = node.needed_input(0), given = node.input(1);
  std::optional<std::vector<int64_t>> axes = node.integers("axes");
  if (given) {
    axes = node.known_integers(given);
  } else if (!node.has("axes")) {
    const std::vector<ir::Dim>& shape = node.type(x).shape;
    for (size_t i = 0; i < shape.size(); ++i)
      if (shape[i].is(1)) axes->push_back(static_cast<int64_t>(i));
  }
  if (axes && axes->empty()) return node.set_output(0, x);
  if (!axes && reshaped_as_declared(node)) return;
  node.set_output(
      0, axes ? node.emit(def::squeeze, {{"axes", *axes}}, {x}) : node.emit(def::squeeze, {x, given}));
}

void lower_unsqueeze(Lower& node) {
  const ir::ValueId x = node.needed_input(0), given = node.input(1);
  const auto axes = given ? node.known_integers(given) : node.integers("axes");
  if (!axes && reshaped_as_declared(node)) return;
  node.set_output(
      0, axes ? node.emit(def::unsqueeze, {{"axes", *axes}}, {x}) : node.emit(def::unsqueeze, {x, given}));
}

void lower_constant_of_shape(Lower& node) {
  Tensor value = node.has("value") ? node.tensor("value") : Tensor::scalar(0.0f);
  require(value.size() == 1, "attribute 'value' must hold one number, not {}", value.size());
  node.set_output(0, node.emit(def::expand, {node.add_constant(value.reshaped({})), node.needed_input(0)}));
}

/// Of a target of which only a part is known, that part: the result's dimensions where the target says more
/// than 1. A reshape states them, with 0 ("as it is") for the others, so that what follows can go by them.
void lower_expand(Lower& node) {
  const ir::ValueId x = node.needed_input(0), shape = node.needed_input(1);
  const ir::ValueId expanded = node.emit(def::expand, {x, shape});
  const auto target = node.known_elements(shape);
  const size_t rank = static_cast<size_t>(node.rank(expanded));
  std::vector<int64_t> stated(rank, 0);
  for (size_t i = 0; i < target.size() && target.size() <= rank; ++i) {
    const size_t d = rank - target.size() + i;
    if (target[i] && *target[i] > 1 && !node.type(expanded).shape[d].is_constant()) stated[d] = *target[i];
  }
  const bool adds = std::any_of(stated.begin(), stated.end(), [](int64_t dim) { return dim != 0; });
  node.set_output(0, adds ? node.emit(def::reshape, {expanded, node.add_integers(stated)}) : expanded);
}

void lower_eye_like(Lower& node) {
  const ir::ValueId x = node.needed_input(0);
  node.set_output(
      0, node.emit(def::eye_like, {{"dtype", node.dtype("dtype", node.dtype(x))}, {"k", node.integer("k")}},
                   {x}));
}

void lower_concat_1(Lower& node) {
  std::vector<ir::ValueId> inputs;
  for (int i = 0; i < node.input_count(); ++i) inputs.push_back(node.needed_input(i));
  node.set_output(0, node.emit(def::concat, {{"axis", node.integer("axis", 1)}}, inputs));
}

void lower_split(Lower& node) {
  std::vector<ir::ValueId> inputs = {node.needed_input(0), node.input(1)};
  if (node.has("split")) inputs[1] = node.add_integers(node.integers("split"));
  const int count = node.output_count();
  const auto parts = node.emit_many(def::split, make_attributes(def::split, {{"axis", node.integer("axis")}}),
                                    inputs, count);
  for (int i = 0; i < count; ++i) node.set_output(i, parts[static_cast<size_t>(i)]);
}

void lower_slice_1(Lower& node) {
  std::vector<ir::ValueId> inputs = {node.needed_input(0), node.add_integers(node.integers("starts")),
                                     node.add_integers(node.integers("ends"))};
  if (node.has("axes")) inputs.push_back(node.add_integers(node.integers("axes")));
  node.set_output(0, node.emit(def::slice, inputs));
}

/// Pad up to opset 10: pads (first called paddings) and value are attributes.
void lower_pad_1(Lower& node) {
  const ir::ValueId x = node.needed_input(0);
  const ir::ValueId pads = node.add_integers(node.integers(node.opset() < 2 ? "paddings" : "pads"));
  node.set_output(0, node.emit(def::pad, {{"mode", node.text("mode", "constant")}},
                               {x, pads, node.add_scalar(node.dtype(x), node.number("value"))}));
}

/// Tile-1 repeats along one axis.
void lower_tile_1(Lower& node) {
  const ir::ValueId x = node.needed_input(0);
  const Tensor tiles = node.constant(node.needed_input(1)), axis = node.constant(node.needed_input(2));
  require(!tiles.empty() && !axis.empty(), "inputs 'tiles' and 'axis' must be constants");
  std::vector<int64_t> repeats(static_cast<size_t>(node.rank(x)), 1);
  const auto along = whole_part(ops::number_of(axis));
  repeats[static_cast<size_t>(ops::normalize_axis(along, node.rank(x)))] = whole_part(ops::number_of(tiles));
  node.set_output(0, node.emit(def::tile, {x, node.add_integers(repeats)}));
}

/// x and the axis that the node names; without one, x as a vector and its only axis.
static std::pair<ir::ValueId, int64_t> along_axis(Lower& node) {
  const ir::ValueId x = node.needed_input(0);
  if (node.has("axis")) return {x, node.integer("axis")};
  return {node.rank(x) == 1 ? x : node.emit(def::reshape, {x, node.add_integers({-1})}), 0};
}

void lower_compress(Lower& node) {
  const auto [x, axis] = along_axis(node);
  node.set_output(0, node.emit(def::compress, {{"axis", axis}}, {x, node.needed_input(1)}));
}

void lower_unique(Lower& node) {
  const auto [x, axis] = along_axis(node);
  const auto attributes =
      make_attributes(def::unique, {{"axis", axis}, {"sorted", node.integer("sorted", 1)}});
  const auto made = node.emit_many(def::unique, attributes, {x}, node.output_count());
  for (int i = 0; i < node.output_count(); ++i) node.set_output(i, made[static_cast<size_t>(i)]);
}

/// TopK-1: k is an attribute.
void lower_topk_1(Lower& node) {
  const ir::ValueId k = node.add_integers({node.integer("k")});
  const auto made =
      node.emit_many(def::topk, make_attributes(def::topk, {{"axis", node.integer("axis", -1)}}),
                     {node.needed_input(0), k}, 2);
  node.set_output(0, made[0]);
  node.set_output(1, made[1]);
}

}  // namespace burnish::onnx
