// If, Loop and Scan: subgraphs become closed bodies.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "onnx/graph_importer.h"
#include "onnx/lower.h"
#include "onnx/lowerings.h"

namespace burnish::onnx {

using namespace ops;

namespace {

/// A body whose inputs [first, first + count) are carried from iteration to iteration: its outputs
/// [first_output, first_output + count) come back in their place.
struct CarriedBody {
  std::shared_ptr<ir::Graph> graph;
  std::vector<ir::TensorType> types;  ///< of the body's own inputs
};

/// Imports the body, with symbols of their own for the carried dimensions that an iteration changes. Each
/// round finds at least one more of these, so it ends.
CarriedBody carried_body(Lower& node, std::vector<ir::TensorType> types,
                         const std::vector<ir::ValueId>& captures, size_t first, size_t first_output,
                         size_t count) {
  std::set<std::pair<size_t, size_t>> varying;
  while (true) {
    CarriedBody body{node.body("body", types, captures), types};
    require(body.graph->outputs.size() >= first_output + count, "its body gives {} outputs; {} are needed",
            body.graph->outputs.size(), first_output + count);
    bool stable = true;
    for (size_t k = 0; k < count; ++k) {
      ir::TensorType& taken = types[first + k];
      const ir::TensorType& given = body.graph->value(body.graph->outputs[first_output + k].value).type;
      require(taken.dtype == given.dtype && taken.rank() == given.rank(),
              "carried value {} is {} at first and {} after an iteration: element type and rank must stay", k,
              taken.str(), given.str());
      for (size_t d = 0; d < taken.shape.size(); ++d) {
        if (taken.shape[d] == given.shape[d] || !varying.insert({k, d}).second) continue;
        taken.shape[d] = node.fresh_symbol(fmt::format("carried_{}_{}", k, d));
        stable = false;
      }
    }
    if (stable) return body;
  }
}

std::vector<ir::ValueId> inputs_and(const Lower& node, int begin, int end,
                                    const std::vector<ir::ValueId>& captures) {
  std::vector<ir::ValueId> values;
  for (int i = begin; i < end; ++i) values.push_back(node.needed_input(i));
  values.insert(values.end(), captures.begin(), captures.end());
  return values;
}

void set_outputs(Lower& node, const std::vector<ir::ValueId>& values) {
  require(static_cast<size_t>(node.output_count()) <= values.size(), "it has {} outputs; its body gives {}",
          node.output_count(), values.size());
  for (int i = 0; i < node.output_count(); ++i) node.set_output(i, values[static_cast<size_t>(i)]);
}

/// The type of one element along `axis`.
ir::TensorType element_type(ir::TensorType type, int64_t axis) {
  require(axis >= -type.rank() && axis < type.rank(), "scan axis {} is out of range for {}", axis,
          type.str());
  type.shape.erase(type.shape.begin() + (axis < 0 ? axis + type.rank() : axis));
  return type;
}

bool ranks_differ(const ir::Graph& one, const ir::Graph& other) {
  return !std::equal(one.outputs.begin(), one.outputs.end(), other.outputs.begin(), other.outputs.end(),
                     [&](const ir::Output& a, const ir::Output& b) {
                       return one.value(a.value).type.rank() == other.value(b.value).type.rank();
                     });
}

}  // namespace

/// A condition that is known at import, or taken for granted, leaves one branch, in the node's place.
void lower_if(Lower& node) {
  const ir::ValueId condition = node.needed_input(0);
  const auto known = node.known_integers(condition);
  const bool is_known = known && known->size() == 1;
  const auto number = is_known ? std::nullopt : node.number_condition();
  const auto taken = is_known ? std::optional(known->front() != 0)
                     : number ? node.decided(*number)
                              : std::nullopt;
  if (taken) return set_outputs(node, node.inline_body(*taken ? "then_branch" : "else_branch"));
  const std::vector<ir::ValueId> captures = node.captures({"then_branch", "else_branch"});
  std::vector<std::shared_ptr<ir::Graph>> bodies = {node.body("then_branch", {}, captures),
                                                    node.body("else_branch", {}, captures)};
  if (number && ranks_differ(*bodies[0], *bodies[1]))
    throw RankDependsOnCondition{condition, *number, node.source()};
  std::vector<ir::ValueId> inputs = {condition};
  inputs.insert(inputs.end(), captures.begin(), captures.end());
  const int outputs = static_cast<int>(bodies[0]->outputs.size());
  set_outputs(node, node.emit_many(def::if_else, def::if_else.default_attributes, std::move(inputs), outputs,
                                   std::move(bodies)));
}

void lower_loop(Lower& node) {
  const int carried = std::max(0, node.input_count() - 2);
  std::vector<ir::TensorType> types = {{.dtype = DType::i64, .shape = {}},
                                       {.dtype = DType::boolean, .shape = {}}};
  for (int i = 0; i < carried; ++i) types.push_back(node.type(node.needed_input(2 + i)));
  const std::vector<ir::ValueId> captures = node.captures({"body"});
  const CarriedBody body = carried_body(node, types, captures, 2, 1, static_cast<size_t>(carried));
  std::vector<ir::ValueId> inputs = {node.input(0), node.input(1)};
  const auto rest = inputs_and(node, 2, node.input_count(), captures);
  inputs.insert(inputs.end(), rest.begin(), rest.end());
  const int outputs = static_cast<int>(body.graph->outputs.size()) - 1;
  set_outputs(node, node.emit_many(def::loop, make_attributes(def::loop, {{"carried", int64_t{carried}}}),
                                   std::move(inputs), outputs, {body.graph}));
}

void lower_scan(Lower& node) {
  const int64_t sequences = node.integer("num_scan_inputs"), states = node.input_count() - sequences;
  require(sequences >= 1 && states >= 0, "num_scan_inputs is {}, but it has {} inputs", sequences,
          node.input_count());
  const std::vector<int64_t> axes = node.integers("scan_input_axes");
  std::vector<ir::TensorType> types;
  for (int i = 0; i < node.input_count(); ++i) {
    const ir::TensorType& type = node.type(node.needed_input(i));
    const size_t k = static_cast<size_t>(std::max<int64_t>(0, i - states));
    types.push_back(i < states ? type : element_type(type, k < axes.size() ? axes[k] : 0));
  }
  const std::vector<ir::ValueId> captures = node.captures({"body"});
  const CarriedBody body = carried_body(node, types, captures, 0, 0, static_cast<size_t>(states));
  ir::Attributes attributes =
      make_attributes(def::scan, {{"states", states},
                                  {"num_scan_inputs", sequences},
                                  {"scan_input_axes", axes},
                                  {"scan_input_directions", node.integers("scan_input_directions")},
                                  {"scan_output_axes", node.integers("scan_output_axes")},
                                  {"scan_output_directions", node.integers("scan_output_directions")}});
  const int outputs = static_cast<int>(body.graph->outputs.size());
  set_outputs(node, node.emit_many(def::scan, std::move(attributes),
                                   inputs_and(node, 0, node.input_count(), captures), outputs, {body.graph}));
}

/// Scan of opset 8 has a batch in front of states and sequences: a scan over the batch whose body is a scan.
void lower_scan_8(Lower& node) {
  if (node.input(0))
    node.fail("sequence_lens is not supported; pad the sequences, or convert the model to opset 9 or newer");
  const int64_t sequences = node.integer("num_scan_inputs"), values = node.input_count() - 1,
                states = values - sequences;
  require(sequences >= 1 && states >= 0, "num_scan_inputs is {}, but it has {} inputs", sequences,
          node.input_count());
  std::vector<ir::TensorType> batch_types, types;  // of one batch entry; of what the innermost body takes
  for (int i = 1; i <= values; ++i) {
    batch_types.push_back(element_type(node.type(node.needed_input(i)), 0));
    types.push_back(i <= states ? batch_types.back() : element_type(batch_types.back(), 0));
  }
  const std::vector<ir::ValueId> captures = node.captures({"body"});
  const CarriedBody inner = carried_body(node, types, captures, 0, 0, static_cast<size_t>(states));
  const int outputs = static_cast<int>(inner.graph->outputs.size());

  auto outer = std::make_shared<ir::Graph>(inner.graph->name + "_batch");
  std::vector<ir::ValueId> inner_inputs;
  for (const ir::TensorType& type : batch_types) inner_inputs.push_back(outer->add_input("", type));
  for (ir::ValueId capture : captures) inner_inputs.push_back(outer->add_input("", node.type(capture)));
  const ir::Attributes attributes =
      make_attributes(def::scan, {{"states", states},
                                  {"num_scan_inputs", sequences},
                                  {"scan_input_directions", node.integers("directions")}});
  for (ir::ValueId made : node.emit_into(*outer, def::scan, attributes, inner_inputs, outputs, {inner.graph}))
    outer->outputs.push_back({"", made});
  const ir::Attributes over_batch = make_attributes(def::scan, {{"states", 0}, {"num_scan_inputs", values}});
  set_outputs(node, node.emit_many(def::scan, over_batch, inputs_and(node, 1, node.input_count(), captures),
                                   outputs, {outer}));
}

}  // namespace burnish::onnx
