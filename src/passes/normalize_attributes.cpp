// One spelling for attributes that mean the same.
#include <algorithm>

#include "ir/attribute_value.h"
#include "ops/contraction.h"
#include "ops/infer.h"
#include "ops/pool.h"
#include "ops/reduce.h"
#include "ops/table.h"
#include "passes/pass.h"

namespace burnish::passes {
namespace {

/// Axes of a reduction: listed, counted from the front, sorted, in the attribute and not in an input.
void normalize_reduction(ir::Graph& graph, ir::NodeId id) {
  ir::Node& node = graph.node(id);
  if (!node.attributes.holds<ops::ReduceAttributes>()) return;
  ops::ReduceAttributes attributes = node.attributes.as<ops::ReduceAttributes>();
  const int64_t rank = graph.value(node.inputs[0]).type.rank();
  if (node.inputs.size() > 1 && node.inputs[1]) {
    const auto contents = ops::known_contents(graph, node.inputs[1]);
    const auto axes = contents ? ir::constants(*contents) : std::nullopt;
    if (!axes) return;
    attributes.axes = *axes;
  }
  if (attributes.axes.empty() && attributes.noop_with_empty_axes) return;
  if (attributes.axes.empty())
    for (int64_t axis = 0; axis < rank; ++axis) attributes.axes.push_back(axis);
  if (attributes.axes.empty()) return;  // a scalar
  for (int64_t& axis : attributes.axes) axis = ops::normalize_axis(axis, rank);
  std::sort(attributes.axes.begin(), attributes.axes.end());
  attributes.noop_with_empty_axes = false;
  if (node.inputs.size() > 1) {
    graph.set_input(id, 1, {});
    node.inputs.resize(1);
  }
  node.attributes = ir::Attributes(attributes);
}

/// `axis` counted from the front, in ops whose axis is one of input 0 (one_hot's is one of its output).
void normalize_axis_of_input(const ir::Graph& graph, ir::Node& node) {
  if (node.op->name == "one_hot") return;
  const auto axis = ir::get_attribute(node.attributes, "axis");
  const auto* number = axis ? std::get_if<int64_t>(&*axis) : nullptr;
  if (!number || *number >= 0 || node.inputs.empty() || !node.inputs[0]) return;
  ir::set_attribute(node.attributes, "axis", *number + graph.value(node.inputs[0]).type.rank());
}

/// Pads as numbers where auto_pad decides them alike for every size.
template <class A>
void normalize_window(const ir::Graph& graph, ir::Node& node, const std::vector<ir::Dim>& kernel) {
  const A& attributes = node.attributes.as<A>();
  if (attributes.auto_pad == "NOTSET") return;
  const auto& shape = graph.value(node.inputs[0]).type.shape;
  const auto sizes = ir::constants(kernel);
  if (!sizes) return;
  std::vector<int64_t> pads(2 * sizes->size(), 0);
  if (attributes.auto_pad != "VALID") {
    // SAME: output = ceil(input / stride); what it depends on is known for a stride of 1 or a known input.
    Shape input;
    for (size_t i = 0; i < sizes->size(); ++i) {
      const bool unit_stride = attributes.strides.empty() || attributes.strides[i] == 1;
      if (!shape[i + 2].is_constant() && !unit_stride) return;
      input.push_back(shape[i + 2].is_constant() ? shape[i + 2].constant() : 1024);
    }
    const ops::Window window = ops::resolve_window(attributes, *sizes, input);
    std::copy(window.pads_begin.begin(), window.pads_begin.end(), pads.begin());
    std::copy(window.pads_end.begin(), window.pads_end.end(),
              pads.begin() + static_cast<long>(sizes->size()));
  }
  A& changed = node.attributes.edit<A>();
  changed.auto_pad = "NOTSET";
  changed.pads = std::move(pads);
}

std::vector<ir::Dim> spatial(const std::vector<ir::Dim>& shape) { return {shape.begin() + 2, shape.end()}; }

void normalize_windows(const ir::Graph& graph, ir::Node& node) {
  if (node.op == &ops::def::conv)
    normalize_window<ops::ConvAttributes>(graph, node, spatial(graph.value(node.inputs[1]).type.shape));
  const auto pool = [&]<class A>(const ops::OpDef& op) {
    if (node.op != &op) return;
    const auto& kernel = node.attributes.as<A>().kernel_shape;
    if (!node.attributes.as<A>().ceil_mode) normalize_window<A>(graph, node, {kernel.begin(), kernel.end()});
  };
  pool.template operator()<ops::MaxPoolAttributes>(ops::def::max_pool);
  pool.template operator()<ops::AveragePoolAttributes>(ops::def::average_pool);
}

}  // namespace

Pass normalize_attributes() {
  return {"normalize_attributes", [](ir::Graph& graph, rewrite::RewriteLog&) {
            for (ir::NodeId id : graph.order()) {
              normalize_reduction(graph, id);
              normalize_axis_of_input(graph, graph.node(id));
              normalize_windows(graph, graph.node(id));
            }
          }};
}

}  // namespace burnish::passes
