// Random networks for property tests: of the pipeline, of plans, and of every runtime.
#pragma once

#include <fmt/format.h>

#include "ir/attribute_value.h"
#include "ops/infer.h"
#include "ops/table.h"
#include "random_tensor.h"

namespace burnish::testing {

/// Grows a graph of images [n,c,h,w] and matrices by random ops, among them the pieces that rules look for.
class RandomNetwork {
 public:
  explicit RandomNetwork(unsigned seed) : random_(seed), graph_(std::make_shared<ir::Graph>("random")) {
    graph_->symbols["n"] = {1, 2, -1};
    images_.push_back(graph_->add_input("image", {DType::f32, {ir::Dim::symbol("n"), 4, 6, 5}}));
    images_.push_back(graph_->add_input("other", {DType::f32, {ir::Dim::symbol("n"), 4, 6, 5}}));
    const int steps = 5 + static_cast<int>(random_() % 25);
    for (int i = 0; i < steps; ++i) grow();
    graph_->outputs.push_back({"last", images_.back()});
    graph_->outputs.push_back({"some", any()});
    graph_->outputs.push_back({"flat", node(ops::def::reshape, {any(), integers({0, -1})})});
  }

  std::shared_ptr<ir::Graph> graph() { return graph_; }
  /// Tensors for the graph's inputs, in order.
  std::vector<Tensor> inputs(int64_t batch) {
    return {random_tensor(DType::f32, {batch, 4, 6, 5}, false, random_),
            random_tensor(DType::f32, {batch, 4, 6, 5}, false, random_)};
  }
  std::mt19937& random() { return random_; }

 private:
  ir::ValueId any() { return images_[random_() % images_.size()]; }
  /// Mostly the newest value, so that chains arise.
  ir::ValueId recent() { return random_() % 4 ? images_.back() : any(); }

  ir::ValueId constant(const Shape& shape, bool is_positive = false) {
    return graph_->add_constant(graph_->fresh_name("c"),
                                random_tensor(DType::f32, shape, is_positive, random_));
  }
  ir::ValueId number(float value) {
    return graph_->add_constant(graph_->fresh_name("k"), Tensor::scalar(value));
  }
  ir::ValueId integers(const std::vector<int64_t>& values) {
    return graph_->add_constant(graph_->fresh_name("i"),
                                Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values));
  }

  ir::ValueId node(const ops::OpDef& op, std::vector<ir::ValueId> inputs,
                   const std::vector<ir::NamedAttribute>& attributes = {}) {
    return nodes(op, std::move(inputs), 1, attributes)[0];
  }
  std::vector<ir::ValueId> nodes(const ops::OpDef& op, std::vector<ir::ValueId> inputs, int outputs,
                                 const std::vector<ir::NamedAttribute>& attributes = {}) {
    ir::Attributes all = op.default_attributes;
    for (const auto& [name, value] : attributes) ir::set_attribute(all, name, value);
    return graph_->node(ops::add_node(*graph_, op, all, std::move(inputs), outputs, op.name)).outputs;
  }

  ir::ValueId channels_constant(bool is_positive = false) {
    static const Shape shapes[] = {{}, {1}, {4, 1, 1}, {1, 4, 1, 1}, {5}, {1, 1}};
    return constant(shapes[random_() % std::size(shapes)], is_positive);
  }

  void grow() {
    using namespace ops::def;
    using Integers = std::vector<int64_t>;
    const ir::ValueId x = recent();
    ir::ValueId y;
    switch (random_() % 27) {
      case 0:
        y = node(relu, {x});
        break;
      case 1:
        y = node(sigmoid, {x});
        break;
      case 2:
        y = node(mul, {x, node(sigmoid, {x})});
        break;
      case 3:
        y = node(add, {x, any()});
        break;
      case 4:
        y = node(mul, {channels_constant(), x});
        break;
      case 5:
        y = node(add, {channels_constant(), x});
        break;
      case 6:
        y = node(sub, {x, channels_constant()});
        break;
      case 7:
        y = node(div, {x, channels_constant(true)});
        break;
      case 8:
        y = node(conv, {x, constant({4, 4, 3, 3}), constant({4})}, {{"pads", Integers{1, 1, 1, 1}}});
        break;
      case 9:
        y = node(conv, {x, constant({4, 2, 1, 1})}, {{"group", int64_t{2}}});
        break;
      case 10:
        y = node(batch_norm, {x, constant({4}), constant({4}), constant({4}), constant({4}, true)});
        break;
      case 11:
        y = node(transpose, {node(transpose, {x}, {{"perm", Integers{0, 2, 3, 1}}})},
                 {{"perm", Integers{0, 3, 1, 2}}});
        break;
      case 12:
        y = node(reshape, {node(reshape, {x, integers({0, 4, 30})}), integers({-1, 4, 6, 5})});
        break;
      case 13: {
        const ir::ValueId d = node(sub, {x, node(reduce_mean, {x}, {{"axes", Integers{-1}}})});
        const ir::ValueId v =
            node(reduce_mean, {node(ops::def::pow, {d, number(2)})}, {{"axes", Integers{-1}}});
        y = node(div, {d, node(sqrt, {node(add, {v, number(0.01f)})})});
        break;
      }
      case 14:
        y = node(softmax, {x}, {{"axis", static_cast<int64_t>(random_() % 4)}});
        break;
      case 15:
        y = node(mul, {x, node(reduce_mean, {x}, {{"axes", Integers{2, 3}}})});
        break;
      case 16:
        y = node(matmul, {x, constant({5, 5})});
        break;
      case 17:
        y = node(add, {node(matmul, {x, constant({5, 5})}), constant({5})});
        break;
      case 18:
        y = node(mul, {node(mul, {x, number(0.5f)}),
                       node(add, {node(erf, {node(div, {x, number(1.41421356f)})}), number(1)})});
        break;
      case 19:
        y = node(minimum, {node(maximum, {x, number(-0.5f)}), number(0.75f)});
        break;
      case 20:
        y = node(slice, {node(concat, {x, any()}, {{"axis", int64_t{1}}}), integers({2}), integers({6}),
                         integers({1})});
        break;
      case 21: {
        // Parts that change places: a plan may let them lie inside one another.
        const std::vector<ir::ValueId> parts = nodes(split, {x, integers({1, 3})}, 2, {{"axis", int64_t{1}}});
        y = node(concat, {node(relu, {parts[1]}), parts[0]}, {{"axis", int64_t{1}}});
        break;
      }
      case 22: {
        // A block of DenseNet: what is joined is joined again, and read on the way.
        const ir::ValueId grown = node(conv, {x, constant({3, 4, 1, 1})});
        const ir::ValueId joined = node(concat, {x, grown}, {{"axis", int64_t{1}}});
        const ir::ValueId more = node(concat, {joined, node(tanh, {grown})}, {{"axis", int64_t{1}}});
        y = node(conv, {more, constant({4, 10, 1, 1})});
        break;
      }
      case 23: {
        const ir::ValueId rows = node(reshape, {x, integers({0, 4, 30})});
        y = node(reshape, {node(add, {rows, node(softmax, {rows})}), integers({0, 4, 6, 5})});
        break;
      }
      case 24:
        y = node(max_pool, {x}, {{"kernel_shape", Integers{3, 3}}, {"pads", Integers{1, 1, 1, 1}}});
        break;
      case 25:
        y = node(concat,
                 {node(slice, {x, integers({3}), integers({6}), integers({2})}),
                  node(slice, {any(), integers({0}), integers({3}), integers({2})})},
                 {{"axis", int64_t{2}}});
        break;
      default:
        y = node(tanh, {x});
        break;
    }
    images_.push_back(y);
  }

  std::mt19937 random_;
  std::shared_ptr<ir::Graph> graph_;
  std::vector<ir::ValueId> images_;
};

/// The largest difference of two results as largest_difference(), but relative to the largest finite element:
/// chains of ops amplify rounding.
inline double difference_in_a_chain(const Tensor& actual, const Tensor& expected) {
  double largest = 1;
  for (int64_t i = 0; i < expected.size(); ++i)
    if (std::isfinite(expected.data<float>()[i]))
      largest = std::max(largest, std::abs(static_cast<double>(expected.data<float>()[i])));
  return largest_difference(actual, expected) / largest;
}

}  // namespace burnish::testing
