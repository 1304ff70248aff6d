#include <algorithm>
#include <map>
#include <set>

#include "ops/contraction.h"
#include "ops/data_attributes.h"
#include "ops/table.h"
#include "passes/pass.h"
#include "rewrite/driver.h"

namespace burnish::passes {
namespace {

/// A product with weights of rank 2, and the bias behind it if one follows.
struct Sibling {
  ir::NodeId product, bias_add;
  ir::ValueId weights, bias, output;
  int64_t columns = 0;
};

std::optional<Sibling> as_sibling(const ir::Graph& graph, ir::NodeId id) {
  const ir::Node& node = graph.node(id);
  if (node.op != &ops::def::matmul || node.attributes.as<ops::MatMulAttributes>().transpose_a)
    return std::nullopt;
  const ir::Value& weights = graph.value(node.inputs[1]);
  if (!weights.constant_only || weights.type.rank() != 2) return std::nullopt;
  const bool transposed = node.attributes.as<ops::MatMulAttributes>().transpose_b;
  const ir::Dim columns = weights.type.shape[transposed ? 0 : 1];
  if (!columns.is_constant()) return std::nullopt;
  Sibling sibling{id, {}, node.inputs[1], {}, node.outputs[0], columns.constant()};
  const auto& uses = graph.value(sibling.output).uses;
  if (uses.size() != 1 || graph.is_output(sibling.output)) return sibling;
  const ir::Node& next = graph.node(uses[0].node);
  if (next.op != &ops::def::add) return sibling;
  const ir::ValueId bias = next.inputs[uses[0].input == 0 ? 1 : 0];
  if (!graph.value(bias).constant_only || graph.value(bias).type.shape != std::vector<ir::Dim>{columns})
    return sibling;
  sibling.bias_add = uses[0].node;
  sibling.bias = bias;
  sibling.output = next.outputs[0];
  return sibling;
}

/// Where all that the nodes read has been made: weights and biases may be computed between the siblings.
ir::NodeId last_of(const ir::Graph& graph, const std::vector<ir::NodeId>& nodes) {
  std::set<ir::NodeId> ahead(nodes.begin() + 1, nodes.end());
  ir::NodeId id = nodes.front();  // of the first sibling
  while (!ahead.empty()) {
    id = graph.node(id).next;
    ahead.erase(id);
  }
  return id;
}

/// One product with the weights side by side, one bias, one split.
ir::Patch merged(const ir::Graph& graph, const std::vector<Sibling>& siblings) {
  const ir::Node& first = graph.node(siblings[0].product);
  const bool transposed = first.attributes.as<ops::MatMulAttributes>().transpose_b;
  const int64_t rank = graph.value(siblings[0].output).type.rank();
  ir::Patch patch;
  patch.reason = "merge_siblings";
  const auto add_node = [&](const ops::OpDef& op, ir::Attributes attributes,
                            std::vector<ir::Patch::Source> inputs, int outputs = 1) {
    patch.nodes.push_back({&op, std::move(attributes), std::move(inputs), outputs});
    return ir::Patch::Made{static_cast<int>(patch.nodes.size()) - 1, 0};
  };
  std::vector<ir::Patch::Source> weights, biases;
  std::vector<int64_t> sizes;
  for (const Sibling& sibling : siblings) {
    weights.emplace_back(sibling.weights);
    if (sibling.bias) biases.emplace_back(sibling.bias);
    sizes.push_back(sibling.columns);
    patch.matched.push_back(sibling.product);
    if (sibling.bias_add) patch.matched.push_back(sibling.bias_add);
  }
  patch.root = last_of(graph, patch.matched);
  const auto side_by_side =
      add_node(ops::def::concat, ir::Attributes(ops::AxisAttributes{transposed ? 0 : 1}), std::move(weights));
  auto product = add_node(ops::def::matmul, first.attributes, {first.inputs[0], side_by_side});
  if (!biases.empty()) {
    const auto bias = add_node(ops::def::concat, ir::Attributes(ops::AxisAttributes{0}), std::move(biases));
    product = add_node(ops::def::add, {}, {product, bias});
  }
  patch.constants.push_back(Tensor::of<int64_t>({static_cast<int64_t>(sizes.size())}, sizes));
  const auto split = add_node(ops::def::split, ir::Attributes(ops::SplitAttributes{rank - 1, 0}),
                              {product, ir::Patch::NewConstant{0}}, static_cast<int>(siblings.size()));
  for (size_t i = 0; i < siblings.size(); ++i)
    patch.replacements.emplace_back(siblings[i].output, ir::Patch::Made{split.node, static_cast<int>(i)});
  return patch;
}

void merge(ir::Graph& graph, rewrite::RewriteLog& log) {
  // Siblings share input, attributes, element type, and whether they have a bias.
  std::map<std::tuple<ir::ValueId, std::string, bool>, std::vector<Sibling>> groups;
  for (ir::NodeId id : graph.order()) {
    const auto sibling = as_sibling(graph, id);
    if (!sibling) continue;
    const ir::Node& node = graph.node(id);
    groups[{node.inputs[0], node.attributes.str(), static_cast<bool>(sibling->bias)}].push_back(*sibling);
  }
  for (const auto& [key, siblings] : groups) {
    if (siblings.size() < 2 || log.exhausted()) continue;
    const ir::Patch patch = merged(graph, siblings);
    const std::string where = graph.node(siblings[0].product).source;
    if (const Support applied = rewrite::apply(graph, patch, log); !applied)
      log.miss("merge_siblings", where, applied.reason());
  }
}

}  // namespace

Pass merge_siblings() { return {"merge_siblings", merge}; }

}  // namespace burnish::passes
