// Writes small ONNX models for tests.
#pragma once

#include <burnish/tensor.h>

#include <protozero/pbf_writer.hpp>

#include <string>
#include <vector>

namespace burnish::test {

/// Numbers of TensorProto.DataType that tests use.
enum Element : int32_t {
  FLOAT = 1,
  UINT8 = 2,
  INT8 = 3,
  UINT16 = 4,
  INT32 = 6,
  INT64 = 7,
  STRING = 8,
  BOOL = 9,
  FLOAT16 = 10,
  BFLOAT16 = 16,
  INT4 = 22
};

/// One message under construction; `str()` is its bytes.
class Message {
 public:
  Message& integer(uint32_t field, int64_t value) {
    writer().add_int64(field, value);
    return *this;
  }
  Message& number(uint32_t field, float value) {
    writer().add_float(field, value);
    return *this;
  }
  Message& text(uint32_t field, const std::string& value) {
    writer().add_string(field, value);
    return *this;
  }
  Message& message(uint32_t field, const Message& value) {
    writer().add_message(field, value.str());
    return *this;
  }
  const std::string& str() const { return buffer_; }

 private:
  protozero::pbf_writer writer() { return protozero::pbf_writer(buffer_); }
  std::string buffer_;
};

inline Message attribute(const std::string& name, int64_t value) {
  return Message().text(1, name).integer(3, value).integer(20, 2);
}
inline Message attribute(const std::string& name, int value) {
  return attribute(name, static_cast<int64_t>(value));
}
inline Message attribute(const std::string& name, float value) {
  return Message().text(1, name).number(2, value).integer(20, 1);
}
inline Message attribute(const std::string& name, const char* value) {
  return Message().text(1, name).text(4, value).integer(20, 3);
}
inline Message attribute(const std::string& name, const std::vector<int64_t>& values) {
  Message made = Message().text(1, name).integer(20, 7);
  for (int64_t value : values) made.integer(8, value);
  return made;
}
inline Message graph_attribute(const std::string& name, const Message& graph) {
  return Message().text(1, name).message(6, graph).integer(20, 5);
}
inline Message tensor_attribute(const std::string& name, const Message& tensor) {
  return Message().text(1, name).message(5, tensor).integer(20, 4);
}
/// Inside a function: stands for the caller's attribute `reference`.
inline Message reference_attribute(const std::string& name, const std::string& reference, int type) {
  return Message().text(1, name).text(21, reference).integer(20, type);
}

inline Message node(const std::string& op, const std::vector<std::string>& inputs,
                    const std::vector<std::string>& outputs, const std::vector<Message>& attributes = {},
                    const std::string& name = "", const std::string& domain = "") {
  Message made;
  for (const auto& input : inputs) made.text(1, input);
  for (const auto& output : outputs) made.text(2, output);
  if (!name.empty()) made.text(3, name);
  made.text(4, op);
  for (const Message& each : attributes) made.message(5, each);
  if (!domain.empty()) made.text(7, domain);
  return made;
}

/// A tensor with raw data.
template <class T>
Message tensor(const std::string& name, int32_t element, const std::vector<int64_t>& dims,
               const std::vector<T>& values) {
  Message made;
  for (int64_t dim : dims) made.integer(1, dim);
  made.integer(2, element);
  if (!name.empty()) made.text(8, name);
  return made.text(9, std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)));
}

/// dims: numbers, or names ("n"), or "" for a missing dimension.
inline Message value_info(const std::string& name, int32_t element, const std::vector<std::string>& dims) {
  Message shape;
  for (const std::string& dim : dims) {
    Message made;
    if (!dim.empty() && (std::isdigit(static_cast<unsigned char>(dim[0])) || dim[0] == '-'))
      made.integer(1, std::stoll(dim));
    else if (!dim.empty())
      made.text(2, dim);
    shape.message(1, made);
  }
  return Message().text(1, name).message(
      2, Message().message(1, Message().integer(1, element).message(2, shape)));
}

struct GraphParts {
  std::vector<Message> nodes, initializers, inputs, outputs;
};

inline Message graph(const GraphParts& parts) {
  Message made;
  for (const Message& each : parts.nodes) made.message(1, each);
  made.text(2, "g");
  for (const Message& each : parts.initializers) made.message(5, each);
  for (const Message& each : parts.inputs) made.message(11, each);
  for (const Message& each : parts.outputs) made.message(12, each);
  return made;
}

/// The model's bytes.
inline std::string model(const GraphParts& parts, int64_t opset = 17,
                         const std::vector<Message>& functions = {}) {
  Message made;
  made.integer(1, 8).message(8, Message().text(1, "").integer(2, opset)).message(7, graph(parts));
  if (!functions.empty()) made.message(8, Message().text(1, "local").integer(2, 1));
  for (const Message& function : functions) made.message(25, function);
  return made.str();
}

}  // namespace burnish::test
