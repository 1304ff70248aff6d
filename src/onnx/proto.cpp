#include "onnx/proto.h"

#include <fmt/format.h>

#include <array>

#include "onnx/fields.h"

namespace burnish::onnx {
namespace {

constexpr int deepest_nesting = 48;  // graphs within nodes within graphs; real models have three or four

StringEntry parse_entry(std::string_view bytes) {
  StringEntry entry;
  for (Fields fields(bytes, "StringStringEntryProto"); fields.next();) {
    switch (fields.tag()) {
      case 1:
        entry.key = fields.bytes();
        break;
      case 2:
        entry.value = fields.bytes();
        break;
      default:
        fields.skip();
    }
  }
  return entry;
}

TensorProto read_tensor(std::string_view bytes) {
  TensorProto tensor;
  tensor.message = bytes;
  for (Fields fields(bytes, "TensorProto"); fields.next();) {
    switch (fields.tag()) {
      case 1:
        fields.integers(tensor.dims);
        break;
      case 2:
        tensor.data_type = static_cast<int32_t>(fields.integer());
        break;
      case 8:
        tensor.name = fields.bytes();
        break;
      case 9:
        tensor.raw_data = fields.bytes();
        break;
      case 13:
        tensor.external_data.push_back(parse_entry(fields.bytes()));
        break;
      case 14:
        tensor.is_external = fields.integer() == 1;
        break;
      default:
        fields.skip();
    }
  }
  return tensor;
}

SparseTensorProto parse_sparse_tensor(std::string_view bytes) {
  SparseTensorProto tensor;
  for (Fields fields(bytes, "SparseTensorProto"); fields.next();) {
    switch (fields.tag()) {
      case 1:
        tensor.values = read_tensor(fields.bytes());
        break;
      case 2:
        tensor.indices = read_tensor(fields.bytes());
        break;
      case 3:
        fields.integers(tensor.dims);
        break;
      default:
        fields.skip();
    }
  }
  return tensor;
}

GraphProto parse_graph(std::string_view bytes, int depth);

/// Files older than IR version 2 leave the type out: it follows from the field that is set.
AttributeType type_from_field(uint32_t tag) {
  switch (tag) {
    case 2:
      return AttributeType::number;
    case 3:
      return AttributeType::integer;
    case 4:
      return AttributeType::text;
    case 5:
      return AttributeType::tensor;
    case 6:
      return AttributeType::graph;
    case 7:
      return AttributeType::numbers;
    case 8:
      return AttributeType::integers;
    case 9:
      return AttributeType::texts;
    case 22:
      return AttributeType::sparse_tensor;
    default:
      return AttributeType::undefined;
  }
}

AttributeProto parse_attribute(std::string_view bytes, int depth) {
  AttributeProto attribute;
  AttributeType from_field = AttributeType::undefined;
  for (Fields fields(bytes, "AttributeProto"); fields.next();) {
    if (const AttributeType type = type_from_field(fields.tag()); type != AttributeType::undefined)
      from_field = type;
    switch (fields.tag()) {
      case 1:
        attribute.name = fields.bytes();
        break;
      case 2:
        attribute.number = fields.number();
        break;
      case 3:
        attribute.integer = fields.integer();
        break;
      case 4:
        attribute.text = fields.bytes();
        break;
      case 5:
        attribute.tensor = read_tensor(fields.bytes());
        break;
      case 6:
        attribute.graph = std::make_shared<const GraphProto>(parse_graph(fields.bytes(), depth + 1));
        break;
      case 7:
        fields.numbers(attribute.numbers);
        break;
      case 8:
        fields.integers(attribute.integers);
        break;
      case 9:
        attribute.texts.push_back(fields.bytes());
        break;
      case 20:
        attribute.type = static_cast<AttributeType>(fields.integer());
        break;
      case 21:
        attribute.reference = fields.bytes();
        break;
      case 22:
        attribute.sparse_tensor = parse_sparse_tensor(fields.bytes());
        break;
      default:
        fields.skip();
    }
  }
  if (attribute.type == AttributeType::undefined) attribute.type = from_field;
  return attribute;
}

NodeProto parse_node(std::string_view bytes, int depth) {
  NodeProto node;
  for (Fields fields(bytes, "NodeProto"); fields.next();) {
    switch (fields.tag()) {
      case 1:
        node.inputs.push_back(fields.bytes());
        break;
      case 2:
        node.outputs.push_back(fields.bytes());
        break;
      case 3:
        node.name = fields.bytes();
        break;
      case 4:
        node.op_type = fields.bytes();
        break;
      case 5:
        node.attributes.push_back(parse_attribute(fields.bytes(), depth));
        break;
      case 7:
        node.domain = fields.bytes();
        break;
      case 8:
        node.overload = fields.bytes();
        break;
      default:
        fields.skip();
    }
  }
  if (node.domain == "ai.onnx") node.domain = "";
  return node;
}

DimensionProto parse_dimension(std::string_view bytes) {
  DimensionProto dim;
  for (Fields fields(bytes, "TensorShapeProto.Dimension"); fields.next();) {
    switch (fields.tag()) {
      case 1:
        dim.value = fields.integer();
        break;
      case 2:
        dim.parameter = fields.bytes();
        break;
      default:
        fields.skip();
    }
  }
  return dim;
}

void parse_tensor_type(std::string_view bytes, ValueInfoProto& info) {
  for (Fields fields(bytes, "TypeProto.Tensor"); fields.next();) {
    switch (fields.tag()) {
      case 1:
        info.element_type = static_cast<int32_t>(fields.integer());
        break;
      case 2:
        info.has_shape = true;
        info.dims.clear();
        for (Fields shape(fields.bytes(), "TensorShapeProto"); shape.next();) {
          if (shape.tag() == 1)
            info.dims.push_back(parse_dimension(shape.bytes()));
          else
            shape.skip();
        }
        break;
      default:
        fields.skip();
    }
  }
}

void parse_type(std::string_view bytes, ValueInfoProto& info) {
  for (Fields fields(bytes, "TypeProto"); fields.next();) {
    switch (fields.tag()) {
      case 1:
        info.kind = ValueKind::tensor;
        parse_tensor_type(fields.bytes(), info);
        continue;
      case 4:
        info.kind = ValueKind::sequence;
        break;
      case 5:
        info.kind = ValueKind::map;
        break;
      case 8:
        info.kind = ValueKind::sparse_tensor;
        break;
      case 9:
        info.kind = ValueKind::optional;
        break;
      default:
        break;
    }
    fields.skip();
  }
}

ValueInfoProto parse_value_info(std::string_view bytes) {
  ValueInfoProto info;
  for (Fields fields(bytes, "ValueInfoProto"); fields.next();) {
    switch (fields.tag()) {
      case 1:
        info.name = fields.bytes();
        break;
      case 2:
        parse_type(fields.bytes(), info);
        break;
      default:
        fields.skip();
    }
  }
  return info;
}

GraphProto parse_graph(std::string_view bytes, int depth) {
  require(depth < deepest_nesting, "graphs are nested more than {} deep", deepest_nesting);
  GraphProto graph;
  for (Fields fields(bytes, "GraphProto"); fields.next();) {
    switch (fields.tag()) {
      case 1:
        graph.nodes.push_back(parse_node(fields.bytes(), depth));
        break;
      case 2:
        graph.name = fields.bytes();
        break;
      case 5:
        graph.initializers.push_back(read_tensor(fields.bytes()));
        break;
      case 11:
        graph.inputs.push_back(parse_value_info(fields.bytes()));
        break;
      case 12:
        graph.outputs.push_back(parse_value_info(fields.bytes()));
        break;
      case 13:
        graph.value_infos.push_back(parse_value_info(fields.bytes()));
        break;
      case 15: {
        SparseTensorProto tensor = parse_sparse_tensor(fields.bytes());
        const std::string_view name = tensor.values.name;
        graph.sparse_initializers.emplace_back(name, std::move(tensor));
        break;
      }
      default:
        fields.skip();
    }
  }
  return graph;
}

OpsetImport parse_opset(std::string_view bytes) {
  OpsetImport opset;
  for (Fields fields(bytes, "OperatorSetIdProto"); fields.next();) {
    switch (fields.tag()) {
      case 1:
        opset.domain = fields.bytes();
        break;
      case 2:
        opset.version = fields.integer();
        break;
      default:
        fields.skip();
    }
  }
  if (opset.domain == "ai.onnx") opset.domain = "";
  return opset;
}

FunctionProto parse_function(std::string_view bytes) {
  FunctionProto function;
  for (Fields fields(bytes, "FunctionProto"); fields.next();) {
    switch (fields.tag()) {
      case 1:
        function.name = fields.bytes();
        break;
      case 4:
        function.inputs.push_back(fields.bytes());
        break;
      case 5:
        function.outputs.push_back(fields.bytes());
        break;
      case 7:
        function.nodes.push_back(parse_node(fields.bytes(), 0));
        break;
      case 9:
        function.opsets.push_back(parse_opset(fields.bytes()));
        break;
      case 10:
        function.domain = fields.bytes();
        break;
      case 11:
        function.default_attributes.push_back(parse_attribute(fields.bytes(), 0));
        break;
      case 13:
        function.overload = fields.bytes();
        break;
      default:
        fields.skip();
    }
  }
  if (function.domain == "ai.onnx") function.domain = "";
  return function;
}

ModelProto read_model(std::string_view bytes) {
  ModelProto model;
  for (Fields fields(bytes, "ModelProto"); fields.next();) {
    switch (fields.tag()) {
      case 1:
        model.ir_version = fields.integer();
        break;
      case 2:
        model.producer = fields.bytes();
        break;
      case 7:
        model.graph = parse_graph(fields.bytes(), 0);
        break;
      case 8:
        model.opsets.push_back(parse_opset(fields.bytes()));
        break;
      case 14:
        model.metadata.push_back(parse_entry(fields.bytes()));
        break;
      case 25:
        model.functions.push_back(parse_function(fields.bytes()));
        break;
      default:
        fields.skip();
    }
  }
  return model;
}

/// Turns protozero's exceptions into ours.
template <class Parse>
auto checked(Parse&& parse) {
  try {
    return parse();
  } catch (const protozero::exception& error) {
    fail("not a valid ONNX protobuf ({}): the file is cut short, damaged or of another kind", error.what());
  }
}

struct ElementInfo {
  std::string_view name;
  std::optional<DType> dtype;
};

// In the order of TensorProto.DataType.
constexpr std::array<ElementInfo, 27> elements = {{
    {"UNDEFINED", {}},
    {"FLOAT", DType::f32},
    {"UINT8", DType::u8},
    {"INT8", DType::i8},
    {"UINT16", DType::u16},
    {"INT16", DType::i16},
    {"INT32", DType::i32},
    {"INT64", DType::i64},
    {"STRING", {}},
    {"BOOL", DType::boolean},
    {"FLOAT16", DType::f16},
    {"DOUBLE", DType::f64},
    {"UINT32", DType::u32},
    {"UINT64", DType::u64},
    {"COMPLEX64", {}},
    {"COMPLEX128", {}},
    {"BFLOAT16", DType::bf16},
    {"FLOAT8E4M3FN", DType::f8e4m3},
    {"FLOAT8E4M3FNUZ", {}},
    {"FLOAT8E5M2", DType::f8e5m2},
    {"FLOAT8E5M2FNUZ", {}},
    {"UINT4", DType::u4},
    {"INT4", DType::i4},
    {"FLOAT4E2M1", {}},
    {"FLOAT8E8M0", {}},
    {"UINT2", {}},
    {"INT2", {}},
}};

}  // namespace

std::string NodeProto::source() const {
  if (!name.empty()) return std::string(name);
  for (std::string_view output : outputs)
    if (!output.empty()) return std::string(output);
  return "unnamed " + std::string(op_type);
}

ModelProto parse_model(std::string_view bytes) {
  return checked([&] { return read_model(bytes); });
}

TensorProto parse_tensor(std::string_view bytes) {
  return checked([&] { return read_tensor(bytes); });
}

std::optional<DType> element_dtype(int32_t data_type) {
  if (data_type < 0 || data_type >= static_cast<int32_t>(elements.size())) return std::nullopt;
  return elements[static_cast<size_t>(data_type)].dtype;
}

std::optional<DType> element_dtype_by_name(std::string_view name) {
  for (const ElementInfo& element : elements)
    if (element.name == name) return element.dtype;
  return std::nullopt;
}

DType needed_dtype(int32_t data_type, std::string_view what) {
  if (const auto dtype = element_dtype(data_type)) return *dtype;
  const std::string name = element_name(data_type);
  const bool known = data_type > 0 && data_type < static_cast<int32_t>(elements.size());
  require(known, "{}: there is no element type {}", what, data_type);
  throw Refused(name == "STRING" ? "string" : "element type " + name,
                fmt::format("{}: elements of type {} are not supported", what, name));
}

std::string element_name(int32_t data_type) {
  if (data_type < 0 || data_type >= static_cast<int32_t>(elements.size()))
    return fmt::format("type {}", data_type);
  return std::string(elements[static_cast<size_t>(data_type)].name);
}

}  // namespace burnish::onnx
