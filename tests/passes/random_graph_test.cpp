// The whole pipeline on random graphs: what it computes stays what it was.
#include <gtest/gtest.h>

#include "../support/random_tensor.h"
#include "build/pipeline.h"
#include "ir/attribute_value.h"
#include "ops/evaluate.h"
#include "ops/infer.h"
#include "ops/table.h"

namespace burnish {
namespace {

/// Grows a graph of images [n,c,h,w] and matrices by random ops, among them the pieces that rules look for.
class RandomGraph {
 public:
  explicit RandomGraph(unsigned seed) : random_(seed), graph_(std::make_shared<ir::Graph>("random")) {
    graph_->symbols["n"] = {1, 2, -1};
    images_.push_back(graph_->add_input("image", {DType::f32, {ir::Dim::symbol("n"), 4, 6, 5}}));
    images_.push_back(graph_->add_input("other", {DType::f32, {ir::Dim::symbol("n"), 4, 6, 5}}));
    const int steps = 5 + static_cast<int>(random_() % 25);
    for (int i = 0; i < steps; ++i) grow();
    graph_->outputs.push_back({"last", images_.back()});
    graph_->outputs.push_back({"some", any()});
  }

  std::shared_ptr<ir::Graph> graph() { return graph_; }
  std::mt19937& random() { return random_; }

 private:
  ir::ValueId any() { return images_[random_() % images_.size()]; }
  /// Mostly the newest value, so that chains arise.
  ir::ValueId recent() { return random_() % 4 ? images_.back() : any(); }

  ir::ValueId constant(const Shape& shape, bool is_positive = false) {
    return graph_->add_constant(graph_->fresh_name("c"),
                                testing::random_tensor(DType::f32, shape, is_positive, random_));
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
    ir::Attributes all = op.default_attributes;
    for (const auto& [name, value] : attributes) ir::set_attribute(all, name, value);
    return graph_->node(ops::add_node(*graph_, op, all, std::move(inputs), 1, op.name)).outputs[0];
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
    switch (random_() % 22) {
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

TEST(Optimize, KeepsWhatRandomGraphsCompute) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RandomGraph made(seed);
    const auto before = made.graph()->clone(), after = made.graph()->clone();
    rewrite::RewriteLog log;
    optimize(*after, {}, log);
    ir::verify(*after);
    std::vector<Tensor> inputs;
    for (size_t i = 0; i < before->inputs().size(); ++i)
      inputs.push_back(testing::random_tensor(DType::f32, {1 + static_cast<int64_t>(seed % 3), 4, 6, 5},
                                              false, made.random()));
    const auto expected = ops::evaluate(*before, inputs), actual = ops::evaluate(*after, inputs);
    ASSERT_EQ(expected.size(), actual.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      // Chains amplify rounding: the tolerance is relative to the largest element.
      double largest = 1;
      for (int64_t j = 0; j < expected[i].size(); ++j)
        if (std::isfinite(expected[i].data<float>()[j]))
          largest = std::max(largest, std::abs(static_cast<double>(expected[i].data<float>()[j])));
      ASSERT_LE(testing::largest_difference(actual[i], expected[i]), 1e-4 * largest)
          << ir::print(*before) << ir::print(*after);
    }
  }
}

TEST(Optimize, StopsAfterTheLimit) {
  RandomGraph made(7);
  rewrite::RewriteLog all;
  optimize(*made.graph()->clone(), {}, all);
  for (int64_t limit = 0; limit <= all.taken(); ++limit) {
    const auto graph = made.graph()->clone();
    rewrite::RewriteLog log(limit);
    optimize(*graph, {}, log);
    EXPECT_EQ(log.taken(), limit);
    for (int64_t i = 0; i < limit; ++i)
      EXPECT_EQ(log.hits()[static_cast<size_t>(i)].where, all.hits()[static_cast<size_t>(i)].where);
  }
}

}  // namespace
}  // namespace burnish
