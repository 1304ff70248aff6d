#include "onnx/import.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/mapped_file.h"
#include "onnx/graph_importer.h"
#include "onnx/registry.h"

namespace burnish::onnx {
namespace {

/// Every op of the model that Burnish does not know, found before anything is built.
class OpSurvey {
 public:
  explicit OpSurvey(const ModelContext& model) : model_(model) {}

  /// The nodes, their subgraphs, and the functions that they call.
  void visit(const std::vector<NodeProto>& nodes, const OpsetMap& opsets) {
    visit_nodes(nodes, opsets);
    while (!called_.empty()) {
      const FunctionProto* function = called_.back();
      called_.pop_back();
      visit_nodes(function->nodes, opset_map(function->opsets));
    }
  }

  void report() const {
    if (missing_.empty()) return;
    std::string kind;
    std::string text = missing_.size() == 1
                           ? "one op of the model is not supported:"
                           : fmt::format("{} ops of the model are not supported:", missing_.size());
    bool all_refused = true;
    for (const auto& [key, entry] : missing_) {
      const auto& [op, domain, opset] = key;
      const std::string_view refused = refused_kind(op, domain);
      all_refused = all_refused && !refused.empty();
      if (kind.empty()) kind = refused;
      text +=
          fmt::format("\n  {} (domain {}, opset {}{}) of node '{}'", op, domain.empty() ? "ai.onnx" : domain,
                      opset, refused.empty() ? "" : fmt::format(", {}", refused), entry.first);
      if (entry.second > 1) text += fmt::format(" and {} more", entry.second - 1);
    }
    if (!kind.empty() && all_refused) throw Refused(kind, text);
    throw Error(text);
  }

 private:
  void visit_nodes(const std::vector<NodeProto>& nodes, const OpsetMap& opsets) {
    for (const NodeProto& node : nodes) {
      for (const AttributeProto& attribute : node.attributes)
        if (attribute.graph) visit_nodes(attribute.graph->nodes, opsets);
      if (const FunctionProto* function = model_.find_function(node)) {
        if (known_.insert(function).second) called_.push_back(function);
        continue;
      }
      const auto opset = opsets.find(node.domain);
      const int64_t version = opset == opsets.end() ? 1 : opset->second;
      if (!find_import(node.op_type, node.domain, version)) add(node, version);
    }
  }
  void add(const NodeProto& node, int64_t opset) {
    auto& entry = missing_[{std::string(node.op_type), std::string(node.domain), opset}];
    if (entry.second++ == 0) entry.first = node.source();
  }

  const ModelContext& model_;
  std::set<const FunctionProto*> known_;
  std::vector<const FunctionProto*> called_;
  std::map<std::tuple<std::string, std::string, int64_t>, std::pair<std::string, int>>
      missing_;  // -> first node, count
};

void refuse_other_kinds(const ValueInfoProto& info, std::string_view what) {
  const auto refuse = [&](std::string kind) {
    throw Refused(kind, fmt::format("{} '{}' is a {}, which is not supported: only tensors are", what,
                                    info.name, kind));
  };
  switch (info.kind) {
    case ValueKind::sequence:
      refuse("sequence");
      break;
    case ValueKind::map:
      refuse("map");
      break;
    case ValueKind::optional:
      refuse("optional");
      break;
    case ValueKind::sparse_tensor:
      refuse("sparse tensor");
      break;
    default:
      break;
  }
  if (info.element_type == 8)
    throw Refused("string", fmt::format("{} '{}' holds strings, which are not supported", what, info.name));
}

ir::TensorType input_type(const ValueInfoProto& info, ModelContext& model, ir::Graph& graph) {
  require(info.kind == ValueKind::tensor, "input '{}' has no type", info.name);
  const DType dtype = needed_dtype(info.element_type, fmt::format("input '{}'", info.name));
  require(info.has_shape, "input '{}' does not say how many dimensions it has; give its shape in the model",
          info.name);
  require(info.dims.size() <= 64, "input '{}' has {} dimensions; 64 are the most", info.name,
          info.dims.size());
  ir::TensorType type{.dtype = dtype, .shape = {}};
  for (size_t axis = 0; axis < info.dims.size(); ++axis) {
    const DimensionProto& dim = info.dims[axis];
    if (dim.value && *dim.value != -1) {
      require(*dim.value >= 0, "input '{}' has the negative dimension {} at axis {}", info.name, *dim.value,
              axis);
      type.shape.emplace_back(*dim.value);
      continue;
    }
    const bool anonymous = dim.value || dim.parameter == "?" || dim.parameter == "-1";
    const std::string symbol = model.symbol_for(anonymous ? std::string_view() : dim.parameter,
                                                fmt::format("{}_{}", info.name, axis));
    graph.symbols.emplace(symbol, ir::SymbolRange{});
    type.shape.push_back(ir::Dim::symbol(symbol));
  }
  return type;
}

void add_inputs(const GraphProto& proto, ModelContext& model, GraphImporter& importer) {
  for (const ValueInfoProto& input : proto.inputs) {
    require(!input.name.empty(), "an input has no name");
    refuse_other_kinds(input, "input");
    if (importer.defines(input.name)) {  // an initializer too: its default is its value
      require(!importer.graph().value(importer.resolve(input.name)).is_input, "two inputs are called '{}'",
              input.name);
      continue;
    }
    ir::Graph& graph = importer.graph();
    importer.define(input.name, graph.add_input(std::string(input.name), input_type(input, model, graph)));
  }
}

void check_output_names(const GraphProto& proto) {
  require(!proto.outputs.empty(), "the model has no outputs");
  std::set<std::string_view> names;
  for (const ValueInfoProto& output : proto.outputs)
    require(names.insert(output.name).second, "two outputs are called '{}'", output.name);
}

void add_outputs(const GraphProto& proto, const std::vector<ir::ValueId>& values, ir::Graph& graph) {
  for (size_t i = 0; i < values.size(); ++i) {
    const ValueInfoProto& output = proto.outputs[i];
    const ir::ValueId value = values[i];
    const DType made = graph.value(value).type.dtype;
    const auto declared = element_dtype(output.element_type);
    require(output.kind != ValueKind::tensor || output.element_type == 0 || (declared && *declared == made),
            "output '{}' is declared as {} but computed as {}", output.name,
            element_name(output.element_type), dtype_name(made));
    graph.outputs.push_back({std::string(output.name), value});
  }
}

}  // namespace

ImportedModel import_bytes(std::string_view bytes, std::shared_ptr<const MappedFile> file,
                           const std::string& folder, const std::map<std::string, Tensor>& external) {
  const ModelProto proto = parse_model(bytes);
  require(proto.graph.has_value(), "the file holds no graph: it is not an ONNX model");
  OpsetMap opsets = opset_map(proto.opsets);
  if (!opsets.contains("")) {
    require(proto.ir_version < 3 || !opsets.empty(), "the model does not say which opset it uses");
    opsets[""] = 1;
  }
  ModelContext context(proto, TensorSource(std::move(file), folder, external));
  for (const ValueInfoProto& input : proto.graph->inputs) refuse_other_kinds(input, "input");
  for (const ValueInfoProto& output : proto.graph->outputs) refuse_other_kinds(output, "output");
  OpSurvey survey(context);
  survey.visit(proto.graph->nodes, opsets);
  survey.report();

  ImportedModel imported;
  imported.graph = std::make_shared<ir::Graph>("main");
  GraphImporter importer(context, *imported.graph, std::move(opsets));
  importer.declare(*proto.graph);
  importer.add_initializers(*proto.graph);
  for (ir::ValueId id : imported.graph->constants())
    imported.weights.emplace(imported.graph->value(id).name, imported.graph->value(id).constant);
  add_inputs(*proto.graph, context, importer);
  check_output_names(*proto.graph);
  add_outputs(*proto.graph, import_outputs(importer, *proto.graph), *imported.graph);
  imported.graph->remove_dead();
  ir::verify(*imported.graph);
  imported.fixed_weights = std::move(context.fixed);
  for (const StringEntry& entry : proto.metadata) imported.metadata.emplace(entry.key, entry.value);
  return imported;
}

ImportedModel import_file(const std::string& path) {
  return with_context([&] { return fmt::format("model '{}'", path); },
                      [&] {
                        const auto file = MappedFile::open(path);
                        const std::string folder = std::filesystem::path(path).parent_path().string();
                        return import_bytes(file->bytes(), file, folder.empty() ? "." : folder);
                      });
}

}  // namespace burnish::onnx
