// Constants and what only passes a value on.
#include "onnx/lower.h"
#include "onnx/lowerings.h"

namespace burnish::onnx {
namespace {

template <class T>
Tensor vector_of(const std::vector<T>& values) {
  return Tensor::of<T>({static_cast<int64_t>(values.size())}, values);
}

}  // namespace

void lower_identity(Lower& node) { node.set_output(0, node.needed_input(0)); }

void lower_constant(Lower& node) {
  const auto constant = [&]() -> Tensor {
    if (node.has("value")) return node.tensor("value");
    if (node.has("sparse_value")) return node.tensor("sparse_value");
    if (node.has("value_float")) return Tensor::scalar(static_cast<float>(node.number("value_float")));
    if (node.has("value_int")) return Tensor::scalar(node.integer("value_int"));
    if (node.has("value_ints")) return vector_of(node.integers("value_ints"));
    if (node.has("value_floats")) {
      const std::vector<double> values = node.numbers("value_floats");
      return vector_of(std::vector<float>(values.begin(), values.end()));
    }
    node.fail("the constant has no value, or is a string");
  };
  node.set_output(0, node.add_constant(constant()));
}

}  // namespace burnish::onnx
