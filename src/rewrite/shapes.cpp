#include "rewrite/shapes.h"

#include <fmt/format.h>

#include <set>

#include "base/dispatch.h"
#include "ir/attribute_value.h"
#include "ops/data_attributes.h"
#include "ops/table.h"

namespace burnish::rewrite {
namespace {

struct Holder {
  ir::ValueId value;
  int64_t dim = 0;
};

std::optional<Holder> find_in(const ir::Graph& graph, ir::ValueId id, const std::string& symbol) {
  const auto& shape = graph.value(id).type.shape;
  for (size_t i = 0; i < shape.size(); ++i)
    if (shape[i].symbol_name() == symbol) return Holder{id, static_cast<int64_t>(i)};
  return std::nullopt;
}

/// A value with a dimension that is `symbol` and nothing more: an input where one has it, else the first
/// value that is made before `before`.
std::optional<Holder> find_holder(const ir::Graph& graph, const std::string& symbol, ir::NodeId before) {
  for (ir::ValueId id : graph.inputs())
    if (const auto found = find_in(graph, id, symbol)) return found;
  for (ir::NodeId id : graph.order()) {
    if (id == before) break;
    for (ir::ValueId output : graph.node(id).outputs)
      if (output)
        if (const auto found = find_in(graph, output, symbol)) return found;
  }
  return std::nullopt;
}

Tensor integers(DType dtype, Shape shape, const std::vector<int64_t>& numbers) {
  Tensor tensor(dtype, std::move(shape));
  dispatch(Types<int64_t, int32_t, bool>{}, dtype, [&]<class T>(Type<T>) {
    for (size_t i = 0; i < numbers.size(); ++i) tensor.data<T>()[i] = static_cast<T>(numbers[i]);
  });
  return tensor;
}

ir::Patch::Source add_constant(ir::Patch& patch, Tensor tensor) {
  patch.constants.push_back(std::move(tensor));
  return ir::Patch::NewConstant{static_cast<int>(patch.constants.size()) - 1};
}

ir::Patch::Source add_node(ir::Patch& patch, const ops::OpDef& op, ir::Attributes attributes,
                           std::vector<ir::Patch::Source> inputs) {
  patch.nodes.push_back({&op, std::move(attributes), std::move(inputs), 1});
  return ir::Patch::Made{static_cast<int>(patch.nodes.size()) - 1, 0};
}

}  // namespace

std::optional<ir::Patch::Source> add_dims(const ir::Graph& graph, ir::Patch& patch,
                                          const std::vector<ir::Dim>& dims, std::string& why_not) {
  if (const auto numbers = ir::constants(dims))
    return add_constant(patch, integers(DType::i64, {static_cast<int64_t>(dims.size())}, *numbers));
  std::set<std::string> symbols;
  ops::DimsAttributes attributes;
  for (const ir::Dim& dim : dims) {
    dim.collect_symbols(symbols);
    attributes.dims.push_back(dim.str());
  }
  std::vector<ir::Patch::Source> inputs;
  std::vector<ir::ValueId> holders;
  for (const std::string& symbol : symbols) {
    const auto holder = find_holder(graph, symbol, patch.root);
    if (!holder) {
      why_not = fmt::format("no tensor has the dimension '{}' by itself", symbol);
      return std::nullopt;
    }
    size_t input = 0;
    while (input < holders.size() && holders[input] != holder->value) ++input;
    if (input == holders.size()) {
      holders.push_back(holder->value);
      inputs.emplace_back(holder->value);
    }
    attributes.symbols.push_back(symbol);
    attributes.sources.push_back(static_cast<int64_t>(input));
    attributes.sources.push_back(holder->dim);
  }
  return add_node(patch, ops::def::dims, ir::Attributes(std::move(attributes)), std::move(inputs));
}

std::optional<ir::Patch> contents_patch(const ir::Graph& graph, ir::ValueId id) {
  const ir::Value& value = graph.value(id);
  ir::Patch patch;
  patch.reason = "propagate_shapes";
  patch.root = value.producer;
  patch.matched = {value.producer};
  for (ir::ValueId output : graph.node(value.producer).outputs)
    if (output != id) patch.shared.push_back(output);
  ir::Patch::Source source;
  const auto shape = ir::constants(value.type.shape);
  if (const auto numbers = ir::constants(*value.contents); numbers && shape) {
    source = add_constant(patch, integers(value.type.dtype, *shape, *numbers));
  } else {
    std::string why_not;
    const auto made = add_dims(graph, patch, *value.contents, why_not);
    if (!made) return std::nullopt;
    source = *made;
    if (value.type.rank() == 0)
      source = add_node(patch, ops::def::squeeze, ir::Attributes(ops::AxesAttributes{{0}}), {source});
    if (value.type.dtype != DType::i64) {
      const ops::OpDef& cast = ops::find_op("cast");
      ir::Attributes attributes = cast.default_attributes;
      ir::set_attribute(attributes, "to", value.type.dtype);
      source = add_node(patch, cast, std::move(attributes), {source});
    }
  }
  patch.replacements = {{id, source}};
  return patch;
}

ir::AttributeValue reshape_target(const std::vector<ir::Dim>& from, const std::vector<ir::Dim>& to) {
  std::vector<int64_t> target;
  bool open = false;
  for (size_t i = 0; i < to.size(); ++i) {
    if (to[i].is(0)) return to;  // a 0 would copy
    if (to[i].is_constant()) {
      target.push_back(to[i].constant());
    } else if (i < from.size() && from[i] == to[i]) {
      target.push_back(0);
    } else if (!open) {
      open = true;
      target.push_back(-1);
    } else {
      return to;
    }
  }
  return target;
}

bool makes_dims(const ir::Graph& graph, ir::NodeId id) {
  const ir::Node& node = graph.node(id);
  if (node.op == &ops::def::dims) return true;
  if (node.op->name != "squeeze" && node.op->name != "cast") return false;
  const ir::NodeId producer = node.inputs[0] ? graph.value(node.inputs[0]).producer : ir::NodeId{};
  return producer && makes_dims(graph, producer);
}

}  // namespace burnish::rewrite
