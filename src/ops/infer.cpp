#include "ops/infer.h"

#include <fmt/format.h>

#include "base/error.h"

namespace burnish::ops {
namespace {

/// Contents are followed for tensors of at most this many elements: shapes, axes, pads.
constexpr int64_t largest_contents = 64;

std::optional<std::vector<ir::Dim>> contents_of(const Tensor& tensor) {
  if (tensor.empty() || !tensor.raw() || tensor.rank() > 1 || tensor.size() > largest_contents) return std::nullopt;
  std::vector<ir::Dim> contents;
  for (int64_t i = 0; i < tensor.size(); ++i) {
    switch (tensor.dtype()) {
      case DType::i64: contents.emplace_back(tensor.data<int64_t>()[i]); break;
      case DType::i32: contents.emplace_back(static_cast<int64_t>(tensor.data<int32_t>()[i])); break;
      case DType::boolean: contents.emplace_back(static_cast<int64_t>(tensor.data<bool>()[i])); break;
      default: return std::nullopt;
    }
  }
  return contents;
}

}  // namespace

const ir::TensorType& InferContext::type(int i) const {
  require(has(i), "input {} ('{}') is missing", i,
          static_cast<size_t>(i) < op_.inputs.size() ? op_.inputs[static_cast<size_t>(i)].name : "?");
  return inputs_[static_cast<size_t>(i)].type;
}

const std::vector<ir::Dim>* InferContext::contents(int i) const {
  return has(i) ? inputs_[static_cast<size_t>(i)].contents : nullptr;
}

std::optional<std::vector<int64_t>> InferContext::numbers(int i) const {
  const auto* known = contents(i);
  return known ? ir::constants(*known) : std::nullopt;
}

const Tensor* InferContext::constant(int i) const {
  return has(i) ? inputs_[static_cast<size_t>(i)].constant : nullptr;
}

void InferContext::set(int i, DType dtype, std::vector<ir::Dim> shape) {
  if (i >= outputs()) return;
  for (const ir::Dim& dim : shape)
    require(!dim.is_constant() || dim.constant() >= 0, "output {} would have the negative dimension {}", i, dim.str());
  types_[static_cast<size_t>(i)].dtype = dtype;
  types_[static_cast<size_t>(i)].shape = std::move(shape);
}

void InferContext::set_contents(int i, std::vector<ir::Dim> contents) {
  if (i < outputs() && static_cast<int64_t>(contents.size()) <= largest_contents)
    contents_[static_cast<size_t>(i)] = std::move(contents);
}

std::optional<std::vector<ir::Dim>> known_contents(const ir::Graph& graph, ir::ValueId id) {
  const ir::Value& value = graph.value(id);
  return value.contents ? value.contents : contents_of(value.constant);
}

void infer(ir::Graph& graph, ir::NodeId id) {
  const ir::Node& node = graph.node(id);
  const OpDef& op = definition(node);
  std::vector<InferInput> inputs(node.inputs.size());
  std::vector<std::optional<std::vector<ir::Dim>>> contents(node.inputs.size());
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (!node.inputs[i]) continue;
    const ir::Value& value = graph.value(node.inputs[i]);
    contents[i] = known_contents(graph, node.inputs[i]);
    inputs[i] = {true, value.type, contents[i] ? &*contents[i] : nullptr,
                 value.is_constant() && value.constant.raw() ? &value.constant : nullptr};
  }
  const auto fresh = [&](int output, int dim) {
    // Named after the value, so that inferring again gives the same symbol; after the node where nobody wants the value.
    const auto at = static_cast<size_t>(output);
    const bool wanted = at < node.outputs.size() && node.outputs[at];
    const std::string owner = wanted ? fmt::to_string(node.outputs[at].index) : fmt::format("n{}_{}", id.index, at);
    return ir::Dim::symbol(fmt::format("{}${}_{}", graph.name == "main" ? "" : graph.name, owner, dim));
  };
  InferContext context(op, node.attributes, std::move(inputs), static_cast<int>(node.outputs.size()), node.bodies, fresh, graph.symbols);
  with_context([&] { return fmt::format("node '{}' ({})", node.source, op.name); }, [&] { op.infer(context); });
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (!node.outputs[i]) continue;
    ir::Value& value = graph.value(node.outputs[i]);
    value.type = context.output_types()[i];
    value.contents = context.output_contents()[i];
    for (ir::Dim& dim : value.type.shape) dim = dim.within(graph.symbols);
    if (value.contents)
      for (ir::Dim& dim : *value.contents) dim = dim.within(graph.symbols);
  }
}

void infer(ir::Graph& graph) {
  for (ir::NodeId id : graph.order()) infer(graph, id);
}

void substitute(ir::Graph& graph, const std::map<std::string, ir::Dim, std::less<>>& replacements) {
  for (ir::ValueId id : graph.inputs()) {
    ir::Value& input = graph.value(id);
    for (ir::Dim& dim : input.type.shape) dim = dim.substitute(replacements);
    if (!input.contents) continue;
    for (ir::Dim& dim : *input.contents) dim = dim.substitute(replacements);
  }
  for (ir::NodeId id : graph.order()) {
    for (const auto& body : graph.node(id).bodies) substitute(*body, replacements);
    infer(graph, id);
  }
}

ir::NodeId add_node(ir::Graph& graph, const OpDef& op, ir::Attributes attributes, std::vector<ir::ValueId> inputs,
                    int output_count, const std::string& source, const std::vector<std::string>& names, ir::NodeId before) {
  const ir::NodeId id = graph.add_node(op, std::move(attributes), std::move(inputs), output_count, names, before);
  graph.node(id).source = source;
  infer(graph, id);
  return id;
}

int64_t normalize_axis(int64_t axis, int64_t rank) {
  require(axis >= -rank && axis < rank, "axis {} is out of range for rank {}", axis, rank);
  return axis < 0 ? axis + rank : axis;
}

std::vector<ir::Dim> broadcast_shapes(const std::vector<ir::Dim>& a, const std::vector<ir::Dim>& b) {
  const size_t rank = std::max(a.size(), b.size());
  std::vector<ir::Dim> shape(rank);
  for (size_t i = 0; i < rank; ++i) {
    const ir::Dim x = i + a.size() < rank ? ir::Dim(1) : a[i + a.size() - rank];
    const ir::Dim y = i + b.size() < rank ? ir::Dim(1) : b[i + b.size() - rank];
    shape[i] = ir::broadcast(x, y);
  }
  return shape;
}

void infer_same(InferContext& context) { context.set(0, context.type(0)); }

void infer_broadcast(InferContext& context) {
  std::vector<ir::Dim> shape = context.shape(0);
  for (int i = 1; i < context.inputs(); ++i)
    if (context.has(i)) shape = broadcast_shapes(shape, context.shape(i));
  context.set(0, context.dtype(0), std::move(shape));
}

}  // namespace burnish::ops
