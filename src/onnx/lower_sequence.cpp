// Sequences whose lengths and positions import can tell: lists of values, of which nothing is left in the IR.
#include <algorithm>

#include "onnx/import.h"
#include "onnx/lower.h"
#include "onnx/lowerings.h"
#include "ops/infer.h"

namespace burnish::onnx {
namespace {

namespace def = ops::def;

using Sequence = std::vector<ir::ValueId>;

/// The position that input `i` holds, counted from the front; `otherwise` where the input was omitted.
size_t position(const Lower& node, int i, size_t length, size_t otherwise, size_t count) {
  if (!node.input(i)) return otherwise;
  const auto known = node.known_integers(node.input(i));
  if (!known || known->size() != 1)
    throw Refused("sequence", "a position in a sequence that only the run will tell is not supported");
  const int64_t at = known->front() < 0 ? known->front() + static_cast<int64_t>(length) : known->front();
  require(at >= 0 && at < static_cast<int64_t>(count), "position {} is out of range for a sequence of {}",
          known->front(), length);
  return static_cast<size_t>(at);
}

size_t element(const Lower& node, int i, const Sequence& sequence, size_t otherwise) {
  return position(node, i, sequence.size(), otherwise, sequence.size());
}

/// How many elements each part of a dimension has: `chunk` in all but the last.
std::vector<int64_t> parts_of(const ir::Dim& dim, int64_t chunk) {
  if (!dim.is_constant())
    throw Refused("sequence", "a sequence whose length only the run will tell is not supported");
  require(chunk > 0, "parts of {} elements cannot be split off", chunk);
  const int64_t size = dim.constant();
  constexpr int64_t most_parts = 1 << 12;
  require((size + chunk - 1) / chunk <= most_parts, "a sequence of more than {} parts is not supported",
          most_parts);
  std::vector<int64_t> parts;
  for (int64_t left = size; left > 0; left -= chunk) parts.push_back(std::min(left, chunk));
  return parts;
}

}  // namespace

void lower_sequence_empty(Lower& node) { node.set_sequence(0, {}); }

void lower_sequence_construct(Lower& node) {
  Sequence elements;
  for (int i = 0; i < node.input_count(); ++i) elements.push_back(node.needed_input(i));
  node.set_sequence(0, std::move(elements));
}

void lower_sequence_at(Lower& node) {
  const Sequence& sequence = node.sequence(0);
  (void)node.needed_input(1);
  node.set_output(0, sequence[element(node, 1, sequence, 0)]);
}

void lower_sequence_insert(Lower& node) {
  Sequence sequence = node.sequence(0);
  const size_t at = position(node, 2, sequence.size(), sequence.size(), sequence.size() + 1);
  sequence.insert(sequence.begin() + static_cast<std::ptrdiff_t>(at), node.needed_input(1));
  node.set_sequence(0, std::move(sequence));
}

void lower_sequence_erase(Lower& node) {
  Sequence sequence = node.sequence(0);
  require(!sequence.empty(), "an empty sequence has nothing to erase");
  const size_t at = element(node, 1, sequence, sequence.size() - 1);
  sequence.erase(sequence.begin() + static_cast<std::ptrdiff_t>(at));
  node.set_sequence(0, std::move(sequence));
}

void lower_sequence_length(Lower& node) {
  node.set_output(0, node.add_constant(Tensor::scalar(static_cast<int64_t>(node.sequence(0).size()))));
}

void lower_concat_from_sequence(Lower& node) {
  Sequence sequence = node.sequence(0);
  require(!sequence.empty(), "an empty sequence cannot be joined");
  require(node.has("axis"), "attribute 'axis' is missing");
  const bool stacked = node.integer("new_axis") != 0;
  const int64_t axis = ops::normalize_axis(node.integer("axis"), node.rank(sequence[0]) + (stacked ? 1 : 0));
  if (stacked)
    for (ir::ValueId& value : sequence)
      value = node.emit(def::unsqueeze, {{"axes", std::vector<int64_t>{axis}}}, {value});
  node.set_output(0, node.emit(def::concat, {{"axis", axis}}, sequence));
}

/// Without sizes the parts have one element each, and `keepdims` says whether the dimension stays.
void lower_split_to_sequence(Lower& node) {
  const ir::ValueId x = node.needed_input(0), given = node.input(1);
  const int64_t axis = ops::normalize_axis(node.integer("axis"), node.rank(x));
  const ir::Dim& dim = node.type(x).shape[static_cast<size_t>(axis)];
  ir::ValueId sizes = given;
  size_t count = 0;
  if (given && node.rank(given) == 1) {
    const ir::Dim& length = node.type(given).shape[0];
    if (!length.is_constant())
      throw Refused("sequence", "a sequence whose length only the run will tell is not supported");
    count = static_cast<size_t>(length.constant());
  } else {
    const auto chunk = given ? node.known_integers(given) : std::vector<int64_t>{1};
    if (!chunk || chunk->size() != 1)
      throw Refused("sequence", "a sequence whose length only the run will tell is not supported");
    const std::vector<int64_t> parts = parts_of(dim, chunk->front());
    count = parts.size();
    sizes = node.add_integers(parts);
  }
  if (count == 0) return node.set_sequence(0, {});
  Sequence elements = node.emit_many(def::split, make_attributes(def::split, {{"axis", axis}}), {x, sizes},
                                     static_cast<int>(count));
  if (!given && node.integer("keepdims", 1) == 0)
    for (ir::ValueId& value : elements)
      value = node.emit(def::squeeze, {{"axes", std::vector<int64_t>{axis}}}, {value});
  node.set_sequence(0, std::move(elements));
}

}  // namespace burnish::onnx
