#include "onnx/lower.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/dispatch.h"
#include "base/numbers.h"
#include "onnx/graph_importer.h"
#include "ops/host.h"
#include "ops/infer.h"
#include "ops/table.h"

namespace burnish::onnx {
namespace {

/// Writes one setting into the attribute of its name.
class SettingWriter : public ir::AttributeVisitor {
 public:
  SettingWriter(const Setting& setting, const std::string& op) : setting_(setting), op_(op) {}
  bool found() const { return found_; }

  void operator()(std::string_view name, int64_t& value) override { write(name, value); }
  void operator()(std::string_view name, double& value) override {
    if (name == setting_.name && std::holds_alternative<int64_t>(setting_.value)) {
      value = static_cast<double>(std::get<int64_t>(setting_.value));
      found_ = true;
    } else {
      write(name, value);
    }
  }
  void operator()(std::string_view name, bool& value) override {
    if (name == setting_.name && std::holds_alternative<int64_t>(setting_.value)) {
      value = std::get<int64_t>(setting_.value) != 0;
      found_ = true;
    } else {
      write(name, value);
    }
  }
  void operator()(std::string_view name, std::string& value) override { write(name, value); }
  void operator()(std::string_view name, DType& value) override { write(name, value); }
  void operator()(std::string_view name, std::vector<int64_t>& value) override { write(name, value); }
  void operator()(std::string_view name, std::vector<double>& value) override { write(name, value); }
  void operator()(std::string_view name, std::vector<std::string>& value) override { write(name, value); }

 private:
  template <class T>
  void write(std::string_view name, T& value) {
    if (name != setting_.name) return;
    const T* given = std::get_if<T>(&setting_.value);
    require(given != nullptr, "internal: attribute '{}' of op '{}' has another type", name, op_);
    value = *given;
    found_ = true;
  }

  const Setting& setting_;
  const std::string& op_;
  bool found_ = false;
};

/// Reads every attribute from the ONNX attribute of the same name.
class OnnxReader : public ir::AttributeVisitor {
 public:
  explicit OnnxReader(const Lower& node) : node_(node) {}
  void operator()(std::string_view name, int64_t& value) override { value = node_.integer(name, value); }
  void operator()(std::string_view name, double& value) override { value = node_.number(name, value); }
  void operator()(std::string_view name, bool& value) override { value = node_.integer(name, value) != 0; }
  void operator()(std::string_view name, std::string& value) override { value = node_.text(name, value); }
  void operator()(std::string_view name, DType& value) override { value = node_.dtype(name, value); }
  void operator()(std::string_view name, std::vector<int64_t>& value) override {
    value = node_.integers(name, value);
  }
  void operator()(std::string_view name, std::vector<double>& value) override {
    value = node_.numbers(name, value);
  }
  void operator()(std::string_view name, std::vector<std::string>& value) override {
    value = node_.texts(name, value);
  }

 private:
  const Lower& node_;
};

constexpr std::array<std::string_view, 15> attribute_types = {
    "undefined", "a float", "an int", "a string",        "a tensor",       "a graph", "floats", "ints",
    "strings",   "tensors", "graphs", "a sparse tensor", "sparse tensors", "a type",  "types"};

}  // namespace

ir::Attributes make_attributes(const ops::OpDef& op, Settings settings) {
  ir::Attributes attributes = op.default_attributes;
  for (const Setting& setting : settings) {
    SettingWriter writer(setting, op.name);
    attributes.visit(writer);
    require(writer.found(), "internal: op '{}' has no attribute '{}'", op.name, setting.name);
  }
  return attributes;
}

Lower::Lower(GraphImporter& importer, const NodeProto& node, int64_t opset)
    : importer_(importer), node_(node), opset_(opset) {
  for (std::string_view name : node.inputs) {
    const std::vector<ir::ValueId>* sequence = importer.find_sequence(name);
    if (sequence) input_sequences_[input_count()] = sequence;
    inputs_.push_back(name.empty() || sequence ? ir::ValueId{} : importer.resolve(name));
  }
  outputs_.resize(node.outputs.size());
}

std::string Lower::source() const { return node_.source(); }
std::string_view Lower::op_type() const { return node_.op_type; }
std::string_view Lower::domain() const { return node_.domain; }

ir::ValueId Lower::needed_input(int i) const {
  require(static_cast<bool>(input(i)), "input {} is missing", i);
  return input(i);
}

const std::vector<ir::ValueId>& Lower::sequence(int i) const {
  const auto found = input_sequences_.find(i);
  require(found != input_sequences_.end(), "input {} must be a sequence", i);
  return *found->second;
}

void Lower::set_sequence(int i, std::vector<ir::ValueId> values) { output_sequences_[i] = std::move(values); }

bool Lower::wants_output(int i) const {
  return static_cast<size_t>(i) < node_.outputs.size() && !node_.outputs[static_cast<size_t>(i)].empty();
}

const AttributeProto* Lower::find(std::string_view name) const {
  for (const AttributeProto& attribute : node_.attributes)
    if (attribute.name == name) return importer_.resolve_attribute(attribute);
  return nullptr;
}

const AttributeProto* Lower::find(std::string_view name, int type) const {
  const AttributeProto* attribute = find(name);
  if (attribute && static_cast<int>(attribute->type) != type) {
    const size_t found = static_cast<size_t>(attribute->type);
    fail("attribute '{}' must be {}, not {}", name, attribute_types[static_cast<size_t>(type)],
         found < attribute_types.size() ? attribute_types[found] : "of an unknown type");
  }
  return attribute;
}

int64_t Lower::integer(std::string_view name, int64_t otherwise) const {
  const AttributeProto* found = find(name, static_cast<int>(AttributeType::integer));
  return found ? found->integer : otherwise;
}

double Lower::number(std::string_view name, double otherwise) const {
  const AttributeProto* found = find(name, static_cast<int>(AttributeType::number));
  return found ? static_cast<double>(found->number) : otherwise;
}

std::string Lower::text(std::string_view name, std::string otherwise) const {
  const AttributeProto* found = find(name, static_cast<int>(AttributeType::text));
  return found ? std::string(found->text) : otherwise;
}

std::vector<int64_t> Lower::integers(std::string_view name, std::vector<int64_t> otherwise) const {
  const AttributeProto* found = find(name);
  if (found && found->type == AttributeType::undefined) return {};  // an empty list in files without types
  found = find(name, static_cast<int>(AttributeType::integers));
  return found ? found->integers : otherwise;
}

std::vector<double> Lower::numbers(std::string_view name, std::vector<double> otherwise) const {
  const AttributeProto* found = find(name, static_cast<int>(AttributeType::numbers));
  return found ? std::vector<double>(found->numbers.begin(), found->numbers.end()) : otherwise;
}

std::vector<std::string> Lower::texts(std::string_view name, std::vector<std::string> otherwise) const {
  const AttributeProto* found = find(name, static_cast<int>(AttributeType::texts));
  return found ? std::vector<std::string>(found->texts.begin(), found->texts.end()) : otherwise;
}

Tensor Lower::tensor(std::string_view name) const {
  const AttributeProto* found = find(name);
  require(found != nullptr, "attribute '{}' is missing", name);
  return with_context(
      [&] { return fmt::format("node '{}' ({}): attribute '{}'", node_.source(), node_.op_type, name); },
      [&] {
        if (found->sparse_tensor) return importer_.model().tensors.read(*found->sparse_tensor);
        require(found->tensor.has_value(), "it holds no tensor");
        return importer_.model().tensors.read(*found->tensor);
      });
}

DType Lower::dtype(std::string_view name, DType otherwise) const {
  if (!has(name)) return otherwise;
  const int64_t element = integer(name);
  return needed_dtype(element >= 0 && element < 1000 ? static_cast<int32_t>(element) : -1,
                      fmt::format("attribute '{}'", name));
}

ir::Attributes Lower::attributes_for(const ops::OpDef& op) const {
  ir::Attributes attributes = op.default_attributes;
  OnnxReader reader(*this);
  attributes.visit(reader);
  return attributes;
}

const ir::TensorType& Lower::type(ir::ValueId value) const { return importer_.graph().value(value).type; }

std::vector<ir::ValueId> Lower::inputs_of(ir::ValueId value, const ops::OpDef& op) const {
  const ir::Node* node = value ? importer_.graph().producer(value) : nullptr;
  if (!node || node->op != &op) return {};
  return {node->inputs.begin(), node->inputs.end()};
}

Tensor Lower::constant(ir::ValueId value) const { return value ? importer_.constant(value) : Tensor(); }

std::optional<std::vector<int64_t>> Lower::known_integers(ir::ValueId value) const {
  if (!value) return std::nullopt;
  const auto contents = ops::known_contents(importer_.graph(), value);
  if (contents) return ir::constants(*contents);
  const Tensor data = constant(value);
  if (data.empty() || data.rank() > 1 || is_floating(data.dtype())) return std::nullopt;
  return ops::integers_of(data);
}

std::vector<std::optional<int64_t>> Lower::known_elements(ir::ValueId value) const {
  if (const auto all = known_integers(value)) return {all->begin(), all->end()};
  const ir::Graph& graph = importer_.graph();
  const ir::Node* node = graph.producer(value);
  if (!node || node->op != &ops::def::concat || graph.value(value).type.rank() != 1) return {};
  std::vector<std::optional<int64_t>> elements;
  for (ir::ValueId part : node->inputs) {
    const ir::Dim& length = graph.value(part).type.shape[0];
    if (!length.is_constant() || length.constant() > 64) return {};
    const auto known = known_integers(part);
    if (known)
      elements.insert(elements.end(), known->begin(), known->end());
    else
      elements.resize(elements.size() + static_cast<size_t>(length.constant()));
  }
  return elements;
}

ir::ValueId Lower::emit(const ops::OpDef& op, ir::Attributes attributes, std::vector<ir::ValueId> inputs) {
  return emit_many(op, std::move(attributes), std::move(inputs), 1)[0];
}

std::vector<ir::ValueId> Lower::emit_many(const ops::OpDef& op, ir::Attributes attributes,
                                          std::vector<ir::ValueId> inputs, int outputs,
                                          std::vector<std::shared_ptr<ir::Graph>> bodies) {
  const auto made =
      emit_into(importer_.graph(), op, std::move(attributes), std::move(inputs), outputs, std::move(bodies));
  emitted_.insert(emitted_.end(), made.begin(), made.end());
  return made;
}

std::vector<ir::ValueId> Lower::emit_into(ir::Graph& graph, const ops::OpDef& op, ir::Attributes attributes,
                                          std::vector<ir::ValueId> inputs, int outputs,
                                          std::vector<std::shared_ptr<ir::Graph>> bodies) {
  while (!inputs.empty() && !inputs.back()) inputs.pop_back();
  const std::string source = node_.source();
  const std::string hint = fmt::format("{}.{}", value_hint(), op.name);
  const std::vector<std::string> names(static_cast<size_t>(outputs), hint);
  const ir::NodeId id = graph.add_node(op, std::move(attributes), std::move(inputs), outputs, names);
  graph.node(id).source = source;
  graph.node(id).bodies = std::move(bodies);
  ops::infer(graph, id);
  const std::vector<ir::ValueId>& made = graph.node(id).outputs;
  for (ir::ValueId value : made)
    require(graph.value(value).type.rank() <= 64, "the result has {} dimensions; 64 are the most",
            graph.value(value).type.rank());
  return made;
}

std::string Lower::value_hint() const {
  return node_.outputs.empty() || node_.outputs[0].empty() ? node_.source() : std::string(node_.outputs[0]);
}

ir::Dim Lower::fresh_symbol(const std::string& hint) {
  return ir::Dim::symbol(importer_.model().symbol_for("", hint));
}

std::optional<std::vector<int64_t>> Lower::declared_shape(int i) const {
  if (!wants_output(i)) return std::nullopt;
  const ValueInfoProto* info = importer_.declaration(node_.outputs[static_cast<size_t>(i)]);
  if (!info || info->kind != ValueKind::tensor || !info->has_shape) return std::nullopt;
  std::vector<int64_t> shape;
  for (const DimensionProto& dim : info->dims) {
    if (!dim.value || *dim.value < 0) return std::nullopt;
    shape.push_back(*dim.value);
  }
  return shape;
}

ir::ValueId Lower::add_constant(Tensor data) {
  const ir::ValueId value = importer_.graph().add_constant(value_hint() + ".constant", std::move(data));
  emitted_.push_back(value);
  return value;
}

ir::ValueId Lower::add_integers(const std::vector<int64_t>& values) {
  return add_constant(Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values));
}

ir::ValueId Lower::add_scalar(DType dtype, double value) {
  Tensor data(dtype, {});
  dispatch(AllTypes{}, dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    *data.data<T>() = element_of<T>(value);
  });
  return add_constant(data);
}

void Lower::set_output(int i, ir::ValueId value) {
  if (static_cast<size_t>(i) >= node_.outputs.size()) return;
  outputs_[static_cast<size_t>(i)] = value;
  const auto found = std::find(emitted_.begin(), emitted_.end(), value);
  if (found == emitted_.end() || node_.outputs[static_cast<size_t>(i)].empty()) return;
  emitted_.erase(found);
  importer_.graph().rename(value, std::string(node_.outputs[static_cast<size_t>(i)]));
}

namespace {

const GraphProto& subgraph(const AttributeProto* attribute, std::string_view name) {
  require(attribute && attribute->graph, "attribute '{}' must be a graph", name);
  return *attribute->graph;
}

}  // namespace

size_t Lower::body_inputs(std::string_view attribute) const {
  return subgraph(find(attribute), attribute).inputs.size();
}
size_t Lower::body_outputs(std::string_view attribute) const {
  return subgraph(find(attribute), attribute).outputs.size();
}

std::optional<int64_t> Lower::number_condition() {
  Conditions& conditions = importer_.model().conditions;
  if (conditions.graph != &importer_.graph()) return std::nullopt;
  return conditions.met++;
}

std::optional<bool> Lower::decided(int64_t number) const {
  const std::map<int64_t, bool>& decided = importer_.model().conditions.decided;
  const auto found = decided.find(number);
  return found == decided.end() ? std::nullopt : std::optional(found->second);
}

std::vector<ir::ValueId> Lower::captures(std::initializer_list<std::string_view> attributes) const {
  std::vector<ir::ValueId> captured;
  for (std::string_view attribute : attributes) {
    for (std::string_view name : outer_names(subgraph(find(attribute), attribute))) {
      const ir::ValueId value = importer_.resolve(name);
      if (!value || importer_.graph().value(value).is_constant()) continue;
      if (std::find(captured.begin(), captured.end(), value) == captured.end()) captured.push_back(value);
    }
  }
  return captured;
}

std::shared_ptr<ir::Graph> Lower::body(std::string_view attribute, const std::vector<ir::TensorType>& types,
                                       const std::vector<ir::ValueId>& captures) {
  const DepthGuard guard(importer_.model());
  const GraphProto& proto = subgraph(find(attribute), attribute);
  require(proto.inputs.size() == types.size(), "its {} has {} inputs, not {}", attribute, proto.inputs.size(),
          types.size());
  auto graph = std::make_shared<ir::Graph>(fmt::format("{}_{}", attribute, ++importer_.model().bodies));
  GraphImporter inside(importer_, *graph);
  for (size_t i = 0; i < types.size(); ++i)
    inside.define(proto.inputs[i].name, graph->add_input(std::string(proto.inputs[i].name), types[i]));
  for (ir::ValueId outer : captures) {
    const ir::Value& value = importer_.graph().value(outer);
    const ir::ValueId inner = graph->add_input(value.name, value.type);
    graph->value(inner).contents = ops::known_contents(importer_.graph(), outer);
    inside.capture(outer, inner);
  }
  inside.declare(proto);
  inside.add_initializers(proto);
  inside.import_nodes(proto.nodes);
  for (const ValueInfoProto& output : proto.outputs)
    graph->outputs.push_back({std::string(output.name), inside.resolve(output.name)});
  graph->remove_dead();
  return graph;
}

std::vector<ir::ValueId> Lower::inline_body(std::string_view attribute,
                                            const std::vector<ir::ValueId>& inputs) {
  const DepthGuard guard(importer_.model());
  const GraphProto& proto = subgraph(find(attribute), attribute);
  require(proto.inputs.size() == inputs.size(), "its {} has {} inputs, not {}", attribute,
          proto.inputs.size(), inputs.size());
  GraphImporter inside(importer_, importer_.graph());
  for (size_t i = 0; i < inputs.size(); ++i) inside.define(proto.inputs[i].name, inputs[i]);
  inside.declare(proto);
  inside.add_initializers(proto);
  inside.import_nodes(proto.nodes);
  std::vector<ir::ValueId> outputs;
  for (const ValueInfoProto& output : proto.outputs) outputs.push_back(inside.resolve(output.name));
  return outputs;
}

}  // namespace burnish::onnx
