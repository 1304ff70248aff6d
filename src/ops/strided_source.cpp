#include "ops/strided_source.h"

#include <algorithm>
#include <optional>

#include "ops/data_attributes.h"
#include "ops/infer.h"
#include "ops/slice.h"
#include "ops/table.h"

namespace burnish::ops {
namespace {

using ir::Dim;
using Dims = std::vector<Dim>;

/// A dimension may be several that lie apart: outermost first, none of size one.
struct Factor {
  Dim size, stride;
};
using Factors = std::vector<Factor>;

/// A value's dimensions and where their elements lie in memory.
struct Walk {
  std::vector<Factors> dims;
  Dim offset = 0;

  explicit Walk(const Dims& shape) : dims(shape.size()) {
    Dim stride = 1;
    for (size_t d = shape.size(); d-- > 0; stride = stride * shape[d])
      if (!shape[d].is(1)) dims[d] = {{shape[d], stride}};
  }
};

/// The stride of a dimension, 0 for one of size one; nullopt where its parts do not lie one behind the other.
std::optional<Dim> stride_of(const Factors& factors) {
  if (factors.empty()) return Dim(0);
  for (size_t i = 1; i < factors.size(); ++i)
    if (!(factors[i - 1].stride == factors[i].stride * factors[i].size)) return std::nullopt;
  return factors.back().stride;
}

bool walk_transpose(Walk& walk, const ir::Node& node) {
  const auto& perm = node.attributes.as<TransposeAttributes>().perm;
  const std::vector<Factors> before = walk.dims;
  const size_t rank = before.size();
  for (size_t d = 0; d < rank; ++d)
    walk.dims[d] =
        before[perm.empty() ? rank - 1 - d
                            : static_cast<size_t>(normalize_axis(perm[d], static_cast<int64_t>(rank)))];
  return true;
}

/// whole / part where that is exact.
std::optional<Dim> quotient(const Dim& whole, const Dim& part) {
  if (whole.is_constant() && part.is_constant())
    return whole.constant() % part.constant() == 0 ? std::optional(Dim(whole.constant() / part.constant()))
                                                   : std::nullopt;
  const Dim exact = exact_div(whole, part);
  return exact * part == whole ? std::optional(exact) : std::nullopt;
}

/// Takes factors of product `size` from the front of `rest`, cutting the last one where it is too long.
std::optional<Factors> take(Factors& rest, Dim size) {
  Factors taken;
  while (!size.is(1)) {
    if (rest.empty()) return std::nullopt;
    Factor& next = rest.front();
    if (const auto left = quotient(size, next.size)) {
      taken.push_back(next);
      rest.erase(rest.begin());
      size = *left;
    } else if (const auto inner = quotient(next.size, size)) {
      taken.push_back({size, next.stride * *inner});
      next.size = *inner;
      size = 1;
    } else {
      return std::nullopt;
    }
  }
  return taken;
}

bool walk_reshape(Walk& walk, const Dims& shape) {
  Factors rest;
  for (const Factors& factors : walk.dims) rest.insert(rest.end(), factors.begin(), factors.end());
  const auto is_empty = [](const auto& one) { return one.size.is(0); };
  if (std::any_of(rest.begin(), rest.end(), is_empty)) return false;
  std::vector<Factors> dims;
  for (const Dim& size : shape) {
    auto factors = take(rest, size);
    if (!factors) return false;
    dims.push_back(std::move(*factors));
  }
  walk.dims = std::move(dims);
  return rest.empty();
}

/// Keeps `count` elements of an axis, from `start` on, `step` apart.
bool narrow(Walk& walk, size_t axis, const Dim& start, int64_t step, const Dim& count) {
  const auto stride = stride_of(walk.dims[axis]);
  if (!stride) return false;
  walk.offset = walk.offset + *stride * start;
  walk.dims[axis].clear();
  if (!count.is(1)) walk.dims[axis] = {{count, *stride * step}};
  return true;
}

bool walk_split(Walk& walk, const ir::Graph& graph, const ir::Node& node, int output) {
  const auto axis = static_cast<size_t>(
      normalize_axis(node.attributes.as<SplitAttributes>().axis, static_cast<int64_t>(walk.dims.size())));
  Dim start = 0;
  for (int i = 0; i < output; ++i) {
    if (!node.outputs[static_cast<size_t>(i)]) return false;
    start = start + graph.value(node.outputs[static_cast<size_t>(i)]).type.shape[axis];
  }
  return narrow(walk, axis, start, 1,
                graph.value(node.outputs[static_cast<size_t>(output)]).type.shape[axis]);
}

std::optional<std::vector<int64_t>> numbers_of(const ir::Graph& graph, ir::ValueId value) {
  const auto contents = value ? known_contents(graph, value) : std::nullopt;
  return contents ? ir::constants(*contents) : std::nullopt;
}

bool walk_slice(Walk& walk, const ir::Graph& graph, const ir::Node& node) {
  std::vector<std::vector<int64_t>> operands(5);  // 1 to 4: starts, ends, axes, steps
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    if (!node.inputs[i]) continue;
    const auto numbers = numbers_of(graph, node.inputs[i]);
    if (!numbers) return false;
    operands[i] = *numbers;
  }
  const Dims &from = graph.value(node.inputs[0]).type.shape, &to = graph.value(node.outputs[0]).type.shape;
  for (size_t i = 0; i < operands[1].size(); ++i) {
    const auto axis = static_cast<size_t>(
        operands[3].empty() ? static_cast<int64_t>(i)
                            : normalize_axis(operands[3][i], static_cast<int64_t>(from.size())));
    const int64_t step = operands[4].empty() ? 1 : operands[4][i];
    int64_t start = operands[1][i];
    if (from[axis].is_constant())
      start = slice_window(from[axis].constant(), start, operands[2][i], step).start;
    else if (start != 0 || step < 0)
      return false;  // it would have to be clamped
    if (!narrow(walk, axis, start, step, to[axis])) return false;
  }
  return true;
}

bool walk_gather(Walk& walk, const ir::Graph& graph, const ir::Node& node) {
  const Dims& from = graph.value(node.inputs[0]).type.shape;
  const auto axis =
      normalize_axis(node.attributes.as<AxisAttributes>().axis, static_cast<int64_t>(from.size()));
  const auto index = numbers_of(graph, node.inputs[1]);
  if (!index || index->size() != 1) return false;
  const Dim place = (*index)[0] < 0 ? from[static_cast<size_t>(axis)] + (*index)[0] : Dim((*index)[0]);
  if (!narrow(walk, static_cast<size_t>(axis), place, 1, 1)) return false;
  // The index's dimensions, all of them one, take the place of the axis.
  walk.dims.erase(walk.dims.begin() + axis);
  walk.dims.insert(walk.dims.begin() + axis, static_cast<size_t>(graph.value(node.inputs[1]).type.rank()),
                   Factors());
  return true;
}

/// `walk` was input 0's; makes it that of output `output`. False where that is no such walk.
bool step(Walk& walk, const ir::Graph& graph, const ir::Node& node, int output) {
  if (node.op == &def::transpose) return walk_transpose(walk, node);
  if (node.op == &def::split) return walk_split(walk, graph, node, output);
  if (node.op == &def::slice) return walk_slice(walk, graph, node);
  if (node.op == &def::gather) return walk_gather(walk, graph, node);
  if (definition(node).view && node.op != &def::bitcast)
    return walk_reshape(walk, graph.value(node.outputs[0]).type.shape);
  return false;
}

/// Whether step() may know the op.
bool moves(const ir::Node& node) {
  const ir::Op* op = node.op;
  return op == &def::transpose || op == &def::split || op == &def::slice || op == &def::gather ||
         (definition(node).view && op != &def::bitcast);
}

/// Walks from chain[start] to chain[0]. False where that is no arithmetic sequence.
bool follow(const ir::Graph& graph, const std::vector<ir::ValueId>& chain, size_t start,
            StridedSource& found) {
  Walk walk(graph.value(chain[start]).type.shape);
  for (size_t i = start; i-- > 0;) {
    const ir::Value& next = graph.value(chain[i]);
    found.moves.push_back(next.producer);
    if (!step(walk, graph, graph.node(next.producer), next.output_index)) return false;
  }
  found.offset = walk.offset;
  for (const Factors& factors : walk.dims) {
    const auto stride = stride_of(factors);
    if (!stride) return false;
    found.strides.push_back(*stride);
  }
  return true;
}

}  // namespace

StridedSource strided_source(const ir::Graph& graph, ir::ValueId value) {
  std::vector<ir::ValueId> chain = {value};  // from the value back
  while (true) {
    const ir::NodeId producer = graph.value(chain.back()).producer;
    if (!producer || !moves(graph.node(producer))) break;
    chain.push_back(graph.node(producer).inputs[0]);
  }
  for (size_t start = chain.size() - 1; start > 0; --start) {
    StridedSource found{chain[start], 0, {}, {}};
    if (follow(graph, chain, start, found)) return found;
  }
  StridedSource itself{value, 0, {}, {}};
  follow(graph, chain, 0, itself);
  return itself;
}

StridedSource strided_result(const ir::Graph& graph, ir::ValueId value, ir::ValueId result) {
  // A transpose and a change of shape only rename places: `result`'s elements as places in `value` must be
  // those of `value` with its dimensions in another order, whose dense strides are then the ones to write by.
  StridedSource found{value, 0, {}, {}};
  std::vector<size_t> order;  // of the dimensions of `value`, as `result` has them
  for (size_t d = 0; d < graph.value(value).type.shape.size(); ++d) order.push_back(d);
  for (ir::ValueId at = result; at != value; at = graph.node(graph.value(at).producer).inputs[0]) {
    const ir::NodeId producer = graph.value(at).producer;
    if (!producer || !moves(graph.node(producer))) return found;
    found.moves.insert(found.moves.begin(), producer);
  }
  const Dims& shape = graph.value(value).type.shape;
  bool reshaped = false;
  for (ir::NodeId move : found.moves) {
    const ir::Node& node = graph.node(move);
    if (node.op == &def::transpose && !reshaped) {
      const auto& perm = node.attributes.as<TransposeAttributes>().perm;
      const std::vector<size_t> before = order;
      for (size_t d = 0; d < order.size(); ++d)
        order[d] =
            before[perm.empty()
                       ? order.size() - 1 - d
                       : static_cast<size_t>(normalize_axis(perm[d], static_cast<int64_t>(order.size())))];
    } else if (definition(node).view && node.op != &def::bitcast) {
      reshaped = true;
    } else {
      return found;
    }
  }
  found.strides.assign(shape.size(), 0);
  Dim stride = 1;
  for (size_t i = order.size(); i-- > 0; stride = stride * shape[order[i]])
    if (!shape[order[i]].is(1)) found.strides[order[i]] = stride;
  return found;
}

}  // namespace burnish::ops
