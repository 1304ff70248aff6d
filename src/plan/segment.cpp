#include "plan/segment.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "base/error.h"
#include "device/layout.h"
#include "ops/infer.h"
#include "ops/table.h"
#include "ops/data_attributes.h"
#include "plan/aliases.h"
#include "plan/schedule.h"

namespace burnish::plan {

void unify(const std::vector<ir::Dim>& dims, const Shape& shape, ir::Bindings& symbols) {
  require(dims.size() == shape.size(), "rank {} where {} was expected", shape.size(), dims.size());
  for (size_t i = 0; i < dims.size(); ++i) {
    if (const auto name = dims[i].symbol_name()) {
      const auto [found, fresh] = symbols.emplace(*name, shape[i]);
      require(fresh || found->second == shape[i], "dimension {} is {}, but '{}' is {} already", i, shape[i], *name, found->second);
    } else {
      require(!dims[i].is_constant() || dims[i].is(shape[i]), "dimension {} is {} where {} was expected", i, shape[i], dims[i].str());
    }
  }
}

namespace {

Tensor integers_tensor(DType dtype, const Shape& shape, const std::vector<int64_t>& values) {
  Tensor tensor(dtype, shape);
  for (size_t i = 0; i < values.size(); ++i) {
    if (dtype == DType::i64) tensor.data<int64_t>()[i] = values[i];
    else if (dtype == DType::i32) tensor.data<int32_t>()[i] = static_cast<int32_t>(values[i]);
    else tensor.data<bool>()[i] = values[i] != 0;
  }
  return tensor;
}

bool bound(const std::vector<ir::Dim>& dims, const ir::Bindings& symbols) {
  std::set<std::string> names;
  for (const ir::Dim& dim : dims) dim.collect_symbols(names);
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) { return symbols.contains(name); });
}

/// Walks the nodes once, in order; aliases, lifetimes and kernels are found on the way, the arena at the end.
class Planner {
 public:
  Planner(const Program& program, const std::vector<ir::NodeId>& order, size_t position, Knowledge& knowledge)
      : program_(program), graph_(*program.graph), order_(order), begin_(position), knowledge_(knowledge) {
    count_uses();
  }

  Segment plan() {
    size_t position = begin_;
    for (; position < order_.size(); ++position) {
      const ir::NodeId id = order_[position];
      const bool go_on = with_context([&] { return fmt::format("node '{}' ({})", graph_.node(id).source, graph_.node(id).op->name); },
                                      [&] { return plan_node(id, static_cast<int>(position)); });
      if (!go_on) break;
    }
    segment_.stop.position = position;
    finish(position);
    return std::move(segment_);
  }

 private:
  // --- what is known ---

  void count_uses() {
    last_use_.assign(graph_.value_capacity(), -1);
    for (size_t i = begin_; i < order_.size(); ++i)
      for (ir::ValueId input : graph_.node(order_[i]).inputs)
        if (input) last_use_[static_cast<size_t>(input.index)] = static_cast<int>(i);
    for (const ir::Output& output : graph_.outputs) last_use_[static_cast<size_t>(output.value.index)] = static_cast<int>(order_.size());
  }

  const ir::Value& value(ir::ValueId id) const { return graph_.value(id); }

  /// The data of a value if the host knows it: a constant, a shape, or what was read from the device.
  Tensor host_data(ir::ValueId id) {
    if (!id) return {};
    const auto known = knowledge_.host.find(id.index);
    if (known != knowledge_.host.end()) return known->second;
    if (value(id).is_constant()) return value(id).constant.raw() ? value(id).constant : Tensor();
    if (value(id).contents && value(id).type.rank() <= 1 && bound(*value(id).contents, knowledge_.symbols)) {
      const std::vector<int64_t> numbers = ir::evaluate(*value(id).contents, knowledge_.symbols);
      const Shape shape = value(id).type.rank() == 0 ? Shape{} : Shape{static_cast<int64_t>(numbers.size())};
      return knowledge_.host[id.index] = integers_tensor(value(id).type.dtype, shape, numbers);
    }
    return {};
  }

  device::BoundTensor bound_type(ir::ValueId id) {
    const ir::TensorType& type = value(id).type;
    const auto shape = knowledge_.shapes.find(id.index);
    if (shape != knowledge_.shapes.end()) return {type.dtype, shape->second, type.layout, type.pitch};
    return {type.dtype, ir::evaluate(type.shape, knowledge_.symbols), type.layout, type.pitch};
  }

  /// Infers the node's output shapes from concrete inputs, to bind symbols that depended on data.
  bool bind_fresh_symbols(const ir::Node& node) {
    const ops::OpDef& op = ops::definition(node);
    std::vector<ops::InferInput> inputs(node.inputs.size());
    std::vector<std::vector<ir::Dim>> contents(node.inputs.size());
    std::vector<Tensor> data(node.inputs.size());
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (!node.inputs[i]) continue;
      const device::BoundTensor type = bound_type(node.inputs[i]);
      inputs[i].present = true;
      inputs[i].type.dtype = type.dtype;
      inputs[i].type.shape.assign(type.shape.begin(), type.shape.end());
      data[i] = host_data(node.inputs[i]);
      if (data[i].empty()) continue;
      inputs[i].constant = &data[i];
      if (data[i].rank() > 1 || (data[i].dtype() != DType::i64 && data[i].dtype() != DType::i32)) continue;
      for (int64_t j = 0; j < data[i].size(); ++j)
        contents[i].emplace_back(data[i].dtype() == DType::i64 ? data[i].data<int64_t>()[j] : data[i].data<int32_t>()[j]);
      inputs[i].contents = &contents[i];
    }
    ops::InferContext context(op, node.attributes, std::move(inputs), static_cast<int>(node.outputs.size()), node.bodies,
                              [](int output, int dim) { return ir::Dim::symbol(fmt::format("${}_{}", output, dim)); });
    op.infer(context);
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      const auto shape = ir::constants(context.output_types()[i].shape);
      if (!shape) return false;
      unify(value(node.outputs[i]).type.shape, *shape, knowledge_.symbols);
    }
    return true;
  }

  // --- one node ---

  /// False where the segment must stop before this node.
  bool plan_node(ir::NodeId id, int position) {
    const ir::Node& node = graph_.node(id);
    if (is_weight_node(graph_, id)) return true;
    if (is_control(node)) return false;
    if (all_outputs_known(node)) {
      for (ir::ValueId output : node.outputs)
        if (escapes(output)) segment_.constants[output.index] = host_data(output);
      return true;
    }
    const device::Kernel* kernel = program_.kernel(id);
    if (kernel && kernel->makes_outputs()) return false;
    if (!host_operands_known(node)) return false;
    for (ir::ValueId output : node.outputs) {
      if (bound(value(output).type.shape, knowledge_.symbols)) continue;
      if (!bind_fresh_symbols(node)) return false;
      break;
    }
    for (ir::ValueId input : node.inputs)
      if (input) know(input, position);
    if (ops::definition(node).view || changes_nothing(node)) return plan_view(node, position);
    if (node.op == &ops::def::concat && plan_concat(node, position)) return true;
    plan_kernel(id, position);
    return true;
  }

  bool all_outputs_known(const ir::Node& node) {
    bool known = true;
    for (ir::ValueId output : node.outputs) known = known && !host_data(output).empty();
    return known;
  }

  bool host_operands_known(const ir::Node& node) {
    const ops::OpDef& op = ops::definition(node);
    const std::vector<ir::ValueId> wanted = wanted_on_host(node, op);
    for (ir::ValueId input : wanted)
      if (host_data(input).empty()) segment_.stop.wanted.push_back(input);
    return segment_.stop.wanted.empty();
  }

  static std::vector<ir::ValueId> wanted_on_host(const ir::Node& node, const ops::OpDef& op) {
    std::vector<ir::ValueId> wanted;
    for (size_t i = 0; i < node.inputs.size(); ++i)
      if (node.inputs[i] && !op.inputs.empty() && op.inputs[std::min(i, op.inputs.size() - 1)].host) wanted.push_back(node.inputs[i]);
    return wanted;
  }

  /// Makes sure that a value used here has a place: what came before the segment, constants, and shapes as data.
  void know(ir::ValueId id, int position) {
    if (!aliases_.contains(id)) {
      if (!value(id).is_constant() && !value(id).constant_only && !knowledge_.shapes.contains(id.index)) {
        const Tensor data = host_data(id);
        if (!data.empty()) segment_.constants[id.index] = data;
      }
      aliases_.add(id, bound_type(id).bytes(), true);
    }
    touch(id, position);
  }

  void touch(ir::ValueId id, int position) { uses_.push_back({id, position}); }

  void make(ir::ValueId id, int position) {
    const device::BoundTensor type = bound_type(id);
    aliases_.add(id, type.bytes(), false);
    if (escapes(id)) {
      segment_.escaping[id.index] = type;
      aliases_.pin(id);
    }
    touch(id, position);
  }

  /// True for results of the graph; later segments are looked after in finish().
  bool escapes(ir::ValueId id) const { return graph_.is_output(id); }

  static std::vector<ir::Dim> dims_of(const device::BoundTensor& tensor) { return {tensor.shape.begin(), tensor.shape.end()}; }

  /// A change between layouts in which these shapes lie alike, or a transpose that a change of layout makes up for.
  bool changes_nothing(const ir::Node& node) {
    if (node.op != &ops::def::reformat && node.op != &ops::def::transpose) return false;
    const device::BoundTensor from = bound_type(node.inputs[0]), to = bound_type(node.outputs[0]);
    if (from.pitch || to.pitch) return false;
    if (node.op == &ops::def::transpose)
      return device::transposes_in_memory(dims_of(from), node.attributes.as<ops::TransposeAttributes>().perm,
                                          from.layout, to.layout);
    return device::lies_alike(dims_of(from), from.layout, to.layout);
  }

  bool plan_view(const ir::Node& node, int position) {
    const ir::ValueId from = node.inputs[0], to = node.outputs[0];
    const device::BoundTensor type = bound_type(to);
    require(type.bytes() == aliases_.bytes(from), "a view of {} bytes onto {} bytes", type.bytes(), aliases_.bytes(from));
    if (escapes(to)) {
      // The result lies where the caller wants it; its source moves there if it can, else it is copied.
      make(to, position);
      if (!escapes(from) && aliases_.absorb(from, to, 0)) return true;
      plan_copy(from, to, 0, position);
      return true;
    }
    aliases_.view(to, from, 0, type.bytes());
    touch(to, position);
    return true;
  }

  void plan_copy(ir::ValueId from, ir::ValueId to, int64_t offset, int position) {
    Step step;
    step.copy_bytes = aliases_.bytes(from);
    pending_.push_back({std::move(step), {from}, {to}, offset, position});
  }

  /// Where the parts lie one behind the other in the result, they are written there in the first place.
  bool plan_concat(const ir::Node& node, int position) {
    const device::BoundTensor whole = bound_type(node.outputs[0]);
    const int64_t axis = ops::normalize_axis(node.attributes.as<ops::AxisAttributes>().axis, static_cast<int64_t>(whole.shape.size()));
    std::vector<std::vector<ir::Dim>> parts;
    for (ir::ValueId input : node.inputs) parts.push_back(dims_of(bound_type(input)));
    if (whole.layout == ir::Layout::nhwc) return axis == 1 && plan_interleaved(node, whole, position);
    if (!device::concatenates_in_memory(parts, axis, whole.layout)) return false;
    make(node.outputs[0], position);
    int64_t offset = 0;
    for (ir::ValueId input : node.inputs) {
      const int64_t bytes = aliases_.bytes(input);
      const bool stays = escapes(input) || !may_lie_at(offset);
      if (bytes > 0 && (stays || !aliases_.absorb(input, node.outputs[0], offset))) plan_copy(input, node.outputs[0], offset, position);
      offset += bytes;
    }
    return true;
  }

  /// Parts whose pitch is the whole's are written between each other's pixels. False, and nothing changes,
  /// unless all can.
  bool plan_interleaved(const ir::Node& node, const device::BoundTensor& whole, int position) {
    const int64_t pitch = whole.pitch ? whole.pitch : whole.shape[1];
    int64_t offset = 0;
    std::set<ir::ValueId> parts;
    for (ir::ValueId input : node.inputs) {
      const device::BoundTensor part = bound_type(input);
      if (part.layout != whole.layout || part.pitch != pitch || !parts.insert(input).second) return false;
      if (escapes(input) || !may_lie_at(offset) || !aliases_.can_move(input)) return false;
      offset += part.shape[1] * dtype_bytes(part.dtype);
    }
    make(node.outputs[0], position);
    offset = 0;
    for (ir::ValueId input : node.inputs) {
      require(aliases_.absorb(input, node.outputs[0], offset),
              "internal: a part of a concatenation has no place of its own");
      offset += bound_type(input).shape[1] * dtype_bytes(whole.dtype);
    }
    return true;
  }

  bool may_lie_at(int64_t offset) const { return program_.device->on_host() || offset % device_alignment == 0; }

  void plan_kernel(ir::NodeId id, int position) {
    const ir::Node& node = graph_.node(id);
    const device::Kernel* kernel = program_.kernel(id);
    require(kernel != nullptr, "internal: no kernel was chosen");
    const device::Problem& problem = *program_.problems[static_cast<size_t>(id.index)];
    const std::vector<ir::ValueId> wanted = wanted_on_host(node, ops::definition(node));
    std::vector<device::BoundTensor> inputs, outputs;
    std::vector<Tensor> host_inputs;
    Pending pending;
    for (size_t i = 0; i < problem.node_inputs().size(); ++i) {
      const ir::ValueId input = node.inputs[static_cast<size_t>(problem.node_inputs()[i])];
      inputs.push_back(bound_type(input));
      const bool on_host = std::find(wanted.begin(), wanted.end(), input) != wanted.end();
      host_inputs.push_back(on_host ? host_data(input) : Tensor());
      pending.inputs.push_back(problem.is_weight(static_cast<int>(i)) ? ir::ValueId{} : input);
    }
    for (ir::ValueId output : node.outputs) {
      outputs.push_back(bound_type(output));
      pending.outputs.push_back(output);
      make(output, position);
    }
    pending.step.node = id;
    pending.step.kernel = kernel->bind({inputs, outputs, host_inputs, &knowledge_.symbols});
    pending.step.output_types = outputs;
    pending.step.workspace_bytes = static_cast<int64_t>(pending.step.kernel->workspace_bytes());
    const device::Tactic* tactic = device::find_tactic(*program_.device, program_.choice(id).tactic);
    pending.step.fallback = tactic && tactic->is_fallback();
    pending.position = position;
    share_in_place(pending, node, position);
    pending_.push_back(std::move(pending));
  }

  struct Pending {
    Step step;
    std::vector<ir::ValueId> inputs, outputs;
    int64_t output_offset = 0;
    int position = 0;
  };

  void share_in_place(const Pending& pending, const ir::Node&, int position) {
    const int index = pending.step.kernel->in_place_input();
    if (index < 0) return;
    const ir::ValueId input = pending.inputs[static_cast<size_t>(index)], output = pending.outputs[0];
    if (!input || escapes(input) || aliases_.bytes(input) != aliases_.bytes(output) ||
        value(input).type.pitch != value(output).type.pitch)
      return;
    const int32_t root = aliases_.find(input).root;
    // Nothing else of that memory may be wanted at or after this step.
    for (const ir::ValueId other : pending.inputs)
      if (other && other != input && aliases_.find(other).root == root) return;
    if (std::count(pending.inputs.begin(), pending.inputs.end(), input) != 1) return;
    for (const auto& [id, when] : uses_)
      if (last_use_[static_cast<size_t>(id.index)] > position && aliases_.find(id).root == root) return;
    if (last_use_[static_cast<size_t>(input.index)] > position) return;
    aliases_.absorb(input, output, 0);
  }

  // --- the arena ---

  void finish(size_t end) {
    // What later segments read must outlive this one's arena: the whole root becomes the session's tensor.
    std::set<int32_t> outside;
    std::map<int32_t, int> first, last;
    for (const auto& [id, position] : uses_) {
      const int32_t root = aliases_.find(id).root;
      const auto [entry, fresh] = first.emplace(root, position);
      if (!fresh) entry->second = std::min(entry->second, position);
      int& until = last.emplace(root, position).first->second;
      until = std::max({until, position, std::min(last_use_[static_cast<size_t>(id.index)], static_cast<int>(order_.size()))});
    }
    for (const auto& [root, until] : last) {
      if (aliases_.fixed(root)) continue;
      if (until >= static_cast<int>(end)) outside.insert(root);
    }
    for (int32_t root : outside)
      if (!segment_.escaping.contains(root)) segment_.escaping[root] = bound_type({root});
    note_views_that_escape(end, outside);

    std::vector<Lifetime> lifetimes;
    std::map<int32_t, size_t> index;
    for (const auto& [root, from] : first) {
      if (aliases_.fixed(root) || outside.contains(root)) continue;
      index[root] = lifetimes.size();
      lifetimes.push_back({aliases_.bytes({root}), from, last[root]});
    }
    const Schedule schedule = spread_over_streams();
    const SideBySide side_by_side = schedule.streams() > 1 ? lifetimes_side_by_side(schedule, index) : SideBySide();
    segment_.arena_values_bytes = place(lifetimes, 64, side_by_side).bytes;
    const size_t values = lifetimes.size();
    for (const Pending& pending : pending_)
      if (pending.step.workspace_bytes > 0) lifetimes.push_back({pending.step.workspace_bytes, pending.position, pending.position});
    const Placement placement = place(lifetimes, 64, side_by_side);
    segment_.arena_bytes = placement.bytes;
    segment_.arena_lower_bound = placement.lower_bound;

    for (const auto& [root, i] : index)
      segment_.buffers.push_back({{root}, {}, placement.offsets[i], lifetimes[i].bytes, lifetimes[i].first, lifetimes[i].last});
    size_t workspace = values;
    for (Pending& pending : pending_) {
      const auto where = [&](ir::ValueId id) -> Place {
        if (!id) return {};
        const Aliases::Spot spot = aliases_.find(id);
        const auto found = index.find(spot.root);
        if (found == index.end()) return {Place::external, {spot.root}, spot.offset};
        return {Place::arena, {spot.root}, placement.offsets[found->second] + spot.offset};
      };
      for (ir::ValueId id : pending.inputs) pending.step.inputs.push_back(where(id));
      for (ir::ValueId id : pending.outputs) {
        pending.step.outputs.push_back(where(id));
        pending.step.outputs.back().offset += pending.output_offset;
      }
      if (pending.step.workspace_bytes > 0) {
        pending.step.workspace_offset = placement.offsets[workspace++];
        segment_.buffers.push_back({{}, pending.step.node, pending.step.workspace_offset, pending.step.workspace_bytes, pending.position, pending.position});
        segment_.largest_workspace = std::max(segment_.largest_workspace, pending.step.workspace_bytes);
      }
      segment_.steps.push_back(std::move(pending.step));
    }
  }

  std::vector<std::vector<Access>> accesses() {
    std::vector<std::vector<Access>> all;
    for (const Pending& pending : pending_) {
      std::vector<Access>& accesses = all.emplace_back();
      const auto touch_bytes = [&](ir::ValueId id, int64_t offset, bool writes) {
        if (!id) return;
        const Aliases::Spot spot = aliases_.find(id);
        const int64_t bytes = pending.step.kernel ? aliases_.bytes(id) : pending.step.copy_bytes;
        const device::BoundTensor type = bound_type(id);
        const int64_t size = dtype_bytes(type.dtype), width = type.pitch ? type.shape[1] * size : 0;
        accesses.push_back({spot.root, spot.offset + offset, spot.offset + offset + bytes, writes,
                            type.pitch * size, width});
      };
      for (ir::ValueId id : pending.inputs) touch_bytes(id, 0, false);
      for (ir::ValueId id : pending.outputs) touch_bytes(id, pending.output_offset, true);
    }
    return all;
  }

  Schedule spread_over_streams() {
    const Schedule schedule(accesses(), program_.streams);
    segment_.streams = schedule.streams();
    for (size_t i = 0; i < pending_.size(); ++i) {
      pending_[i].step.stream = schedule.stream(i);
      pending_[i].step.waits = schedule.waits(i);
      pending_[i].step.awaited = schedule.is_awaited(i);
    }
    return schedule;
  }

  /// For lifetimes numbered as finish() does: the values of `index` by root, then the workspaces in the order of steps.
  /// Memory goes from one to another only where all steps of the one end before any of the other starts.
  SideBySide lifetimes_side_by_side(const Schedule& schedule, const std::map<int32_t, size_t>& index) {
    std::vector<std::vector<size_t>> users(index.size());
    const std::vector<std::vector<Access>> all = accesses();
    for (size_t step = 0; step < all.size(); ++step)
      for (const Access& access : all[step])
        if (const auto found = index.find(access.root); found != index.end()) users[found->second].push_back(step);
    for (size_t step = 0; step < pending_.size(); ++step)
      if (pending_[step].step.workspace_bytes > 0) users.push_back({step});
    return [schedule, users](size_t a, size_t b) {
      const auto precedes = [&](const std::vector<size_t>& first, const std::vector<size_t>& second) {
        return std::all_of(first.begin(), first.end(), [&](size_t one) {
          return std::all_of(second.begin(), second.end(), [&](size_t other) { return schedule.before(one, other); });
        });
      };
      return !precedes(users[a], users[b]) && !precedes(users[b], users[a]);
    };
  }

  /// A value inside an escaping root that a later segment reads by its own name gets a tensor by a copy.
  void note_views_that_escape(size_t end, const std::set<int32_t>& outside) {
    std::set<int32_t> done;
    for (const auto& [id, position] : std::vector<std::pair<ir::ValueId, int>>(uses_)) {
      const Aliases::Spot spot = aliases_.find(id);
      if (spot.root == id.index || !done.insert(id.index).second) continue;
      if (last_use_[static_cast<size_t>(id.index)] < static_cast<int>(end) || segment_.escaping.contains(id.index)) continue;
      if (!outside.contains(spot.root) && !aliases_.fixed(spot.root)) continue;
      segment_.views[id.index] = {spot.root, spot.offset, bound_type(id)};
    }
  }

  const Program& program_;
  const ir::Graph& graph_;
  const std::vector<ir::NodeId>& order_;
  const size_t begin_;
  Knowledge& knowledge_;
  Segment segment_;
  Aliases aliases_;
  std::vector<int> last_use_;  // by value index: the last position that reads it
  std::vector<std::pair<ir::ValueId, int>> uses_;
  std::vector<Pending> pending_;
};

}  // namespace

Segment plan_segment(const Program& program, const std::vector<ir::NodeId>& order, size_t position, Knowledge& knowledge) {
  return Planner(program, order, position, knowledge).plan();
}

}  // namespace burnish::plan
