#include "shadow.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "ops/op_def.h"
#include "ops/table.h"

namespace burnish::testing {
namespace {

constexpr int32_t garbage = std::numeric_limits<int32_t>::min();

}  // namespace

Shadow::Shadow(const plan::Program& program, const plan::Segment& segment, const ir::Bindings& symbols)
    : program_(program),
      segment_(segment),
      symbols_(symbols),
      has_step_(program.graph->node_capacity()),
      arena_(static_cast<size_t>(segment.arena_bytes), garbage) {
  for (const plan::Step& step : segment.steps)
    if (step.kernel) has_step_[static_cast<size_t>(step.node.index)] = true;
}

int64_t Shadow::bytes(ir::ValueId value) const {
  const ir::TensorType& type = program_.graph->value(value).type;
  return ir::storage_bytes(type.dtype, ir::evaluate(type.shape, symbols_), type.layout);
}

int64_t Shadow::extent(ir::ValueId value) const {
  const ir::TensorType& type = program_.graph->value(value).type;
  return ir::storage_bytes(type.dtype, ir::evaluate(type.shape, symbols_), type.layout, type.pitch);
}

Shadow::Pieces Shadow::pieces(ir::ValueId value) const {
  const ir::TensorType& type = program_.graph->value(value).type;
  if (!type.pitch) return {};
  const int64_t size = dtype_bytes(type.dtype);
  return {static_cast<size_t>(type.shape[1].constant() * size), static_cast<size_t>(type.pitch * size)};
}

/// By the graph alone: views, and transposes and changes of layout without a kernel, hold what their operand
/// holds; a concat without a kernel its operands one behind another.
Shadow::Writers Shadow::expected(ir::ValueId value) const {
  const ir::Node* producer = program_.graph->producer(value);
  if (!producer || program_.graph->value(value).constant_only)
    return Writers(static_cast<size_t>(bytes(value)), -1 - value.index);
  const int32_t node = program_.graph->value(value).producer.index;
  const bool may_be_view = ops::definition(*producer).view || producer->op == &ops::def::reformat ||
                           producer->op == &ops::def::transpose;
  if (!has_step_[static_cast<size_t>(node)] && may_be_view) return expected(producer->inputs[0]);
  if (!has_step_[static_cast<size_t>(node)] && producer->op == &ops::def::concat) {
    std::vector<Writers> parts;
    for (ir::ValueId input : producer->inputs) parts.push_back(expected(input));
    const bool interleaved = pieces(producer->inputs[0]).step > 1;
    Writers joined;
    for (size_t row = 0; joined.size() < static_cast<size_t>(bytes(value)); ++row)
      for (size_t i = 0; i < parts.size(); ++i) {
        const size_t piece = interleaved ? pieces(producer->inputs[i]).piece : parts[i].size();
        joined.insert(joined.end(), parts[i].begin() + static_cast<std::ptrdiff_t>(row * piece),
                      parts[i].begin() + static_cast<std::ptrdiff_t>((row + 1) * piece));
      }
    return joined;
  }
  return Writers(static_cast<size_t>(bytes(value)), node);
}

Shadow::Writers& Shadow::memory(const plan::Place& place) {
  if (place.kind == plan::Place::arena) return arena_;
  Writers& outside = external_[place.value.index];
  if (outside.empty()) {
    const ir::Value& value = program_.graph->value(place.value);
    const bool given =
        value.is_input || value.constant_only || segment_.constants.contains(place.value.index);
    outside.assign(static_cast<size_t>(extent(place.value)), given ? -1 - place.value.index : garbage);
  }
  return outside;
}

bool Shadow::holds(const plan::Place& place, const Writers& wanted, const Pieces& pieces) {
  const Writers& all = memory(place);
  if (place.offset < 0) return false;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const size_t at = static_cast<size_t>(place.offset) + pieces.place(i);
    if (at >= all.size() || all[at] != wanted[i]) return false;
  }
  return true;
}

void Shadow::write(const plan::Place& place, const Writers& writers, const Pieces& pieces) {
  Writers& all = memory(place);
  for (size_t i = 0; i < writers.size(); ++i) {
    const size_t at = static_cast<size_t>(place.offset) + pieces.place(i);
    if (at >= all.size()) return all.clear();  // outside its memory: whoever reads it finds nothing
    all[at] = writers[i];
  }
}

std::string Shadow::run(const plan::Step& step) {
  if (!step.kernel) {
    const Writers& from = memory(step.inputs[0]);
    const Writers copied(from.begin() + step.inputs[0].offset,
                         from.begin() + step.inputs[0].offset + step.copy_bytes);
    write(step.outputs[0], copied, {});
    return {};
  }
  const ir::Node& node = program_.graph->node(step.node);
  const device::Problem& problem = *program_.problems[static_cast<size_t>(step.node.index)];
  const auto overlaps_workspace = [&](const plan::Place& place, int64_t length) {
    return step.workspace_bytes > 0 && place.kind == plan::Place::arena &&
           place.offset < step.workspace_offset + step.workspace_bytes &&
           step.workspace_offset < place.offset + length;
  };
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    if (step.inputs[i].kind == plan::Place::none) continue;
    const ir::ValueId input = node.inputs[static_cast<size_t>(problem.node_inputs()[i])];
    if (!holds(step.inputs[i], expected(input), pieces(input)))
      return fmt::format("{} reads '{}', which is not there any more",
                         ir::print_node(*program_.graph, step.node), program_.graph->value(input).name);
    if (overlaps_workspace(step.inputs[i], extent(input)))
      return fmt::format("the workspace of {} lies over an input",
                         ir::print_node(*program_.graph, step.node));
  }
  for (size_t i = 0; i < step.outputs.size(); ++i) {
    if (overlaps_workspace(step.outputs[i], extent(node.outputs[i])))
      return fmt::format("the workspace of {} lies over an output",
                         ir::print_node(*program_.graph, step.node));
    write(step.outputs[i], Writers(static_cast<size_t>(bytes(node.outputs[i])), step.node.index),
          pieces(node.outputs[i]));
  }
  if (step.workspace_bytes > 0) {
    if (step.workspace_offset + step.workspace_bytes > static_cast<int64_t>(arena_.size()))
      return "a workspace lies outside the arena";
    std::fill_n(arena_.begin() + step.workspace_offset, step.workspace_bytes, garbage);
  }
  return {};
}

std::string Shadow::fault() {
  for (const plan::Step& step : segment_.steps)
    if (std::string wrong = run(step); !wrong.empty()) return wrong;
  for (const ir::Output& output : program_.graph->outputs)
    if (!holds({plan::Place::external, output.value, 0}, expected(output.value), {}))
      return fmt::format("output '{}' does not hold its value", output.name);
  return {};
}

}  // namespace burnish::testing
