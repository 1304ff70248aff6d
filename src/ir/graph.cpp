#include "ir/graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <queue>
#include <set>
#include <unordered_map>

#include "base/error.h"

namespace burnish::ir {

ValueId Graph::add_value(std::string value_name) {
  const ValueId id{static_cast<int32_t>(values_.size())};
  if (value_name.empty() || names_.contains(value_name)) value_name = fresh_name(value_name);
  names_.emplace(value_name, id);
  values_.emplace_back().name = std::move(value_name);
  return id;
}

std::string Graph::fresh_name(std::string_view hint) {
  if (!hint.empty() && !names_.contains(hint)) return std::string(hint);
  while (true) {
    std::string candidate = hint.empty() ? std::to_string(next_fresh_) : fmt::format("{}.{}", hint, next_fresh_);
    ++next_fresh_;
    if (!names_.contains(candidate)) return candidate;
  }
}

ValueId Graph::add_input(const std::string& input_name, TensorType type) {
  const ValueId id = add_value(input_name);
  value(id).type = std::move(type);
  value(id).is_input = true;
  inputs_.push_back(id);
  return id;
}

ValueId Graph::add_constant(const std::string& constant_name, Tensor data) {
  require(!data.empty(), "constant '{}' has no data", constant_name);
  const ValueId id = add_value(constant_name);
  Value& made = value(id);
  made.type.dtype = data.dtype();
  made.type.shape.assign(data.shape().begin(), data.shape().end());
  made.constant = std::move(data);
  made.constant_only = true;
  return id;
}

NodeId Graph::add_node(const Op& op, Attributes attributes, std::vector<ValueId> inputs, int output_count,
                       const std::vector<std::string>& names, NodeId before) {
  const NodeId id{static_cast<int32_t>(nodes_.size())};
  Node& made = nodes_.emplace_back();
  made.op = &op;
  made.attributes = std::move(attributes);
  made.inputs = std::move(inputs);
  bool constant_only = op.bodies == 0 && !made.inputs.empty();
  for (size_t i = 0; i < made.inputs.size(); ++i) {
    if (!made.inputs[i]) continue;
    add_use(made.inputs[i], {id, static_cast<int32_t>(i)});
    constant_only = constant_only && value(made.inputs[i]).constant_only;
  }
  for (int i = 0; i < output_count; ++i) {
    const ValueId output = add_value(static_cast<size_t>(i) < names.size() ? names[static_cast<size_t>(i)] : std::string());
    value(output).producer = id;
    value(output).output_index = i;
    value(output).constant_only = constant_only;
    node(id).outputs.push_back(output);
  }
  link(id, before);
  ++live_nodes_;
  return id;
}

void Graph::link(NodeId id, NodeId before) {
  Node& linked = node(id);
  linked.next = before;
  linked.previous = before ? node(before).previous : last_;
  (linked.previous ? node(linked.previous).next : first_) = id;
  (before ? node(before).previous : last_) = id;
}

void Graph::unlink(NodeId id) {
  Node& linked = node(id);
  (linked.previous ? node(linked.previous).next : first_) = linked.next;
  (linked.next ? node(linked.next).previous : last_) = linked.previous;
  linked.previous = linked.next = {};
}

void Graph::add_use(ValueId id, Use use) { value(id).uses.push_back(use); }

void Graph::remove_use(ValueId id, Use use) {
  auto& uses = value(id).uses;
  const auto found = std::find(uses.begin(), uses.end(), use);
  if (found != uses.end()) uses.erase(found);
}

std::vector<ValueId> Graph::constants() const {
  std::vector<ValueId> found;
  for (size_t i = 0; i < values_.size(); ++i)
    if (values_[i].is_constant()) found.push_back({static_cast<int32_t>(i)});
  return found;
}

std::vector<NodeId> Graph::order() const {
  std::vector<NodeId> ids;
  ids.reserve(live_nodes_);
  for (NodeId id = first_; id; id = node(id).next) ids.push_back(id);
  return ids;
}

ValueId Graph::find_value(std::string_view value_name) const {
  const auto found = names_.find(value_name);
  return found == names_.end() ? ValueId{} : found->second;
}

bool Graph::is_output(ValueId id) const {
  return std::any_of(outputs.begin(), outputs.end(), [&](const Output& output) { return output.value == id; });
}

void Graph::set_input(NodeId id, size_t index, ValueId replacement) {
  const Use use{id, static_cast<int32_t>(index)};
  ValueId& input = node(id).inputs.at(index);
  if (input) remove_use(input, use);
  input = replacement;
  if (input) add_use(input, use);
}

void Graph::replace_uses(ValueId from, ValueId to) {
  if (from == to) return;
  for (const Use& use : std::vector<Use>(value(from).uses)) set_input(use.node, static_cast<size_t>(use.input), to);
  for (Output& output : outputs)
    if (output.value == from) output.value = to;
}

void Graph::erase(NodeId id) {
  Node& gone = node(id);
  for (size_t i = 0; i < gone.inputs.size(); ++i)
    if (gone.inputs[i]) remove_use(gone.inputs[i], {id, static_cast<int32_t>(i)});
  for (ValueId output : gone.outputs) {
    if (!output) continue;
    require(value(output).uses.empty() && !is_output(output), "cannot erase a node whose output '{}' is in use", value(output).name);
    names_.erase(value(output).name);
    value(output) = Value{};
  }
  unlink(id);
  gone = Node{};
  gone.erased = true;
  --live_nodes_;
}

void Graph::erase_value(ValueId id) {
  require(value(id).uses.empty() && !value(id).producer && !is_output(id), "cannot erase value '{}': it is in use", value(id).name);
  names_.erase(value(id).name);
  std::erase(inputs_, id);
  value(id) = Value{};
}

void Graph::rename(ValueId id, const std::string& new_name) {
  if (value(id).name == new_name) return;
  names_.erase(value(id).name);
  value(id).name = names_.contains(new_name) ? fresh_name(new_name) : new_name;
  names_.emplace(value(id).name, id);
}

void Graph::move_before(NodeId id, NodeId before) {
  unlink(id);
  link(id, before);
}

int Graph::remove_dead() {
  int removed = 0;
  for (NodeId id = last_; id;) {
    const NodeId previous = node(id).previous;
    const auto& made = node(id).outputs;
    const bool dead = std::all_of(made.begin(), made.end(), [&](ValueId output) {
      return !output || (value(output).uses.empty() && !is_output(output));
    });
    if (dead) {
      erase(id);
      ++removed;
    }
    id = previous;
  }
  for (ValueId id : constants())
    if (value(id).uses.empty() && !is_output(id)) erase_value(id);
  return removed;
}

void Graph::sort() {
  // Kahn's algorithm with the present position as priority keeps the order where it is already right.
  const std::vector<NodeId> before = order();
  std::vector<int> position(nodes_.size(), 0), waiting(nodes_.size(), 0);
  for (size_t i = 0; i < before.size(); ++i) position[static_cast<size_t>(before[i].index)] = static_cast<int>(i);
  using Entry = std::pair<int, NodeId>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> ready;
  for (NodeId id : before) {
    int& count = waiting[static_cast<size_t>(id.index)];
    for (ValueId input : node(id).inputs) count += input && value(input).producer ? 1 : 0;
    if (count == 0) ready.push({position[static_cast<size_t>(id.index)], id});
  }
  std::vector<NodeId> sorted;
  while (!ready.empty()) {
    const NodeId id = ready.top().second;
    ready.pop();
    sorted.push_back(id);
    for (ValueId output : node(id).outputs) {
      if (!output) continue;
      for (const Use& use : value(output).uses)
        if (--waiting[static_cast<size_t>(use.node.index)] == 0) ready.push({position[static_cast<size_t>(use.node.index)], use.node});
    }
  }
  if (sorted.size() != before.size()) {
    for (NodeId id : before)
      if (waiting[static_cast<size_t>(id.index)] > 0)
        fail("the graph has a cycle through node '{}' ({})", node(id).source, node(id).op->name);
  }
  for (NodeId id : sorted) move_before(id, {});
}

std::shared_ptr<Graph> Graph::clone() const {
  auto copy = std::make_shared<Graph>(*this);
  for (Node& cloned : copy->nodes_)
    for (auto& body : cloned.bodies) body = body->clone();
  return copy;
}

std::string each_source_once(std::string_view sources) {
  constexpr std::string_view separator = ", ";
  std::string joined;
  std::set<std::string_view> seen;
  while (!sources.empty()) {
    const size_t end = std::min(sources.find(separator), sources.size());
    const std::string_view name = sources.substr(0, end);
    if (seen.insert(name).second) joined.append(joined.empty() ? "" : separator).append(name);
    sources.remove_prefix(std::min(end + separator.size(), sources.size()));
  }
  return joined;
}

void verify(const Graph& graph) {
  const auto check = [&](bool condition, NodeId id, std::string_view what) {
    if (!condition) fail("internal: graph '{}' is not valid at {}: {}", graph.name, print_node(graph, id), what);
  };
  std::set<ValueId> known(graph.inputs().begin(), graph.inputs().end());
  for (ValueId id : graph.constants()) known.insert(id);
  for (NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    check(node.op != nullptr, id, "no op");
    check(static_cast<int>(node.bodies.size()) == node.op->bodies, id, "wrong number of bodies");
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (!node.inputs[i]) continue;
      check(known.contains(node.inputs[i]), id, "an input is used before it is made");
      const auto& uses = graph.value(node.inputs[i]).uses;
      check(std::count(uses.begin(), uses.end(), Use{id, static_cast<int32_t>(i)}) == 1, id, "a use is not recorded");
    }
    for (ValueId output : node.outputs) {
      if (!output) continue;
      check(graph.value(output).producer == id, id, "an output names another producer");
      known.insert(output);
    }
    for (const auto& body : node.bodies) verify(*body);
  }
  for (const Output& output : graph.outputs)
    require(known.contains(output.value), "internal: graph '{}' has an output '{}' that nothing makes", graph.name, output.name);
}

}  // namespace burnish::ir
