#include "onnx/graph_importer.h"

#include <fmt/format.h>

#include <queue>

#include "base/error.h"
#include "onnx/import.h"
#include "onnx/lower.h"
#include "onnx/registry.h"
#include "ops/evaluate.h"
#include "ops/infer.h"

namespace burnish::onnx {
namespace {

constexpr int64_t most_nodes =
    1'000'000;  // with functions inlined; guards against functions that call each other in a tree
constexpr int deepest = 64;
constexpr int64_t largest_folded = 1 << 20;  // elements that constant() is ready to compute for a lowering

void collect_outer_names(const std::vector<NodeProto>& nodes, std::set<std::string_view>& known,
                         std::vector<std::string_view>& found) {
  const auto use = [&](std::string_view name) {
    if (!name.empty() && known.insert(name).second) found.push_back(name);
  };
  for (const NodeProto& node : nodes) {
    for (std::string_view input : node.inputs) use(input);
    for (const AttributeProto& attribute : node.attributes)
      if (attribute.graph)
        for (std::string_view name : outer_names(*attribute.graph)) use(name);
  }
}

/// The names that a node reads, those of its subgraphs included.
std::vector<std::string_view> names_read(const NodeProto& node) {
  std::vector<std::string_view> names;
  for (std::string_view input : node.inputs)
    if (!input.empty()) names.push_back(input);
  for (const AttributeProto& attribute : node.attributes) {
    if (!attribute.graph) continue;
    const auto outer = outer_names(*attribute.graph);
    names.insert(names.end(), outer.begin(), outer.end());
  }
  return names;
}

bool is_small(const ir::Graph& graph, const ir::Node& node) {
  for (ir::ValueId output : node.outputs) {
    if (!output) continue;
    const auto shape = ir::constants(graph.value(output).type.shape);
    if (shape && element_count(*shape) > largest_folded) return false;
  }
  return true;
}

}  // namespace

std::vector<std::string_view> outer_names(const GraphProto& graph) {
  std::set<std::string_view> known;
  for (const ValueInfoProto& input : graph.inputs) known.insert(input.name);
  for (const TensorProto& tensor : graph.initializers) known.insert(tensor.name);
  for (const auto& [name, tensor] : graph.sparse_initializers) known.insert(name);
  for (const NodeProto& node : graph.nodes) known.insert(node.outputs.begin(), node.outputs.end());
  std::vector<std::string_view> found;
  collect_outer_names(graph.nodes, known, found);
  for (const ValueInfoProto& output : graph.outputs)
    if (!output.name.empty() && known.insert(output.name).second) found.push_back(output.name);
  return found;
}

OpsetMap opset_map(const std::vector<OpsetImport>& imports) {
  OpsetMap map;
  for (const OpsetImport& import : imports) {
    require(import.version >= 1, "opset {} of domain '{}' does not exist", import.version, import.domain);
    require(!import.domain.empty() || import.version <= newest_opset,
            "the model uses opset {}; {} is the newest that Burnish reads", import.version, newest_opset);
    map[import.domain] = import.version;
  }
  return map;
}

ModelContext::ModelContext(const ModelProto& model, TensorSource source) : tensors(std::move(source)) {
  for (const FunctionProto& function : model.functions)
    functions.emplace(std::tuple(function.domain, function.name, function.overload), &function);
}

const FunctionProto* ModelContext::find_function(const NodeProto& node) const {
  const auto found = functions.find(std::tuple(node.domain, node.op_type, node.overload));
  return found == functions.end() ? nullptr : found->second;
}

DepthGuard::DepthGuard(ModelContext& model) : model_(model) {
  require(model.depth < deepest,
          "functions and subgraphs are nested more than {} deep, or call each other in a circle", deepest);
  ++model.depth;
}

std::string ModelContext::symbol_for(std::string_view dim_param, const std::string& hint) {
  if (const auto found = symbols.find(dim_param); !dim_param.empty() && found != symbols.end())
    return found->second;
  // Symbols are words of the IR's text that are not its functions.
  std::string symbol;
  for (char c : dim_param.empty() ? std::string_view(hint) : dim_param)
    symbol += std::isalnum(static_cast<unsigned char>(c)) || c == '_' ? c : '_';
  if (symbol.empty() || std::isdigit(static_cast<unsigned char>(symbol[0]))) symbol = "d" + symbol;
  for (std::string_view function : {"floor_div", "ceil_div", "mod", "min", "max", "broadcast"})
    if (symbol == function) symbol += "_";
  const std::string base = symbol;
  for (int i = 2; !taken_symbols.insert(symbol).second; ++i) symbol = fmt::format("{}_{}", base, i);
  if (!dim_param.empty()) symbols.emplace(dim_param, symbol);
  return symbol;
}

void GraphImporter::define(std::string_view name, ir::ValueId value) {
  require(!sequences_.contains(name) && values_.emplace(name, value).second, "two values are called '{}'",
          name);
}

bool GraphImporter::is_visible(std::string_view name) const {
  return defines(name) || (outer_ && outer_->is_visible(name));
}

ir::ValueId GraphImporter::resolve(std::string_view name) {
  if (const auto found = values_.find(name); found != values_.end()) return found->second;
  if (sequences_.contains(name))
    throw Refused("sequence", fmt::format("'{}' is a sequence, which is not supported here", name));
  require(outer_ != nullptr, "nothing makes the value '{}'", name);
  const ir::ValueId outside = outer_->resolve(name);
  if (!outside || &outer_->graph_ == &graph_) return outside;
  if (const auto found = captured_.find(outside); found != captured_.end()) return found->second;
  const ir::Value& value = outer_->graph_.value(outside);
  require(value.is_constant(), "internal: the value '{}' was not captured", name);
  model_.fixed.insert(value.name);
  return captured_[outside] = graph_.add_constant(value.name, value.constant);
}

const std::vector<ir::ValueId>* GraphImporter::find_sequence(std::string_view name) const {
  if (const auto found = sequences_.find(name); found != sequences_.end()) return &found->second;
  // Another graph's values would have to be captured one by one.
  return !values_.contains(name) && outer_ && &outer_->graph_ == &graph_ ? outer_->find_sequence(name)
                                                                         : nullptr;
}

void GraphImporter::add_initializers(const GraphProto& graph) {
  for (const TensorProto& tensor : graph.initializers) {
    require(!tensor.name.empty(), "an initializer has no name");
    define(tensor.name, graph_.add_constant(std::string(tensor.name), model_.tensors.read(tensor)));
  }
  for (const auto& [name, tensor] : graph.sparse_initializers)
    define(name, graph_.add_constant(std::string(name), model_.tensors.read(tensor)));
}

void GraphImporter::declare(const GraphProto& graph) {
  for (const auto* infos : {&graph.value_infos, &graph.outputs})
    for (const ValueInfoProto& info : *infos) declarations_.emplace(info.name, &info);
}

const ValueInfoProto* GraphImporter::declaration(std::string_view name) const {
  const auto found = declarations_.find(name);
  return found == declarations_.end() ? nullptr : found->second;
}

std::vector<const NodeProto*> GraphImporter::sorted(const std::vector<NodeProto>& nodes) const {
  std::unordered_map<std::string_view, size_t> producers;
  for (size_t i = 0; i < nodes.size(); ++i)
    for (std::string_view output : nodes[i].outputs) {
      if (output.empty()) continue;
      require(producers.emplace(output, i).second && !defines(output),
              "node '{}' makes '{}', which something else makes too", nodes[i].source(), output);
    }
  std::vector<std::vector<size_t>> readers(nodes.size());
  std::vector<int> waiting(nodes.size(), 0);
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (std::string_view name : names_read(nodes[i])) {
      if (const auto found = producers.find(name); found != producers.end()) {
        readers[found->second].push_back(i);
        ++waiting[i];
      } else {
        require(is_visible(name), "node '{}' ({}) reads '{}', which nothing makes", nodes[i].source(),
                nodes[i].op_type, name);
      }
    }
  }
  std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
  for (size_t i = 0; i < nodes.size(); ++i)
    if (waiting[i] == 0) ready.push(i);
  std::vector<const NodeProto*> order;
  while (!ready.empty()) {
    const size_t i = ready.top();
    ready.pop();
    order.push_back(&nodes[i]);
    for (size_t reader : readers[i])
      if (--waiting[reader] == 0) ready.push(reader);
  }
  for (size_t i = 0; i < nodes.size() && order.size() < nodes.size(); ++i)
    require(waiting[i] == 0, "the graph has a cycle through node '{}' ({})", nodes[i].source(),
            nodes[i].op_type);
  return order;
}

void GraphImporter::import_nodes(const std::vector<NodeProto>& nodes) {
  for (const NodeProto* node : sorted(nodes)) import_node(*node);
}

void GraphImporter::import_node(const NodeProto& node) {
  require(++model_.nodes <= most_nodes, "the model has more than {} nodes once its functions are inlined",
          most_nodes);
  try {
    if (const FunctionProto* function = model_.find_function(node))
      call(node, *function);
    else
      lower(node);
  } catch (Error& error) {
    // What inference said already names the node.
    if (error.contexts().empty())
      error.add_context(fmt::format("node '{}' ({})", node.source(), node.op_type));
    throw;
  }
}

int64_t GraphImporter::opset_of(const NodeProto& node) const {
  const auto found = opsets_.find(node.domain);
  return found == opsets_.end() ? 1 : found->second;
}

void GraphImporter::lower(const NodeProto& node) {
  const int64_t opset = opset_of(node);
  const Import import = find_import(node.op_type, node.domain, opset);
  require(static_cast<bool>(import), "op {} of domain '{}', opset {}, is not supported", node.op_type,
          node.domain, opset);
  Lower lowering(*this, node, opset);
  if (!lowering.input_sequences_.empty() && !takes_sequences(node.op_type))
    throw Refused("sequence", fmt::format("{} of a sequence is not supported", node.op_type));
  if (import.lower) {
    import.lower(lowering);
  } else {
    const ops::OpDef& op = *import.op;
    const bool variadic = !op.inputs.empty() && op.inputs.back().variadic;
    while (!lowering.inputs_.empty() && !lowering.inputs_.back()) lowering.inputs_.pop_back();
    require(variadic || lowering.inputs_.size() <= op.inputs.size(), "it has {} inputs; {} takes {}",
            lowering.inputs_.size(), node.op_type, op.inputs.size());
    require(op.variadic_outputs || node.outputs.size() <= op.outputs.size(), "it has {} outputs; {} gives {}",
            node.outputs.size(), node.op_type, op.outputs.size());
    for (size_t i = 0; i < op.inputs.size(); ++i)
      require(op.inputs[i].optional || lowering.input(static_cast<int>(i)), "input {} ('{}') is missing", i,
              op.inputs[i].name);
    const auto outputs = lowering.emit_many(op, lowering.attributes_for(op), lowering.inputs_,
                                            static_cast<int>(node.outputs.size()));
    for (size_t i = 0; i < outputs.size(); ++i) lowering.set_output(static_cast<int>(i), outputs[i]);
  }
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i].empty()) continue;
    if (const auto made = lowering.output_sequences_.find(static_cast<int>(i));
        made != lowering.output_sequences_.end()) {
      require(!defines(node.outputs[i]), "two values are called '{}'", node.outputs[i]);
      sequences_.emplace(node.outputs[i], std::move(made->second));
      continue;
    }
    require(static_cast<bool>(lowering.outputs_[i]), "output {} ('{}') is not supported", i, node.outputs[i]);
    define(node.outputs[i], lowering.outputs_[i]);
  }
}

void GraphImporter::call(const NodeProto& node, const FunctionProto& function) {
  const DepthGuard guard(model_);
  require(node.inputs.size() <= function.inputs.size(), "it has {} inputs; function {} takes {}",
          node.inputs.size(), function.name, function.inputs.size());
  require(node.outputs.size() <= function.outputs.size(), "it has {} outputs; function {} gives {}",
          node.outputs.size(), function.name, function.outputs.size());
  GraphImporter inside(model_, graph_, opset_map(function.opsets));
  for (const AttributeProto& attribute : function.default_attributes)
    inside.function_attributes_[attribute.name] = &attribute;
  for (const AttributeProto& attribute : node.attributes)
    if (const AttributeProto* resolved = resolve_attribute(attribute))
      inside.function_attributes_[attribute.name] = resolved;
  for (size_t i = 0; i < function.inputs.size(); ++i)
    inside.define(function.inputs[i], i < node.inputs.size() && !node.inputs[i].empty()
                                          ? resolve(node.inputs[i])
                                          : ir::ValueId{});
  inside.import_nodes(function.nodes);
  for (size_t i = 0; i < node.outputs.size(); ++i)
    if (!node.outputs[i].empty()) define(node.outputs[i], inside.resolve(function.outputs[i]));
}

const AttributeProto* GraphImporter::resolve_attribute(const AttributeProto& attribute) const {
  if (attribute.reference.empty()) return &attribute;
  const auto found = function_attributes_.find(attribute.reference);
  return found == function_attributes_.end() ? nullptr : found->second;
}

Tensor GraphImporter::constant(ir::ValueId id) {
  if (graph_.value(id).is_constant()) {
    model_.fixed.insert(graph_.value(id).name);
    return graph_.value(id).constant;
  }
  if (!graph_.value(id).constant_only) return {};
  // Producers first, without recursion: chains may be long.
  std::vector<ir::ValueId> open = {id};
  while (!open.empty()) {
    const ir::ValueId value = open.back();
    const ir::Node* node = graph_.producer(value);
    if (!node || constants_.contains(value)) {
      open.pop_back();
      continue;
    }
    const size_t before = open.size();
    for (ir::ValueId input : node->inputs)
      if (input && graph_.value(input).is_constant()) model_.fixed.insert(graph_.value(input).name);
    for (ir::ValueId input : node->inputs)
      if (input && graph_.producer(input) && !constants_.contains(input)) open.push_back(input);
    if (open.size() == before) fold(*node);
  }
  return constants_[id];
}

/// Computes a node whose inputs are worked out; its outputs stay empty where one of those is, or where they
/// would be huge.
void GraphImporter::fold(const ir::Node& node) {
  std::vector<Tensor> inputs(node.inputs.size());
  bool known = is_small(graph_, node);
  for (size_t i = 0; i < inputs.size() && known; ++i) {
    const ir::ValueId input = node.inputs[i];
    if (!input) continue;
    inputs[i] = graph_.producer(input) ? constants_[input] : graph_.value(input).constant;
    known = !inputs[i].empty();
  }
  std::vector<Tensor> made(node.outputs.size());
  if (known)
    made = ops::evaluate_node(ops::definition(node), node.attributes, inputs,
                              static_cast<int>(node.outputs.size()), node.bodies);
  for (size_t i = 0; i < made.size(); ++i)
    if (node.outputs[i]) constants_[node.outputs[i]] = made[i];
}

}  // namespace burnish::onnx
