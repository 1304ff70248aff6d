// What the tests of the data ops share: running one op on given tensors, and inferring one on symbolic types.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <random>

#include "ops/data_attributes.h"
#include "ops/evaluate.h"
#include "ops/infer.h"
#include "ops/table.h"

namespace burnish::ops::testing {

inline std::vector<Tensor> run_all(const OpDef& op, const ir::Attributes& attributes,
                                   std::vector<Tensor> inputs, int outputs) {
  return evaluate_node(op, attributes, inputs, outputs);
}
template <class A>
Tensor run(const OpDef& op, A attributes, std::vector<Tensor> inputs) {
  return run_all(op, ir::Attributes(std::move(attributes)), std::move(inputs), 1)[0];
}
inline Tensor run(const OpDef& op, std::vector<Tensor> inputs) {
  return run(op, ir::NoAttributes{}, std::move(inputs));
}

inline Tensor vector_of(std::vector<int64_t> values) {
  return Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values);
}

/// 0, 1, 2, ... in the given shape.
template <class T = float>
Tensor counting(Shape shape) {
  Tensor tensor(dtype_of<T>, std::move(shape));
  for (int64_t i = 0; i < tensor.size(); ++i) tensor.data<T>()[i] = static_cast<T>(i);
  return tensor;
}

/// Uniform in [-1, 1); the seed is printed when a test fails.
inline Tensor random_tensor(Shape shape, unsigned seed) {
  ::testing::Test::RecordProperty("seed", static_cast<int>(seed));
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  Tensor tensor(DType::f32, std::move(shape));
  for (int64_t i = 0; i < tensor.size(); ++i) tensor.data<float>()[i] = uniform(engine);
  return tensor;
}

template <class T>
std::vector<T> values_of(const Tensor& tensor) {
  return std::vector<T>(tensor.data<T>(), tensor.data<T>() + tensor.size());
}

template <class T>
void expect_tensor(const Tensor& tensor, const Shape& shape, const std::vector<T>& values) {
  EXPECT_EQ(tensor.shape(), shape);
  EXPECT_EQ(values_of<T>(tensor), values);
}

inline void expect_near(const Tensor& tensor, const Shape& shape, const std::vector<float>& values,
                        double tolerance = 1e-5) {
  EXPECT_EQ(tensor.shape(), shape);
  EXPECT_THAT(values_of<float>(tensor),
              ::testing::Pointwise(::testing::FloatNear(static_cast<float>(tolerance)), values));
}

/// One op on symbolic inputs: what inference says of its outputs.
class Inferred {
 public:
  /// A float input with the given dimensions, "n,3,2*h".
  Inferred& input(std::vector<std::string> dims, DType dtype = DType::f32) {
    ir::TensorType type{dtype, {}};
    for (const std::string& dim : dims) type.shape.push_back(ir::Dim::parse(dim));
    inputs_.push_back(graph_.add_input("", type));
    return *this;
  }
  Inferred& constant(Tensor data) {
    inputs_.push_back(graph_.add_constant("", std::move(data)));
    return *this;
  }
  /// An i64 vector whose contents are the given expressions.
  Inferred& contents(std::vector<std::string> dims, bool scalar = false) {
    ir::TensorType type{DType::i64, {}};
    if (!scalar) type.shape = {ir::Dim(static_cast<int64_t>(dims.size()))};
    const ir::ValueId id = graph_.add_input("", type);
    std::vector<ir::Dim> known;
    for (const std::string& dim : dims) known.push_back(ir::Dim::parse(dim));
    graph_.value(id).contents = known;
    inputs_.push_back(id);
    return *this;
  }
  Inferred& omitted() {
    inputs_.push_back({});
    return *this;
  }
  template <class A>
  Inferred& apply(const OpDef& op, A attributes, int outputs = 1) {
    node_ = add_node(graph_, op, ir::Attributes(std::move(attributes)), inputs_, outputs, "test");
    return *this;
  }
  Inferred& apply(const OpDef& op) { return apply(op, ir::NoAttributes{}); }

  std::string type(size_t output = 0) const { return value(output).type.str(); }
  /// "n,3", or "unknown".
  std::string contents(size_t output = 0) const {
    return value(output).contents ? ir::dims_text(*value(output).contents) : "unknown";
  }

 private:
  const ir::Value& value(size_t output) const { return graph_.value(graph_.node(node_).outputs[output]); }

  ir::Graph graph_;
  std::vector<ir::ValueId> inputs_;
  ir::NodeId node_;
};

}  // namespace burnish::ops::testing
