// Constants, conversions, and what only passes a value on.
#include "onnx/import.h"
#include "onnx/lower.h"
#include "onnx/lowerings.h"
#include "onnx/proto.h"

namespace burnish::onnx {

using namespace ops;

namespace {

template <class T>
Tensor vector_of(const std::vector<T>& values) {
  return Tensor::of<T>({static_cast<int64_t>(values.size())}, values);
}

/// One number in the shape that `shape` (a host input of rank 1) holds.
ir::ValueId filled(Lower& node, Tensor scalar, ir::ValueId shape) {
  return node.emit(def::expand, {node.add_constant(std::move(scalar)), shape});
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
    if (node.has("value_string") || node.has("value_strings"))
      throw Refused("string", "string constants are not supported");
    node.fail("the constant has no value");
  };
  node.set_output(0, node.add_constant(constant()));
}

/// Inference only: the input passes through, and the mask is all ones.
void lower_dropout(Lower& node) {
  const ir::ValueId x = node.needed_input(0);
  if (node.input(2)) {
    const Tensor training = node.constant(node.input(2)), ratio = node.constant(node.input(1));
    const bool drops_nothing = ratio.size() == 1 && ratio.dtype() == DType::f32 && *ratio.data<float>() == 0;
    const bool trains = training.size() != 1 || training.dtype() != DType::boolean || *training.data<bool>();
    if (trains && !drops_nothing) throw Refused("training", "dropout in training mode is not supported");
  }
  node.set_output(0, x);
  if (!node.wants_output(1)) return;
  const ir::ValueId shape = node.emit(def::shape, {x});
  node.set_output(1, filled(node, node.opset() >= 10 ? Tensor::scalar(true) : Tensor::scalar(1.0f), shape));
}

void lower_cast_like(Lower& node) {
  const bool saturate = node.integer("saturate", 1) != 0;
  node.set_output(0, node.emit(def::cast, {{"to", node.dtype(node.needed_input(1))}, {"saturate", saturate}},
                               {node.needed_input(0)}));
}

/// Opset 1 names the type by a string.
void lower_old_cast(Lower& node) {
  const std::string name = node.text("to");
  const auto dtype = element_dtype_by_name(name);
  require(dtype.has_value(), "elements of type '{}' are not supported", name);
  node.set_output(0, node.emit(def::cast, {{"to", *dtype}}, {node.needed_input(0)}));
}

}  // namespace burnish::onnx
