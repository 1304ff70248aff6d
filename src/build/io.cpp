#include "build/io.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "build/model.h"
#include "build/shapes.h"
#include "ops/cast.h"
#include "ops/data_attributes.h"
#include "ops/infer.h"
#include "ops/table.h"

namespace burnish::build_internal {
namespace {

/// "fp16" as "f16", "uint8" as "u8": the names of --precision and of NumPy beside Burnish's own.
std::optional<DType> read_dtype(std::string text) {
  if (text.starts_with("fp")) text.erase(1, 1);
  return parse_dtype(text);
}

/// Of rank r: (0, 2, ..., r-1, 1) to channels last, (0, r-1, 1, ..., r-2) back.
std::vector<int64_t> permutation(int64_t rank, bool to_channels_last) {
  std::vector<int64_t> order(static_cast<size_t>(rank));
  std::iota(order.begin(), order.end(), int64_t{0});
  if (to_channels_last)
    std::rotate(order.begin() + 1, order.begin() + 2, order.end());
  else
    std::rotate(order.begin() + 1, order.end() - 1, order.end());
  return order;
}

void check_rank(const ir::Value& value, const std::string& name) {
  if (value.type.rank() < 3)
    throw UsageError(fmt::format(
        "--io: '{}' has rank {}; nhwc is for tensors with channels and at least one spatial dimension", name,
        value.type.rank()));
}

void format_input(ir::Graph& graph, ir::ValueId id, const std::string& name, const IoFormat& format) {
  const std::vector<ir::Use> uses = graph.value(id).uses;
  const ir::TensorType wanted = graph.value(id).type;
  const ir::NodeId first = graph.node_count() ? graph.order().front() : ir::NodeId{};
  if (format.dtype) graph.value(id).type.dtype = *format.dtype;
  ir::ValueId made = id;
  if (format.channels_last) {
    check_rank(graph.value(id), name);
    std::vector<ir::Dim>& shape = graph.value(id).type.shape;
    std::rotate(shape.begin() + 1, shape.begin() + 2, shape.end());
    const ir::NodeId node =
        ops::add_node(graph, ops::def::transpose,
                      ir::Attributes(ops::TransposeAttributes{permutation(wanted.rank(), false)}), {made}, 1,
                      name, {}, first);
    made = graph.node(node).outputs[0];
  }
  if (graph.value(made).type.dtype != wanted.dtype) {
    const ir::NodeId node = ops::add_node(
        graph, ops::def::cast, ir::Attributes(ops::CastAttributes{wanted.dtype}), {made}, 1, name, {}, first);
    made = graph.node(node).outputs[0];
  }
  if (made == id) return;
  for (const ir::Use& use : uses) graph.set_input(use.node, static_cast<size_t>(use.input), made);
  for (ir::Output& output : graph.outputs)
    if (output.value == id) output.value = made;
}

void format_output(ir::Graph& graph, ir::Output& output, const IoFormat& format) {
  const std::string name = output.name;
  if (format.dtype && graph.value(output.value).type.dtype != *format.dtype)
    output.value =
        graph
            .node(ops::add_node(graph, ops::def::cast, ir::Attributes(ops::CastAttributes{*format.dtype}),
                                {output.value}, 1, name))
            .outputs[0];
  if (!format.channels_last) return;
  check_rank(graph.value(output.value), name);
  const std::vector<int64_t> order = permutation(graph.value(output.value).type.rank(), true);
  output.value =
      graph
          .node(ops::add_node(graph, ops::def::transpose, ir::Attributes(ops::TransposeAttributes{order}),
                              {output.value}, 1, name))
          .outputs[0];
}

}  // namespace

IoFormat parse_io_format(const std::string& name, const std::string& text) {
  IoFormat format;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(':', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    const std::optional<DType> dtype = read_dtype(part);
    if (dtype)
      format.dtype = dtype;
    else if (part == "nhwc")
      format.channels_last = true;
    else if (part != "nchw")
      throw UsageError(
          fmt::format("--io: '{}' of '{}' is neither an element type (fp32, fp16, bf16, uint8, int64 ...) "
                      "nor a layout (nchw, nhwc)",
                      part, name));
    begin = end + 1;
  }
  return format;
}

Shape model_shape(const IoFormat& format, const Shape& handed_over) {
  Shape shape = handed_over;
  if (format.channels_last && shape.size() > 2) std::rotate(shape.begin() + 1, shape.end() - 1, shape.end());
  return shape;
}

void apply_io(ir::Graph& graph, const BuildOptions& options) {
  for (const auto& [wanted, text] : options.io) {
    const std::string& name = wanted;
    const IoFormat format = parse_io_format(name, text);
    bool found = false;
    for (ir::ValueId id : std::vector<ir::ValueId>(graph.inputs())) {
      if (graph.value(id).name != name) continue;
      format_input(graph, id, name, format);
      found = true;
    }
    for (ir::Output& output : graph.outputs) {
      if (output.name != name) continue;
      format_output(graph, output, format);
      found = true;
    }
    if (!found)
      throw UsageError(fmt::format("--io: the model has neither an input nor an output '{}'", name));
  }
}

std::shared_ptr<ir::Graph> requested_graph(const Model& model, const BuildOptions& options) {
  std::shared_ptr<ir::Graph> graph = model.state().graph->clone();
  apply_shapes(*graph, options);
  apply_io(*graph, options);
  return graph;
}

}  // namespace burnish::build_internal
