#include "cover/regions.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "cover/moves.h"
#include "ops/control.h"
#include "ops/evaluate.h"
#include "ops/infer.h"
#include "ops/pool.h"
#include "ops/table.h"

namespace burnish::cover {
namespace {

/// More nodes than this in one region help no kernel.
constexpr size_t most_nodes = 24;

bool runs(const ir::Graph& graph, ir::NodeId id) {
  const ir::Node& node = graph.node(id);
  const ops::OpDef& op = ops::definition(node);
  const bool weight = !node.outputs.empty() && graph.value(node.outputs[0]).constant_only;
  return !weight && !op.view && !ops::is_control(op);
}

bool fusible(const ir::Graph& graph, ir::NodeId id) {
  const ir::Node& node = graph.node(id);
  return runs(graph, id) && ops::definition(node).fusion == ops::Fusion::pointwise && node.outputs.size() == 1;
}

/// A max pool whose windows cover its input once, two by two: behind a contraction it halves what leaves each tile.
bool pools_in_pairs(const ir::Graph& graph, ir::NodeId id) {
  const ir::Node& node = graph.node(id);
  if (!runs(graph, id) || node.op != &ops::def::max_pool || node.outputs.size() != 1) return false;
  const auto& pool = node.attributes.as<ops::MaxPoolAttributes>();
  const auto all = [](const std::vector<int64_t>& list, int64_t value) { return std::all_of(list.begin(), list.end(), [&](int64_t each) { return each == value; }); };
  return pool.kernel_shape == std::vector<int64_t>{2, 2} && pool.strides == pool.kernel_shape && all(pool.pads, 0) && all(pool.dilations, 1) && pool.auto_pad == "NOTSET";
}

bool anchors_regions(const ops::OpDef& op) {
  return op.fusion == ops::Fusion::contraction || op.fusion == ops::Fusion::reduction || op.fusion == ops::Fusion::pointwise || &op == &ops::def::concat || &op == &ops::def::resize;
}

/// Grows a region forward from its anchor, pulling in pointwise producers that nothing else needs.
class Grower {
 public:
  Grower(const ir::Graph& graph, const std::map<ir::NodeId, int>& positions) : graph_(graph), positions_(positions) {}

  /// `with`: nodes that are in each of the regions. Without `goes_on` they are all.
  std::vector<Region> grow(ir::NodeId anchor, const std::set<ir::NodeId>& with = {}, bool goes_on = true) {
    anchor_ = anchor;
    members_.clear();
    nodes_.clear();
    add(anchor);
    for (ir::NodeId id : with) add(id);
    std::vector<Region> found;
    const bool pointwise_anchor = fusible(graph_, anchor);
    if (pointwise_anchor) pull_producers(anchor);
    while (true) {
      const std::vector<ir::ValueId> open = open_values();
      // A pointwise anchor is kept alone and as long as it gets; a contraction with every length between.
      if (open.size() == 1) found.push_back(make(open));
      if (!goes_on || open.empty() || nodes_.size() >= most_nodes) break;
      const ir::NodeId next = earliest_user(open);
      if (next && open.size() == 1 && graph_.node(anchor).op == &ops::def::conv && pools_in_pairs(graph_, next) && graph_.value(open[0]).uses.size() == 1 && !graph_.is_output(open[0])) {
        add(next);
        found.push_back(make(open_values()));
        break;
      }
      if (!next || !fusible(graph_, next)) break;
      add(next);
      pull_producers(next);
    }
    return found;
  }

  /// The pointwise ops that make a convolution's input and nothing else. None where they are better placed behind the
  /// contraction whose result they alone take.
  std::set<ir::NodeId> prologue_of(ir::NodeId conv) {
    members_.clear();
    nodes_.clear();
    add(conv);
    pull_producers(conv, &graph_.value(graph_.node(conv).inputs[0]).type.shape);
    std::set<ir::NodeId> makers;
    for (const auto& [position, id] : nodes_) {
      if (id == conv) continue;
      if (continues_contraction(id)) return {};
      makers.insert(id);
    }
    return makers;
  }

  /// A norm with the pointwise ops and gathers that make what it normalises.
  std::set<ir::NodeId> made_by(ir::NodeId norm) {
    members_.clear();
    nodes_.clear();
    add(norm);
    gathers_join_ = true;
    pull_producers(norm);
    gathers_join_ = false;
    std::set<ir::NodeId> makers;
    for (const auto& [position, id] : nodes_)
      if (id != norm) makers.insert(id);
    return makers;
  }

 private:
  /// Whether `id` alone takes a contraction's result of its own shape.
  bool continues_contraction(ir::NodeId id) const {
    const ir::Node& node = graph_.node(id);
    return std::any_of(node.inputs.begin(), node.inputs.end(), [&](ir::ValueId input) {
      if (!input || !graph_.value(input).producer) return false;
      const ir::Value& value = graph_.value(input);
      return ops::definition(graph_.node(value.producer)).fusion == ops::Fusion::contraction && value.uses.size() == 1 &&
             value.type.shape == graph_.value(node.outputs[0]).type.shape;
    });
  }

  void add(ir::NodeId id) {
    members_.insert(positions_.at(id));
    nodes_.emplace(positions_.at(id), id);
  }
  bool inside(ir::NodeId id) const {
    const auto found = positions_.find(id);
    return found != positions_.end() && members_.contains(found->second);
  }

  /// Pointwise producers with no use outside join, so that a tree of them is one kernel; with `shape`, those
  /// of that shape.
  void pull_producers(ir::NodeId id, const std::vector<ir::Dim>* shape = nullptr) {
    for (ir::ValueId input : graph_.node(id).inputs) {
      if (!input || nodes_.size() >= most_nodes) continue;
      const ir::Value& value = graph_.value(input);
      if (!value.producer || inside(value.producer) || !joins(value.producer) || graph_.is_output(input)) continue;
      const bool only_here = std::all_of(value.uses.begin(), value.uses.end(), [&](const ir::Use& use) { return inside(use.node); });
      if (!only_here || (shape && value.type.shape != *shape)) continue;
      add(value.producer);
      pull_producers(value.producer, shape);
    }
  }

  bool joins(ir::NodeId id) const {
    return fusible(graph_, id) || (gathers_join_ && runs(graph_, id) && graph_.node(id).op == &ops::def::gather);
  }

  std::vector<ir::ValueId> open_values() const {
    std::vector<ir::ValueId> open;
    for (const auto& [position, id] : nodes_) {
      for (ir::ValueId output : graph_.node(id).outputs) {
        const auto& uses = graph_.value(output).uses;
        const bool leaves = graph_.is_output(output) || std::any_of(uses.begin(), uses.end(), [&](const ir::Use& use) { return !inside(use.node); });
        if (leaves) open.push_back(output);
      }
    }
    return open;
  }

  ir::NodeId earliest_user(const std::vector<ir::ValueId>& open) const {
    ir::NodeId earliest;
    for (ir::ValueId value : open)
      for (const ir::Use& use : graph_.value(value).uses)
        if (!inside(use.node) && positions_.contains(use.node) && (!earliest || positions_.at(use.node) < positions_.at(earliest))) earliest = use.node;
    return earliest;
  }

  Region make(const std::vector<ir::ValueId>& outputs) const {
    Region region;
    region.anchor = anchor_;
    region.outputs = outputs;
    for (const auto& [position, id] : nodes_) {
      region.nodes.push_back(id);
      region.positions.push_back(position);
      for (ir::ValueId input : graph_.node(id).inputs) {
        if (!input || inside(graph_.value(input).producer)) continue;
        if (std::find(region.inputs.begin(), region.inputs.end(), input) == region.inputs.end()) region.inputs.push_back(input);
      }
    }
    return region;
  }

  const ir::Graph& graph_;
  const std::map<ir::NodeId, int>& positions_;
  ir::NodeId anchor_;
  std::set<int> members_;
  std::map<int, ir::NodeId> nodes_;
  bool gathers_join_ = false;
};

Region single(const ir::Graph& graph, ir::NodeId id, int position) {
  Region region;
  region.anchor = id;
  region.nodes = {id};
  region.positions = {position};
  for (ir::ValueId input : graph.node(id).inputs)
    if (input && std::find(region.inputs.begin(), region.inputs.end(), input) == region.inputs.end()) region.inputs.push_back(input);
  region.outputs = graph.node(id).outputs;
  return region;
}

/// What joins an anchor beside the pointwise ops behind it: the moves that its kernel may do by strides, and what
/// makes the rows that a norm takes or the pixels that a convolution takes.
std::set<ir::NodeId> company_of(const ir::Graph& graph, const std::map<ir::NodeId, int>& positions, ir::NodeId anchor) {
  const ir::Op* op = graph.node(anchor).op;
  if (op == &ops::def::attention) {
    std::set<ir::NodeId> moves = moves_before(graph, anchor, graph.node(anchor).inputs.size());
    moves.merge(moves_behind(graph, anchor));
    return moves;
  }
  if (ops::definition(graph.node(anchor)).fusion == ops::Fusion::injective) return moves_into(graph, anchor);
  if (op == &ops::def::matmul) return moves_before(graph, anchor, 1);
  if (op == &ops::def::layer_norm || op == &ops::def::rms_norm) return Grower(graph, positions).made_by(anchor);
  if (op == &ops::def::conv) return Grower(graph, positions).prologue_of(anchor);
  return {};
}

}  // namespace

std::vector<Region> find_regions(const ir::Graph& graph) {
  const std::vector<ir::NodeId> order = graph.order();
  std::map<ir::NodeId, int> positions;
  for (size_t i = 0; i < order.size(); ++i) positions[order[i]] = static_cast<int>(i);
  std::vector<Region> regions;
  std::set<std::vector<int>> seen;
  for (ir::NodeId id : order) {
    if (!runs(graph, id)) continue;
    std::vector<Region> found = {single(graph, id, positions[id])};
    if (anchors_regions(ops::definition(graph.node(id))) && graph.node(id).outputs.size() == 1)
      for (Region& region : Grower(graph, positions).grow(id)) found.push_back(std::move(region));
    if (const std::set<ir::NodeId> company = company_of(graph, positions, id); !company.empty()) {
      const bool goes_on = ops::definition(graph.node(id)).fusion != ops::Fusion::injective;
      for (Region& region : Grower(graph, positions).grow(id, company, goes_on)) found.push_back(std::move(region));
    }
    for (Region& region : found)
      if (seen.insert(region.positions).second) regions.push_back(std::move(region));
  }
  return regions;
}

bool adds_cheap_ops(const ir::Graph& graph, const Region& whole, const Region& part) {
  namespace def = ops::def;
  static const std::set<const ir::Op*> cheap = {&def::relu, &def::clip, &def::leaky_relu, &def::add, &def::sub, &def::mul,
                                                &def::maximum, &def::minimum, &def::hardswish, &def::hardsigmoid};
  if (whole.anchor != part.anchor || whole.nodes.size() <= part.nodes.size()) return false;
  const ops::OpDef& op = ops::definition(graph.node(whole.anchor));
  const bool contraction = op.fusion == ops::Fusion::contraction;
  if (!contraction && op.fusion != ops::Fusion::pointwise && &op != &def::concat) return false;
  // Without a contraction, what is read is the time: only weights may join.
  if (!contraction && !std::all_of(whole.inputs.begin(), whole.inputs.end(), [&](ir::ValueId input) {
        return graph.value(input).constant_only || std::find(part.inputs.begin(), part.inputs.end(), input) != part.inputs.end();
      }))
    return false;
  if (!std::includes(whole.positions.begin(), whole.positions.end(), part.positions.begin(), part.positions.end())) return false;
  const auto anchor = std::find(whole.nodes.begin(), whole.nodes.end(), whole.anchor);
  for (auto id = whole.nodes.begin(); id != whole.nodes.end(); ++id) {
    if (std::find(part.nodes.begin(), part.nodes.end(), *id) != part.nodes.end()) continue;
    if (id < anchor || !cheap.contains(graph.node(*id).op)) return false;
  }
  return true;
}

std::string joined_sources(const ir::Graph& graph, const Region& region) {
  std::string all;
  for (ir::NodeId id : region.nodes) {
    const std::string& source = graph.node(id).source;
    if (!source.empty()) all += (all.empty() ? "" : ", ") + source;
  }
  return ir::each_source_once(all);
}

std::shared_ptr<ir::Graph> region_body(const ir::Graph& graph, const Region& region) {
  auto body = std::make_shared<ir::Graph>("region");
  std::map<ir::ValueId, ir::ValueId> made;
  for (ir::ValueId input : region.inputs) made[input] = body->add_input(graph.value(input).name, graph.value(input).type);
  for (ir::NodeId id : region.nodes) {
    const ir::Node& node = graph.node(id);
    std::vector<ir::ValueId> inputs;
    std::vector<std::string> names;
    for (ir::ValueId input : node.inputs) inputs.push_back(input ? made.at(input) : ir::ValueId{});
    for (ir::ValueId output : node.outputs) names.push_back(graph.value(output).name);
    const ir::NodeId copy = body->add_node(*node.op, node.attributes, inputs, static_cast<int>(node.outputs.size()), names);
    body->node(copy).source = node.source;
    body->node(copy).bodies = node.bodies;
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      made[node.outputs[i]] = body->node(copy).outputs[i];
      body->value(body->node(copy).outputs[i]).type = graph.value(node.outputs[i]).type;
    }
  }
  for (ir::ValueId output : region.outputs) body->outputs.push_back({"", made.at(output)});
  return body;
}

namespace {

/// Adds the region's node to `graph`; `inputs` stand for region.inputs, and `source_graph` holds its nodes.
ir::NodeId add_region_node(ir::Graph& graph, const ir::Graph& source_graph, const Region& region, const std::vector<ir::ValueId>& inputs, ir::NodeId before) {
  ir::NodeId made;
  if (region.nodes.size() == 1) {
    const ir::Node& node = source_graph.node(region.nodes[0]);
    std::vector<ir::ValueId> operands;
    for (ir::ValueId input : node.inputs) {
      const auto at = std::find(region.inputs.begin(), region.inputs.end(), input);
      operands.push_back(input ? inputs[static_cast<size_t>(at - region.inputs.begin())] : ir::ValueId{});
    }
    const std::vector<std::shared_ptr<ir::Graph>> bodies = node.bodies;
    made = graph.add_node(*node.op, node.attributes, operands, static_cast<int>(node.outputs.size()), {}, before);
    graph.node(made).bodies = bodies;
  } else {
    made = graph.add_node(ops::def::region, ir::Attributes(), inputs, static_cast<int>(region.outputs.size()), {}, before);
    graph.node(made).bodies.push_back(region_body(source_graph, region));
  }
  graph.node(made).source = joined_sources(source_graph, region);
  for (size_t i = 0; i < region.outputs.size(); ++i) {
    ir::Value& output = graph.value(graph.node(made).outputs[i]);
    output.type = source_graph.value(region.outputs[i]).type;
    output.contents = source_graph.value(region.outputs[i]).contents;
    output.constant_only = false;
  }
  return made;
}

}  // namespace

device::Problem region_problem(const ir::Graph& graph, const Region& region) {
  ir::Graph scratch("scratch");
  scratch.symbols = graph.symbols;
  std::vector<ir::ValueId> inputs;
  for (ir::ValueId input : region.inputs) {
    const ir::Value& value = graph.value(input);
    const ir::ValueId copy = value.is_constant() ? scratch.add_constant(value.name, value.constant) : scratch.add_input(value.name, value.type);
    scratch.value(copy).constant_only = value.constant_only;
    inputs.push_back(copy);
  }
  const ir::NodeId node = add_region_node(scratch, graph, region, inputs, {});
  for (ir::ValueId output : scratch.node(node).outputs) scratch.outputs.push_back({"", output});
  return device::Problem::of(scratch, node);
}

ir::ValueId operand(const ir::Graph& graph, const Region& region, const device::Problem& problem, int i) {
  const auto which = static_cast<size_t>(problem.node_inputs()[static_cast<size_t>(i)]);
  return region.nodes.size() == 1 ? graph.node(region.nodes[0]).inputs[which] : region.inputs[which];
}

ir::NodeId replace_by_node(ir::Graph& graph, const Region& region, const std::vector<ir::ValueId>& inputs) {
  const ir::NodeId made = add_region_node(graph, graph, region, inputs, graph.node(region.nodes.back()).next);
  for (size_t i = 0; i < region.outputs.size(); ++i) {
    const std::string name = graph.value(region.outputs[i]).name;
    graph.replace_uses(region.outputs[i], graph.node(made).outputs[i]);
    graph.rename(region.outputs[i], name + ".covered");
    graph.rename(graph.node(made).outputs[i], name);
  }
  for (size_t i = region.nodes.size(); i-- > 0;) graph.erase(region.nodes[i]);
  return made;
}

std::vector<Tensor> weights_of(const ir::Graph& graph, ir::NodeId id, const device::Problem& problem) {
  std::vector<Tensor> weights(static_cast<size_t>(problem.input_count()));
  for (int i = 0; i < problem.input_count(); ++i)
    if (problem.is_weight(i)) weights[static_cast<size_t>(i)] = ops::constant_value(graph, graph.node(id).inputs[static_cast<size_t>(problem.node_inputs()[static_cast<size_t>(i)])]);
  return weights;
}

}  // namespace burnish::cover
