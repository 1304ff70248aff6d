#include "ops/attention.h"

#include "op_testing.h"

namespace burnish::ops::testing {
namespace {

struct Case {
  int64_t batch = 2, heads = 4, groups = 2, queries = 5, keys = 7, size = 3, values = 6;
  Tensor q, k, v;
  explicit Case(unsigned seed) {
    std::mt19937 random(seed);
    q = random_tensor({batch, heads, queries, size}, random);
    k = random_tensor({batch, groups, keys, size}, random);
    v = random_tensor({batch, groups, keys, values}, random);
  }
  /// The definition; bias(b, h, i, j) is added to a score, -inf hides it.
  template <class Bias>
  std::vector<double> expected(const AttentionAttributes& attributes, const Bias& bias) const {
    std::vector<double> result;
    const double scale = attributes.scale != 0 ? attributes.scale : 1 / std::sqrt(static_cast<double>(size));
    const auto number = [](const Tensor& tensor, int64_t i) {
      return static_cast<double>(tensor.data<float>()[i]);
    };
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t h = 0; h < heads; ++h)
        for (int64_t i = 0; i < queries; ++i) {
          const int64_t line = (b * heads + h) * queries + i, group = b * groups + h / (heads / groups);
          std::vector<double> weights;
          double sum = 0;
          for (int64_t j = 0; j < keys; ++j) {
            double score = 0;
            for (int64_t d = 0; d < size; ++d)
              score += number(q, line * size + d) * number(k, (group * keys + j) * size + d);
            score *= scale;
            if (attributes.softcap > 0) score = attributes.softcap * std::tanh(score / attributes.softcap);
            weights.push_back(std::exp(score + bias(b, h, i, j)));
            sum += weights.back();
          }
          for (int64_t d = 0; d < values; ++d) {
            double value = 0;
            for (int64_t j = 0; j < keys; ++j)
              value += weights[static_cast<size_t>(j)] * number(v, (group * keys + j) * values + d);
            result.push_back(sum == 0 ? 0 : value / sum);
          }
        }
    return result;
  }
};

TEST(Attention, AgreesWithItsDefinition) {
  const Case c(1);
  const Shape shape = {2, 4, 5, 6};
  const auto none = [](int64_t, int64_t, int64_t, int64_t) { return 0.0; };
  expect_close(run(def::attention, AttentionAttributes{}, {c.q, c.k, c.v}), shape, c.expected({}, none));
  const AttentionAttributes scaled{0.7, "none", 1.5};
  expect_close(run(def::attention, scaled, {c.q, c.k, c.v}), shape, c.expected(scaled, none));
  for (int64_t shift : {0, 2}) {
    const AttentionAttributes causal{0, shift ? "bottom_right" : "top_left"};
    expect_close(run(def::attention, causal, {c.q, c.k, c.v}), shape,
                 c.expected(causal, [&](int64_t, int64_t, int64_t i, int64_t j) {
                   return j <= i + shift ? 0.0 : -INFINITY;
                 }));
  }
}

TEST(Attention, BroadcastsItsMask) {
  const Case c(2);
  std::mt19937 random(3);
  const Tensor added = random_tensor({4, 1, 7}, random);
  expect_close(run(def::attention, AttentionAttributes{}, {c.q, c.k, c.v, added}), {2, 4, 5, 6},
               c.expected({}, [&](int64_t, int64_t h, int64_t, int64_t j) {
                 return static_cast<double>(added.data<float>()[h * 7 + j]);
               }));
  // Query 1 sees nothing: zeros.
  Tensor seen(DType::boolean, {5, 7});
  for (int64_t i = 0; i < seen.size(); ++i) seen.data<bool>()[i] = i / 7 != 1 && random() % 2;
  expect_close(run(def::attention, AttentionAttributes{}, {c.q, c.k, c.v, seen}), {2, 4, 5, 6},
               c.expected({}, [&](int64_t, int64_t, int64_t i, int64_t j) {
                 return seen.data<bool>()[i * 7 + j] ? 0.0 : -INFINITY;
               }));
}

TEST(Attention, RefusesWhatDoesNotFit) {
  const Case c(4);
  std::mt19937 random(5);
  EXPECT_THROW(run(def::attention, AttentionAttributes{}, {c.q, c.k, c.q}), Error);
  EXPECT_THROW(run(def::attention, AttentionAttributes{}, {c.q, c.k, c.v, random_tensor({5, 6}, random)}),
               Error);
  EXPECT_THROW(run(def::attention, AttentionAttributes{0, "upside_down"}, {c.q, c.k, c.v}), Error);
}

}  // namespace
}  // namespace burnish::ops::testing
