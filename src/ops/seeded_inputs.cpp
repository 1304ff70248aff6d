#include "ops/seeded_inputs.h"

#include <algorithm>
#include <array>
#include <random>
#include <set>
#include <string_view>

#include "base/dispatch.h"
#include "ops/control.h"
#include "ops/evaluate.h"
#include "ops/host.h"
#include "ops/op_def.h"

namespace burnish::ops {
namespace {

/// Ops whose input 1 holds positions along an axis of input 0.
constexpr std::array<std::string_view, 3> indexers = {"gather", "gather_elements", "scatter_elements"};
/// Ops that hand their input 0 on, moved, converted or clipped.
constexpr std::array<std::string_view, 11> passers = {"cast",   "reshape",   "squeeze", "unsqueeze",
                                                      "expand", "transpose", "slice",   "flatten",
                                                      "tile",   "clip",      "reformat"};

bool contains(auto& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Reads the attribute `axis`.
class AxisReader : public ir::AttributeVisitor {
 public:
  int64_t axis = 0;
  void operator()(std::string_view name, int64_t& value) override {
    if (name == "axis") axis = value;
  }
  void operator()(std::string_view, double&) override {}
  void operator()(std::string_view, bool&) override {}
  void operator()(std::string_view, std::string&) override {}
  void operator()(std::string_view, DType&) override {}
  void operator()(std::string_view, std::vector<int64_t>&) override {}
  void operator()(std::string_view, std::vector<double>&) override {}
  void operator()(std::string_view, std::vector<std::string>&) override {}
};

/// The dimension that an indexing node looks up in, where it is a number.
std::optional<int64_t> indexed_dim(const ir::Graph& graph, const ir::Node& node) {
  const ir::TensorType& data = graph.value(node.inputs[0]).type;
  AxisReader reader;
  node.attributes.inspect(reader);
  const int64_t axis = reader.axis < 0 ? reader.axis + data.rank() : reader.axis;
  if (axis < 0 || axis >= data.rank() || !data.shape[static_cast<size_t>(axis)].is_constant())
    return std::nullopt;
  return data.shape[static_cast<size_t>(axis)].constant();
}

bool only_passes(const ir::Graph& body) {
  const std::vector<ir::NodeId> nodes = body.order();
  return std::all_of(nodes.begin(), nodes.end(),
                     [&](ir::NodeId id) { return contains(passers, body.node(id).op->name); });
}

/// One more than the largest of the constants that the other operand of a comparison for equality holds: a
/// one-hot encoding spelt out knows so many values.
std::optional<int64_t> compared_bound(const ir::Graph& graph, const ir::Node& node, int32_t input) {
  if (node.op->name != "equal") return std::nullopt;
  const Tensor other = constant_value(graph, node.inputs[input == 0 ? 1 : 0]);
  if (other.size() < 2 || is_floating(other.dtype())) return std::nullopt;
  const std::vector<int64_t> values = integers_of(other);
  return std::min<int64_t>(*std::max_element(values.begin(), values.end()), 1 << 30) + 1;
}

/// One more than the largest index that the input's readers take, else that they compare it with; nullopt
/// where they do neither.
std::optional<int64_t> index_bound(const ir::Graph& graph, ir::ValueId input) {
  std::optional<int64_t> bound, compared;
  std::vector<ir::ValueId> open = {input};
  std::set<ir::ValueId> seen = {input};
  while (!open.empty()) {
    const ir::ValueId value = open.back();
    open.pop_back();
    for (const ir::Use& use : graph.value(value).uses) {
      const ir::Node& node = graph.node(use.node);
      if (!node.bodies.empty() && !is_control(*node.op)) {
        const ir::Graph& body = *node.bodies[0];
        const auto inside = index_bound(body, body.inputs().at(static_cast<size_t>(use.input)));
        if (inside) bound = std::min(bound.value_or(*inside), *inside);
        if (only_passes(body) && seen.insert(node.outputs[0]).second) open.push_back(node.outputs[0]);
      } else if (use.input == 1 && contains(indexers, node.op->name)) {
        if (const auto dim = indexed_dim(graph, node)) bound = std::min(bound.value_or(*dim), *dim);
      } else if (const auto values = compared_bound(graph, node, use.input)) {
        compared = std::max(compared.value_or(*values), *values);
      } else if (use.input == 0 && contains(passers, node.op->name) && seen.insert(node.outputs[0]).second) {
        open.push_back(node.outputs[0]);
      }
    }
  }
  return bound ? bound : compared;
}

}  // namespace

Tensor seeded_input(const ir::Graph& graph, ir::ValueId input, const Shape& shape, uint64_t seed) {
  const ir::Value& value = graph.value(input);
  std::seed_seq sequence(value.name.begin(), value.name.end());
  std::array<uint32_t, 2> mixed{};
  sequence.generate(mixed.begin(), mixed.end());
  std::mt19937_64 random(seed ^ (static_cast<uint64_t>(mixed[0]) << 32 | mixed[1]));
  Tensor tensor(value.type.dtype, shape);
  const int64_t bound =
      is_integer(value.type.dtype) ? std::max<int64_t>(1, index_bound(graph, input).value_or(2)) : 2;
  dispatch(AllTypes{}, value.type.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    T* data = tensor.data<T>();
    for (int64_t i = 0; i < tensor.size(); ++i) {
      if constexpr (std::is_floating_point_v<compute_t<T>>)
        data[i] = static_cast<T>(static_cast<float>(static_cast<double>(random() >> 11) * 0x1p-52 - 1.0));
      else
        data[i] = static_cast<T>(static_cast<compute_t<T>>(random() % static_cast<uint64_t>(bound)));
    }
  });
  return tensor;
}

std::vector<Tensor> seeded_inputs(const ir::Graph& graph, uint64_t seed) {
  ir::Bindings bindings;
  for (const auto& [name, range] : graph.symbols) bindings[name] = range.opt;
  std::vector<Tensor> inputs;
  for (ir::ValueId id : graph.inputs())
    inputs.push_back(seeded_input(graph, id, ir::evaluate(graph.value(id).type.shape, bindings), seed));
  return inputs;
}

}  // namespace burnish::ops
