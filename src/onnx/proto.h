// ONNX's messages as light views over the serialised bytes: strings and tensor data are not copied, so the
// bytes must outlive them. Field numbers are those of onnx.proto; what Burnish never reads is left out.
#pragma once

#include <burnish/dtype.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace burnish::onnx {

struct GraphProto;

/// Thrown for what Burnish leaves out on purpose: sequences, optionals, strings, maps, random, training,
/// images, and element types such as COMPLEX64.
class Refused : public Error {
 public:
  Refused(std::string kind, std::string message) : Error(std::move(message)), kind_(std::move(kind)) {}
  const std::string& kind() const { return kind_; }

 private:
  std::string kind_;
};

struct StringEntry {
  std::string_view key, value;
};

struct TensorProto {
  std::string_view name;
  std::vector<int64_t> dims;
  int32_t data_type = 0;
  std::optional<std::string_view> raw_data;
  std::vector<StringEntry> external_data;
  bool is_external = false;
  std::string_view message;  ///< all of it: typed fields (float_data, ...) are decoded when they are wanted
};

struct SparseTensorProto {
  TensorProto values, indices;
  std::vector<int64_t> dims;
};

/// AttributeProto.AttributeType.
enum class AttributeType : int32_t {
  undefined,
  number,
  integer,
  text,
  tensor,
  graph,
  numbers,
  integers,
  texts,
  tensors,
  graphs,
  sparse_tensor,
  sparse_tensors,
  type,
  types,
};

struct AttributeProto {
  std::string_view name;
  std::string_view reference;  ///< inside a function: the name of the caller's attribute that it stands for
  AttributeType type = AttributeType::undefined;
  float number = 0;
  int64_t integer = 0;
  std::string_view text;
  std::optional<TensorProto> tensor;
  std::optional<SparseTensorProto> sparse_tensor;
  std::shared_ptr<const GraphProto> graph;
  std::vector<float> numbers;
  std::vector<int64_t> integers;
  std::vector<std::string_view> texts;
};

struct NodeProto {
  std::string_view name, op_type, domain, overload;
  std::vector<std::string_view> inputs, outputs;
  std::vector<AttributeProto> attributes;

  /// The node's name, or its first output's where it has none.
  std::string source() const;
};

/// What TypeProto says of a value.
enum class ValueKind { tensor, sequence, map, optional, sparse_tensor, unknown };

struct DimensionProto {
  std::optional<int64_t> value;
  std::string_view parameter;
};

struct ValueInfoProto {
  std::string_view name;
  ValueKind kind = ValueKind::unknown;
  int32_t element_type = 0;
  bool has_shape = false;
  std::vector<DimensionProto> dims;
};

struct GraphProto {
  std::string_view name;
  std::vector<NodeProto> nodes;
  std::vector<TensorProto> initializers;
  std::vector<std::pair<std::string_view, SparseTensorProto>> sparse_initializers;
  std::vector<ValueInfoProto> inputs, outputs, value_infos;
};

struct OpsetImport {
  std::string_view domain;
  int64_t version = 0;
};

struct FunctionProto {
  std::string_view name, domain, overload;
  std::vector<std::string_view> inputs, outputs;
  std::vector<AttributeProto> default_attributes;
  std::vector<NodeProto> nodes;
  std::vector<OpsetImport> opsets;
};

struct ModelProto {
  int64_t ir_version = 0;
  std::string_view producer;
  std::vector<OpsetImport> opsets;
  std::vector<StringEntry> metadata;
  std::optional<GraphProto> graph;
  std::vector<FunctionProto> functions;
};

/// Throw Error when the bytes are cut short or are not the message.
ModelProto parse_model(std::string_view bytes);
TensorProto parse_tensor(std::string_view bytes);

/// The element type of a TensorProto.DataType; nullopt for strings, complex numbers and types that Burnish
/// lacks.
std::optional<DType> element_dtype(int32_t data_type);
/// The same from the name ("FLOAT"), as Cast had it in opset 1.
std::optional<DType> element_dtype_by_name(std::string_view name);
/// The same; throws Refused for strings and types that Burnish lacks on purpose, naming `what`.
DType needed_dtype(int32_t data_type, std::string_view what);
/// "FLOAT", "STRING", ...: for messages.
std::string element_name(int32_t data_type);

}  // namespace burnish::onnx
